//! The frame of every mail that carom writes: header fields that nothing can be smuggled into, and multipart/report
//! (RFC 6522) around an original that is kept byte for byte.
//!
//! Not here: what the parts say (`bounce`, `complaint`, `auto_reply`). Invariant: no byte of a foreign message reaches a
//! header field of ours unchecked, and no boundary can be foreseen.

use super::Subject;
use crate::config::Config;
use crate::digest::random_token;
use crate::envelope::split_address;
use crate::text::{bounded, one_line, smtp_lines};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use url::Host;

/// Longest value of a header field taken from elsewhere, in bytes: below the 998 of a line (RFC 5322 section 2.1.1).
const MAX_VALUE: usize = 800;
/// Longest address, in characters; SMTP's own limit is 64 octets, `@`, 255 octets (RFC 5321 section 4.5.3.1).
const MAX_ADDRESS: usize = 320;
/// Characters of a text beyond ASCII that is put into encoded words.
const MAX_ENCODED: usize = 200;
/// Random octets of a Message-ID or a boundary, which nobody can foresee.
const TOKEN: usize = 12;

/// A mail in the making.
pub(crate) struct Draft(Vec<u8>);

impl Draft {
    /// Begins with what every mail of carom's has: From, To, Date, Message-ID, MIME-Version.
    pub(crate) fn new(from: &str, to: &str, subject: &str, config: &Config) -> Draft {
        Draft::with_id(from, to, subject, &format!("{}@{}", random_token(TOKEN), config.hostname()))
    }

    /// The same with this Message-ID.
    pub(crate) fn with_id(from: &str, to: &str, subject: &str, id: &str) -> Draft {
        let mut draft = Draft(Vec::with_capacity(4096));
        draft.field("From", from);
        draft.field("To", &bracketed(to));
        draft.line(&format!("Subject: {}", encoded(subject)));
        draft.field("Date", &date(crate::clock::now_ms()));
        draft.field("Message-ID", &bracketed(id));
        draft.field("MIME-Version", "1.0");
        draft
    }

    /// Adds a field; what cannot stand in one is taken out of `value`.
    pub(crate) fn field(&mut self, name: &str, value: &str) {
        self.line(&format!("{name}: {}", clean(value)));
    }

    fn line(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
        self.0.extend_from_slice(b"\r\n");
    }

    fn encoding(&mut self, ascii: bool) {
        self.line(&format!("Content-Transfer-Encoding: {}", if ascii { "7bit" } else { "8bit" }));
    }

    /// Ends as multipart/report: the text for people, the part for programs, and the original, or its header when it is
    /// longer than `[send] max_original`.
    pub(crate) fn report(
        mut self,
        kind: &str,
        text: &str,
        fields: &Fields,
        subject: &Subject<'_>,
        config: &Config,
    ) -> Vec<u8> {
        let boundary = format!("=_{}", random_token(TOKEN));
        let message = subject.message;
        let whole = message.header_block().len() + message.body().len();
        let too_long = whole as u64 > config.send.max_original;
        // Without the line that an mbox puts before a message: it is none of its bytes.
        let original =
            if too_long { message.header_block() } else { &message.raw()[message.raw().len() - whole..] };
        self.line(&format!(
            "Content-Type: multipart/report; report-type={kind};\r\n\tboundary=\"{boundary}\""
        ));
        // A multipart says what is in any of its parts (RFC 2045 section 6.4).
        self.encoding(text.is_ascii() && original.is_ascii());
        self.line("");
        self.line("This is a message in MIME format.");
        self.line("");
        self.line(&format!("--{boundary}"));
        self.line("Content-Type: text/plain; charset=utf-8");
        self.encoding(text.is_ascii());
        self.line("");
        self.line(text);
        self.line(&format!("--{boundary}"));
        self.line(&format!("Content-Type: message/{kind}"));
        self.line("");
        self.0.extend_from_slice(fields.0.as_bytes());
        self.line("");
        self.line(&format!("--{boundary}"));
        self.line(if too_long {
            "Content-Type: text/rfc822-headers"
        } else {
            "Content-Type: message/rfc822"
        });
        self.encoding(original.is_ascii());
        self.line("");
        self.0.extend_from_slice(&smtp_lines(original));
        self.line("");
        self.line(&format!("--{boundary}--"));
        self.0
    }

    /// Ends as plain text.
    pub(crate) fn text(mut self, text: &str) -> Vec<u8> {
        self.line("Content-Type: text/plain; charset=utf-8");
        self.encoding(text.is_ascii());
        self.line("");
        self.0.extend_from_slice(&smtp_lines(text.as_bytes()));
        self.line("");
        self.0
    }
}

/// The fields of a part for programs.
#[derive(Default)]
pub(crate) struct Fields(String);

impl Fields {
    /// Adds a field. These parts are ASCII (RFC 3464 section 2.1, RFC 5965 section 3.1).
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.0.push_str(&format!("{name}: {}\r\n", in_ascii(&clean(value), |_| false)));
    }

    /// Adds an address with its type: `rfc822`, or `utf-8` in the form for parts in ASCII (RFC 6533 section 3).
    pub(crate) fn add_address(&mut self, name: &str, address: &str) {
        let address = clean(address);
        if address.is_ascii() {
            self.add(name, &format!("rfc822; {address}"));
        } else {
            let text = in_ascii(&address, |c| matches!(c, '\\' | '+' | '=' | ' '));
            self.add(name, &format!("utf-8; {text}"));
        }
    }

    /// Ends a group of fields (RFC 3464: the fields of the message, then those of each recipient).
    pub(crate) fn end_group(&mut self) {
        self.0.push_str("\r\n");
    }
}

/// Text that can stand in a header field: one line, of bounded length.
fn clean(value: &str) -> String {
    one_line(bounded(value, MAX_VALUE)).trim().to_owned()
}

/// Text in ASCII: what is beyond it, and what else is to be, stands as `\x{HEX}` (RFC 6533 section 3).
fn in_ascii(text: &str, also: impl Fn(char) -> bool) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() && !also(c) {
            written.push(c)
        } else {
            written += &format!("\\x{{{:X}}}", u32::from(c))
        }
    }
    written
}

/// RFC 2047: text beyond ASCII as encoded words of whole characters, a line each. What looks like an encoded word is
/// encoded too: it has been decoded once, and stands for itself.
fn encoded(text: &str) -> String {
    let text = clean(text);
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

/// An address between angle brackets.
pub(crate) fn bracketed(address: &str) -> String {
    let sound = address.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>'));
    format!("<{}>", sound.take(MAX_ADDRESS).collect::<String>())
}

/// The domain of an address, or `localhost`.
pub(crate) fn domain_of(address: &str) -> &str {
    split_address(address).map_or("localhost", |(_, domain)| domain)
}

/// The domain of an address in ASCII (RFC 5890); our own name where there is none.
pub(crate) fn ascii_domain_of(address: &str, config: &Config) -> String {
    let domain = domain_of(address);
    if domain.is_ascii() {
        return domain.to_owned();
    }
    Host::parse(domain).map_or_else(|_| config.hostname(), |host| host.to_string())
}

/// RFC 5322 section 3.3, in UTC.
pub(crate) fn date(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Envelope, Keep};
    use crate::message::Message;

    /// A report about `raw`: its header field of the encoding, and the kinds and bodies of its parts.
    fn report(raw: &[u8], config: &Config) -> (String, Vec<(String, Vec<u8>)>) {
        let message = Message::read(raw);
        let keep = Keep::named(config, "key");
        let envelope = Envelope::default();
        let subject = Subject {
            message: &message,
            envelope: &envelope,
            client_address: None,
            seed: 1,
            key: "key",
            at_ms: 0,
            keep: &keep,
        };
        let mut fields = Fields::default();
        fields.add("Status", "5.1.1");
        let draft = Draft::new("<a@a.example>", "b@b.example", "x", config);
        let mail = draft.report("delivery-status", "text\r\n--=_\r\n", &fields, &subject, config);
        let read = Message::read(&mail);
        let parts = read.parts().iter().map(|part| (part.content_type.kind.clone(), part.body.to_vec()));
        (read.header("Content-Transfer-Encoding").unwrap_or_default(), parts.collect())
    }

    #[test]
    fn b5_b37_an_original_is_kept_byte_for_byte_and_the_frame_says_what_is_in_it() {
        let config = Config::default();
        let long = format!("X-MSFBL: {}\r\nSubject: x\r\n\r\n.caf\u{e9}\r\n--=_\r\n", "aB3+/=".repeat(400));
        for (raw, encoding) in [
            (long.as_bytes(), "8bit"),
            (b"Subject: x\r\n\r\n\xff\0\r\n", "8bit"),
            (b"A: b\r\n\r\nc\r\n", "7bit"),
        ] {
            let (said, parts) = report(raw, &config);
            let kinds: Vec<&str> = parts.iter().map(|(kind, _)| kind.as_str()).collect();
            assert_eq!(kinds, ["text/plain", "message/delivery-status", "message/rfc822"]);
            assert_eq!((said.as_str(), parts[2].1.as_slice()), (encoding, raw));
        }
        let (_, parts) = report(b"From someone at some time\nA: b\n\nc\n", &config);
        assert_eq!(parts[2].1, b"A: b\r\n\r\nc\r\n", "an mbox line is no part of a message");
    }

    #[test]
    fn an_original_that_is_too_long_is_its_header() {
        let mut config = Config::default();
        config.send.max_original = 20;
        let (_, parts) = report(b"A: b\r\n\r\n0123456789012345\r\n", &config);
        assert_eq!(parts[2], ("text/rfc822-headers".into(), b"A: b\r\n\r\n".to_vec()));
    }

    #[test]
    fn nothing_can_be_smuggled_into_a_field() {
        let mut draft = Draft(Vec::new());
        draft.field("Subject", "x\r\nBcc: victim@example.com");
        assert_eq!(draft.0, b"Subject: x  Bcc: victim@example.com\r\n");
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

    #[test]
    fn addresses_beyond_ascii_have_their_own_form() {
        let mut fields = Fields::default();
        fields.add_address("Final-Recipient", "jürgen+x@grün.example");
        fields.add_address("Original-Recipient", "j+x@green.example");
        let expected = "Final-Recipient: utf-8; j\\x{FC}rgen\\x{2B}x@gr\\x{FC}n.example\r\nOriginal-Recipient: rfc822; j+x@green.example\r\n";
        assert_eq!(fields.0, expected);
        assert_eq!(ascii_domain_of("jürgen@grün.example", &Config::default()), "xn--grn-ioa.example");
    }
}
