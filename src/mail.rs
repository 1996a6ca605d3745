//! One message on its way through carom: its bytes, its envelope, and what names it.
//!
//! Each entrance makes one (`cli/pipe`, `relay`, `log_failures`, the workshop) and everything after
//! it borrows it; a promised message that is read back from the store is one too. Not here: what a
//! policy may know about it (`policy/message_facts`, `policy/recipient_facts`), and what is to be
//! done about it (`plan`). Invariant: the bytes never change.

use crate::digest;
use crate::envelope::Envelope;
use crate::files::regular;
use crate::message::Message;
use crate::text::bounded;
use serde::{Deserialize, Serialize};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of a Message-ID that are remembered: those of a line of a header.
const LONGEST_ID: usize = 998;

self_cell::self_cell! {
    /// The bytes of a message, and what was read of them. All recipients of a message share it.
    pub(crate) struct Content {
        owner: Arc<Vec<u8>>,
        #[not_covariant]
        dependent: Message,
    }
}

impl Content {
    pub(crate) fn read(raw: Arc<Vec<u8>>) -> Arc<Content> {
        Arc::new(Content::new(raw, |raw| Message::read(raw)))
    }

    pub(crate) fn raw(&self) -> &Arc<Vec<u8>> {
        self.borrow_owner()
    }

    pub(crate) fn message<R>(&self, look: impl FnOnce(&Message<'_>) -> R) -> R {
        self.with_dependent(|_, message| look(message))
    }
}

/// A message for one recipient.
pub(crate) struct Mail {
    pub(crate) content: Arc<Content>,
    pub(crate) envelope: Envelope,
    pub(crate) key: Key,
    /// Seeds every random choice; the same seed gives the same plan.
    pub(crate) seed: u64,
    /// When it arrived, in milliseconds since 1970; for a failure in the log, when that happened.
    pub(crate) at_ms: i64,
    /// Where a kept copy goes; `None`: the config's directory, under a name made from the key.
    pub(crate) keep: Option<KeptCopy>,
    /// The file that holds it, durably, until nothing is left to do about it.
    pub(crate) file: Option<MessageFile>,
}

impl Mail {
    /// A message as it arrives, named by its queue id, bytes and envelope. Without a queue id it is
    /// another message each time.
    pub(crate) fn arrived(raw: Vec<u8>, envelope: Envelope, seed: u64, at_ms: i64) -> Mail {
        Mail::for_recipient(Content::read(Arc::new(raw)), envelope, seed, at_ms)
    }

    /// The same for one of several recipients.
    pub(crate) fn for_recipient(content: Arc<Content>, envelope: Envelope, seed: u64, at_ms: i64) -> Mail {
        let key = Key::of_message(&envelope, content.raw());
        let key = if envelope.queue_id.is_some() { key } else { key.another() };
        Mail { content, envelope, key, seed, at_ms, keep: None, file: None }
    }

    /// With a word in the config, the seed is the same for the same message and recipient, in every
    /// run and on every host. A message is known by its Message-ID, and without one by its bytes;
    /// before there is one, by its sender.
    pub(crate) fn seeded_by(self, word: Option<&str>) -> Mail {
        let Some(word) = word else { return self };
        let id = self.message(|message| message.header("Message-ID"));
        let id = id.as_ref().map_or(&self.raw()[..], |id| id.as_bytes());
        let id = if self.raw().is_empty() { self.envelope.sender.as_bytes() } else { id };
        let recipient = self.envelope.recipient.to_lowercase();
        let digits = digest::sha256_hex(&[word.as_bytes(), b"\0", id, b"\0", recipient.as_bytes()], 16);
        let seed = u64::from_str_radix(&digits, 16).unwrap_or(self.seed);
        Mail { seed, ..self }
    }

    pub(crate) fn raw(&self) -> &Arc<Vec<u8>> {
        self.content.raw()
    }

    pub(crate) fn message<R>(&self, look: impl FnOnce(&Message<'_>) -> R) -> R {
        self.content.message(look)
    }

    /// Its Message-ID without brackets, at most [`LONGEST_ID`] bytes of it.
    pub(crate) fn message_id(&self) -> Option<String> {
        let id = self.message(|message| message.header("Message-ID"))?;
        let id = id.trim().trim_start_matches('<').trim_end_matches('>');
        Some(bounded(id, LONGEST_ID).to_owned()).filter(|id| !id.is_empty())
    }

    /// The name of the file of a relay directory that it was in.
    pub(crate) fn file_name(&self) -> Option<String> {
        self.keep.as_ref().map(|copy| copy.name.clone())
    }

    /// Where a copy of it is kept: `directory`, unless its entrance chose another one.
    pub(crate) fn kept_copy(&self, directory: PathBuf) -> KeptCopy {
        self.keep.clone().unwrap_or_else(|| KeptCopy::named(directory, &self.key))
    }
}

/// Where a kept copy of a message goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeptCopy {
    /// Created if it is missing.
    pub(crate) directory: PathBuf,
    /// If the name is taken, a number is put in front.
    pub(crate) name: String,
}

impl KeptCopy {
    fn named(directory: PathBuf, key: &Key) -> KeptCopy {
        let name = format!("{}.eml", key.text().replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        KeptCopy { directory, name }
    }
}

/// A file that holds a message from some byte to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageFile {
    pub(crate) path: String,
    pub(crate) begins: u64,
}

impl MessageFile {
    pub(crate) fn read(&self) -> std::io::Result<Vec<u8>> {
        let mut file = regular::open_no_link(self.path.as_ref())?;
        file.seek(SeekFrom::Start(self.begins))?;
        let mut raw = Vec::new();
        file.read_to_end(&mut raw)?;
        Ok(raw)
    }
}

/// What identifies a delivery in the journal, so that a second delivery of the same message repeats
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    text: String,
    /// It was made for this delivery: no earlier one can be on record under it.
    new: bool,
}

impl Key {
    /// The key of a message from a pipe. Without a queue id, several messages share it, and what a
    /// filter adds again at each delivery is not part of it.
    fn of_message(envelope: &Envelope, raw: &[u8]) -> Key {
        let queue_id = envelope.queue_id.as_deref().unwrap_or_default();
        let end: &[u8] = b"\0";
        let [id, sender, recipient] = [queue_id, &envelope.sender, &envelope.recipient].map(str::as_bytes);
        let mut parts = vec![id, end, sender, end, recipient, end];
        match envelope.queue_id {
            Some(_) => parts.push(raw),
            None => parts.extend(lasting_parts(raw)),
        }
        Key { text: digest::sha256_hex(&parts, 32), new: false }
    }

    /// The key of a claimed file. It is `new` unless an earlier run has claimed the file.
    pub(crate) fn of_claim(text: String, new: bool) -> Key {
        Key { text, new }
    }

    /// The key of a failed delivery in a mail log.
    pub(crate) fn of_delivery(id: u64) -> Key {
        Key { text: format!("log-{id:016x}"), new: false }
    }

    /// A key as the journal has it.
    pub(crate) fn on_record(text: String) -> Key {
        Key { text, new: false }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What a key has in common with those of all messages of the same bytes and envelope.
    pub(crate) fn shared(&self) -> &str {
        self.text.split_once('-').map_or(&self.text, |(shared, _)| shared)
    }

    /// Whether nothing can be on record under it.
    pub(crate) fn is_new(&self) -> bool {
        self.new
    }

    /// The same key with a random suffix. The system gives it: numbers that begin with the clock
    /// are the same in two processes that start in the same nanosecond.
    pub(crate) fn another(&self) -> Key {
        Key { text: format!("{}-{}", self.text, digest::random_token(8)), new: true }
    }
}

/// Fields that differ each time a filter hands a message on.
const CHANGING: [&[u8]; 2] = [b"message-id:", b"received:"];
/// Bytes of a header in which they are looked for.
const LONGEST_HEADER: usize = 1 << 20;

/// A message without those fields.
fn lasting_parts(raw: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut begins, mut at, mut is_left_out) = (Vec::new(), 0, 0, false);
    let is_changing = |line: &[u8]| {
        let named = |name: &&[u8]| line.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name));
        CHANGING.iter().any(named)
    };
    while let Some(length) = memchr::memchr(b'\n', &raw[at..]).filter(|_| at < LONGEST_HEADER) {
        let line = &raw[at..at + length];
        if line.is_empty() || line == b"\r" {
            break;
        }
        let was_left_out = is_left_out;
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            is_left_out = is_changing(line);
        }
        match (was_left_out, is_left_out) {
            (false, true) => parts.push(&raw[begins..at]),
            (true, false) => begins = at,
            _ => {}
        }
        at += length + 1;
    }
    parts.push(&raw[if is_left_out { at } else { begins }..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_makes_the_seed_a_function_of_message_and_recipient() {
        let seed = |word: Option<&str>, raw: &[u8], recipient: &str| {
            let envelope = Envelope { recipient: recipient.into(), ..Envelope::default() };
            Mail::arrived(raw.to_vec(), envelope, 1, 0).seeded_by(word).seed
        };
        let (one, again) = (b"Message-ID: <a@b>\r\n\r\nx\r\n", b"X: y\r\nMessage-ID: <a@b>\r\n\r\nz\r\n");
        let first = seed(Some("w"), one, "a@b.example");
        assert_eq!(first, seed(Some("w"), again, "A@b.example"));
        assert_ne!(first, seed(Some("v"), one, "a@b.example"));
        assert_ne!(first, seed(Some("w"), one, "c@b.example"));
        assert_ne!(seed(Some("w"), b"x", ""), seed(Some("w"), b"y", ""));
        assert_eq!(seed(None, one, "a@b.example"), 1);
    }

    #[test]
    fn a_key_tells_deliveries_apart() {
        let envelope = |recipient: &str, queue_id: Option<&str>| Envelope {
            sender: "a@a.example".into(),
            recipient: recipient.into(),
            queue_id: queue_id.map(str::to_owned),
            ..Envelope::default()
        };
        let key = |recipient: &str, queue_id: Option<&str>, raw: &[u8]| {
            Key::of_message(&envelope(recipient, queue_id), raw)
        };
        let one = key("b@b.example", Some("4ABC"), b"x");
        assert_eq!(one, key("b@b.example", Some("4ABC"), b"x"));
        for other in [
            key("c@b.example", Some("4ABC"), b"x"),
            key("b@b.example", Some("4ABD"), b"x"),
            key("b@b.example", Some("4ABC"), b"y"),
        ] {
            assert_ne!(one.text(), other.text());
        }
        let (another, a_third) = (one.another(), one.another());
        assert!(another.text() != a_third.text() && another.is_new() && !one.is_new());
        assert!(another.shared() == one.text() && one.shared() == one.text());
    }
}
