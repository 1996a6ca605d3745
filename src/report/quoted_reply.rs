//! SMTP replies inside a text: reply code (RFC 5321), enhanced status code (RFC 3463), and where
//! the reply begins.
//!
//! Not here: replies at the beginning of a text (`smtp_reply`), and what a reply means. Invariant:
//! a number counts only where a reply can begin, so no address, version or size becomes a code.

use super::reply_position;
use crate::smtp_reply::{self, EnhancedStatus};
use memchr::memchr3;

/// Numbers of a text that are looked at, at most.
const MAX_NUMBERS: usize = 500;

/// The codes of a reply, and where in the text it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QuotedReply {
    /// Three digits.
    pub(crate) code: Option<u16>,
    /// Enhanced.
    pub(crate) status: Option<EnhancedStatus>,
    /// The index of its first byte.
    pub(crate) at: usize,
}

impl QuotedReply {
    pub(crate) fn is_some(&self) -> bool {
        self.code.is_some() || self.status.is_some()
    }

    /// Whether the words of the answer follow its code, as they do not in `no such user (550)`.
    pub(crate) fn begins_in(&self, text: &str) -> bool {
        self.code.is_some() && text[self.at..].contains(char::is_alphabetic)
    }

    /// The reply in a text. Of several the first that says more than "failed" or "too old": those
    /// are said by the server that gave up, and quote what the other one answered.
    pub(crate) fn find(text: &str) -> QuotedReply {
        #[cfg(test)]
        crate::message::work::add(text.len());
        let mut best = QuotedReply::default();
        let mut lone: Option<QuotedReply> = None;
        let mut pairs = 0;
        let mut at = 0;
        let mut numbers = MAX_NUMBERS;
        while let Some(found) = next(text, at, &mut numbers) {
            at = found.1;
            let found = found.0;
            match (found.code, found.status) {
                (Some(_), Some(status)) => {
                    let weak = best.status.is_none_or(|best| rank(best) < rank(status) || rank(best) < 2);
                    if pairs == 0 || (weak && best.status != found.status && rank(status) > 0) {
                        let start = if best.code == found.code { best.at } else { found.at };
                        best = QuotedReply { at: start, ..found };
                    }
                    pairs += 1;
                }
                (Some(_), None) if best.code.is_none_or(|best| best < 300) => best = found,
                (None, Some(status)) if lone.is_none() && status.class != 2 => lone = Some(found),
                _ => {}
            }
            if pairs > 20 {
                break;
            }
        }
        match (best.status, lone) {
            (None, Some(lone)) if best.code.is_none() => lone,
            (None, Some(lone)) => QuotedReply { status: lone.status, ..best },
            _ => best,
        }
    }
}

/// The next code or status at `from` or later, with the status that belongs to it; and where to
/// look next.
fn next(text: &str, from: usize, numbers: &mut usize) -> Option<(QuotedReply, usize)> {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(further) = memchr3(b'2', b'4', b'5', bytes.get(at..)?).filter(|_| *numbers > 0) {
        at += further;
        let before = at.checked_sub(1).map(|at| bytes[at]);
        if before.is_some_and(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'/' | b'@' | b'+')
        }) {
            at += bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            continue;
        }
        *numbers -= 1;
        let status = EnhancedStatus::leading(&text[at..]).filter(|_| before != Some(b'-'));
        let status =
            status.filter(|(_, length)| reply_position::is_status(&text[..at], &text[at + length..]));
        if let Some((status, length)) = status {
            return Some((QuotedReply { code: None, status: Some(status), at }, at + length));
        }
        if let Some(code) = likely_code(&text[at..]) {
            let (number, after) = text[at..].split_at(3);
            let status = smtp_reply::status_after(after).filter(|(status, _)| agree(code, *status));
            let pair = status.is_some() && reply_position::is_coded_pair(&text[..at], after);
            if pair || reply_position::is_code(&text[..at], number, after) {
                let end = at + 3 + status.map_or(0, |(_, length)| length);
                return Some((
                    QuotedReply { code: Some(code), status: status.map(|(status, _)| status), at },
                    end,
                ));
            }
        }
        at += bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count().max(1);
    }
    None
}

/// Whether code and status can be of one reply. A permanent code with a temporary status is; one of
/// success with one of failure is not.
fn agree(code: u16, status: EnhancedStatus) -> bool {
    (code < 300) == (status.class == 2)
}

/// The code that a text begins with, of those that servers give: 250 to 252, 4xx and 5xx. Others
/// are more likely sizes, counts and parts of dates.
fn likely_code(text: &str) -> Option<u16> {
    let likely = |code: &u16| matches!(code, 250..=252 | 400..=479 | 500..=579);
    smtp_reply::leading_code(text).filter(likely)
}

/// The status in a `Status` field.
pub(crate) fn status_in_field(value: &str) -> Option<EnhancedStatus> {
    EnhancedStatus::leading(value.trim_start()).map(|(status, _)| status)
}

/// The status to believe: the text's, as it is the reply itself, unless it says less than the
/// field's.
pub(crate) fn better_status(
    field: Option<EnhancedStatus>,
    text: Option<EnhancedStatus>,
) -> Option<EnhancedStatus> {
    match (field, text) {
        (Some(field), Some(text)) if rank(text) < rank(field) => Some(field),
        (field, text) => text.or(field),
    }
}

/// How much a status says: 0 only its class, 1 only its subject or that time is up, 2 all it can.
fn rank(status: EnhancedStatus) -> u8 {
    match (status.class, status.subject, status.detail) {
        (2, _, _) | (_, 0, _) => 0,
        // Time is up, a subject alone, and what Exchange wraps around the answer of another server.
        (4, 4, 7) | (_, _, 0 | 350) => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let reply = QuotedReply::find(text);
        let code = reply.code.map_or("-".into(), |code| code.to_string());
        format!("{code} {}", reply.status.map_or("-".into(), |status| status.to_string()))
    }

    #[test]
    fn replies_are_found_however_they_are_written() {
        for (text, want) in [
            ("550 5.1.1 <a@b>... User unknown", "550 5.1.1"),
            ("550-5.7.26 The domain\n550 5.7.26 fails", "550 5.7.26"),
            ("550: 5.2.2 full", "550 5.2.2"),
            ("550-'5.2.2 full'", "550 5.2.2"),
            ("5.1.0 - Unknown address error 550-'5.7.1 no'", "550 5.7.1"),
            ("554 554 5.7.0 Header error", "554 5.7.0"),
            ("552 sorry, mailbox a@b is full (#5.2.2)", "552 5.2.2"),
            ("501 validation failed: 5.7.1 not here", "501 5.7.1"),
            ("host mx[192.0.2.1] said: 450 4.2.0 greylisted", "450 4.2.0"),
            ("554 4.4.7 expired <421 4.4.2 timed out>", "421 4.4.2"),
            ("550 5.1.351 unknown -> 550 User unknown", "550 5.1.351"),
            ("550 5.0.350 error -> 550 5.7.1 spam", "550 5.7.1"),
            ("ERROR_CODE :550, ERROR_CODE :5.1.1 no", "550 5.1.1"),
            ("(#4.4.1)", "- 4.4.1"),
            ("responded with failure: 552 full", "552 -"),
            ("Error 550: no", "550 -"),
            ("失败原因：550 no", "550 -"),
            ("550 5.7.350 Remote server returned -> 554 5.7.1 spam", "554 5.7.1"),
            ("550", "550 -"),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
    }

    #[test]
    fn other_numbers_are_not_replies() {
        for text in [
            "within 500 messages",
            "5.1.2.3",
            "v5.1.2 Exim 4.80.1",
            "mx550.example",
            "user 5500",
            "5.1.10.2",
            "4.12.2024",
            "IB550",
            "mailbox full: 250 MB used",
            "[2001:db8:550:1::25]: timed out",
            "Lotus Domino Release 5.0.7",
            "10.250.4.4",
        ] {
            assert_eq!(read(text), "- -", "{text}");
        }
    }

    #[test]
    fn hostile_text_is_read_in_linear_time() {
        for hostile in ["5", "550 ", "5.", "550 5.7.1 ", "-", "5.7.1 "] {
            let text = hostile.repeat(200_000);
            QuotedReply::find(&text);
        }
    }
}
