//! SMTP replies (RFC 5321 section 4.2) and enhanced status codes (RFC 3463): the types, and the one
//! reader of the codes that a reply begins with.
//!
//! Not here: replies somewhere inside a text (`report::quoted_reply`), and what a reply means
//! (`class`). Invariant: a number that is part of a longer number or word is never taken for a
//! code.

use crate::measured_number::is_measure;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// A reply that a policy gives, or that a report carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SmtpReply {
    pub(crate) code: u16,
    pub(crate) enhanced: EnhancedStatus,
    /// One line. A reply of several is as logs show it: code and status begin each further one.
    pub(crate) text: String,
}

impl SmtpReply {
    /// A refusal as people write it, `550 5.7.1 not you`: code and status are of one class.
    pub(crate) fn refusal_in(text: &str) -> Option<SmtpReply> {
        let (code, rest) = text.split_once(' ')?;
        let (enhanced, said) = rest.split_once(' ')?;
        let (code, enhanced): (u16, EnhancedStatus) = (code.parse().ok()?, enhanced.parse().ok()?);
        let is_refusal = (400..600).contains(&code) && code / 100 == u16::from(enhanced.class);
        let is_plain = said.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.len() <= 400;
        (is_refusal && is_plain).then(|| SmtpReply { code, enhanced, text: said.to_owned() })
    }

    /// The lines that the text has: each but the first begins with the codes of the reply. There is
    /// at least one.
    pub(crate) fn lines(&self) -> Vec<&str> {
        let SmtpReply { code, enhanced, text } = self;
        let marks = [format!(" {code}-{enhanced} "), format!(" {code} {enhanced} ")];
        let (mut lines, mut rest) = (Vec::new(), &**text);
        while let Some((at, mark)) = marks.iter().filter_map(|mark| Some((rest.find(mark)?, mark))).min() {
            lines.push(&rest[..at]);
            rest = &rest[at + mark.len()..];
        }
        lines.push(rest);
        lines
    }

    /// The text for whom a reply is one line: without the codes inside.
    pub(crate) fn in_one_line(&self) -> String {
        self.lines().join(" ")
    }

    /// For faults of ours, which say nothing about the message.
    pub(crate) fn try_again_later(why: impl fmt::Display) -> SmtpReply {
        SmtpReply { code: 451, enhanced: EnhancedStatus::new(4, 3, 0), text: why.to_string() }
    }
}

impl fmt::Display for SmtpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.enhanced, self.text)
    }
}

/// An enhanced status code: class 2, 4 or 5, subject and detail. In JSON it is a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EnhancedStatus {
    pub(crate) class: u8,
    pub(crate) subject: u16,
    pub(crate) detail: u16,
}

impl EnhancedStatus {
    pub(crate) const fn new(class: u8, subject: u16, detail: u16) -> EnhancedStatus {
        EnhancedStatus { class, subject, detail }
    }

    /// The status at the beginning of a text that people or programs wrote, and its length. The
    /// subject must be one of RFC 3463, so that a version or a date is not taken for a status.
    pub(crate) fn leading(text: &str) -> Option<(EnhancedStatus, usize)> {
        let (status, length) = EnhancedStatus::scan(text.as_bytes())?;
        let rest = &text.as_bytes()[length..];
        let goes_on = match rest {
            [b'.' | b'-', next, ..] => next.is_ascii_digit(),
            [next, ..] => next.is_ascii_alphanumeric(),
            [] => false,
        };
        let registered = status.subject <= 7 && text.as_bytes()[3] == b'.';
        (registered && !goes_on).then_some((status, length))
    }

    /// Three numbers with dots between them, and their length.
    fn scan(bytes: &[u8]) -> Option<(EnhancedStatus, usize)> {
        let [class @ (b'2' | b'4' | b'5'), b'.', ..] = bytes else { return None };
        let (subject, width) = number(&bytes[2..])?;
        let dot = 2 + width;
        if bytes.get(dot) != Some(&b'.') {
            return None;
        }
        let (detail, width) = number(&bytes[dot + 1..])?;
        Some((EnhancedStatus { class: class - b'0', subject, detail }, dot + 1 + width))
    }
}

/// A number of one to three digits, and its length.
fn number(bytes: &[u8]) -> Option<(u16, usize)> {
    let width = bytes.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let value = bytes[..width].iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'));
    (1..=3).contains(&width).then_some((value, width))
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl FromStr for EnhancedStatus {
    type Err = String;

    /// The whole text must be the status; any subject is allowed.
    fn from_str(text: &str) -> Result<EnhancedStatus, String> {
        match EnhancedStatus::scan(text.as_bytes()) {
            Some((status, length)) if length == text.len() => Ok(status),
            _ => Err(format!("{text:?}: not an enhanced status code such as 5.1.1")),
        }
    }
}

impl Serialize for EnhancedStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EnhancedStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EnhancedStatus, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The codes that a text begins with, as in `550 5.1.1 no such user`, `550-5.1.1 no` and `5.1.1
/// no`.
pub(crate) fn leading_codes(text: &str) -> (Option<u16>, Option<EnhancedStatus>) {
    // `250 MB` is a size.
    let Some(code) = leading_code(text).filter(|_| !is_measure(&text[3..])) else {
        return (None, EnhancedStatus::leading(text).map(|(status, _)| status));
    };
    // Some servers repeat the code: `554 554 5.7.0 …`.
    let rest = text[3..].trim_start_matches([' ', '-']);
    let rest = if leading_code(rest) == Some(code) { &rest[3..] } else { &text[3..] };
    (Some(code), status_after(rest).map(|(status, _)| status))
}

/// The reply code that a text begins with: three digits, 200 to 599.
pub(crate) fn leading_code(text: &str) -> Option<u16> {
    let (code, 3) = number(text.as_bytes())? else { return None };
    let ends = match &text.as_bytes()[3..] {
        [b'.', next, ..] => !next.is_ascii_digit(),
        [next, ..] => b" -:,;.'\")]>\t\n#=".contains(next),
        [] => true,
    };
    (ends && (200..600).contains(&code)).then_some(code)
}

/// The status right after a reply code, maybe in quotation marks or brackets, and where it ends.
pub(crate) fn status_after(text: &str) -> Option<(EnhancedStatus, usize)> {
    let gap = text.bytes().take(6).take_while(|byte| b" -:'\"#(<[,\t\n".contains(byte)).count();
    let text = &text[gap..];
    // `ERROR_CODE :550, ERROR_CODE :5.1.1 …` is one server's way.
    let word = if text.starts_with("ERROR_CODE :") { 12 } else { 0 };
    EnhancedStatus::leading(&text[word..]).map(|(status, length)| (status, gap + word + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_from_the_beginning() {
        for (text, code, status) in [
            ("550 5.1.1 no such user", Some(550), Some("5.1.1")),
            ("550-5.7.26 not allowed", Some(550), Some("5.7.26")),
            ("550: '5.2.2' full", Some(550), Some("5.2.2")),
            ("554 554 5.7.0 no", Some(554), Some("5.7.0")),
            ("451 later", Some(451), None),
            ("450", Some(450), None),
            ("4.4.1 no answer", None, Some("4.4.1")),
            ("no 550 5.1.1", None, None),
        ] {
            let (read, enhanced) = leading_codes(text);
            let enhanced = enhanced.map(|status| status.to_string());
            assert_eq!((read, enhanced.as_deref()), (code, status), "{text}");
        }
    }

    #[test]
    fn a_text_has_the_lines_that_begin_with_the_codes_of_the_reply() {
        for (text, lines) in [
            ("no such user", &["no such user"][..]),
            ("no such 550 5.1.1 user", &["no such", "user"]),
            ("a 550-5.1.1  550 5.1.1 c", &["a", "", "c"]),
            ("said: 550 no 554 5.1.1 x 550 5.1.10 x", &["said: 550 no 554 5.1.1 x 550 5.1.10 x"]),
            ("a 550 5.1.1", &["a 550 5.1.1"]),
            ("", &[""]),
        ] {
            let reply = SmtpReply { code: 550, enhanced: EnhancedStatus::new(5, 1, 1), text: text.into() };
            assert_eq!(reply.lines(), lines, "{text}");
            assert_eq!(reply.in_one_line(), lines.join(" "));
        }
    }

    #[test]
    fn a_part_of_a_longer_number_or_word_is_not_a_code() {
        for text in [
            "250 MB used",
            "450 seconds",
            "5501 x",
            "55 x",
            "550x",
            "550.5 x",
            "199 x",
            "600 x",
            "5.1.1.2",
            "5.1.1a",
            "5.12.2 x",
            "5.1",
        ] {
            assert_eq!(leading_codes(text), (None, None), "{text}");
        }
    }

    #[test]
    fn json_of_a_reply_is_unchanged() {
        let reply =
            SmtpReply { code: 550, enhanced: EnhancedStatus::new(5, 7, 26), text: "not allowed".into() };
        let json = r#"{"code":550,"enhanced":"5.7.26","text":"not allowed"}"#;
        assert_eq!(serde_json::to_string(&reply).unwrap(), json);
        assert_eq!(serde_json::from_str::<SmtpReply>(json).unwrap(), reply);
        for wrong in ["", "5.1", "5.1.1 ", "6.1.1", "5.1.1000", "5.1.1.1"] {
            assert!(wrong.parse::<EnhancedStatus>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn any_text_is_read() {
        for text in ["", "é", "55é", "550é", "5.é", "550 é5.1.1", "5.1.", "550 ERROR_CODE :"] {
            leading_codes(text);
        }
    }
}
