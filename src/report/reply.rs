//! SMTP replies in running text: reply code (RFC 5321), enhanced status code (RFC 3463), the command that was answered.
//!
//! Not here: what a reply means. Invariant: a number counts only where a reply would stand, so that neither an
//! address, a version nor a size in a text becomes a code.

use std::fmt;

/// An enhanced status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    class: u8,
    subject: u8,
    detail: u16,
}

impl Status {
    /// The status at the beginning of a text, and its length.
    fn leading(text: &str) -> Option<(Status, usize)> {
        let bytes = text.as_bytes();
        let (&class @ (b'2' | b'4' | b'5'), &b'.') = (bytes.first()?, bytes.get(1)?) else { return None };
        let (subject, length) = number(&bytes[2..], 1)?;
        let at = 2 + length;
        if bytes.get(at) != Some(&b'.') || subject > 7 {
            return None;
        }
        let (detail, length) = number(&bytes[at + 1..], 3)?;
        let end = at + 1 + length;
        let next = bytes.get(end).copied().unwrap_or(b' ');
        let goes_on = next.is_ascii_alphanumeric()
            || (matches!(next, b'.' | b'-') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit));
        (!goes_on).then(|| (Status { class: class - b'0', subject: subject as u8, detail }, end))
    }

    /// The status in a `Status` field.
    pub(crate) fn in_field(value: &str) -> Option<Status> {
        Status::leading(value.trim_start()).map(|(status, _)| status)
    }

    /// How much it says: nothing but its class, only its subject or that time is up, or all it can.
    fn rank(self) -> u8 {
        match (self.class, self.subject, self.detail) {
            (2, _, _) | (_, 0, _) => 0,
            // Time is up, a subject alone, and what Exchange wraps around the answer of another server.
            (4, 4, 7) | (_, _, 0 | 350) => 1,
            _ => 2,
        }
    }

    /// Which of the status of a field and that of a text is meant. The text is the reply itself; it counts unless
    /// it says less.
    pub(crate) fn better(field: Option<Status>, text: Option<Status>) -> Option<Status> {
        match (field, text) {
            (Some(field), Some(text)) if text.rank() < field.rank() => Some(field),
            (field, text) => text.or(field),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// A number of at most `digits` digits.
fn number(bytes: &[u8], digits: usize) -> Option<(u16, usize)> {
    let length = bytes.iter().take(digits + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let value = bytes[..length].iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'));
    (1..=digits).contains(&length).then_some((value, length))
}

/// The codes of a reply, and where in the text it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Three digits.
    pub(crate) code: Option<u16>,
    /// Enhanced.
    pub(crate) status: Option<Status>,
    /// The index of its first byte.
    pub(crate) at: usize,
}

impl Reply {
    /// Whether it has any code.
    pub(crate) fn is_some(&self) -> bool {
        self.code.is_some() || self.status.is_some()
    }

    /// The reply in a text. Of several the first that says more than "failed" or "too old": those are said by the
    /// server that gave up, and quote what the other one answered.
    pub(crate) fn find(text: &str) -> Reply {
        let mut best = Reply::default();
        let mut lone: Option<Reply> = None;
        let mut pairs = 0;
        let mut at = 0;
        while let Some(found) = next(text, at) {
            at = found.1;
            let found = found.0;
            match (found.code, found.status) {
                (Some(_), Some(status)) => {
                    let weak = best.status.is_none_or(|best| best.rank() < status.rank() || best.rank() < 2);
                    if pairs == 0 || (weak && best.status != found.status && status.rank() > 0) {
                        let start = if best.code == found.code { best.at } else { found.at };
                        best = Reply { at: start, ..found };
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
            (None, Some(lone)) => Reply { status: lone.status, ..best },
            _ => best,
        }
    }
}

/// The next code or status at `from` or later, with the status that belongs to it; and where to look next.
fn next(text: &str, from: usize) -> Option<(Reply, usize)> {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        if !matches!(bytes[at], b'2' | b'4' | b'5') {
            at += 1;
            continue;
        }
        let before = at.checked_sub(1).map(|at| bytes[at]);
        if before.is_some_and(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'/' | b'@' | b'+')
        }) {
            at += bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            continue;
        }
        if let Some((status, length)) = Status::leading(&text[at..]).filter(|_| before != Some(b'-')) {
            return Some((Reply { code: None, status: Some(status), at }, at + length));
        }
        if let Some(code) = code(&bytes[at..]) {
            let status = after_code(&text[at + 3..]);
            if status.is_some() || expected(&bytes[..at]) {
                let end = at + 3 + status.map_or(0, |(_, length)| length);
                return Some((Reply { code: Some(code), status: status.map(|(status, _)| status), at }, end));
            }
        }
        at += bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count().max(1);
    }
    None
}

/// A reply code that ends here, as reply codes do.
fn code(bytes: &[u8]) -> Option<u16> {
    let (value, 3) = number(bytes, 3)? else { return None };
    let second = bytes[1];
    let ends = bytes.get(3).is_none_or(|byte| b" -:,;.'\")]>\t#=".contains(byte));
    let success = bytes[0] == b'2' && !matches!(&bytes[1..3], b"50" | b"51" | b"52");
    let decimal = bytes.get(3) == Some(&b'.') && bytes.get(4).is_some_and(u8::is_ascii_digit);
    (ends && !decimal && !success && (b'0'..=b'7').contains(&second)).then_some(value)
}

/// The status right after a code.
fn after_code(text: &str) -> Option<(Status, usize)> {
    let gap = text.bytes().take(6).take_while(|byte| b" -:'\"#(<[,\t".contains(byte)).count();
    let text = &text[gap..];
    let word = if text.starts_with("ERROR_CODE :") { 12 } else { 0 };
    Status::leading(&text[word..]).map(|(status, length)| (status, gap + word + length))
}

/// Whether a reply may start after this text: at its beginning, after punctuation, or after a word that announces it.
fn expected(before: &[u8]) -> bool {
    const ANNOUNCE: [&[u8]; 17] = [
        b"said",
        b"error",
        b"response",
        b"reply",
        b"replied",
        b"returned",
        b"code",
        b"status",
        b"with",
        b"was",
        b"failure",
        b"result",
        b"smtp",
        b"reason",
        b"deferred",
        b"answered",
        b"code is",
    ];
    // The colon and the brackets of East Asia.
    const WIDE: [&str; 4] = ["：", "（", "「", "【"];
    let trimmed = before.trim_ascii_end();
    if WIDE.iter().any(|mark| trimmed.ends_with(mark.as_bytes())) {
        return true;
    }
    match trimmed.last() {
        None | Some(b':' | b'<' | b'(' | b'[' | b'\'' | b'"' | b'>' | b';' | b'|' | b'*' | b'-' | b',') => {
            true
        }
        Some(_) => ANNOUNCE.iter().any(|word| {
            let start = trimmed.len().checked_sub(word.len());
            start.is_some_and(|start| trimmed[start..].eq_ignore_ascii_case(word))
        }),
    }
}

/// A text as one reply: the code that every line of a reply repeats is kept once.
pub(crate) fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut words = text.split_ascii_whitespace().peekable();
    let (mut code, mut prefix) = (None, None);
    while let Some(word) = words.next() {
        let mut word = word;
        if code.is_none() {
            code = word.get(..3).filter(|_| self::code(word.as_bytes()).is_some());
            let status = word.get(4..).filter(|rest| !rest.is_empty()).or(words.peek().copied());
            prefix = status.filter(|status| code.is_some() && Status::in_field(status).is_some());
        } else if let (Some(code), Some(rest)) = (code, code.and_then(|code| word.strip_prefix(code))) {
            let repeated = |status: &str| prefix.is_some_and(|prefix| prefix.trim_end_matches(':') == status);
            match rest.strip_prefix('-') {
                Some(status) if repeated(status) => continue,
                Some(rest) if prefix.is_none() && !rest.is_empty() => word = rest,
                None if rest.is_empty() && words.peek().is_some_and(|next| repeated(next)) => {
                    words.next();
                    continue;
                }
                _ => _ = code,
            }
        }
        if !tidied.is_empty() {
            tidied.push(' ');
        }
        tidied.push_str(word);
    }
    tidied
}

/// The command at the beginning of a line, as `Reply` stages are named.
pub(crate) fn command(line: &str) -> Option<&'static str> {
    const COMMANDS: [(&str, &str); 11] = [
        ("RCPT TO", "RCPT"),
        ("MAIL FROM", "MAIL"),
        ("MAIL", "MAIL"),
        ("DATA", "DATA"),
        ("EHLO", "EHLO"),
        ("HELO", "HELO"),
        ("LHLO", "EHLO"),
        ("STARTTLS", "STARTTLS"),
        ("AUTH", "AUTH"),
        ("BDAT", "DATA"),
        ("QUIT", "QUIT"),
    ];
    let starts = |name: &str| {
        let rest = line
            .get(..name.len())
            .filter(|start| start.eq_ignore_ascii_case(name))
            .map(|_| &line[name.len()..]);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', ' ']))
    };
    if line == "." {
        return Some("DATA");
    }
    COMMANDS.iter().find(|(name, _)| starts(name)).map(|(_, stage)| *stage)
}

/// The host that a text says it talked to: `host mx.example [192.0.2.1] said`, `while talking to mx.example.:`.
pub(crate) fn host(text: &str) -> Option<&str> {
    const BEFORE: [&str; 12] = [
        "while talking to ",
        "While talking to ",
        "host: ",
        "host ",
        "Host ",
        "server for ",
        " by ",
        "Remote server (",
        "relay ",
        "connect to ",
        "Server \"",
        "SMTP Server <",
    ];
    for phrase in BEFORE {
        for (at, _) in text.match_indices(phrase).take(3) {
            let rest = &text[at + phrase.len()..];
            let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
            let end = rest.find(|c| !inside(c)).unwrap_or(rest.len()).min(255);
            let name = rest[..end].trim_end_matches(['.', ':', '-']);
            let absent = rest[end..].trim_start().starts_with("not ");
            if name.contains('.') && !name.contains("..") && !absent {
                return Some(name);
            }
        }
    }
    let at = ["does not like", "failed after", "did not like"].iter().find_map(|phrase| text.find(phrase))?;
    let words = text[..at].split_ascii_whitespace().rev().take(2);
    let name = |word: &str| word.contains('.') && !word.contains(['@', '<', '[', '(']);
    words.into_iter().find(|word| name(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let reply = Reply::find(text);
        let code = reply.code.map_or("-".into(), |code| code.to_string());
        format!("{code} {}", reply.status.map_or("-".into(), |status| status.to_string()))
    }

    #[test]
    fn replies_are_found_in_every_dress() {
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
    fn other_numbers_are_no_replies() {
        for text in [
            "within 500 messages",
            "5.1.2.3",
            "v5.1.2 Exim 4.80.1",
            "mx550.example",
            "user 5500",
            "5.1.10.2",
            "4.12.2024",
            "IB550",
        ] {
            assert_eq!(read(text), "- -", "{text}");
        }
    }

    #[test]
    fn a_repeated_code_is_kept_once() {
        assert_eq!(tidy("550-5.7.1 Not\n 550-5.7.1 here 550 5.7.1 today"), "550-5.7.1 Not here today");
        assert_eq!(tidy("550-a\n550-b\n550 c"), "550-a b 550 c");
        assert_eq!(tidy("User  unknown"), "User unknown");
    }

    #[test]
    fn command_and_host_are_read() {
        assert_eq!(command("RCPT To:<a@b>"), Some("RCPT"));
        assert_eq!(command("database"), None);
        assert_eq!(host("host mx.example.net[192.0.2.1] said: 550"), Some("mx.example.net"));
        assert_eq!(host("... while talking to mx.example.net.:"), Some("mx.example.net"));
        assert_eq!(host("192.0.2.1 does not like recipient."), Some("192.0.2.1"));
        assert_eq!(host("host unknown"), None);
    }

    #[test]
    fn hostile_text_is_read_in_linear_time() {
        for hostile in ["5", "550 ", "5.", "550 5.7.1 ", "-", "5.7.1 "] {
            let text = hostile.repeat(200_000);
            Reply::find(&text);
            tidy(&text);
        }
    }
}
