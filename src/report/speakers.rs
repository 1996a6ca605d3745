//! Who speaks on a line of a session between two servers: which command, which host.
//!
//! Not here: whole sessions (`session`). Invariant: a host is a name with a dot in it, never part
//! of a mail address.

/// The command at the beginning of a line, as stages are named.
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

/// Who speaks on a line of a session.
pub(crate) enum Speaker<'a> {
    Client(&'a str),
    /// What the server says, and whether a mark says that it is the server.
    Server(&'a str, bool),
    Nobody,
}

/// Who speaks: `>>> RCPT TO:<a@x>`, `<<< 550 no`, `In:`, `Out:`, `C:`, `S:`, or a bare command or
/// reply.
pub(crate) fn speaker(text: &str) -> Speaker<'_> {
    for mark in [">>>", "In:", "C:", "-->", "Sent:", "SENT:"] {
        if let Some(rest) = text.strip_prefix(mark) {
            return Speaker::Client(rest.trim());
        }
    }
    for mark in ["<<<", "Out:", "S:", "<--", "Received:", "RECEIVED:"] {
        if let Some(rest) = text.strip_prefix(mark).map(str::trim).filter(|rest| starts_with_code(rest)) {
            return Speaker::Server(rest, true);
        }
    }
    let marked = |mark: char| text.strip_prefix(mark).map(str::trim).unwrap_or_default();
    if command(marked('>')).is_some_and(|_| !text.starts_with(">.")) {
        return Speaker::Client(marked('>'));
    }
    if starts_with_code(marked('<')) {
        return Speaker::Server(marked('<'), true);
    }
    if command(text).is_some() && (text.len() < 5 || text.contains('<')) {
        Speaker::Client(text)
    } else if starts_with_code(text) && !text.contains("... ") {
        Speaker::Server(text, false)
    } else {
        Speaker::Nobody
    }
}

/// Whether a line begins as the replies of servers do.
pub(crate) fn starts_with_code(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 3
        && matches!(bytes[0], b'2'..=b'5')
        && bytes[1..3].iter().all(u8::is_ascii_digit)
        && matches!(bytes.get(3), None | Some(b' ' | b'-'))
}

/// The host that a text says it talked to: `host mx.example [192.0.2.1] said`, `while talking to
/// mx.example.:`.
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
    for phrase in BEFORE.into_iter().filter(|phrase| text.contains(phrase)) {
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

    #[test]
    fn command_and_host_are_read() {
        assert_eq!(command("RCPT To:<a@b>"), Some("RCPT"));
        assert_eq!(command("database"), None);
        assert_eq!(host("host mx.example.net[192.0.2.1] said: 550"), Some("mx.example.net"));
        assert_eq!(host("... while talking to mx.example.net.:"), Some("mx.example.net"));
        assert_eq!(host("192.0.2.1 does not like recipient."), Some("192.0.2.1"));
        assert_eq!(host("host unknown"), None);
    }
}
