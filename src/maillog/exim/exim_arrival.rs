//! A message comes in: `<= sender@example.com H=(helo) [192.0.2.1] P=esmtp A=plain:user S=1234
//! id=1@example.com for user@example.org`.
//!
//! Not here: the envelope of refused messages (`exim_refusal`). Invariant: the sender ends at a
//! blank outside its quotes, and nothing after the size, where the Message-ID and the subject are,
//! says who handed the message in.

use super::exim_fields::{EximField, EximFields};
use crate::maillog::postfix::Arrival;

/// Reads what follows the flag.
pub(super) fn read(text: &[u8]) -> Arrival<'_> {
    let end = sender_length(text);
    let sender = if &text[..end] == b"<>" { &b""[..] } else { &text[..end] };
    let mut arrival = Arrival {
        sender,
        client: None,
        authenticated: false,
        size: None,
        recipients: None,
        message_id: None,
        parent: None,
    };
    let mut fields = EximFields::new(&text[end..]);
    let (mut is_of_exim, mut protocol) = (true, None::<&[u8]>);
    while let Some(field) = fields.next() {
        match field {
            EximField::Value(b"H", host) if is_of_exim => arrival.client = arrival.client.or(Some(host)),
            EximField::Value(b"P", name) if is_of_exim => protocol = protocol.or(Some(name)),
            EximField::Value(b"R", parent) if is_of_exim => arrival.parent = Some(parent),
            EximField::Value(b"A", _) if is_of_exim => {
                // `esmtpa`, `esmtpsa`: what is between the two may be a client's words.
                arrival.authenticated |= protocol.is_none_or(|name| name.ends_with(b"a"));
            }
            EximField::Value(b"S", size) if is_of_exim => {
                arrival.size = number(size);
                is_of_exim = false;
            }
            EximField::Value(b"id", id) if arrival.message_id.is_none() => {
                arrival.message_id = Some(id);
                is_of_exim = false;
            }
            EximField::Word(b"for") => {
                arrival.recipients = Some(recipients(fields.rest()));
                break;
            }
            EximField::Value(..) | EximField::Word(_) => {}
            EximField::Text(_) => break,
        }
    }
    arrival
}

/// To a blank outside quotes, which may be anywhere in the local part. A quote that nothing ends is
/// none.
fn sender_length(text: &[u8]) -> usize {
    let (mut at, mut is_quoted) = (0, false);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\\' if is_quoted => at += 1,
            b' ' if !is_quoted => return at,
            _ => {}
        }
        at += 1;
    }
    let blank = || text.iter().position(|byte| *byte == b' ');
    Some(text.len()).filter(|_| !is_quoted).or_else(blank).unwrap_or(text.len())
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// How many addresses there are.
fn recipients(text: &[u8]) -> u32 {
    let at_signs = text.split(|byte| *byte == b' ').filter(|word| word.contains(&b'@'));
    u32::try_from(at_signs.count()).unwrap_or(u32::MAX).max(1)
}
