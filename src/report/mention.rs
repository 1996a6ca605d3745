//! What a notice says about one address: the reason, the command that was answered, and the words
//! around.
//!
//! Not here: which addresses a notice is about (`entries`, `sentences`). Invariant: a reason ends
//! with the entry, and is bounded.

use super::command_frame;
use super::entry_lines::EntryLine;
use super::human_notice::HumanNotice;
use super::list_entry::{made_from, without_aside};
use super::phrases::Says;
use super::quoted_reply::QuotedReply;
use super::reported::DeliveryAction;
use super::status_reader::is_field_of_report;
use super::tidied::tidy;
use super::whose_words;
use std::ops::Range;

/// A reason is read up to this many lines and bytes.
pub(crate) const MAX_REASON_LINES: usize = 60;
pub(crate) const MAX_REASON: usize = 4 * 1024;
/// The words around an entry: up to this many lines and bytes.
const MAX_CONTEXT_LINES: usize = 12;
const MAX_CONTEXT: usize = 1024;

/// An address that a notice names, and what is said about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) address: String,
    /// The address it was made from.
    pub(crate) original: Option<String>,
    /// The entry that it is the alias of, if both are listed.
    pub(crate) alias_of: Option<String>,
    /// What was said, from the reply on if there is one.
    pub(crate) text: String,
    /// The command that was answered.
    pub(crate) stage: &'static str,
    /// What became of the message for this recipient, where its entry says so.
    pub(crate) action: Option<DeliveryAction>,
    /// The lines around, for the name of the server that answered.
    pub(crate) context: String,
    /// The line of the message.
    pub(crate) line: u32,
}

impl HumanNotice<'_> {
    /// What is said about an address on a line, up to `end`; `rest` follows it on that line.
    pub(crate) fn mention(&self, address: &str, at: usize, rest: &str, end: usize) -> Mention {
        let Said { text, last, stage: framed } = self.reason(at, rest, end);
        let context = self.context(at, end.min(at + MAX_REASON_LINES));
        let stage = self.stage_in(at..(last + 1).min(end));
        // `SMTP command: DATA` may be in a paragraph after the reply.
        let stage = stage.or_else(|| self.stage_in(last..end.min(last + MAX_CONTEXT_LINES)));
        Mention {
            address: address.to_owned(),
            original: made_from(&context),
            alias_of: None,
            text,
            stage: stage.or(framed).unwrap_or_default(),
            action: self.action_in(at..at + 1),
            context,
            line: self.lines[at].number,
        }
    }

    /// The command that some lines say was answered.
    pub(crate) fn stage_in(&self, lines: Range<usize>) -> Option<&'static str> {
        self.hits_in(lines).iter().find_map(|hit| match hit.says {
            Says::Stage(stage) => Some(stage),
            _ => None,
        })
    }

    /// The command that the notice as a whole says was answered.
    pub(crate) fn answered_command(&self) -> Option<&'static str> {
        let framed = || {
            let whole = self.whole();
            let (before, said) = whole.split_at(QuotedReply::find(whole).at);
            let tail = command_frame::tail(said).map(|tail| &said[tail..]);
            tail.and_then(command_frame::after).or_else(|| command_frame::before(before))
        };
        self.stage_in(0..self.end).or_else(framed)
    }

    /// The lines of an entry, up to the reply.
    fn context(&self, at: usize, end: usize) -> String {
        let mut context = String::new();
        for line in self.lines[at..end].iter().take(MAX_CONTEXT_LINES) {
            context.push_str(line.trimmed());
            context.push(' ');
            if context.len() > MAX_CONTEXT {
                break;
            }
        }
        context
    }

    /// The reason of an entry.
    pub(crate) fn reason(&self, at: usize, rest: &str, end: usize) -> Said {
        let reason = self.reason_whole(at, rest, end);
        let begins = reason.reply.begins_in(&reason.text);
        let at = if begins { reason.reply.at } else { 0 };
        let start = if begins { whose_words::start(&reason.text, at) } else { 0 };
        let text = reason.text.replace('\n', " ");
        let tail = command_frame::tail(&text[at..]).map_or(text.len(), |tail| at + tail);
        let stage = command_frame::after(&text[tail..]).or_else(|| command_frame::before(&text[..at]));
        Said { text: tidy(unwrapped(&text[..start], &text[start..tail])), last: reason.last, stage }
    }

    /// The first paragraph of a reason, and those after it up to the one with a reply in it.
    fn reason_whole(&self, at: usize, rest: &str, end: usize) -> Reason {
        let rest = rest.trim_start_matches([':', ' ', '\t', ';', ',', '>', '.', ')']);
        let text = without_aside(rest).to_owned();
        let mut reason = Reason { reply: QuotedReply::find(&text), text, last: at };
        for (index, line) in self.lines[..end].iter().enumerate().skip(at + 1).take(MAX_REASON_LINES) {
            if line.is_blank() {
                if self.diagnostic_follows(index, end) {
                    reason.text.clear();
                    continue;
                }
                if reason.is_complete() {
                    break;
                }
                continue;
            }
            let line = line.trimmed();
            if is_field_of_report(line) {
                continue;
            }
            let goes_on = self.entry_line(index) == EntryLine::GoesOn;
            if !goes_on && !reason.text.is_empty() && self.begins_with_contact(index) {
                continue;
            }
            let ends = if goes_on {
                false
            } else if reason.text.is_empty() {
                self.is_closing(index) || self.begins_list(index)
            } else {
                is_epilogue(line)
            };
            if ends {
                break;
            }
            if is_heading(line) {
                if reason.is_complete() {
                    break;
                }
                continue;
            }
            reason.last = index;
            reason.push(line);
        }
        if !reason.reply.is_some() {
            reason.reply = QuotedReply::find(&reason.text);
        }
        reason
    }

    /// Whether the next paragraph has what the other server said, and this one only the meaning of
    /// a status code: `Failed; 5.1.1 (bad destination mailbox address)`.
    fn diagnostic_follows(&self, blank: usize, end: usize) -> bool {
        let next = self.lines[blank..end].iter().find(|line| !line.is_blank());
        next.is_some_and(|line| {
            let line = line.trimmed();
            line.starts_with("Remote MTA ") && line.contains(": SMTP diagnostic: ")
        })
    }
}

/// What an entry says.
pub(crate) struct Said {
    /// The reason, from the reply on if there is one.
    pub(crate) text: String,
    /// Its last line.
    pub(crate) last: usize,
    /// The command that was answered, where the words around the reply quote it.
    pub(crate) stage: Option<&'static str>,
}

/// A reason that is being read.
struct Reason {
    text: String,
    reply: QuotedReply,
    last: usize,
}

impl Reason {
    fn push(&mut self, line: &str) {
        if self.text.len() < MAX_REASON && made_from(line).is_none() {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            self.text.push_str(line);
        }
    }

    /// Whether nothing more is needed after this paragraph: it has a reply, or it is too long.
    fn is_complete(&mut self) -> bool {
        if self.text.is_empty() {
            return false;
        }
        self.reply = QuotedReply::find(&self.text);
        self.reply.is_some() || self.text.len() > MAX_REASON
    }
}

/// Whether a line is what a mail server adds after a reply.
fn is_epilogue(line: &str) -> bool {
    const EPILOGUES: [&str; 5] =
        ["Giving up on ", "Remote system:", "Please reply to ", "Please contact ", "Original message "];
    EPILOGUES.iter().any(|start| line.starts_with(start))
}

/// Whether a line is the heading of a part of the notice: `----- The other server said -----`.
fn is_heading(line: &str) -> bool {
    line.starts_with("---") && line.ends_with(['-', ':']) && line.contains(char::is_alphabetic)
}

/// A reply without the end of the parentheses or quotes that it is in.
fn unwrapped<'t>(before: &str, said: &'t str) -> &'t str {
    let quote = before.chars().last().filter(|c| matches!(c, '\'' | '"'));
    let said = quote.and_then(|quote| said.strip_suffix(quote)).unwrap_or(said);
    let count = |c: char| said.matches(c).count();
    let open = before.contains('(') && count(')') > count('(');
    if open { said.strip_suffix(')').unwrap_or(said) } else { said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_loses_what_it_was_wrapped_in() {
        assert_eq!(unwrapped("said '", "550 no'"), "550 no");
        assert_eq!(unwrapped("(reason: ", "550 no)"), "550 no");
        assert_eq!(unwrapped("(reason: ", "550 no (really)"), "550 no (really)");
        assert_eq!(unwrapped("", "550 no)"), "550 no)");
    }
}
