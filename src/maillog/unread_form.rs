//! What a log is that cannot be read, as far as its first bytes and lines tell, and the fix.
//!
//! Not here: whether it can be read (`log_health`). Invariant: every answer has a fix that an
//! operator can carry out.

use super::log_fault::LogFault;
use super::postfix::is_queue_id;
use super::postfix::program::{self, ProgramLine};
use super::stamp::Stamps;
use crate::clock;
use crate::config::LogKind;
use jiff::tz::TimeZone;

/// What a file is that is not text, and the fix; None for text.
pub(crate) fn binary(head: &[u8]) -> Option<LogFault> {
    const MAGIC: [(&[u8], &str, &str); 8] = [
        (b"\x1f\x8b", "gzip", "give it a name that ends in .gz, or set path to the plain file"),
        (b"\x28\xb5\x2f\xfd", "zstd", "give it a name that ends in .zst, or set path to the plain file"),
        (b"\xfd7zXZ\0", "xz", "give it a name that ends in .xz, or set path to the plain file"),
        (b"BZh", "bzip2", "decompress it, or compress logs with gzip, zstd or xz"),
        (b"\x04\x22\x4d\x18", "lz4", "decompress it, or compress logs with gzip, zstd or xz"),
        (b"PK\x03\x04", "zip", "decompress it, or compress logs with gzip, zstd or xz"),
        (b"LPKSHHRH", "the systemd journal", "set kind = \"journald\" in [[logs]]"),
        (b"\xff\xfe", "UTF-16", "let the mail server log in UTF-8"),
    ];
    let known = MAGIC.iter().find(|(magic, ..)| head.starts_with(magic));
    if let Some((_, name, fix)) = known {
        return Some(fault(&format!("it is not text ({name})"), fix));
    }
    let is_binary = head.contains(&0);
    is_binary
        .then(|| fault("it is not text", "set path of [[logs]] to the file that the mail server logs to"))
}

/// What is wrong with a log of this kind whose first bytes and first line that was not understood
/// are these.
pub(crate) fn explain(kind: LogKind, head: &[u8], line: Option<&str>) -> LogFault {
    if let Some(fault) = binary(head) {
        return fault;
    }
    let line = line.unwrap_or_default();
    if let Some(other) = other_kind(kind, line).or_else(|| other_kind(kind, &String::from_utf8_lossy(head))) {
        return of_other_kind(other);
    }
    match kind {
        LogKind::PowerMta => fault(
            "it is not an accounting file of PowerMTA with a header line",
            "set path of [[logs]] to an acct-file of PowerMTA's config",
        ),
        LogKind::Exim => fault(
            "it is not a main log of Exim in a form that carom reads",
            "set path of [[logs]] to the mainlog of Exim (on Debian /var/log/exim4/mainlog)",
        ),
        LogKind::KumoMta => fault(
            "it is not a log of KumoMTA, whose records are lines of JSON",
            "set path of [[logs]] to log_dir of KumoMTA, and leave the template of its records as it is",
        ),
        LogKind::Postfix | LogKind::Journald => of_postfix(head, line),
    }
}

fn of_postfix(head: &[u8], line: &str) -> LogFault {
    let head = String::from_utf8_lossy(head);
    if head.starts_with("__CURSOR=") || line.starts_with("__CURSOR=") {
        return fault(
            "it is an export of the journal",
            "set kind = \"journald\", or write the file with journalctl -o short-iso or -o json",
        );
    }
    if let Some(name) = other_server(line) {
        let fix = "set path of [[logs]] to a log of Postfix (kind powermta: PowerMTA)";
        return fault(&format!("it is a log of {name}"), fix);
    }
    if line.contains("postfix/") && !has_time(line) {
        return fault(
            "the lines have no time stamp",
            "let Postfix log through syslog or with maillog_file, or read Docker's json-file or \
             `docker compose logs -t`",
        );
    }
    if line.trim_start().starts_with('{') {
        return fault(
            "the lines are JSON without a message and a time that carom knows",
            "name them message and time, or let the syslog daemon write plain lines",
        );
    }
    if let Some(word) = no_queue_id(line) {
        return fault(
            &format!("the time and the program are understood, and {word:?} is not a queue id"),
            "let nothing rewrite queue ids: Postfix writes five or more of 0-9 and A-F, or with \
             enable_long_queue_ids ten or more digits and consonants",
        );
    }
    fault(
        "it is not a log of Postfix in a form that carom reads",
        "let the syslog daemon write its traditional or its RFC 3339 format, or correct kind and path of [[logs]]",
    )
}

/// What stands for the queue id in a line of Postfix that is readable up to there.
fn no_queue_id(line: &str) -> Option<&str> {
    let (_, rest) = Stamps::new(TimeZone::UTC, clock::now_ms()).read(line.as_bytes())?;
    let ProgramLine { daemon: Some(_), text, .. } = program::read(rest)? else { return None };
    let (word, said) = std::str::from_utf8(text).ok()?.split_once(": ")?;
    let is_about_a_message = ["to=<", "from=<", "client=", "message-id=", "uid=", "removed"];
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
    let stands_for_one = is_word && is_about_a_message.iter().any(|begin| said.starts_with(begin));
    (stands_for_one && !is_queue_id(word.as_bytes())).then_some(word)
}

/// The kind of another mail server that writes such a line.
pub(crate) fn other_kind(kind: LogKind, line: &str) -> Option<LogKind> {
    let line = line.lines().next().unwrap_or_default();
    let found = match line {
        _ if is_accounting(line) => LogKind::PowerMta,
        _ if line.starts_with('{') && line.contains("\"delivery_protocol\"") => LogKind::KumoMta,
        _ if line.contains("postfix/") => LogKind::Postfix,
        _ if other_server(line) == Some("Exim") => LogKind::Exim,
        _ => return None,
    };
    (found.server() != kind.server()).then_some(found)
}

/// What is wrong with a log of another mail server that carom knows.
pub(crate) fn of_other_kind(kind: LogKind) -> LogFault {
    let why = match kind {
        LogKind::PowerMta => "it is an accounting file of PowerMTA".to_owned(),
        _ => format!("it is a log of {}", kind.server()),
    };
    fault(&why, &format!("set kind = \"{}\" in [[logs]]", kind.name()))
}

fn fault(why: &str, fix: &str) -> LogFault {
    LogFault::new(why, fix)
}

/// A header line of PowerMTA, or a record.
fn is_accounting(line: &str) -> bool {
    let first = line.lines().next().unwrap_or_default();
    let mut fields = first.split(',');
    let kind = fields.next().unwrap_or_default();
    let is_type = matches!(kind, "type" | "d" | "b" | "t" | "tq" | "r" | "f" | "rb" | "rs");
    is_type && fields.next().is_some() || first.contains(",timeLogged")
}

/// The mail server that writes such lines.
pub(crate) fn other_server(line: &str) -> Option<&'static str> {
    const SIGNS: [(&str, &str); 9] = [
        (" sendmail[", "Sendmail"),
        (" sm-mta[", "Sendmail"),
        (" <= ", "Exim"),
        (" => ", "Exim"),
        (" == ", "Exim"),
        (" exim", "Exim"),
        (" smtpd[", "OpenSMTPD"),
        (" qmail: ", "qmail"),
        ("MailEnable", "MailEnable"),
    ];
    SIGNS.iter().find(|(sign, _)| line.contains(sign)).map(|(_, name)| *name)
}

/// Whether a time of day is in front of the program.
fn has_time(line: &str) -> bool {
    let before = line.split("postfix/").next().unwrap_or_default().as_bytes();
    before
        .windows(5)
        .any(|part| part[2] == b':' && [0, 1, 3, 4].iter().all(|&digit: &usize| part[digit].is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_cannot_be_read_is_named_for_what_it_is() {
        for (kind, line, says) in [
            (LogKind::Postfix, "type,timeLogged,rcpt", "powermta"),
            (LogKind::Postfix, "d,2026-01-02 03:04:05+0000,a@x.example", "powermta"),
            (LogKind::PowerMta, "Jan  2 03:04:05 mx postfix/smtp[1]: 4A1B2: to=<a@x.example>", "\"postfix\""),
            (LogKind::PowerMta, "hello", "acct-file"),
            (LogKind::Postfix, "postfix/smtp[1]: 4A1B2C3D: removed", "maillog_file"),
            (LogKind::Postfix, "smtp_1  | postfix/smtp[1]: 4A1B2C3D: removed", "maillog_file"),
            (
                LogKind::Postfix,
                "Jan  2 03:04:05 mx postfix/smtp[1]: xyz-1: to=<a@x.example>, relay=",
                "0-9 and A-F",
            ),
            (LogKind::Postfix, "2026-01-02T03:04:05Z mx postfix/qmgr[1]: 4a1b: removed", "0-9 and A-F"),
            (LogKind::Postfix, "Xyz 12 03:04:05 mx postfix/smtp[1]: 4A1B2C3D: removed", "RFC 3339"),
            (LogKind::Postfix, "2026-01-02 03:04:05 1abcde-0001 <= a@x.example H=mx", "\"exim\""),
            (LogKind::Postfix, "{\"a\":1}", "message and time"),
            (LogKind::Postfix, "__CURSOR=s=1", "journalctl"),
            (LogKind::Postfix, "192.0.2.1 - - [02/Jan/2026:03:04:05 +0000] \"GET /\"", "traditional"),
        ] {
            let LogFault { why, fix } = explain(kind, line.as_bytes(), Some(line));
            assert!(fix.contains(says) && !why.is_empty(), "{line}: {why}; {fix}");
        }
    }

    #[test]
    fn what_is_not_text_is_named() {
        for (head, says) in [
            (&b"\x1f\x8b\x08\0"[..], ".gz"),
            (b"BZh91AY", "gzip, zstd or xz"),
            (b"LPKSHHRH", "journald"),
            (b"ab\0cd", "path"),
        ] {
            assert!(binary(head).is_some_and(|fault| fault.fix.contains(says)), "{says}");
        }
        assert_eq!((binary(b""), binary("März 2 ü".as_bytes())), (None, None));
    }
}
