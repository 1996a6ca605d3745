//! A message comes in: `<= sender@example.com H=(helo) [192.0.2.1] P=esmtp A=plain:user S=1234
//! id=1@example.com for user@example.org`.
//!
//! Not here: the envelope of refused messages (`exim_refusal`). Invariant: the sender ends at a
//! blank outside its quotes.

use super::exim_fields::{EximField, EximFields};
use crate::maillog::postfix::Arrival;
use memchr::{memchr, memmem};

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
    while let Some(field) = fields.next() {
        match field {
            EximField::Value(b"H", host) => arrival.client = Some(host),
            EximField::Value(b"R", parent) => arrival.parent = Some(parent),
            EximField::Value(b"A", _) => arrival.authenticated = true,
            EximField::Value(b"S", size) => arrival.size = number(size),
            EximField::Value(b"id", id) => arrival.message_id = Some(id),
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

fn sender_length(text: &[u8]) -> usize {
    let quoted = if text.first() == Some(&b'"') { memmem::find(text, b"\"@").unwrap_or(0) } else { 0 };
    quoted + memchr(b' ', &text[quoted..]).unwrap_or(text.len() - quoted)
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// How many addresses there are.
fn recipients(text: &[u8]) -> u32 {
    let at_signs = text.split(|byte| *byte == b' ').filter(|word| word.contains(&b'@'));
    u32::try_from(at_signs.count()).unwrap_or(u32::MAX).max(1)
}
