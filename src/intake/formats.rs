//! The forms in which mail servers leave messages in a directory: one message per file, with or
//! without the envelope before it (PowerMTA newfile-pickup, newfile-plain), and mbox.
//!
//! Not here: finding and claiming files (`spool`), where an mbox is split (`message::mbox`).
//! Invariant: the bytes of a message are those that the mail server wrote, without what it put
//! around them.

use crate::envelope::Envelope;
use crate::message::mbox::{self, MboxPart};
use crate::message::{Message, Received};
use std::ops::Range;

/// One message in a file, for one recipient.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FiledMessage {
    pub(crate) range: Range<usize>,
    pub(crate) envelope: Envelope,
    /// The bytes have the quoting of mbox.
    pub(crate) quoted: bool,
}

impl FiledMessage {
    /// Whether this is the same message for another recipient.
    pub(crate) fn is_same_message(&self, other: &FiledMessage) -> bool {
        self.range == other.range
    }

    pub(crate) fn bytes(&self, file: &[u8]) -> Vec<u8> {
        let bytes = &file[self.range.clone()];
        if self.quoted { mbox::unquoted(bytes) } else { bytes.to_vec() }
    }
}

/// Every message in a file, once for each of its recipients.
pub(crate) fn parts(file: &[u8]) -> Vec<FiledMessage> {
    if mbox::is_mbox(file) {
        return from_mbox(file);
    }
    let (senders, receivers, start) = pickup(file);
    let range = start..file.len();
    if start == 0 {
        return vec![FiledMessage { envelope: from_header(file), range, quoted: false }];
    }
    let mut envelope = from_header(&file[start..]);
    if let Some(sender) = senders.into_iter().next() {
        envelope.sender = Envelope::normal_sender(&sender);
    }
    let with = |recipient: String| Envelope { recipient, ..envelope.clone() };
    let parts = receivers.into_iter().map(|receiver| FiledMessage {
        envelope: with(Envelope::normal_sender(&receiver)),
        range: range.clone(),
        quoted: false,
    });
    let mut parts: Vec<FiledMessage> = parts.collect();
    if parts.is_empty() {
        parts.push(FiledMessage { envelope, range, quoted: false });
    }
    parts
}

/// The x-sender and x-receiver lines before a message, and where the message begins.
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

/// The envelope of a file without one, from the header: the return path; the recipient of the
/// topmost Received field, or of the fields that mail servers add, and only then `To`, which anyone
/// can write.
fn from_header(raw: &[u8]) -> Envelope {
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

/// The messages of an mbox. The `From ` line names the sender where the header does not.
fn from_mbox(file: &[u8]) -> Vec<FiledMessage> {
    let filed = |part: MboxPart| {
        let mut envelope = from_header(&file[part.message.clone()]);
        if envelope.sender.is_empty() {
            let from = String::from_utf8_lossy(&file[part.from_line]);
            envelope.sender = Envelope::normal_sender(from.split_whitespace().nth(1).unwrap_or_default());
        }
        FiledMessage { range: part.message, envelope, quoted: true }
    };
    mbox::split(file).into_iter().map(filed).collect()
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
    fn b1_the_sender_is_the_return_path_wherever_it_is() {
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
