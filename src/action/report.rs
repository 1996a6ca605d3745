//! The frame of every mail that carom writes: header fields that nothing can be smuggled into, and multipart/report
//! (RFC 6522) around an original that is kept byte for byte.
//!
//! Not here: what the parts say (`bounce`, `complaint`, `auto_reply`). Invariant: no byte of a foreign message reaches a
//! header field of ours unchecked, and no boundary can be foreseen.

use super::Subject;
use crate::config::Config;
use crate::envelope::split_address;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Longest value of a header field taken from elsewhere, in bytes.
const MAX_VALUE: usize = 800;

/// A mail in the making.
pub(super) struct Draft(Vec<u8>);

impl Draft {
    /// Begins with what every mail of carom's has: From, To, Date, Message-ID, MIME-Version.
    pub(super) fn new(from: &str, to: &str, subject: &str, config: &Config) -> Draft {
        let mut draft = Draft(Vec::with_capacity(4096));
        let domain = config.hostname();
        draft.field("From", from);
        draft.field("To", &bracketed(to));
        draft.field("Subject", &encoded(subject));
        draft.field("Date", &date(crate::clock::now_ms()));
        draft.field("Message-ID", &format!("<{}@{domain}>", token()));
        draft.field("MIME-Version", "1.0");
        draft
    }

    /// Adds a field; what cannot stand in one is taken out of `value`.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        self.line(&format!("{name}: {}", clean(value)));
    }

    /// Adds a line.
    pub(super) fn line(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
        self.0.extend_from_slice(b"\r\n");
    }

    /// Adds bytes as they are.
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Ends as multipart/report: the text for people, the part for programs, and the original.
    pub(super) fn report(
        mut self,
        kind: &str,
        text: &str,
        fields: &Fields,
        subject: &Subject<'_>,
        config: &Config,
    ) -> Vec<u8> {
        let boundary = format!("=_{}", token());
        self.line(&format!(
            "Content-Type: multipart/report; report-type={kind};\r\n\tboundary=\"{boundary}\""
        ));
        self.line("");
        self.line("This is a message in MIME format.");
        self.line("");
        self.line(&format!("--{boundary}"));
        self.line("Content-Type: text/plain; charset=utf-8");
        self.line(&format!(
            "Content-Transfer-Encoding: {}",
            if text.is_ascii() { "7bit" } else { "8bit" }
        ));
        self.line("");
        self.line(text);
        self.line(&format!("--{boundary}"));
        self.line(&format!("Content-Type: message/{kind}"));
        self.line("");
        self.bytes(fields.0.as_bytes());
        self.line("");
        self.line(&format!("--{boundary}"));
        let whole = subject.message.raw();
        let too_long = whole.len() as u64 > config.send.max_original;
        let original = with_crlf(if too_long {
            subject.message.header_block()
        } else {
            whole
        });
        self.line(if too_long {
            "Content-Type: text/rfc822-headers"
        } else {
            "Content-Type: message/rfc822"
        });
        if !original.is_ascii() {
            self.line("Content-Transfer-Encoding: 8bit");
        }
        self.line("");
        self.bytes(&original);
        self.line("");
        self.line(&format!("--{boundary}--"));
        self.0
    }

    /// Ends as plain text.
    pub(super) fn text(mut self, text: &str) -> Vec<u8> {
        self.line("Content-Type: text/plain; charset=utf-8");
        self.line(&format!(
            "Content-Transfer-Encoding: {}",
            if text.is_ascii() { "7bit" } else { "8bit" }
        ));
        self.line("");
        self.bytes(&with_crlf(text.as_bytes()));
        self.line("");
        self.0
    }
}

/// The fields of a part for programs.
#[derive(Default)]
pub(super) struct Fields(String);

impl Fields {
    /// Adds a field.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.0.push_str(&format!("{name}: {}\r\n", clean(value)));
    }

    /// Ends a group of fields (RFC 3464: the fields of the message, then those of each recipient).
    pub(super) fn end_group(&mut self) {
        self.0.push_str("\r\n");
    }
}

/// Text that can stand in a header field: one line, of bounded length.
fn clean(value: &str) -> String {
    let mut clean: String = value
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    clean.truncate(clean.floor_char_boundary(MAX_VALUE));
    clean.trim().to_owned()
}

/// RFC 2047: text beyond ASCII as encoded words of whole characters.
fn encoded(text: &str) -> String {
    let text = clean(text);
    if text.is_ascii() {
        return text;
    }
    let mut words: Vec<String> = vec![String::new()];
    let mut length = 0;
    for character in text.chars() {
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        if length + bytes.len() * 3 > 60 {
            words.push(String::new());
            length = 0;
        }
        if let Some(word) = words.last_mut() {
            bytes
                .iter()
                .for_each(|byte| word.push_str(&format!("={byte:02X}")));
        }
        length += bytes.len() * 3;
    }
    words
        .iter()
        .map(|word| format!("=?utf-8?Q?{word}?="))
        .collect::<Vec<_>>()
        .join(" ")
}

/// An address between angle brackets.
pub(super) fn bracketed(address: &str) -> String {
    let bare: String = address
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '<' | '>'))
        .collect();
    format!("<{bare}>")
}

/// The domain of an address, or `localhost`.
pub(super) fn domain_of(address: &str) -> &str {
    split_address(address).map_or("localhost", |(_, domain)| domain)
}

/// RFC 5322 section 3.3, in UTC.
pub(super) fn date(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S +0000")
        .to_string()
}

/// A word that nobody can foresee: 96 bits of the system's own randomness.
fn token() -> String {
    let mut bytes = [0; 12];
    if ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).is_err() {
        fastrand::fill(&mut bytes);
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Line ends as SMTP wants them; nothing else is touched.
fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut written = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    let mut previous = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' if previous != b'\r' => written.extend_from_slice(b"\r\n"),
            b'\r' if bytes.get(index + 1) != Some(&b'\n') => written.extend_from_slice(b"\r\n"),
            _ => written.push(byte),
        }
        previous = byte;
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_be_smuggled_into_a_field() {
        let mut draft = Draft(Vec::new());
        draft.field("Subject", "x\r\nBcc: victim@example.com");
        assert_eq!(draft.0, b"Subject: x  Bcc: victim@example.com\r\n");
        assert_eq!(bracketed("a@b>\r\nX: <y"), "<a@bX: y>");
    }

    #[test]
    fn b37_line_ends_are_all_that_changes_in_an_original() {
        assert_eq!(
            with_crlf(b"a\nb\r\nc\rd\xff\n\n"),
            b"a\r\nb\r\nc\r\nd\xff\r\n\r\n"
        );
    }

    #[test]
    fn words_beyond_ascii_are_encoded_whole() {
        assert_eq!(encoded("Grüße"), "=?utf-8?Q?=47=72=C3=BC=C3=9F=65?=");
    }
}
