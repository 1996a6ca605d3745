//! What is between the stamp and the text of a line: host, program and process.
//!
//! Syslog daemons, journals and templates write it in several forms. Not here: the stamp.
//! Invariant: only a program that is Postfix has a daemon.

use memchr::{memchr, memmem};

/// A line without its stamp.
pub(crate) struct ProgramLine<'a> {
    pub(crate) host: &'a [u8],
    /// The program: `postfix/smtp`.
    pub(crate) tag: &'a [u8],
    /// The daemon's name, if the program is Postfix: `smtp`.
    pub(crate) daemon: Option<&'a [u8]>,
    pub(crate) pid: u32,
    pub(crate) text: &'a [u8],
}

/// Reads what follows the stamp: `mx postfix/smtp[123]: text`, also without a host, with a priority
/// (`<mail.info>`, `mail.info`), and in the form of RFC 5424: `mx postfix/smtp 123 - - text`.
pub(crate) fn read(line: &[u8]) -> Option<ProgramLine<'_>> {
    let (mut host, mut rest): (&[u8], &[u8]) = (b"", line);
    for words in 0..5 {
        let (word, after) = split_word(rest)?;
        if is_date_or_time(word) || matches!(word, [b'{' | b'"', ..]) {
            return None;
        }
        if let Some(tag_end) = memmem::find(word, b"]:").filter(|end| end + 2 < word.len()) {
            // A template without a blank after the tag.
            let (tag, pid) = split_pid(&word[..=tag_end]);
            return Some(ProgramLine { host, tag, daemon: daemon(tag), pid, text: &rest[tag_end + 2..] });
        }
        if let Some(tag) = word.strip_suffix(b":") {
            let (tag, pid) = split_pid(tag);
            return Some(ProgramLine { host, tag, daemon: daemon(tag), pid, text: after });
        }
        let is_tag_of_rfc5424 = words > 0 && word.contains(&b'/');
        if is_tag_of_rfc5424 {
            let (pid, text) = read_rfc5424(after)?;
            return Some(ProgramLine { host, tag: word, daemon: daemon(word), pid, text });
        }
        if host.is_empty() && !is_no_host(word) {
            host = word;
        }
        rest = after;
    }
    None
}

/// A date or a time of day: a second stamp, which names no host.
fn is_date_or_time(word: &[u8]) -> bool {
    let is_time = |byte: &[u8]| byte.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','));
    match word {
        [b'1' | b'2', _, _, _, b'-' | b'/', _, _, b'-' | b'/', ..] => true,
        [hour @ .., b':', m1, m2, b':', s1, s2] if hour.len() <= 2 => {
            is_time(hour) && is_time(&[*m1, *m2, *s1, *s2])
        }
        [h1, h2, b':', m1, m2, b':', seconds @ ..] => is_time(&[*h1, *h2, *m1, *m2]) && is_time(seconds),
        _ => false,
    }
}

/// A priority (`<mail.info>`, `mail.info`), the nil value of RFC 5424, or the stream of a container
/// (`stdout F`).
fn is_no_host(word: &[u8]) -> bool {
    let is_priority = || {
        let dot = memchr(b'.', word)?;
        let (facility, severity) = (&word[..dot], &word[dot + 1..]);
        Some(FACILITIES.contains(&facility) && SEVERITIES.contains(&severity))
    };
    matches!(word, [] | [b'<', ..] | b"-" | b"stdout" | b"stderr" | b"F" | b"P")
        || is_priority().unwrap_or(false)
}

const FACILITIES: [&[u8]; 18] = [
    b"mail",
    b"daemon",
    b"user",
    b"syslog",
    b"news",
    b"uucp",
    b"cron",
    b"auth",
    b"authpriv",
    b"kern",
    b"local0",
    b"local1",
    b"local2",
    b"local3",
    b"local4",
    b"local5",
    b"local6",
    b"local7",
];
const SEVERITIES: [&[u8]; 12] = [
    b"emerg", b"panic", b"alert", b"crit", b"err", b"error", b"warning", b"warn", b"notice", b"info",
    b"debug", b"none",
];

/// Reads a line whose host is that of the line before (`host_and_space`), as nearly all lines are,
/// in the usual form `mx postfix/smtp[123]: text`. Faster than `read`, and None for everything
/// else.
pub(crate) fn read_usual<'a>(line: &'a [u8], host_and_space: &[u8]) -> Option<ProgramLine<'a>> {
    let after = line.strip_prefix(host_and_space)?;
    let host = &line[..host_and_space.len().saturating_sub(1)];
    let name = after.strip_prefix(b"postfix")?;
    let (mut end, mut slash) = (0, None);
    let mut at = loop {
        match name.get(end)? {
            b'[' => break end + 1,
            b' ' | b':' => return None,
            b'/' => slash = Some(end),
            _ => {}
        }
        end += 1;
    };
    let mut pid: u32 = 0;
    while let Some(digit @ b'0'..=b'9') = name.get(at) {
        pid = pid.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'));
        at += 1;
    }
    let text = name[at..].strip_prefix(b"]: ")?;
    let daemon = slash.map(|slash| &name[slash + 1..end]);
    Some(ProgramLine { host, tag: &after[..b"postfix".len() + end], daemon, pid, text })
}

/// The daemon's name, if the program is Postfix.
pub(crate) fn daemon(tag: &[u8]) -> Option<&[u8]> {
    let slash = tag.iter().rposition(|&byte| byte == b'/')?;
    let (instance, name) = (&tag[..slash], &tag[slash + 1..]);
    (instance.starts_with(b"postfix") || DAEMONS.contains(&name)).then_some(name)
}

/// The text within what rsyslog (`message repeated 2 times: [ text]`) or Solaris (`[ID 197553
/// mail.info] text`) puts around it.
pub(crate) fn unwrapped(text: &[u8]) -> &[u8] {
    match text.first() {
        Some(b'm') if text.starts_with(b"message repeated ") => match memmem::find(text, b" times: [ ") {
            Some(found) => text[found + 10..].strip_suffix(b"]").unwrap_or(&text[found + 10..]),
            None => text,
        },
        Some(b'[') if text.starts_with(b"[ID ") => {
            memmem::find(text, b"] ").map_or(text, |found| &text[found + 2..])
        }
        _ => text,
    }
}

fn split_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = memchr(b' ', text)?;
    Some((&text[..space], &text[space + 1..]))
}

/// `postfix/smtp[123]` or `postfix/smtp`.
fn split_pid(tag: &[u8]) -> (&[u8], u32) {
    let bracket = tag.strip_suffix(b"]").and_then(|open| Some((open, memchr(b'[', open)?)));
    bracket.map_or((tag, 0), |(open, at)| (&open[..at], decimal(&open[at + 1..])))
}

/// Process, message id, structured data, text: `123 - - text` or `123 - [x y="z"] text`.
fn read_rfc5424(rest: &[u8]) -> Option<(u32, &[u8])> {
    let (pid, rest) = split_word(rest)?;
    let (_message_id, rest) = split_word(rest)?;
    let text = match rest {
        [b'-', b' ', text @ ..] => text,
        [b'[', ..] => &rest[memmem::find(rest, b"] ")? + 2..],
        _ => return None,
    };
    Some((decimal(pid), text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)))
}

fn decimal(digits: &[u8]) -> u32 {
    let digits = digits.iter().filter(|byte| byte.is_ascii_digit());
    digits.fold(0, |value: u32, byte| value.wrapping_mul(10).wrapping_add(u32::from(byte - b'0')))
}

/// Postfix's programs, which are known in an instance of any name: `mta-out/smtp`.
const DAEMONS: &[&[u8]] = &[
    b"smtpd",
    b"smtp",
    b"qmgr",
    b"cleanup",
    b"lmtp",
    b"local",
    b"virtual",
    b"pipe",
    b"error",
    b"retry",
    b"discard",
    b"bounce",
    b"defer",
    b"trace",
    b"pickup",
    b"postscreen",
    b"postsuper",
    b"anvil",
    b"scache",
    b"tlsmgr",
    b"tlsproxy",
    b"dnsblog",
    b"verify",
    b"trivial-rewrite",
    b"proxymap",
    b"proxywrite",
    b"master",
    b"oqmgr",
    b"nqmgr",
    b"flush",
    b"showq",
    b"spawn",
    b"qmqpd",
    b"sendmail",
    b"postdrop",
    b"postqueue",
    b"postfix-script",
    b"postlog",
    b"postlogd",
    b"postmap",
];
