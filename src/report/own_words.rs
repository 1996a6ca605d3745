//! What the writer of a message wrote, without the mail that is quoted below or between.
//!
//! Not here: where a report quotes the message it is about (`original_start`). Invariant: one pass
//! over a bounded number of lines.

use super::lines::NumberedLine;
use super::status_reader::{is_field_of_report, is_recipient_field};

/// Lines that are read, at most, and bytes that are kept.
const MAX_LINES: usize = 500;
const MAX_WORDS: usize = 4 * 1024;
/// This many lines of the form `Word: text` in a row are the header of a quoted mail.
const HEADER_LINES: usize = 3;

/// The words of the writer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnWords {
    /// Lines without those that are quoted, joined by line feeds.
    pub(crate) text: String,
    /// Whether anything is quoted.
    pub(crate) quotes: bool,
    /// Whether lines are marked as quoted.
    pub(crate) marks: bool,
}

impl OwnWords {
    /// What is hardly more than "please look at this": up to this many bytes.
    pub(crate) const MAX_REMARK: usize = 120;

    pub(crate) fn of(lines: &[NumberedLine<'_>]) -> OwnWords {
        let mut words = OwnWords::default();
        let (mut attribution, mut fields) = (false, 0);
        for (at, line) in lines.iter().enumerate().take(MAX_LINES) {
            let text = line.trimmed();
            if at < fields {
                continue;
            }
            fields = at + report_fields(&lines[at..]);
            if fields > at {
                // They are quoted without a mark, and the writer goes on after them.
                words.quotes = true;
                continue;
            }
            if text.starts_with('>') {
                // The line before says who is quoted.
                if attribution {
                    words.remove_last();
                }
                (words.quotes, words.marks) = (true, true);
                attribution = false;
            } else if words.is_over(&lines[at..]) {
                words.quotes |= text != "--";
                break;
            } else if !text.is_empty() {
                words.text.push_str(text);
                words.text.push('\n');
                attribution = text.ends_with([':', '：']);
            }
        }
        words
    }

    /// Whether the rest is not the writer's: a signature, or a mail quoted with its header.
    fn is_over(&self, rest: &[NumberedLine<'_>]) -> bool {
        let first = rest[0].trimmed();
        let header = rest.iter().take_while(|line| is_field(line.trimmed())).take(HEADER_LINES).count();
        first == "--"
            || self.text.len() > MAX_WORDS
            || header == HEADER_LINES
            || (first.starts_with("-----") && first.ends_with("-----"))
    }

    fn remove_last(&mut self) {
        let kept = self.text.trim_end().rfind('\n').map_or(0, |end| end + 1);
        self.text.truncate(kept);
    }
}

/// How many lines from here on are fields of a report, if some in a row are.
fn report_fields(rest: &[NumberedLine<'_>]) -> usize {
    let continues = |line: &NumberedLine<'_>| line.text.starts_with([' ', '\t']) && !line.is_blank();
    let own =
        |line: &NumberedLine<'_>| is_recipient_field(line.trimmed()) || is_field_of_report(line.trimmed());
    let run = || rest.iter().take_while(|line| is_field(line.trimmed()) || continues(line));
    let is_report = || run().filter(|line| is_field(line.trimmed())).nth(HEADER_LINES - 1).is_some();
    if rest.first().is_some_and(own) && is_report() { run().count() } else { 0 }
}

/// Whether a line looks like a field of a header, in whatever language: `From: …`, `Gesendet: …`.
fn is_field(line: &str) -> bool {
    const MAX_NAME: usize = 24;
    let line = line.trim_start_matches('*');
    let start = &line[..line.floor_char_boundary(MAX_NAME + 2)];
    start.split_once([':', '：']).is_some_and(|(name, _)| {
        let ends = name.len() + 3 >= line.len() && line.ends_with([':', '：']);
        !name.is_empty() && !name.contains(['.', ',', '/', '@']) && !ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    #[test]
    fn what_is_quoted_is_not_the_writers() {
        for text in [
            "yes, I am\n\nOn Monday Joe wrote:\n> are you there?\n",
            "yes, I am\n\n-----Original Message-----\nFrom: Joe\n\nare you there?\n",
            "yes, I am\nVon: Joe\nGesendet: Montag\nAn: Ann\n\nbist du da?\n",
            "> are you there?\nyes, I am\n",
        ] {
            let words = OwnWords::of(&PartText::plain(text, 1).lines());
            assert_eq!((words.text.as_str(), words.quotes), ("yes, I am\n", true), "{text}");
        }
        let text = "got this:\n\nFinal-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n (bad)\n\nWhy?\n";
        let words = OwnWords::of(&PartText::plain(text, 1).lines());
        assert_eq!((words.text.as_str(), words.quotes), ("got this:\nWhy?\n", true));
        let signed = OwnWords::of(&PartText::plain("gone\n-- \nJoe\n", 1).lines());
        assert_eq!((signed.text.as_str(), signed.quotes), ("gone\n", false));
    }
}
