//! The SMTP command that the words around a reply quote: `rejected command 'MAIL FROM:<a@x>' with
//! code 550`, `(in response to: RCPT TO:<b@y>)`, `for command DATA`.
//!
//! Not here: sessions line by line (`session`), and phrases (`phrases`). Invariant: a bounded piece
//! of a text is read, and a word that is no command there is none.

/// The commands, as they are written in capitals, and as stages are named.
const COMMANDS: [(&str, &str); 8] = [
    ("MAIL FROM", "MAIL"),
    ("RCPT TO", "RCPT"),
    ("EHLO", "EHLO"),
    ("HELO", "HELO"),
    ("LHLO", "EHLO"),
    ("STARTTLS", "STARTTLS"),
    ("DATA", "DATA"),
    ("BDAT", "DATA"),
];
/// Bytes that are searched.
const MAX_AROUND: usize = 500;

/// The last command before a reply.
pub(crate) fn before(text: &str) -> Option<&'static str> {
    let text = &text[text.ceil_char_boundary(text.len().saturating_sub(MAX_AROUND))..];
    quoted(text).max_by_key(|(at, _)| *at).map(|(_, stage)| stage)
}

/// The first command after a reply.
pub(crate) fn after(text: &str) -> Option<&'static str> {
    let text = &text[..text.floor_char_boundary(MAX_AROUND)];
    quoted(text).min_by_key(|(at, _)| *at).map(|(_, stage)| stage)
}

/// Where a reply ends and the words begin that say which command it answered.
pub(crate) fn tail(said: &str) -> Option<usize> {
    const TAILS: [&str; 4] = [" (in reply to", " (in response to", " in response to: ", " for command "];
    TAILS.iter().filter_map(|words| said.find(words)).min()
}

/// The places of commands in a text.
fn quoted(text: &str) -> impl Iterator<Item = (usize, &'static str)> {
    COMMANDS.iter().flat_map(move |(name, stage)| {
        let is_command = move |at: &usize| is_command(&text[..*at], name, &text[at + name.len()..]);
        let capital = text.match_indices(name).map(|(at, _)| at).filter(is_command);
        let mixed = mixed(text, name).into_iter();
        capital.chain(mixed).map(|at| (at, *stage))
    })
}

/// Where a command of two words is written in small letters too: `MAIL From:<a@x>`.
fn mixed(text: &str, name: &str) -> Option<usize> {
    let (first, second) = name.split_once(' ')?;
    let starts = |at: &usize| text[*at..].starts_with([':']) && text[at + 1..].trim_start().starts_with('<');
    let colons = text.match_indices(':').map(|(at, _)| at).filter(starts);
    let begin = |colon: usize| {
        let at = colon.checked_sub(name.len())?;
        let (one, two) = text.get(at..colon)?.split_once(' ')?;
        (one.eq_ignore_ascii_case(first) && two.eq_ignore_ascii_case(second)).then_some(at)
    };
    colons.filter_map(begin).next()
}

/// Whether a word in capitals is a command where it is.
fn is_command(before: &str, name: &str, after: &str) -> bool {
    let marks = ['\'', '"', '`', '(', '[', '<', '>', ':', '='];
    let ends = [':', '\'', '"', '`', ')', ']', ',', '.', ';'];
    let is_apart = before.is_empty() || before.ends_with(marks) || before.ends_with(' ');
    let is_whole = after.is_empty() || after.starts_with(ends) || after.starts_with(' ');
    if name.contains(' ') {
        return is_apart && is_whole;
    }
    let word = before.trim_end().rsplit(' ').next().unwrap_or_default().trim_matches(marks);
    let is_named =
        ["command", "to", "after", "sent", "during", "at"].iter().any(|w| word.eq_ignore_ascii_case(w));
    let is_quoted = before.ends_with(['\'', '"', '`']);
    is_apart && is_whole && (is_named || is_quoted || after.starts_with(" command"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_around_a_reply_is_found() {
        for (text, stage) in [
            ("(host 'mx.x.example' rejected command 'MAIL FROM:<s@a.example>' with code ", "MAIL"),
            ("(host 'mx.x.example' rejected command 'EHLO mail.a.example' with code ", "EHLO"),
            ("mx.x.example responded to RCPT TO: ", "RCPT"),
            ("(MAIL FROM: ", "MAIL"),
            ("sent: mail from: <s@a.example>, got ", "MAIL"),
            ("MAIL FROM:<s@a.example> was taken, RCPT TO:<b@x.example> not: ", "RCPT"),
            ("the DATA command gave ", "DATA"),
        ] {
            assert_eq!(before(text), Some(stage), "{text}");
        }
        assert_eq!(after("(in response to: MAIL FROM:<s@a.example>)"), Some("MAIL"));
        assert_eq!(after(" for command DATA"), Some("DATA"));
        for text in ["no mail from you: ", "VIRUS IN DATA ", "DATA PROTECTION", "EMAIL FROMAGE"] {
            assert_eq!((before(text), after(text)), (None, None), "{text}");
        }
    }
}
