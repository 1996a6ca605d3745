//! What a rule asks of a failure besides its text: codes, stage, host.
//!
//! Not here: how a rule is written (`rule`, `code`) and which providers a text shows
//! (`first_rule`).

use crate::code::{Code, ANY};
use crate::status::Status;

/// The bit of a failure that names no stage.
pub const STAGELESS: u8 = 128;
/// The longest name of a host.
const MOST_OF_HOST: usize = 253;
/// The bits of the stages at which a recipient is known.
pub const RCPT: u8 = 8;
pub const DATA: u8 = 16;

/// Whether a failure with this status and reply code has the code.
pub fn fits(code: Code, status: Status, reply: u16) -> bool {
    let is = |asked: u16, given: u16| asked == ANY || asked == given;
    match code {
        Code::Status(class, subject, detail) => {
            status.class != 0
                && is(class, status.class.into())
                && is(subject, status.subject)
                && is(detail, status.detail)
        }
        Code::Reply(least, most) => (least..=most).contains(&reply),
        Code::Alone(least, most) => status.class == 0 && (least..=most).contains(&reply),
        Code::Vague(least, most) => !status.says_something() && (least..=most).contains(&reply),
    }
}

/// The bit of a stage as a report or a log names it: `RCPT`, `RCPT TO`, `end of DATA`, `HELO`, `.`
/// …
pub fn stage(name: &str) -> u8 {
    let has = |word: &str| {
        name.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
    };
    match name {
        "" => STAGELESS,
        "RCPT" => RCPT,
        "MAIL" => 4,
        "DATA" | "." => DATA,
        _ if has("DATA") || has("BDAT") || has("BODY") => DATA,
        _ if has("RCPT") || has("VRFY") => RCPT,
        _ if has("MAIL") => 4,
        _ if has("HELO") || has("EHLO") || has("LHLO") => 2,
        _ if has("CONN") || has("BANNER") || has("GREETING") => 1,
        _ if has("STARTTLS") => 64,
        _ if has("AUTH") => 32,
        _ => 0,
    }
}

/// The mail server that refused. Where none is named, or only by its address, the domain of the
/// first address in the text speaks for it.
pub fn server<'a>(remote_mta: &'a str, text: &'a str) -> &'a str {
    if remote_mta.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return remote_mta;
    }
    let Some((_, after)) = text.split_once('@') else { return remote_mta };
    let is_of_host = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
    let length = after.bytes().take(MOST_OF_HOST).take_while(is_of_host).count();
    after[..length].trim_end_matches('.')
}

/// Whether a host is the domain, or below it.
pub fn is_below(host: &str, domain: &str) -> bool {
    let host = host.trim_end_matches('.').as_bytes();
    let Some(start) = host.len().checked_sub(domain.len()) else { return false };
    host[start..].eq_ignore_ascii_case(domain.as_bytes()) && (start == 0 || host[start - 1] == b'.')
}
