//! Whether a number in a text stands where a reply code does: at the start of the text or a line,
//! after `said:`, `responded with`, `<<<`, `smtp;` and the like.
//!
//! Not here: the form of a code (`status`). Invariant: the groups of an IPv6 address, sizes,
//! durations, ports, queue ids and dates are no reply codes, and a success needs a surer place than
//! a failure.

/// What is counted or measured.
const UNITS: &[&str] = &[
    "%",
    "accounts",
    "attempts",
    "b",
    "byte",
    "bytes",
    "characters",
    "connections",
    "d",
    "day",
    "days",
    "destinations",
    "e-mails",
    "emails",
    "gb",
    "gib",
    "gigabytes",
    "h",
    "hour",
    "hours",
    "hr",
    "hrs",
    "items",
    "jours",
    "k",
    "kb",
    "kib",
    "kilobytes",
    "kbytes",
    "lines",
    "m",
    "mails",
    "mb",
    "mbyte",
    "mbytes",
    "megabyte",
    "megabytes",
    "messages",
    "mib",
    "min",
    "mins",
    "minute",
    "minutes",
    "mo",
    "ms",
    "msec",
    "octets",
    "of",
    "out",
    "per",
    "points",
    "rcpts",
    "recipients",
    "s",
    "sec",
    "second",
    "seconds",
    "secs",
    "sekunden",
    "stunden",
    "tage",
    "times",
    "users",
    "weeks",
    "x",
    "из",
    "мб",
    "кб",
    "гб",
];

/// Words before a reply, with or without a colon.
const SPEAKING: &[&str] = &[
    "answer",
    "answered",
    "antwort",
    "antwortete",
    "code",
    "error",
    "errors",
    "esmtp",
    "fehler",
    "got",
    "lmtp",
    "message",
    "received",
    "replied",
    "reply",
    "respond",
    "responded",
    "response",
    "returned",
    "returns",
    "said",
    "says",
    "server",
    "smtp",
    "was",
    "with",
    "x-postfix",
    "x-unix",
    "dit",
    "respondió",
    "réponse",
    "risposta",
    "erreur",
    "error:",
    "диагностика",
    "ответ",
    "ответил",
    "сказал",
    "返回",
    "応答",
];

/// Words before a failure, never before a success.
const FAILING: &[&str] = &["code", "error", "errors", "fehler", "erreur"];

/// Words before a number that is none, though a colon is between.
const COUNTED: &[&str] = &[
    "after", "age", "attempts", "bytes", "count", "delay", "id", "kb", "length", "limit", "line", "max",
    "maximum", "mb", "pid", "port", "priority", "queue", "quota", "score", "size", "time", "timeout", "ttl",
    "uid", "usage", "used", "weight",
];

/// Whether the code between these two parts of a text is a reply. The second begins after the code
/// and its separator.
pub fn is_reply(before: &[u8], separator: Option<u8>, after: &[u8], is_success: bool) -> bool {
    if has_status(after) {
        return !touches_group(before, separator);
    }
    if separator == Some(b':') && after.first().is_some_and(|next| next.is_ascii_hexdigit() || *next == b':')
    {
        return false;
    }
    if separator != Some(b'-') && is_one_of(UNITS, first_word(after)) {
        return false;
    }
    let blank = |byte: &u8| byte.is_ascii_whitespace();
    let opening = |byte: &u8| blank(byte) || b"'\"`(".contains(byte);
    let line = before.iter().rposition(|byte| !opening(byte)).map_or(0, |last| last + 1);
    let (words, gap) = before.split_at(line);
    let Some(last) = words.last() else { return true };
    if gap.contains(&b'\n') && (!is_success || !gap.ends_with(b" ") && !gap.ends_with(b"\t")) {
        return true;
    }
    match last {
        b':' => is_after_colon(words, gap, is_success),
        b';' => true,
        b'<' | b'-' | b'>' if words.ends_with(b"<<") || words.ends_with(b"<-") || words.ends_with(b"--") => {
            true
        }
        b'>' | b']' | b')' | b'.' | b',' | b'|' | b'=' => !is_success && !gap.is_empty(),
        _ => !gap.is_empty() && speaks(last_word(words), is_success),
    }
}

fn is_after_colon(words: &[u8], gap: &[u8], is_success: bool) -> bool {
    let words = &words[..words.len() - 1];
    let word = last_word(words);
    if speaks(word, is_success) {
        return true;
    }
    if gap.is_empty() || is_one_of(COUNTED, word) {
        return false;
    }
    !is_success || matches!(words.last(), Some(b'>' | b']' | b')'))
}

fn speaks(word: &[u8], is_success: bool) -> bool {
    is_one_of(SPEAKING, word) && !(is_success && is_one_of(FAILING, word))
}

/// `550 5.1.1`, `550-5.1.1`, `550 #5.1.1`
fn has_status(after: &[u8]) -> bool {
    let after = after.trim_ascii_start();
    let after = after.strip_prefix(b"#").unwrap_or(after);
    matches!(after, [b'2' | b'4' | b'5', b'.', digit, ..] if digit.is_ascii_digit())
        && crate::status::Status::leading(after).is_some()
}

/// `db8:220:`
fn touches_group(before: &[u8], separator: Option<u8>) -> bool {
    separator == Some(b':') && before.ends_with(b":")
}

fn first_word(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_start();
    let end = text.iter().position(|byte| byte.is_ascii_whitespace() || b".,;:)/".contains(byte));
    &text[..end.unwrap_or(text.len())]
}

fn last_word(text: &[u8]) -> &[u8] {
    let begin = text.iter().rposition(|byte| byte.is_ascii_whitespace() || b".,;:(/<>[]'\"".contains(byte));
    &text[begin.map_or(0, |begin| begin + 1)..]
}

fn is_one_of(list: &[&str], word: &[u8]) -> bool {
    list.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Diagnostic;

    fn code(text: &str) -> u16 {
        let mut diagnostic = Diagnostic::default();
        diagnostic.read(text, "", "");
        diagnostic.code
    }

    #[test]
    fn replies_are_where_servers_speak() {
        for text in [
            "550 no",
            "550-no\r\n550 never",
            "  550 no",
            "smtp; 550 no",
            "smtp;550 no",
            "host mx.example.org[192.0.2.1] said: 550 no (in reply to RCPT TO command)",
            "host mx.example.org[2001:db8:220::25] said: 550 no",
            "the server responded with 550 no",
            "mx.example.org[192.0.2.1]: 550 no",
            "<a@example.org>: 550 no",
            "SMTP error from remote mail server after RCPT TO:<a@example.org>: 550 no",
            ">>> RCPT TO:<a@example.org>\n<<< 550 no",
            "... while talking to mx.example.org.: <<< 250 ok <<< 550 no",
            "Remote host said: 550 no",
            "192.0.2.1 does not like recipient.\nRemote host said: 550 no\nGiving up on 192.0.2.1.",
            "mailbox of 250 MB is full: 550 5.2.2 full",
            "Remote Server returned '550 5.1.10 no'",
            "error: 550 no",
            "The error that the other server returned was: 550 no",
            "(550 no)",
            "5.1.0 - Unknown address error 550-'no",
        ] {
            assert_eq!(code(text), 550, "{text}");
        }
        assert_eq!(code("250 2.1.5 ok"), 250);
        assert_eq!(code("host mx.example.org said: 250 queued"), 250);
    }

    #[test]
    fn other_numbers_are_none() {
        for text in [
            "connect to mx.example.org[2001:db8:220:6d:26bf:1447:1097:aa7]:25: Connection timed out",
            "[(10) mx.example.org. [2001:db8:250:1::25]:25: socket error]",
            "mx.example.org [2001:db8:0:0:0:0:250: 25] refused",
            "mailbox full: 250 MB used",
            "User mailbox exceeds allowed size of 250 MB: a@example.org",
            "240 hours in the queue",
            "mailbox limit: 500 messages",
            "quota: 550 of 512",
            "port: 250",
            "could not be delivered for 240 hours",
            "queue id 250 A1 is gone",
            "box is full, 250MB",
            "used 250\n 250 bytes",
            "message size: 421",
            "delay 450 seconds",
            "on 24 Nov 2026 at 21:45:220",
            "after 250 attempts",
            "Mailbox usage 250/200",
            "error 250: mailbox full",
        ] {
            assert_eq!(code(text), 0, "{text}");
        }
    }
}
