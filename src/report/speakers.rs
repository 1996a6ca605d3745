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
        match after_mark(text) {
            Some(said) if command(said).is_some() => Speaker::Client(said),
            Some(said) if starts_with_code(said) => Speaker::Server(said, true),
            _ => Speaker::Nobody,
        }
    }
}

/// What follows the time and the mark of who speaks, in whatever form: `Mon 09:00:01: --> QUIT`,
/// `[09:00:01] S: 550 no`, `SMTP<< 550 no`, `<~* 550 no`. Command and reply tell who speaks.
fn after_mark(text: &str) -> Option<&str> {
    /// A mark begins before this byte.
    const NEAR: usize = 48;
    const LABELS: [&str; 12] = [
        "C:",
        "S:",
        "In:",
        "Out:",
        "Sent:",
        "Received:",
        "Client:",
        "Server:",
        "CLIENT:",
        "SERVER:",
        "send:",
        "reply:",
    ];
    let is_of_arrow = |byte: u8| matches!(byte, b'<' | b'>' | b'-' | b'=' | b'~' | b'*');
    let near = &text[..text.floor_char_boundary(NEAR)];
    let arrow = near.bytes().position(|byte| matches!(byte, b'<' | b'>')).map(|point| {
        let length =
            |bytes: &mut dyn Iterator<Item = u8>| bytes.take_while(|byte| is_of_arrow(*byte)).count();
        let start = point - length(&mut near[..point].bytes().rev());
        (start, point + length(&mut text[point..].bytes()))
    });
    let arrow = arrow.filter(|(start, end)| end - start > 1);
    let labelled = || {
        let words = near.match_indices(' ').map(|(at, _)| at + 1).chain([0]);
        let label =
            |at: usize| Some((at, at + LABELS.iter().find(|label| text[at..].starts_with(**label))?.len()));
        words.filter_map(label).next()
    };
    let (_, end) = arrow.or_else(labelled).filter(|(start, _)| is_stamp(&text[..*start]))?;
    let said = text[end..].trim_start();
    Some(
        said.strip_prefix('b')
            .filter(|rest| rest.starts_with('\''))
            .unwrap_or(said)
            .trim_start_matches(['\'', '"']),
    )
}

/// Whether a text is a time, or the short name of a protocol or of a day.
fn is_stamp(text: &str) -> bool {
    let is_short = |word: &str| word.len() <= 4 || word.contains(|c: char| c.is_ascii_digit());
    text.split_whitespace().all(|word| is_short(word) && !word.contains(['@', '<', '>']))
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
    fn marks_of_every_form_are_passed_over() {
        for (line, said) in [
            ("Mon 2024-03-04 09:00:01: --> MAIL From:<a@x.example> SIZE=9", "MAIL From:<a@x.example> SIZE=9"),
            ("[09:00:01] S: 550 no", "550 no"),
            ("SMTP<< 550 no", "550 no"),
            ("<~* 550 no", "550 no"),
            ("~> RCPT TO:<a@x.example>", "RCPT TO:<a@x.example>"),
            ("Server: 550 no", "550 no"),
            ("reply: b'550 no", "550 no"),
        ] {
            let found = match speaker(line) {
                Speaker::Client(found) | Speaker::Server(found, _) => found,
                Speaker::Nobody => "",
            };
            assert_eq!(found, said, "{line}");
        }
        for line in ["a@x.example -> 550 no", "see below --> nothing", "RCPT <a@x.example>", "=> é <-"] {
            assert!(matches!(speaker(line), Speaker::Nobody), "{line}");
        }
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
}
