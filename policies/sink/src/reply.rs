//! SMTP replies: what a tag such as `5.2.2` or `550-5.7.1` names, with the usual code and text.
//!
//! Not here: the texts (`known_replies`), and where a reply is asked for (`address`). Invariant: code and status of a reply agree.

use crate::known_replies::STATUSES;

/// An SMTP reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    pub status: String,
    pub text: String,
}

impl Reply {
    pub fn new(code: u16, status: &str, text: &str) -> Reply {
        Reply { code, status: status.into(), text: text.into() }
    }

    /// A reply as it is written: `550 5.1.1 user unknown`, `451 later`. Without a status, it has the
    /// general one of its class.
    pub fn read(text: &str) -> Option<Reply> {
        let code = smtp_code(text.get(..3)?)?;
        let rest = text[3..].strip_prefix([' ', '-'])?.trim();
        let class = (b'0' + (code / 100) as u8) as char;
        let (status, said) = match rest.split_once(' ') {
            Some((status, said)) if is_status(status) => (status.to_owned(), said.trim()),
            _ => (format!("{class}.0.0"), rest),
        };
        let fits = status.starts_with(class) && !said.is_empty() && !said.contains(char::is_control);
        fits.then(|| Reply::new(code, &status, said))
    }
}

/// The reply that a tag names: `5.2.2`, `550-5.1.1`, `550`.
pub fn named_reply(tag: &str) -> Option<Reply> {
    let (code, status) = match tag.split_once('-') {
        Some((code, status)) => (Some(smtp_code(code)?), status.to_owned()),
        None if tag.contains('.') => (None, tag.to_owned()),
        None => {
            let code = smtp_code(tag)?;
            (Some(code), format!("{}.0.0", code / 100))
        }
    };
    let temporary = status.starts_with('4');
    if !is_status(&status) || code.is_some_and(|code| temporary != (code < 500)) {
        return None;
    }
    let known = STATUSES.iter().find(|row| status[2..] == *row.0);
    let (usual, text) = match known {
        Some(("2.2" | "3.1", _, text)) if temporary => (452, *text),
        Some((_, _, text)) if temporary => (451, *text),
        Some((_, code, text)) => (*code, *text),
        None if temporary => (451, "try again later"),
        None => (550, "rejected"),
    };
    Some(Reply::new(code.unwrap_or(usual), &status, text))
}

/// Three digits from 400 to 599.
fn smtp_code(digits: &str) -> Option<u16> {
    digits.parse().ok().filter(|code| digits.len() == 3 && (400..600).contains(code))
}

/// class.subject.detail of class 4 or 5 (RFC 3463 section 2).
pub fn is_status(text: &str) -> bool {
    let fields: Vec<&str> = text.split('.').collect();
    let number = |field: &&str| {
        !field.is_empty() && field.len() <= 3 && field.bytes().all(|byte| byte.is_ascii_digit())
    };
    fields.len() == 3 && fields.iter().all(number) && matches!(fields[0], "4" | "5")
}
