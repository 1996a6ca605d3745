//! Mail that carom writes: header fields, then a body.
//!
//! Not here: what the mail says; the parts of a report (`report::multipart`). Invariant: text from
//! another message cannot begin a new header field, and no line is longer than SMTP allows.

use super::answer_trace::{ANSWER_FIELD, ANSWER_ID};
use crate::digest;
use crate::text::{bounded, one_line, smtp_lines};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Longest value of a header field, in bytes: below the 998 of a line (RFC 5322 section 2.1.1).
const MAX_VALUE: usize = 800;
/// Longest address, in characters: 64 octets, `@`, 255 octets (RFC 5321 section 4.5.3.1).
const MAX_ADDRESS: usize = 320;
/// Characters of a text beyond ASCII that are put into encoded words.
const MAX_ENCODED: usize = 200;

/// What names a mail, the same at each try: who gets it twice sees by its Message-ID that it is
/// one.
#[derive(Clone, Debug)]
pub(crate) struct Postmark {
    /// 96 bits that no stranger can foresee.
    token: String,
    /// When it was decided to send it, in milliseconds since 1970.
    at_ms: i64,
}

impl Postmark {
    /// `about` names the mail, and is known to nobody else as a whole.
    pub(crate) fn new(about: &[&[u8]], at_ms: i64) -> Postmark {
        Postmark { token: digest::sha256_hex(about, 24), at_ms }
    }
}

pub(crate) struct Draft {
    written: Vec<u8>,
    token: String,
}

impl Draft {
    /// An answer to a message; it has the trace by which it is known.
    pub(crate) fn answer(from: &str, to: &str, subject: &str, hostname: &str, postmark: &Postmark) -> Draft {
        let id = format!("{ANSWER_ID}{}@{hostname}", postmark.token);
        let mut draft = Draft::with_id(from, to, subject, &id, postmark);
        draft.field("Auto-Submitted", "auto-replied");
        draft.field(ANSWER_FIELD, hostname);
        draft
    }

    /// Begins with what every mail of carom has: From, To, Date, this Message-ID, MIME-Version.
    pub(crate) fn with_id(from: &str, to: &str, subject: &str, id: &str, postmark: &Postmark) -> Draft {
        let Postmark { token, at_ms } = postmark.clone();
        let mut draft = Draft { written: Vec::with_capacity(4096), token };
        draft.field("From", from);
        draft.field("To", &bracketed(to));
        draft.line(&format!("Subject: {}", encoded(subject)));
        draft.field("Date", &date(at_ms));
        draft.field("Message-ID", &bracketed(id));
        draft.field("MIME-Version", "1.0");
        draft
    }

    /// Adds a header field; control characters and what is too long are removed from `value`.
    pub(crate) fn field(&mut self, name: &str, value: &str) {
        self.line(&format!("{name}: {}", field_value(value)));
    }

    pub(crate) fn line(&mut self, text: &str) {
        self.written.extend_from_slice(text.as_bytes());
        self.written.extend_from_slice(b"\r\n");
    }

    /// Adds the Content-Transfer-Encoding of a part that is sent as it is.
    pub(crate) fn encoding(&mut self, ascii: bool) {
        self.line(&format!("Content-Transfer-Encoding: {}", if ascii { "7bit" } else { "8bit" }));
    }

    /// Adds text or a message with the line ends of SMTP; nothing else is changed.
    pub(crate) fn body(&mut self, bytes: &[u8]) {
        self.written.extend_from_slice(&smtp_lines(bytes));
        self.line("");
    }

    /// Ends as plain text.
    pub(crate) fn text(mut self, text: &str) -> Vec<u8> {
        self.line("Content-Type: text/plain; charset=utf-8");
        self.encoding(text.is_ascii());
        self.line("");
        self.body(text.as_bytes());
        self.written
    }

    /// A boundary of its parts, which no text of a stranger contains.
    pub(crate) fn boundary(&self) -> String {
        format!("=_{}", digest::sha256_hex(&[b"boundary ", self.token.as_bytes()], 24))
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.written
    }
}

/// Text fit for a header field: one line, of bounded length.
pub(crate) fn field_value(text: &str) -> String {
    one_line(bounded(text, MAX_VALUE)).trim().to_owned()
}

/// An address in angle brackets.
pub(crate) fn bracketed(address: &str) -> String {
    let sound = address.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>'));
    format!("<{}>", sound.take(MAX_ADDRESS).collect::<String>())
}

/// A date as RFC 5322 section 3.3 has it, in UTC.
pub(crate) fn date(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// Text beyond ASCII as encoded words (RFC 2047) of whole characters, one per line. What looks like
/// an encoded word is encoded too: it was decoded when it was read, and means itself.
fn encoded(text: &str) -> String {
    let text = field_value(text);
    if text.is_ascii() && !text.contains("=?") {
        return text;
    }
    let mut words: Vec<String> = vec![String::new()];
    for character in text.chars().take(MAX_ENCODED) {
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).bytes();
        let hex: String = bytes.map(|byte| format!("={byte:02X}")).collect();
        match words.last_mut() {
            Some(word) if word.len() + hex.len() <= 60 => word.push_str(&hex),
            _ => words.push(hex),
        }
    }
    words.iter().map(|word| format!("=?utf-8?Q?{word}?=")).collect::<Vec<_>>().join("\r\n ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn nothing_can_be_smuggled_into_a_field() {
        let mut draft = Draft { written: Vec::new(), token: String::new() };
        draft.field("Subject", "x\r\nBcc: victim@example.com");
        assert_eq!(draft.written, b"Subject: x  Bcc: victim@example.com\r\n");
        assert_eq!(bracketed("a@b>\r\nX: <y"), "<a@bX: y>");
        assert_eq!(bracketed(&"x".repeat(9_000)).len(), 322);
        let smuggled = encoded("=?utf-8?q?=0D=0ABcc=3A_x?=\r\nBcc: y\u{85}z");
        assert!(
            smuggled.is_ascii() && !smuggled.contains("\nBcc") && !smuggled.contains("=0D"),
            "{smuggled}"
        );
    }

    #[test]
    fn words_beyond_ascii_are_encoded_whole_and_folded() {
        assert_eq!(encoded("Grüße"), "=?utf-8?Q?=47=72=C3=BC=C3=9F=65?=");
        let mail = format!("Subject: {}\r\n\r\n", encoded(&"ü€😀".repeat(200)));
        assert!(mail.lines().all(|line| line.len() <= 85), "{mail}");
        assert_eq!(
            Message::read(mail.as_bytes()).subject().map(|text| text.chars().count()),
            Some(MAX_ENCODED)
        );
    }
}
