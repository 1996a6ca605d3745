//! The forms in which mail servers leave messages in a directory: one message per file, with or
//! without the envelope before it (PowerMTA newfile-pickup, newfile-plain), and mbox.
//!
//! Not here: finding and claiming files (`spool`), where an mbox is split (`message::mbox`).
//! Invariants: the bytes of a message are those that the mail server wrote, without what it put
//! around them; a file with very many messages takes no more memory than its bytes.

use crate::envelope::Envelope;
use crate::message::mbox::{self, MboxPart, MboxParts};
use crate::message::{Message, Received};
use std::io::{self, Write};
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
    /// Whether it is all that follows in a file of this many bytes, as it is there.
    pub(crate) fn is_rest_of(&self, length: usize) -> bool {
        !self.quoted && self.range.end == length
    }

    /// Whether this is the same message for another recipient.
    pub(crate) fn is_same_message(&self, other: &FiledMessage) -> bool {
        self.range == other.range
    }

    pub(crate) fn bytes(&self, file: &[u8]) -> Vec<u8> {
        let bytes = &file[self.range.clone()];
        if self.quoted { mbox::unquoted(bytes) } else { bytes.to_vec() }
    }
}

/// Every message in a file, once for each of its recipients, in order.
pub(crate) enum FiledMessages<'f> {
    Only(Option<FiledMessage>),
    Mbox(&'f [u8], MboxParts<'f>),
    /// The lines that name the recipients, and the message for any of them.
    Pickup(PickupLines<'f>, FiledMessage),
}

pub(crate) fn messages(file: &[u8]) -> FiledMessages<'_> {
    if mbox::is_mbox(file) {
        return FiledMessages::Mbox(file, mbox::split(file));
    }
    let (mut start, mut sender, mut receivers) = (0, None, false);
    for line in (PickupLines { file, at: 0 }) {
        match &line {
            PickupLine { name: PickupName::Sender, .. } => {
                _ = sender.get_or_insert_with(|| line.address(file))
            }
            PickupLine { name: PickupName::Receiver, .. } => receivers = true,
            PickupLine { name: PickupName::Other, .. } => {}
        }
        start = line.range.end;
    }
    let mut envelope = from_header(&file[start..]);
    if let Some(sender) = sender {
        envelope.sender = sender;
    }
    let message = FiledMessage { range: start..file.len(), envelope, quoted: false };
    match receivers {
        true => FiledMessages::Pickup(PickupLines { file, at: 0 }, message),
        false => FiledMessages::Only(Some(message)),
    }
}

impl Iterator for FiledMessages<'_> {
    type Item = FiledMessage;

    fn next(&mut self) -> Option<FiledMessage> {
        match self {
            FiledMessages::Only(message) => message.take(),
            FiledMessages::Mbox(file, parts) => parts.next().map(|part| from_mbox(file, part)),
            FiledMessages::Pickup(lines, message) => {
                let line = lines.find(|line| line.name == PickupName::Receiver)?;
                let recipient = line.address(lines.file);
                let envelope = Envelope { recipient, ..message.envelope.clone() };
                Some(FiledMessage { envelope, range: message.range.clone(), quoted: false })
            }
        }
    }
}

/// Writes a file with only those of its messages that `is_left`, by their place in it. Nothing else
/// is changed.
pub(crate) fn write_left(
    file: &[u8],
    is_left: impl Fn(usize) -> bool,
    into: &mut impl Write,
) -> io::Result<()> {
    if mbox::is_mbox(file) {
        let mut left = mbox::split(file).enumerate().filter(|(index, _)| is_left(*index));
        return left.try_for_each(|(_, part)| into.write_all(&file[part.from_line.start..part.message.end]));
    }
    let (mut receiver, mut start) = (0, 0);
    for line in (PickupLines { file, at: 0 }) {
        let is_receiver = line.name == PickupName::Receiver;
        if !is_receiver || is_left(receiver) {
            into.write_all(&file[line.range.clone()])?;
        }
        receiver += usize::from(is_receiver);
        start = line.range.end;
    }
    into.write_all(&file[start..])
}

/// What a line before a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PickupName {
    Sender,
    Receiver,
    Other,
}

/// A line before a message.
pub(crate) struct PickupLine {
    name: PickupName,
    range: Range<usize>,
}

impl PickupLine {
    fn address(&self, file: &[u8]) -> String {
        let line = &file[self.range.clone()];
        let value = line.iter().position(|&byte| byte == b':').map_or(line, |colon| &line[colon + 1..]);
        Envelope::normal_sender(&String::from_utf8_lossy(value))
    }
}

/// The x-sender and x-receiver lines before a message, and what is between them.
pub(crate) struct PickupLines<'f> {
    file: &'f [u8],
    at: usize,
}

impl Iterator for PickupLines<'_> {
    type Item = PickupLine;

    fn next(&mut self) -> Option<PickupLine> {
        let line = self.file[self.at..].split_inclusive(|&byte| byte == b'\n').next()?;
        let colon = line.iter().position(|&byte| byte == b':')?;
        let name = match &line[..colon] {
            name if name.eq_ignore_ascii_case(b"x-sender") => PickupName::Sender,
            name if name.eq_ignore_ascii_case(b"x-receiver") => PickupName::Receiver,
            name if self.at > 0 && is_pickup(name) => PickupName::Other,
            _ => return None,
        };
        let range = self.at..self.at + line.len();
        self.at = range.end;
        Some(PickupLine { name, range })
    }
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

/// A message of an mbox. The `From ` line names the sender where the header does not.
fn from_mbox(file: &[u8], part: MboxPart) -> FiledMessage {
    let mut envelope = from_header(&file[part.message.clone()]);
    if envelope.sender.is_empty() {
        let from = String::from_utf8_lossy(&file[part.from_line]);
        envelope.sender = Envelope::normal_sender(from.split_whitespace().nth(1).unwrap_or_default());
    }
    FiledMessage { range: part.message, envelope, quoted: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(file: &[u8]) -> Vec<FiledMessage> {
        messages(file).collect()
    }

    fn left(file: &[u8], kept: &[usize]) -> Vec<u8> {
        let mut written = Vec::new();
        write_left(file, |index| kept.contains(&index), &mut written).unwrap();
        written
    }

    #[test]
    fn what_is_left_of_a_file_is_byte_for_byte_what_it_was() {
        let pickup = b"X-Sender: a@example.com\r\nx-receiver: b@example.org\r\nx-envid: 7\r\nx-receiver: c@example.org\r\n\r\nx-receiver: text\r\n";
        assert_eq!(
            left(pickup, &[1]),
            b"X-Sender: a@example.com\r\nx-envid: 7\r\nx-receiver: c@example.org\r\n\r\nx-receiver: text\r\n"
        );
        let mbox =
            b"From a@example.com\nA: 1\n\n>From x\n\nFrom b@example.com\nB: 2\n\nFrom c@example.com\nC: 3\n";
        assert_eq!(left(mbox, &[0, 2]), b"From a@example.com\nA: 1\n\n>From x\n\nFrom c@example.com\nC: 3\n");
        assert_eq!((left(mbox, &[0, 1, 2]), left(pickup, &[0, 1])), (mbox.to_vec(), pickup.to_vec()));
        for one in [&b"A: 1\n\nx\n"[..], b"x-sender: a@example.com\nA: 1\n\nx\n"] {
            assert_eq!((parts(one).len(), left(one, &[0])), (1, one.to_vec()));
        }
    }

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
