//! Which lines of a notice belong to an entry of its list, so that no other recipient begins there.
//!
//! Not here: how an entry begins (`list_entry`), and which entries count (`entries`). Invariant:
//! one pass over the lines.

use super::lines::NumberedLine;
use super::list_entry::{self, Ending, EntryHead};

/// What a line is to the entry above it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum EntryLine {
    /// Nothing: it is no part of an entry, or begins one that says nothing on this line.
    #[default]
    Apart,
    /// It begins an entry and says why: `<a@x.example>: host mx said: 550 no such`.
    Begins,
    /// It goes on with that, indented: `    user (in reply to RCPT TO command)`.
    GoesOn,
    /// It is below an address alone, and indented more.
    Indented,
    /// It is in the paragraph of `<a@x.example>:`, and not indented more.
    Below,
}

/// An entry that is not over.
struct Open {
    indent: usize,
    /// A colon follows the address.
    announces: bool,
    /// More follows on the line of the address.
    says: bool,
}

/// What each of some lines is.
pub(crate) fn of(lines: &[NumberedLine<'_>]) -> Vec<EntryLine> {
    let mut open: Option<Open> = None;
    let part = |line: &NumberedLine<'_>| {
        if line.is_blank() {
            open = None;
            return EntryLine::Apart;
        }
        if let Some(above) = open.as_ref().filter(|above| line.indent() > above.indent) {
            return if above.says { EntryLine::GoesOn } else { EntryLine::Indented };
        }
        if let Some(head) = list_entry::head(line.trimmed()) {
            let (announces, says) = (head.shape.ending == Ending::Colon, says_why(&head));
            open = Some(Open { indent: line.indent(), announces, says });
            return if says { EntryLine::Begins } else { EntryLine::Apart };
        }
        open = open.take().filter(|above| above.announces);
        if open.is_some() { EntryLine::Below } else { EntryLine::Apart }
    };
    lines.iter().map(part).collect()
}

/// Whether an entry has more than its address on its line: a colon and what went wrong.
pub(crate) fn says_why(head: &EntryHead<'_>) -> bool {
    head.shape.ending == Ending::Colon && head.rest.contains(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    #[test]
    fn lines_below_an_entry_belong_to_it() {
        use EntryLine::{Apart, Begins, Below, GoesOn, Indented};
        for (text, want) in [
            ("<a@x.example>: 550 no such\n    <b@x.example> (end)\n", vec![Begins, GoesOn]),
            ("<a@x.example>: 550 no\n\n    <b@x.example>: 550 no\n", vec![Begins, Apart, Begins]),
            ("<a@x.example>:\n550 refused:\nspam\n\nspam\n", vec![Apart, Below, Below, Apart, Apart]),
            (
                "  a@x.example\n    550 refused:\n    spam\n  b@x.example\n",
                vec![Apart, Indented, Indented, Apart],
            ),
            ("a@x.example\nb@x.example\n", vec![Apart, Apart]),
        ] {
            assert_eq!(of(&PartText::plain(text, 1).lines()), want, "{text}");
        }
    }
}
