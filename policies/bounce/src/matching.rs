//! Whether the pieces of a plain pattern follow one another in a text.
//!
//! Not here: which patterns are worth asking for (`search`) and their syntax (`pattern`).

/// A literal, whether it begins a word and whether it ends one.
pub type Wanted<'a> = (&'a [u8], bool, bool);

/// A server may put the recipient's domain after these words, and say no more.
const REJECTED: &[u8] = b"address rejected";

/// Where the pieces begin and end in the text.
pub fn matches<'a>(
    pieces: impl Iterator<Item = Wanted<'a>>,
    begins_text: bool,
    ends_text: bool,
    text: &[u8],
) -> Option<(usize, usize)> {
    let (mut start, mut end) = (None, 0);
    let mut last: Wanted = (b"", false, false);
    for piece in pieces {
        let at = find(piece, text, end)?;
        if start.is_none() {
            start = Some(at);
            if begins_text && !is_nothing(said(&text[..at])) {
                return None;
            }
        }
        end = at + piece.0.len();
        last = piece;
    }
    let start = start?;
    let is_end = |end: usize| {
        let after = unframed(&text[end..]);
        is_nothing(after) || text[..end].ends_with(REJECTED) && is_host(after)
    };
    if ends_text && !is_end(end) {
        let mut further = end;
        loop {
            further = find(last, text, further)? + last.0.len();
            if is_end(further) {
                return (!begins_text || is_nothing(said(&text[..start]))).then_some((start, further));
            }
        }
    }
    Some((start, end))
}

/// Where the piece begins in the text, from `from` on.
fn find((piece, begins_word, ends_word): Wanted, text: &[u8], mut from: usize) -> Option<usize> {
    let first = *piece.first()?;
    while let Some(at) = text.get(from..)?.iter().position(|byte| *byte == first) {
        let start = from + at;
        if text[start..].starts_with(piece)
            && !(begins_word && start > 0 && text[start - 1].is_ascii_alphanumeric())
            && !(ends_word && text.get(start + piece.len()).is_some_and(u8::is_ascii_alphanumeric))
        {
            return Some(start);
        }
        from = start + 1;
    }
    None
}

/// What stands between the frame in which a mail system shows a reply, and the reply's own words.
fn said(before: &[u8]) -> &[u8] {
    let speaks = |at: usize| {
        let words = &before[..at];
        match before[at] {
            b':' => {
                let word = words.iter().rposition(u8::is_ascii_whitespace).map_or(0, |blank| blank + 1);
                let is_host = word == 0 && words.contains(&b'.');
                words.ends_with(b"]") || words.ends_with(b" said") || words.ends_with(b" with") || is_host
            }
            b'<' => words.ends_with(b"<<"),
            b';' => words.ends_with(b"smtp"),
            b'\'' | b'"' => words.ends_with(b" returned "),
            _ => false,
        }
    };
    let last = (0..before.len()).rev().find(|at| speaks(*at));
    &before[last.map_or(0, |last| last + 1)..]
}

/// The words after a reply without those of the frame.
fn unframed(after: &[u8]) -> &[u8] {
    let frame = after.windows(10).position(|words| words == b"(in reply ");
    &after[..frame.unwrap_or(after.len())]
}

/// `: example.org`
fn is_host(after: &[u8]) -> bool {
    let Some(name) = after.strip_prefix(b": ") else { return false };
    let name = name.trim_ascii_end();
    name.contains(&b'.') && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte))
}

/// Only punctuation and addresses.
fn is_nothing(text: &[u8]) -> bool {
    text.iter().all(|byte| !byte.is_ascii_alphanumeric() && *byte < 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Diagnostic;
    use crate::sequence::sequences;

    fn holds(pattern: &str, text: &str) -> bool {
        let mut diagnostic = Diagnostic::default();
        diagnostic.read(text, "", "");
        sequences(pattern).unwrap().iter().any(|sequence| {
            let pieces =
                sequence.pieces.iter().map(|piece| (&piece.literal[..], piece.begins_word, piece.ends_word));
            matches(pieces, sequence.begins_text, sequence.ends_text, &diagnostic.bytes).is_some()
        })
    }

    #[test]
    fn words_are_whole_unless_a_star_touches_them() {
        assert!(holds("spam", "this is SPAM."));
        assert!(!holds("spam", "no spammers, antispam"));
        assert!(holds("spam*", "no spammers") && holds("*spam", "antispam"));
        assert!(holds("mailbox * full", "mailbox of a@example.org is full"));
        assert!(holds("mailbox * full", "mailbox full") && !holds("mailbox * full", "full mailbox"));
        assert!(holds("over quota", "over\r\n  quota"));
    }

    #[test]
    fn alternatives_and_ends() {
        assert!(holds("(user|recipient) (is |)unknown", "Recipient is unknown"));
        assert!(holds("(user|recipient) (is |)unknown", "user unknown"));
        assert!(!holds("(user|recipient) (is |)unknown", "user not unknown"));
        assert!(holds("^rejected$", "550 5.7.1 <a@example.org>... Rejected."));
        assert!(!holds("^rejected$", "550 Rejected by me"));
        assert!(holds("^mail * rejected$", "mail was rejected and rejected"));
        assert!(holds("address rejected$", "Recipient address rejected: mail.example.org (in reply to x)"));
        assert!(
            !holds("address rejected$", "Recipient address rejected: no") && !holds("^no$", "no: a.example")
        );
        assert!(holds("\\(bl\\)", "see x (BL)") && holds("boite pleine", "Boîte pleine"));
        assert!(holds("邮箱已满", "对方邮箱已满，退信"));
    }
}
