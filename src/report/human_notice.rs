//! The text of a report that people are meant to read: its lines, the phrases in them, and where
//! the message that it is about begins.
//!
//! Mail servers differ in their words but hardly in their shapes. The words are in `phrases`; the
//! shapes in `entries` (lists), `sentences` and `mention` (reasons). Not here: sessions that are
//! quoted (`transcript`). Invariant: every line is read a bounded number of times.

use super::daemons::is_written_by_daemon;
use super::entry_lines::{self, EntryLine};
use super::fold::{Folded, folded};
use super::footers;
use super::lines::NumberedLine;
use super::original_start;
use super::own_words::OwnWords;
use super::personal_letter::begins_forward;
use super::phrases::{self, Hit, Says};
use super::quoted_reply::QuotedReply;
use super::received_by;
use super::reported::DeliveryAction;
use super::status_reader::is_field_of_report;
use super::subject_line;
use super::tidied::tidy;
use super::whose_words;
use std::cell::OnceCell;
use std::ops::Range;

/// A refusal is read up to this many lines.
const MAX_REFUSAL_LINES: usize = 60;
/// All of a notice as one text: up to this many bytes.
const MAX_WHOLE: usize = 4 * 1024;

#[derive(Debug)]
pub(crate) struct HumanNotice<'a> {
    /// Its lines, and those of the original message if that follows as text.
    pub(crate) lines: Vec<NumberedLine<'a>>,
    /// How many of the lines are the notice.
    pub(crate) end: usize,
    /// The lines of the notice before subjects and footers were removed.
    pub(crate) as_sent: Vec<NumberedLine<'a>>,
    /// The lines as they are compared with the phrases.
    pub(crate) folded: Folded,
    /// The phrases in the notice itself.
    pub(crate) hits: Vec<Hit>,
    entry_lines: OnceCell<Vec<EntryLine>>,
    written: OnceCell<OwnWords>,
    whole: OnceCell<String>,
    refusal: OnceCell<String>,
}

impl<'a> HumanNotice<'a> {
    pub(crate) fn read(mut lines: Vec<NumberedLine<'a>>) -> HumanNotice<'a> {
        let written = OnceCell::new();
        if is_quoted(&lines) {
            _ = written.set(OwnWords::of(&lines));
            unquote(&mut lines);
        }
        let mut folded = folded_lines(&lines);
        let mut hits = phrases::find(&folded.text);
        let end = original_start::find(&lines, &folded, &hits).unwrap_or(lines.len());
        let as_sent = lines[..end].to_vec();
        let subjects = subject_line::remove(&mut lines[..end]);
        let received = received_by::remove(&mut lines, end);
        if footers::remove(&mut lines, end, &folded, &hits) || subjects || received {
            folded = folded_lines(&lines);
            hits = phrases::find(&folded.text[..folded.start(end)]);
        } else {
            let stop = folded.start(end);
            hits.retain(|hit| hit.start < stop);
        }
        let (entry_lines, whole, refusal) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        HumanNotice { lines, end, as_sent, folded, hits, entry_lines, written, whole, refusal }
    }

    /// What its writer wrote, without what is quoted.
    pub(crate) fn written(&self) -> &OwnWords {
        self.written.get_or_init(|| {
            let words = OwnWords::of(&self.as_sent);
            OwnWords { quotes: words.quotes || self.end < self.lines.len(), ..words }
        })
    }

    /// Whether it has a phrase of this kind.
    pub(crate) fn says(&self, says: Says) -> bool {
        self.hits.iter().any(|hit| hit.says == says)
    }

    /// What it says became of the message.
    pub(crate) fn action(&self) -> Option<DeliveryAction> {
        action(&self.hits)
    }

    /// What some lines say became of it.
    pub(crate) fn action_in(&self, lines: Range<usize>) -> Option<DeliveryAction> {
        action(self.hits_in(lines))
    }

    /// The lines of the notice itself.
    pub(crate) fn own(&self) -> &[NumberedLine<'a>] {
        &self.lines[..self.end]
    }

    /// The lines of the original message, if it follows.
    pub(crate) fn original(&self) -> &[NumberedLine<'a>] {
        &self.lines[self.end..]
    }

    /// The message that follows as text, forwarded or returned, without the marks of a quotation.
    pub(crate) fn quoted_message(&self) -> Option<String> {
        let unquoted = |line: &NumberedLine<'a>| {
            line.text.strip_prefix("> ").or(line.text.strip_prefix('>')).unwrap_or(line.text)
        };
        let field = |line: &&str| {
            line.split_once(':').is_some_and(|(name, _)| {
                !name.is_empty() && !name.contains([' ', '<', '-'])
                    || name.contains('-') && !name.contains(' ')
            })
        };
        let lines: Vec<&str> = self.original().iter().map(unquoted).collect();
        let start = lines.iter().take(8).position(field)?;
        Some(lines[start..].join("\n"))
    }

    /// What a line is to the entries of lists.
    pub(crate) fn entry_line(&self, at: usize) -> EntryLine {
        let lines = self.entry_lines.get_or_init(|| entry_lines::of(self.own()));
        lines.get(at).copied().unwrap_or_default()
    }

    /// The phrases that start in some lines.
    pub(crate) fn hits_in(&self, lines: Range<usize>) -> &[Hit] {
        phrases::hits_in(&self.hits, &self.folded, lines)
    }

    /// Whether this line or the one before introduces a list.
    pub(crate) fn is_after_introduction(&self, at: usize) -> bool {
        self.hits_in(at.saturating_sub(1)..at + 1).iter().any(|hit| hit.says == Says::Failed)
    }

    /// Whether the line begins another list of addresses, not the reason of the last one: it is a
    /// sentence of its own.
    pub(crate) fn begins_list(&self, at: usize) -> bool {
        let line = self.lines[at].trimmed();
        line.ends_with(':')
            && !line.starts_with(char::is_lowercase)
            && self.hits_in(at..at + 1).iter().any(|hit| matches!(hit.says, Says::Failed | Says::Delayed))
    }

    /// Whether the line names somebody to ask for help.
    pub(crate) fn is_contact(&self, at: usize) -> bool {
        let text = &self.folded.text;
        let linked = |hit: &Hit| text[..hit.start].ends_with('<') && text[hit.start..].starts_with("mailto:");
        let mut hits = self.hits_in(at..at + 1).iter();
        hits.any(|hit| hit.says.is_contact() && !linked(hit))
    }

    /// Whether somebody forwards, with hardly a word, what a mail server wrote. The source of a
    /// report, which no mail program forwards, is quoted to be talked about.
    pub(crate) fn forwards(&self) -> bool {
        /// The header of forwarded mail is among the first lines.
        const MAX_HEADER: usize = 40;
        if self.written().text.len() > OwnWords::MAX_REMARK {
            return false;
        }
        let top = self.lines.iter().take(MAX_HEADER);
        let top: Vec<String> = top.map(|line| folded(line.text.trim_start_matches(['>', ' ']))).collect();
        top.iter().any(|line| is_written_by_daemon(line))
            && !top.iter().any(|line| line.starts_with("content-type: multipart/"))
    }

    /// Whether a line says that a mail is forwarded or quoted with its header, as programs write
    /// it in every language: `----- Forwarded message -----`, `________________________________`.
    pub(crate) fn marks_forward(&self) -> bool {
        /// The header of forwarded mail is among the first lines.
        const MAX_HEADER: usize = 40;
        let is_mark = |line: &NumberedLine<'_>| {
            let text = line.trimmed();
            let ruled = text.starts_with("-----") && text.ends_with("---") && text.len() > 8;
            ruled
                || (text.len() > 20 && text.bytes().all(|byte| byte == b'_'))
                || begins_forward(&folded(text))
        };
        self.lines.iter().take(MAX_HEADER).any(is_mark) || self.written().marks
    }

    /// Whether the line does nothing else.
    pub(crate) fn is_closing(&self, at: usize) -> bool {
        self.is_contact(at)
            && self.hits_in(at..at + 1).iter().any(|hit| hit.says == Says::Contact)
            && !QuotedReply::find(self.lines[at].text).is_some()
    }

    /// Whether the line begins with whom to ask, and says nothing about the failure.
    pub(crate) fn begins_with_contact(&self, at: usize) -> bool {
        const NEAR: usize = 24;
        let start = self.folded.start(at);
        let hits = self.hits_in(at..at + 1);
        let asks = |hit: &Hit| hit.says == Says::Contact && hit.start < start + NEAR;
        let fails = |hit: &Hit| matches!(hit.says, Says::Failed | Says::Gone | Says::Object | Says::Delayed);
        hits.iter().any(asks) && !hits.iter().any(fails) && !QuotedReply::find(self.lines[at].text).is_some()
    }

    /// The line that begins with a reply, with the rest of its paragraph; empty if there is none.
    pub(crate) fn refusal(&self) -> &str {
        self.refusal.get_or_init(|| {
            let refuses = |line: &NumberedLine<'_>| {
                let reply = QuotedReply::find(line.trimmed());
                reply.is_some() && (reply.at < 60 || reply.code.is_some())
            };
            let Some(at) = self.own().iter().position(|line| !line.is_blank() && refuses(line)) else {
                return String::new();
            };
            // The line before may say what the reply is about.
            let before = at.checked_sub(1).filter(|before| !self.lines[*before].text.contains('@'));
            let paragraph = self.own()[at..].iter().take_while(|line| !line.is_blank());
            let paragraph = paragraph.take(MAX_REFUSAL_LINES).map(NumberedLine::trimmed);
            let before = before.map(|before| self.lines[before].trimmed()).into_iter();
            let text = before.chain(paragraph).collect::<Vec<&str>>().join("\n");
            tidy(&text[whose_words::start(&text, QuotedReply::find(&text).at)..])
        })
    }

    /// All of it as one text.
    pub(crate) fn whole(&self) -> &str {
        self.whole.get_or_init(|| {
            let mut text = String::new();
            let said = |line: &&NumberedLine<'_>| !line.is_blank() && !is_field_of_report(line.trimmed());
            for line in self.own().iter().filter(said) {
                if text.len() > MAX_WHOLE {
                    break;
                }
                text.push_str(line.trimmed());
                text.push(' ');
            }
            tidy(&text)
        })
    }
}

/// The lines as they are compared with the phrases, and the phrases in them.
fn folded_lines(lines: &[NumberedLine<'_>]) -> Folded {
    let bytes = lines.iter().map(|line| line.text.len() + 1).sum();
    let mut folded = Folded::with_capacity(lines.len(), bytes);
    lines.iter().for_each(|line| folded.push(line.text));
    folded
}

/// Whether most of the lines have the marks of a quotation.
fn is_quoted(lines: &[NumberedLine<'_>]) -> bool {
    let marked = lines.iter().filter(|line| unmarked(line).is_some()).count();
    let filled = lines.iter().filter(|line| !line.is_blank()).count();
    2 * marked > filled
}

/// Removes the marks of a quotation.
fn unquote(lines: &mut [NumberedLine<'_>]) {
    for line in lines {
        line.text = unmarked(line).unwrap_or(line.text);
    }
}

/// A line without the mark that it is quoted once.
fn unmarked<'a>(line: &NumberedLine<'a>) -> Option<&'a str> {
    let inner = line.text.strip_prefix('>')?;
    (!inner.starts_with('>')).then(|| inner.strip_prefix(' ').unwrap_or(inner))
}

/// What some phrases say became of the message. A delay is worded as a failure too, so it comes
/// first.
fn action(hits: &[Hit]) -> Option<DeliveryAction> {
    const WORDS: [(Says, DeliveryAction); 4] = [
        (Says::Delayed, DeliveryAction::Delayed),
        (Says::Failed, DeliveryAction::Failed),
        (Says::Delivered, DeliveryAction::Delivered),
        (Says::Relayed, DeliveryAction::Relayed),
    ];
    let said = |says: Says| hits.iter().any(|hit| hit.says == says);
    WORDS.into_iter().find_map(|(says, action)| said(says).then_some(action))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    #[test]
    fn the_original_is_not_part_of_the_notice() {
        for text in [
            "not delivered:\n----- Original message -----\nTo: a@x\n",
            "not delivered:\nReceived: from x\n by y\nSubject: a\n",
            "not delivered:\nBelow is a copy of the original message:\nx\n",
        ] {
            let text = PartText::plain(text, 1);
            assert_eq!(HumanNotice::read(text.lines()).end, 1);
        }
        let text = PartText::plain("The original message was received at noon\nnot delivered:\n<a@x>\n", 1);
        assert_eq!(HumanNotice::read(text.lines()).end, 3);
    }
}
