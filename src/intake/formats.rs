//! The forms in which a mail server leaves messages in a directory: one file a message, with or without the envelope
//! in front (PowerMTA newfile-pickup, newfile-plain), and mbox.
//!
//! Not here: finding and claiming files (`relay`). Invariant: the bytes of a message are those the mail server wrote,
//! without what it put around them.

use crate::envelope::Envelope;
use crate::message::Message;
use crate::message::received::Received;
use std::ops::Range;

/// One message in a file, for one recipient.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where its bytes stand in the file.
    pub(crate) range: Range<usize>,
    /// Its envelope.
    pub(crate) envelope: Envelope,
    /// mbox: the bytes have `>From ` lines to be unquoted.
    pub(crate) quoted: bool,
}

impl Part {
    /// The message's own bytes.
    pub(crate) fn bytes(&self, file: &[u8]) -> Vec<u8> {
        let bytes = &file[self.range.clone()];
        if !self.quoted {
            return bytes.to_vec();
        }
        let mut unquoted = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let bare = line.iter().position(|&byte| byte != b'>').unwrap_or(0);
            let quoted = bare > 0 && line[bare..].starts_with(b"From ");
            unquoted.extend_from_slice(if quoted { &line[1..] } else { line });
        }
        unquoted
    }
}

/// Every message in a file, once for each of its recipients.
pub(crate) fn parts(file: &[u8]) -> Vec<Part> {
    if file.starts_with(b"From ") {
        return mbox(file);
    }
    let (senders, receivers, start) = pickup(file);
    let range = start..file.len();
    if start == 0 {
        return vec![Part { envelope: plain(file), range, quoted: false }];
    }
    let mut envelope = plain(&file[start..]);
    if let Some(sender) = senders.into_iter().next() {
        envelope.sender = Envelope::normal_sender(&sender);
    }
    let with = |recipient: String| Envelope { recipient, ..envelope.clone() };
    let parts = receivers.into_iter().map(|receiver| Part {
        envelope: with(Envelope::normal_sender(&receiver)),
        range: range.clone(),
        quoted: false,
    });
    let mut parts: Vec<Part> = parts.collect();
    if parts.is_empty() {
        parts.push(Part { envelope, range, quoted: false });
    }
    parts
}

/// The x-sender and x-receiver lines in front of a message, and where the message itself begins.
fn pickup(file: &[u8]) -> (Vec<String>, Vec<String>, usize) {
    let (mut senders, mut receivers, mut start) = (Vec::new(), Vec::new(), 0);
    for line in file.split_inclusive(|&byte| byte == b'\n') {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            break;
        };
        let value = String::from_utf8_lossy(&line[colon + 1..]).trim().to_owned();
        match &line[..colon] {
            name if name.eq_ignore_ascii_case(b"x-sender") => senders.push(value),
            name if name.eq_ignore_ascii_case(b"x-receiver") => receivers.push(value),
            name if name.len() > 2
                && name[..2].eq_ignore_ascii_case(b"x-")
                && start > 0
                && is_pickup(name) => {}
            _ => break,
        }
        start += line.len();
    }
    (senders, receivers, start)
}

/// Other fields that PowerMTA's pickup format may have between x-sender and x-receiver.
fn is_pickup(name: &[u8]) -> bool {
    const OTHERS: [&[u8]; 3] = [b"x-envid", b"x-dsn", b"x-virtual-mta"];
    OTHERS.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// The envelope of a file that has none: the return path and the recipient that the mail server wrote into the
/// header, then the recipient its Received header names, and only then `To`, which anyone may write.
fn plain(raw: &[u8]) -> Envelope {
    let message = Message::read(raw);
    let sender = message.header("Return-Path").map(|value| bare_address(&value)).unwrap_or_default();
    let topmost = message.header("Received").map(|value| Received::parse(&value)).unwrap_or_default();
    let delivered = ["X-Envelope-To", "X-Original-To", "Delivered-To"]
        .iter()
        .find_map(|name| message.header(name))
        .map(|value| bare_address(&value));
    let recipient = topmost
        .for_recipient
        .or(delivered)
        .filter(|recipient| recipient.contains('@'))
        .or_else(|| message.addresses("To").into_iter().next());
    Envelope {
        sender: Envelope::normal_sender(&sender),
        recipient: recipient.unwrap_or_default(),
        ..Envelope::default()
    }
}

/// The text between the angle brackets, or all of it where there are none.
fn bare_address(value: &str) -> String {
    let inner = value.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>')).map(|(inner, _)| inner);
    inner.unwrap_or(value).trim().to_owned()
}

/// The messages of an mbox (RFC 4155): each begins with a `From ` line after an empty one.
fn mbox(file: &[u8]) -> Vec<Part> {
    let mut starts = Vec::new();
    let (mut offset, mut after_blank) = (0, true);
    for line in file.split_inclusive(|&byte| byte == b'\n') {
        if after_blank && line.starts_with(b"From ") {
            starts.push((offset, offset + line.len()));
        }
        after_blank = line.iter().all(|&byte| byte == b'\n' || byte == b'\r');
        offset += line.len();
    }
    let ends = starts.iter().skip(1).map(|&(from_line, _)| from_line).chain([file.len()]);
    let mut parts = Vec::with_capacity(starts.len());
    for (&(from_line, start), end) in starts.iter().zip(ends) {
        let mut envelope = plain(&file[start..end]);
        let from = String::from_utf8_lossy(&file[from_line + 5..start]);
        if envelope.sender.is_empty() {
            envelope.sender = Envelope::normal_sender(from.split_whitespace().next().unwrap_or_default());
        }
        parts.push(Part { range: start..end, envelope, quoted: true });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pickup_gives_one_part_a_recipient() {
        let file = b"x-sender: a@example.com\r\nx-receiver: b@example.org\r\nx-receiver: c@example.org\r\n\
            From: a@example.com\r\nTo: x@example.net\r\n\r\nhello\r\n";
        let parts = parts(file);
        let recipients: Vec<&str> = parts.iter().map(|part| part.envelope.recipient.as_str()).collect();
        assert_eq!(recipients, ["b@example.org", "c@example.org"]);
        assert!(parts.iter().all(|part| part.envelope.sender == "a@example.com"));
        assert!(parts[0].bytes(file).starts_with(b"From: a@example.com"));
    }

    #[test]
    fn b1_the_sender_is_the_return_path_wherever_it_stands() {
        let file = b"X-Note: see <other@example.net>\nReturn-Path: <a@example.com>\nTo: \"x@y\" <b@example.org>\n\nhello\n";
        let parts = parts(file);
        assert_eq!(parts[0].envelope.sender, "a@example.com");
        assert_eq!(parts[0].envelope.recipient, "b@example.org");
    }

    #[test]
    fn mbox_is_split_and_unquoted() {
        let file =
            b"From a@example.com Sat Nov 21 00:00:00 2026\nTo: b@example.org\n\n>From here\n>>From there\n\n\
            From c@example.com Sat Nov 21 00:00:01 2026\nTo: d@example.org\n\nFrom-less\n";
        let parts = parts(file);
        assert_eq!(parts.len(), 2);
        assert!(parts[0].bytes(file).ends_with(b"From here\n>From there\n\n"));
        assert_eq!(parts[1].envelope.sender, "c@example.com");
    }
}
