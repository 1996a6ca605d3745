//! The notice that people are meant to read: who did not get the message, and what was said about each.
//!
//! Mail servers differ in their words but hardly in their shapes: an introduction, then a list, each entry an address at
//! the beginning of a line, then its reason. The words are in `phrases.rs`; here are the shapes.
//!
//! Not here: sessions that are quoted (`transcript.rs`). Invariant: every line is looked at a bounded number of times.

use super::fold::Folded;
use super::lines::NumberedLine;
use super::list_entry::{Enclosure, Ending, EntryShape, alias_entry, head, made_from, without_aside};
use super::mailbox;
use super::phrases::{self, Hit, Says};
use super::quoted_reply::QuotedReply;
use super::tidied::tidy;
use super::{DeliveryAction, MAX_RECIPIENTS};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;

/// A reason is read up to this many lines and bytes.
const MAX_REASON_LINES: usize = 60;
const MAX_REASON: usize = 4 * 1024;
/// A reply that stands under an address once more is looked for in as many lines.
const MAX_FURTHER: usize = 20;
/// Phrases whose sentence is searched for an address, at most.
pub(crate) const MAX_SENTENCES: usize = 200;

/// An address that a notice names, and what is said about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mention {
    /// The address.
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
    /// What stands about it, for the name of the server that answered.
    pub(crate) context: String,
    /// Where it stands.
    pub(crate) line: u32,
}

/// Where an entry of a list starts.
struct Start<'a> {
    at: usize,
    address: &'a str,
    /// What follows it on its line.
    rest: &'a str,
    /// Whether it is the alias of the entry before.
    alias: bool,
}

/// A notice, read.
#[derive(Debug)]
pub(crate) struct HumanNotice<'a> {
    /// Its lines, and those of the original message if that follows as text.
    pub(crate) lines: Vec<NumberedLine<'a>>,
    /// How many of the lines are the notice.
    pub(crate) end: usize,
    /// The lines as they are compared with the phrases.
    pub(crate) folded: Folded,
    /// The phrases in the notice itself.
    pub(crate) hits: Vec<Hit>,
    whole: OnceCell<String>,
    refusal: OnceCell<String>,
}

impl<'a> HumanNotice<'a> {
    /// Reads lines; finds where the original message begins.
    pub(crate) fn read(mut lines: Vec<NumberedLine<'a>>) -> HumanNotice<'a> {
        unquote(&mut lines);
        let mut folded = Folded::default();
        for line in &lines {
            folded.push(line.text);
        }
        let mut hits = phrases::find(&folded.text);
        let said = |line| hits_in(&hits, &folded, line..line + 1).iter().any(|hit| hit.says == Says::Failed);
        let marker = hits.iter().filter(|hit| hit.says == Says::Original && is_marker(&folded, hit, &lines));
        let marker = marker.take(MAX_SENTENCES).find(|hit| !said(folded.line(hit.start)));
        let marker = marker.map(|hit| folded.line(hit.start));
        let header = header_start(&lines, marker.unwrap_or(lines.len()));
        let end = header.or(marker).unwrap_or(lines.len());
        let stop = folded.start(end);
        hits.retain(|hit| hit.start < stop);
        HumanNotice { lines, end, folded, hits, whole: OnceCell::new(), refusal: OnceCell::new() }
    }

    /// Whether a phrase of this kind stands in it.
    pub(crate) fn says(&self, says: Says) -> bool {
        self.hits.iter().any(|hit| hit.says == says)
    }

    /// What it says became of the message.
    pub(crate) fn action(&self) -> Option<DeliveryAction> {
        action(&self.hits)
    }

    /// What some lines say became of it.
    fn action_in(&self, lines: Range<usize>) -> Option<DeliveryAction> {
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

    /// The entries of the lists that introductions announce.
    pub(crate) fn listed(&self) -> Vec<Mention> {
        let opens =
            self.hits.iter().find(|hit| matches!(hit.says, Says::Failed | Says::Delayed | Says::Delivered));
        let Some(first) = opens.map(|hit| self.folded.line(hit.start)) else { return Vec::new() };
        self.entries(first, true)
    }

    /// Entries without an introduction that is known.
    pub(crate) fn unannounced(&self) -> Vec<Mention> {
        self.entries(0, false)
    }

    /// Entries from a line on. All have the shape of the first, and none is indented more. Those after the beginning of a
    /// transcript count only if there are none before it.
    fn entries(&self, from: usize, announced: bool) -> Vec<Mention> {
        let transcript =
            self.hits.iter().find(|hit| hit.says == Says::Transcript && self.folded.line(hit.start) >= from);
        let stop = transcript.map_or(self.end, |hit| self.folded.line(hit.start));
        let mut starts: Vec<Start<'_>> = Vec::new();
        let mut shape: Option<(EntryShape, usize)> = None;
        let mut orphan = None;
        for (at, line) in self.lines[..self.end].iter().enumerate().skip(from) {
            let late = at >= stop && (!announced || starts.first().is_some_and(|first| first.at < stop));
            if late || starts.len() >= MAX_RECIPIENTS {
                break;
            }
            let fresh = at == from
                || self.lines[at - 1].is_blank()
                || starts.last().is_some_and(|last| last.at + 1 == at);
            let Some(head) = head(line.trimmed()) else {
                let alias = made_from(line.text);
                match starts.last() {
                    None => orphan = orphan.or(alias.map(|address| (at, address))),
                    Some(Start { at: last, .. }) => {
                        let alias = alias_entry(line.trimmed()).filter(|_| at <= last + 2);
                        starts.extend(alias.map(|address| Start { at, address, rest: "", alias: true }));
                    }
                }
                continue;
            };
            let others = mailbox::listed(head.rest);
            let several = others.last().is_some_and(|(start, last)| {
                head.rest[start + last.len()..].trim_matches(['>', ' ', ',', '.', '"']).is_empty()
            });
            let fits = match shape {
                Some((shape, indent)) => head.shape == shape && line.indent() <= indent,
                None => {
                    head.shape.ending != Ending::PartText
                        || several
                        || (fresh && announced)
                        || self.after_introduction(at)
                }
            };
            let weak = !announced
                && (head.shape.ending == Ending::PartText || head.shape.enclosure == Enclosure::Named);
            if fits && !weak && !self.is_contact(at) {
                shape.get_or_insert((head.shape, line.indent()));
                starts.push(Start {
                    at,
                    address: head.address,
                    rest: if several { "" } else { head.rest },
                    alias: false,
                });
                let others = others.into_iter().filter(|_| several);
                starts.extend(others.map(|(_, address)| Start { at, address, rest: "", alias: false }));
            }
        }
        if let (true, Some((at, address))) = (starts.is_empty(), &orphan) {
            return vec![self.mention(address, *at, "", self.end)];
        }
        self.told(&starts, stop)
    }

    /// What is said about each entry of a list.
    fn told(&self, starts: &[Start<'_>], stop: usize) -> Vec<Mention> {
        let many = starts.len() > 1;
        let (mut place, mut end) = (self.end, self.end);
        let mut mentions: Vec<Mention> = Vec::new();
        for start in starts.iter().rev() {
            if start.at != place {
                (place, end) = (start.at, place);
            }
            let end = if many && start.at < stop { end.min(stop.max(start.at + 1)) } else { end };
            mentions.push(self.mention(start.address, start.at, start.rest, end));
        }
        mentions.reverse();
        self.look_further(&mut mentions, stop);
        for at in (1..starts.len()).filter(|at| starts[*at].alias) {
            mentions[at].alias_of = Some(mentions[at - 1].address.clone());
            if !mentions[at - 1].text.is_empty() {
                mentions[at].text = mentions[at - 1].text.clone();
            }
        }
        // Entries say what became of the message only if they do so each for itself.
        if !mentions.iter().any(|mention| mention.action == Some(DeliveryAction::Delayed)) {
            mentions.iter_mut().for_each(|mention| mention.action = None);
        }
        // A list of addresses, and what is said about all of them after it.
        if let Some((last, others)) = mentions.split_last_mut()
            && others.iter().all(|mention| mention.text.is_empty())
        {
            others.iter_mut().for_each(|mention| mention.text.clone_from(&last.text));
        }
        mentions
    }

    /// Reads on after the list, where what was said between two servers stands under the address once more.
    fn look_further(&self, mentions: &mut [Mention], stop: usize) {
        let silent = |mention: &Mention| QuotedReply::find(&mention.text).code.is_none();
        let mut wanted: HashMap<String, usize> = HashMap::new();
        for (number, mention) in mentions.iter().enumerate().filter(|(_, mention)| silent(mention)) {
            wanted.insert(mention.address.to_lowercase(), number);
        }
        for at in stop..self.end {
            if wanted.is_empty() {
                return;
            }
            let head = head(self.lines[at].trimmed()).filter(|head| head.shape.ending != Ending::PartText);
            let number = head.as_ref().and_then(|head| wanted.remove(&head.address.to_lowercase()));
            if let (Some(head), Some(number)) = (head, number) {
                let more = self.mention(head.address, at, head.rest, self.end.min(at + MAX_FURTHER));
                if !silent(&more) {
                    mentions[number].text = more.text;
                    mentions[number].stage = more.stage;
                }
            }
        }
    }

    /// The phrases that start in some lines.
    fn hits_in(&self, lines: Range<usize>) -> &[Hit] {
        hits_in(&self.hits, &self.folded, lines)
    }

    /// Whether an introduction stands on this line or the one before.
    fn after_introduction(&self, at: usize) -> bool {
        self.hits_in(at.saturating_sub(1)..at + 1).iter().any(|hit| hit.says == Says::Failed)
    }

    /// Whether the line speaks of somebody to ask.
    pub(crate) fn is_contact(&self, at: usize) -> bool {
        let text = &self.folded.text;
        let linked = |hit: &Hit| text[..hit.start].ends_with('<') && text[hit.start..].starts_with("mailto:");
        let mut hits = self.hits_in(at..at + 1).iter();
        hits.any(|hit| hit.says.is_contact() && !linked(hit))
    }

    /// Whether the line speaks of nothing else.
    fn is_closing(&self, at: usize) -> bool {
        self.is_contact(at)
            && self.hits_in(at..at + 1).iter().any(|hit| hit.says == Says::Contact)
            && !QuotedReply::find(self.lines[at].text).is_some()
    }

    /// What is said about an address on a line, up to `end`; `rest` is what follows it on that line.
    pub(crate) fn mention(&self, address: &str, at: usize, rest: &str, end: usize) -> Mention {
        let (text, last) = self.reason(at, rest, end);
        let context = self.context(at, end.min(at + MAX_REASON_LINES));
        let stage = self.hits_in(at..(last + 1).min(end)).iter().find_map(|hit| match hit.says {
            Says::Stage(stage) => Some(stage),
            _ => None,
        });
        Mention {
            address: address.to_owned(),
            original: made_from(&context),
            alias_of: None,
            text,
            stage: stage.unwrap_or_default(),
            action: self.action_in(at..at + 1),
            context,
            line: self.lines[at].number,
        }
    }

    /// What stands about an entry, up to the reply.
    fn context(&self, at: usize, end: usize) -> String {
        let mut context = String::new();
        for line in self.lines[at..end].iter().take(12) {
            context.push_str(line.trimmed());
            context.push(' ');
            if context.len() > 1024 {
                break;
            }
        }
        context
    }

    /// The reason of an entry: its first paragraph, and those after it up to the one with a reply in it. The reply,
    /// if there is one, begins it. Also the last line of it.
    pub(crate) fn reason(&self, at: usize, rest: &str, end: usize) -> (String, usize) {
        let mut text =
            without_aside(rest.trim_start_matches([':', ' ', '\t', ';', ',', '>', '.', ')'])).to_owned();
        let mut last = at;
        let mut reply = QuotedReply::find(&text);
        for (index, line) in self.lines[..end].iter().enumerate().skip(at + 1).take(MAX_REASON_LINES) {
            if line.is_blank() {
                if !text.is_empty() {
                    reply = QuotedReply::find(&text);
                    if reply.is_some() || text.len() > MAX_REASON {
                        break;
                    }
                }
                continue;
            }
            if if text.is_empty() { self.is_closing(index) } else { is_epilogue(line.trimmed()) } {
                break;
            }
            last = index;
            let line = line.trimmed();
            if text.len() < MAX_REASON && made_from(line).is_none() {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(line);
            }
        }
        if !reply.is_some() {
            reply = QuotedReply::find(&text);
        }
        let from = if reply.code.is_some() { reply.at } else { 0 };
        let said = &text[from..];
        let said = unwrapped(&text[..from], said.split_once(" (in reply to").map_or(said, |(said, _)| said));
        (tidy(said), last)
    }

    /// The line that begins with a reply, with the rest of its paragraph; empty if there is none.
    pub(crate) fn refusal(&self) -> &str {
        self.refusal.get_or_init(|| self.find_refusal())
    }

    fn find_refusal(&self) -> String {
        let refuses = |line: &NumberedLine<'_>| {
            let reply = QuotedReply::find(line.trimmed());
            reply.is_some() && (reply.at < 60 || reply.code.is_some())
        };
        let Some(at) = self.own().iter().position(|line| !line.is_blank() && refuses(line)) else {
            return String::new();
        };
        let paragraph = self.own()[at..].iter().take_while(|line| !line.is_blank()).take(MAX_REASON_LINES);
        let text: Vec<&str> = paragraph.map(NumberedLine::trimmed).collect();
        let text = text.join(" ");
        tidy(&text[QuotedReply::find(&text).at..])
    }

    /// All of it as one text.
    pub(crate) fn whole(&self) -> &str {
        self.whole.get_or_init(|| self.join())
    }

    fn join(&self) -> String {
        let mut text = String::new();
        for line in self.own().iter().filter(|line| !line.is_blank()) {
            if text.len() > MAX_REASON {
                break;
            }
            text.push_str(line.trimmed());
            text.push(' ');
        }
        tidy(&text)
    }
}

/// Takes the marks of a quotation away, where most of the lines have them.
fn unquote(lines: &mut [NumberedLine<'_>]) {
    fn inner<'a>(line: &NumberedLine<'a>) -> Option<&'a str> {
        let inner = line.text.strip_prefix('>')?;
        (!inner.starts_with('>')).then(|| inner.strip_prefix(' ').unwrap_or(inner))
    }
    let marked = lines.iter().filter(|line| inner(line).is_some()).count();
    let filled = lines.iter().filter(|line| !line.is_blank()).count();
    if 2 * marked > filled {
        for line in lines {
            line.text = inner(line).unwrap_or(line.text);
        }
    }
}

/// Whether a line is what a mail server adds after a reply.
fn is_epilogue(line: &str) -> bool {
    const EPILOGUES: [&str; 6] = [
        "Giving up on ",
        "Remote system:",
        "Please reply to ",
        "Please contact ",
        "Reporting-MTA:",
        "Original message ",
    ];
    EPILOGUES.iter().any(|start| line.starts_with(start))
}

/// A reply without the end of the parentheses or quotes that it was quoted in.
fn unwrapped<'t>(before: &str, said: &'t str) -> &'t str {
    let quote = before.chars().last().filter(|c| matches!(c, '\'' | '"'));
    let said = quote.and_then(|quote| said.strip_suffix(quote)).unwrap_or(said);
    let count = |c: char| said.matches(c).count();
    let open = before.contains('(') && count(')') > count('(');
    if open { said.strip_suffix(')').unwrap_or(said) } else { said }
}

/// What some phrases say became of the message. A delay is told in the words of a failure.
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

/// The hits that start in some lines.
fn hits_in<'h>(hits: &'h [Hit], folded: &Folded, lines: Range<usize>) -> &'h [Hit] {
    let place = |line| hits.partition_point(|hit| hit.start < folded.start(line));
    &hits[place(lines.start)..place(lines.end.max(lines.start))]
}

/// Whether the line of a phrase is the line before an original message, not a sentence about it.
fn is_marker(folded: &Folded, hit: &Hit, lines: &[NumberedLine<'_>]) -> bool {
    let line = folded.line(hit.start);
    let (start, end) = (folded.start(line), folded.start(line + 1));
    let decoration =
        |c: char| matches!(c, '-' | '=' | '*' | '_' | '>' | '.' | ':' | ' ' | '#' | '[' | ']' | '(' | ')');
    let before = &folded.text[start..hit.start];
    let after = folded.text.get(hit.end..end).unwrap_or_default();
    let own = &folded.text[hit.start..hit.end];
    let first = before.trim_matches(decoration).is_empty();
    let last = after.trim_matches(decoration).is_empty();
    let marked = lines[line]
        .trimmed()
        .starts_with(["--", "==", "**", "__"].map(|mark| mark.chars().next().unwrap_or('-')))
        && (before.len() >= 2 || after.trim_end().ends_with("--"));
    if own == "original message" || own == "forwarded message" {
        marked || first && last
    } else {
        first || last || marked
    }
}

/// Where a header section starts: a trace field at the beginning of a line, with another field near.
fn header_start(lines: &[NumberedLine<'_>], until: usize) -> Option<usize> {
    const TRACE: [&str; 6] =
        ["received:", "return-path:", "dkim-signature:", "x-received:", "message-id:", "arc-seal:"];
    let starts =
        |line: &str, name: &str| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let quoted = |line: &NumberedLine<'_>| line.text.strip_prefix('>').unwrap_or(line.text).len();
    lines[..until].iter().enumerate().find_map(|(at, line)| {
        let text = &line.text[line.text.len() - quoted(line)..];
        let trace = TRACE[..4].iter().any(|name| starts(text, name));
        let field = |next: &NumberedLine<'_>| {
            let next = next.text.strip_prefix('>').unwrap_or(next.text);
            ["from:", "to:", "subject:", "date:"].iter().chain(&TRACE).any(|name| starts(next, name))
        };
        (trace && lines[at + 1..].iter().take(12).any(field)).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    fn listed(text: &str) -> Vec<(String, String)> {
        let text = PartText::plain(text, 1);
        let notice = HumanNotice::read(text.lines());
        notice.listed().into_iter().map(|mention| (mention.address, mention.text)).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(address, text)| ((*address).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn entries_of_every_shape_are_read() {
        for text in [
            "The following addresses failed:\n\n  a@x.example\n    host mx: 550 5.1.1 no\n  b@x.example\n    host mx: 550 5.2.2 full\n",
            "I wasn't able to deliver your message to:\n\n<a@x.example>:\n550 5.1.1 no\n\n<b@x.example>:\n550 5.2.2 full\n\n--- Below this line is a copy\n<c@x>:\n",
            "could not be delivered to one or more\n\n<a@x.example>: host mx said: 550\n    5.1.1 no (in reply to RCPT TO\n    command)\n\n<b@x.example>: host mx said: 550 5.2.2 full\n",
            "The following addresses had errors, not delivered\n  * a@x.example [550 5.1.1 no]\n  * b@x.example [550 5.2.2 full]\n",
        ] {
            let found: Vec<_> = listed(text)
                .into_iter()
                .map(|(address, text)| (address, text.trim_end_matches(']').to_owned()))
                .collect();
            assert_eq!(
                found,
                pairs(&[("a@x.example", "550 5.1.1 no"), ("b@x.example", "550 5.2.2 full")]),
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_in_a_sentence_is_found() {
        for text in [
            "Unable to deliver message to <a@x.example> (and others).",
            "Invalid final delivery userid: A@x.example",
        ] {
            let text = PartText::plain(text, 1);
            let notice = HumanNotice::read(text.lines());
            assert_eq!(notice.inline(&[Says::Failed]).len(), 1);
            assert!(mailbox::same(&notice.inline(&[Says::Failed])[0].address, "a@x.example"));
        }
        let text = PartText::plain("It could not be delivered. Please contact help@x.example", 1);
        assert_eq!(HumanNotice::read(text.lines()).inline(&[Says::Failed]), []);
    }

    #[test]
    fn the_original_is_no_part_of_the_notice() {
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

    #[test]
    fn expanded_aliases_tell_where_they_come_from() {
        let text = PartText::plain("fatal errors\n\n<a@x.example> (expanded from <b@x.example>): gone\n", 1);
        let mention = HumanNotice::read(text.lines()).listed().remove(0);
        assert_eq!((mention.original.as_deref(), mention.text.as_str()), (Some("b@x.example"), "gone"));
    }
}
