//! SMTP replies: what a tag such as `5.2.2` or `550-5.7.1` names, with the usual code and text.
//!
//! Not here: where a reply is asked for (`address`). Invariant: code and status of a reply agree.

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
}

/// Texts of common status codes (RFC 3463) without their class, and the SMTP code that goes with
/// each.
const STATUSES: &[(&str, u16, &str)] = &[
    ("1.1", 550, "user unknown"),
    ("1.2", 550, "host unknown"),
    ("1.3", 553, "bad destination mailbox address syntax"),
    ("1.6", 551, "mailbox has moved"),
    ("1.8", 553, "bad sender's system address"),
    ("1.10", 556, "recipient address has null MX"),
    ("2.0", 550, "mailbox unavailable"),
    ("2.1", 550, "mailbox disabled"),
    ("2.2", 552, "mailbox full"),
    ("2.3", 552, "message length exceeds the mailbox limit"),
    ("3.1", 552, "mail system full"),
    ("3.2", 521, "system not accepting messages"),
    ("3.4", 552, "message too big for the system"),
    ("4.1", 551, "no answer from host"),
    ("4.4", 550, "unable to route"),
    ("4.7", 554, "delivery time expired"),
    ("5.0", 554, "protocol error"),
    ("6.0", 554, "message content rejected"),
    ("7.1", 554, "delivery not authorized, message refused"),
    ("7.26", 550, "message failed authentication checks"),
];

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
