//! The notice that people are meant to read: who did not get the message, and what was said about each.
//!
//! Mail servers differ in their words but hardly in their shapes: an introduction, then a list, each entry an address at
//! the beginning of a line, then its reason. The words are in `phrases.rs`; here are the shapes.
//!
//! Not here: sessions that are quoted (`transcript.rs`). Invariant: every line is looked at a bounded number of times.

use super::entry::{Enclosure, Ending, Head, Shape, head, made_from, without_aside};
use super::fold::{Folded, folded};
use super::lines::Line;
use super::mailbox;
use super::phrases::{self, Hit, Says};
use super::reply::{Reply, tidy};
use super::{Action, MAX_RECIPIENTS};
use std::cell::OnceCell;
use std::ops::Range;

/// A reason is read up to this many lines and bytes.
const MAX_REASON_LINES: usize = 60;
const MAX_REASON: usize = 4 * 1024;
/// Phrases whose sentence is searched for an address, at most.
const MAX_SENTENCES: usize = 200;

/// An address that a notice names, and what is said about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mention {
    /// The address.
    pub(super) address: String,
    /// The address it was made from.
    pub(super) original: Option<String>,
    /// What was said, from the reply on if there is one.
    pub(super) text: String,
    /// The command that was answered.
    pub(super) stage: &'static str,
    /// What stands about it, for the name of the server that answered.
    pub(super) context: String,
    /// Where it stands.
    pub(super) line: u32,
}

/// A notice, read.
#[derive(Debug)]
pub(super) struct Notice<'a> {
    /// Its lines, and those of the original message if that follows as text.
    pub(super) lines: Vec<Line<'a>>,
    /// How many of the lines are the notice.
    pub(super) end: usize,
    folded: Folded,
    hits: Vec<Hit>,
    whole: OnceCell<String>,
    refusal: OnceCell<String>,
}

impl<'a> Notice<'a> {
    /// Reads lines; finds where the original message begins.
    pub(super) fn read(lines: Vec<Line<'a>>) -> Notice<'a> {
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
        Notice { lines, end, folded, hits, whole: OnceCell::new(), refusal: OnceCell::new() }
    }

    /// Whether a phrase of this kind stands in it.
    pub(super) fn says(&self, says: Says) -> bool {
        self.hits.iter().any(|hit| hit.says == says)
    }

    /// What it says became of the message.
    pub(super) fn action(&self) -> Option<Action> {
        [
            (Says::Delayed, Action::Delayed),
            (Says::Failed, Action::Failed),
            (Says::Delivered, Action::Delivered),
        ]
        .into_iter()
        .chain([(Says::Relayed, Action::Relayed)])
        .find_map(|(says, action)| self.says(says).then_some(action))
    }

    /// The lines of the notice itself.
    pub(super) fn own(&self) -> &[Line<'a>] {
        &self.lines[..self.end]
    }

    /// The lines of the original message, if it follows.
    pub(super) fn original(&self) -> &[Line<'a>] {
        &self.lines[self.end..]
    }

    /// The message that follows as text, forwarded or returned, without the marks of a quotation.
    pub(super) fn quoted_message(&self) -> Option<String> {
        let unquoted = |line: &Line<'a>| {
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
    pub(super) fn listed(&self) -> Vec<Mention> {
        let opens =
            self.hits.iter().find(|hit| matches!(hit.says, Says::Failed | Says::Delayed | Says::Delivered));
        let Some(first) = opens.map(|hit| self.folded.line(hit.start)) else { return Vec::new() };
        self.entries(first, true)
    }

    /// Entries without an introduction that is known.
    pub(super) fn unannounced(&self) -> Vec<Mention> {
        self.entries(0, false)
    }

    /// Entries from a line on. All have the shape of the first, and none is indented more.
    fn entries(&self, from: usize, announced: bool) -> Vec<Mention> {
        let transcript =
            self.hits.iter().find(|hit| hit.says == Says::Transcript && self.folded.line(hit.start) >= from);
        let stop = transcript.map_or(self.end, |hit| self.folded.line(hit.start));
        let mut starts: Vec<(usize, Head<'_>)> = Vec::new();
        let mut shape: Option<(Shape, usize)> = None;
        let mut orphans = Vec::new();
        for (at, line) in self.lines[..self.end].iter().enumerate().skip(from) {
            if at >= stop && (!starts.is_empty() || !announced) || starts.len() >= MAX_RECIPIENTS {
                break;
            }
            let fresh = at == from
                || self.lines[at - 1].is_blank()
                || starts.last().is_some_and(|(last, _)| *last + 1 == at);
            let Some(head) = head(line.trimmed()) else {
                if starts.is_empty() && orphans.is_empty() {
                    orphans.extend(made_from(line.text).map(|address| (at, address)));
                }
                continue;
            };
            let fits = match shape {
                Some((shape, indent)) => head.shape == shape && line.indent() <= indent,
                None => {
                    head.shape.ending != Ending::Text || (fresh && announced) || self.after_introduction(at)
                }
            };
            let weak =
                !announced && (head.shape.ending == Ending::Text || head.shape.enclosure == Enclosure::Named);
            if fits && !weak && !self.is_contact(at) {
                shape.get_or_insert((head.shape, line.indent()));
                starts.push((at, head));
            }
        }
        if let (true, Some((at, address))) = (starts.is_empty(), orphans.first()) {
            return vec![self.mention(address, *at, "", self.end)];
        }
        let ends: Vec<usize> = starts.iter().skip(1).map(|(at, _)| *at).chain([self.end]).collect();
        let many = starts.len() > 1;
        starts
            .iter()
            .zip(ends)
            .map(|((at, head), end)| {
                self.mention(
                    head.address,
                    *at,
                    head.rest,
                    if many && *at < stop { end.min(stop.max(at + 1)) } else { end },
                )
            })
            .collect()
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
    fn is_contact(&self, at: usize) -> bool {
        self.hits_in(at..at + 1).iter().any(|hit| hit.says == Says::Contact)
    }

    /// Addresses in the sentence of a phrase: `undeliverable to a@x.example`.
    pub(super) fn inline(&self, says: Says) -> Vec<Mention> {
        let mut found: Vec<(usize, String)> = Vec::new();
        let asked = self.hits.iter().enumerate().filter(|(_, hit)| hit.says == says);
        for (number, hit) in asked.take(MAX_SENTENCES) {
            let reach = if says == Says::Perhaps { 4 } else { 80 };
            let from = hit.end;
            let mut to = (from + reach + 300).min(self.folded.start(self.end));
            while !self.folded.text.is_char_boundary(to) {
                to -= 1;
            }
            let after = &self.folded.text[from..to];
            let Some(next) = mailbox::first(after).filter(|next| next.start <= reach) else { continue };
            let between = &after[..next.start];
            let asks = self.hits[number..]
                .iter()
                .take(8)
                .any(|hit| hit.says == Says::Contact && hit.start < from + next.start);
            if between.contains(". ") || asks {
                continue;
            }
            let at = self.folded.line(from + next.start);
            let as_written =
                mailbox::all(self.lines[at].text).find(|written| folded(written.address) == next.address);
            if let Some(written) =
                as_written.filter(|written| !found.iter().any(|(_, known)| known == written.address))
            {
                found.push((at, written.address.to_owned()));
            }
        }
        let ends: Vec<usize> = found.iter().skip(1).map(|(at, _)| *at).chain([self.end]).collect();
        let rest =
            |at: usize, address: &str| self.lines[at].text.split_once(address).map_or("", |(_, rest)| rest);
        let mention = |(at, address): &(usize, String), end: usize| {
            let mention = self.mention(address, *at, rest(*at, address), end);
            if Reply::find(&mention.text).is_some() {
                return mention;
            }
            // Without a reply, the sentence is what was said.
            let sentence = self.lines[*at].trimmed();
            let after = self.reason(*at, "", end).0;
            Mention { text: tidy(&format!("{sentence} {after}")), ..mention }
        };
        found.iter().zip(ends).map(|(found, end)| mention(found, end)).collect()
    }

    /// The only address there is, apart from those to ask for help.
    pub(super) fn lone(&self, is_party: impl Fn(&str) -> bool) -> Option<Mention> {
        let mut lone: Option<(usize, &str)> = None;
        for (at, line) in self.own().iter().enumerate().take(MAX_SENTENCES) {
            let asks = line.text.contains('@') && self.is_contact(at);
            for found in mailbox::all(line.text).filter(|found| !asks && !is_party(found.address)) {
                match lone {
                    Some((_, known)) if !mailbox::same(known, found.address) => return None,
                    _ => lone = lone.or(Some((at, found.address))),
                }
            }
        }
        let (at, address) = lone?;
        let text = if self.refusal().is_empty() { self.whole() } else { self.refusal() };
        Some(Mention { text: text.to_owned(), ..self.mention(address, at, "", at + 1) })
    }

    /// The address after `To:`, where the notice repeats the header of the message.
    pub(super) fn addressed(&self) -> Option<Mention> {
        let to =
            |line: &&Line<'_>| line.trimmed().get(..3).is_some_and(|label| label.eq_ignore_ascii_case("to:"));
        let at = self.lines.iter().take(self.end + 20).position(|line| to(&line))?;
        let address = mailbox::first(self.lines[at].text)?.address;
        Some(Mention { text: self.whole().to_owned(), ..self.mention(address, at, "", at + 1) })
    }

    fn mention(&self, address: &str, at: usize, rest: &str, end: usize) -> Mention {
        let (text, last) = self.reason(at, rest, end);
        let context = self.context(at, end.min(at + MAX_REASON_LINES));
        let stage = self.hits_in(at..(last + 1).min(end)).iter().find_map(|hit| match hit.says {
            Says::Stage(stage) => Some(stage),
            _ => None,
        });
        Mention {
            address: address.to_owned(),
            original: made_from(&context),
            text,
            stage: stage.unwrap_or_default(),
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
    fn reason(&self, at: usize, rest: &str, end: usize) -> (String, usize) {
        let mut text =
            without_aside(rest.trim_start_matches([':', ' ', '\t', ';', ',', '>', '.', ')'])).to_owned();
        let mut last = at;
        let mut reply = Reply::find(&text);
        for (index, line) in self.lines[..end].iter().enumerate().skip(at + 1).take(MAX_REASON_LINES) {
            if line.is_blank() {
                if !text.is_empty() {
                    reply = Reply::find(&text);
                    if reply.is_some() || text.len() > MAX_REASON {
                        break;
                    }
                }
                continue;
            }
            if text.is_empty() && self.is_contact(index) && !Reply::find(line.text).is_some() {
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
            reply = Reply::find(&text);
        }
        let from = if reply.code.is_some() { reply.at } else { 0 };
        let said = &text[from..];
        let said = unwrapped(&text[..from], said.split_once(" (in reply to").map_or(said, |(said, _)| said));
        (tidy(said), last)
    }

    /// The line that begins with a reply, with the rest of its paragraph; empty if there is none.
    pub(super) fn refusal(&self) -> &str {
        self.refusal.get_or_init(|| self.find_refusal())
    }

    fn find_refusal(&self) -> String {
        let refuses = |line: &Line<'_>| {
            let reply = Reply::find(line.trimmed());
            reply.is_some() && (reply.at < 60 || reply.code.is_some())
        };
        let Some(at) = self.own().iter().position(|line| !line.is_blank() && refuses(line)) else {
            return String::new();
        };
        let paragraph = self.own()[at..].iter().take_while(|line| !line.is_blank()).take(MAX_REASON_LINES);
        let text: Vec<&str> = paragraph.map(Line::trimmed).collect();
        let text = text.join(" ");
        tidy(&text[Reply::find(&text).at..])
    }

    /// All of it as one text.
    pub(super) fn whole(&self) -> &str {
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

/// A reply without the end of the parentheses or quotes that it was quoted in.
fn unwrapped<'t>(before: &str, said: &'t str) -> &'t str {
    let quote = before.chars().last().filter(|c| matches!(c, '\'' | '"'));
    let said = quote.and_then(|quote| said.strip_suffix(quote)).unwrap_or(said);
    let count = |c: char| said.matches(c).count();
    let open = before.contains('(') && count(')') > count('(');
    if open { said.strip_suffix(')').unwrap_or(said) } else { said }
}

/// The hits that start in some lines.
fn hits_in<'h>(hits: &'h [Hit], folded: &Folded, lines: Range<usize>) -> &'h [Hit] {
    let place = |line| hits.partition_point(|hit| hit.start < folded.start(line));
    &hits[place(lines.start)..place(lines.end.max(lines.start))]
}

/// Whether the line of a phrase is the line before an original message, not a sentence about it.
fn is_marker(folded: &Folded, hit: &Hit, lines: &[Line<'_>]) -> bool {
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
fn header_start(lines: &[Line<'_>], until: usize) -> Option<usize> {
    const TRACE: [&str; 6] =
        ["received:", "return-path:", "dkim-signature:", "x-received:", "message-id:", "arc-seal:"];
    let starts =
        |line: &str, name: &str| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let quoted = |line: &Line<'_>| line.text.strip_prefix('>').unwrap_or(line.text).len();
    lines[..until].iter().enumerate().find_map(|(at, line)| {
        let text = &line.text[line.text.len() - quoted(line)..];
        let trace = TRACE[..4].iter().any(|name| starts(text, name));
        let field = |next: &Line<'_>| {
            let next = next.text.strip_prefix('>').unwrap_or(next.text);
            ["from:", "to:", "subject:", "date:"].iter().chain(&TRACE).any(|name| starts(next, name))
        };
        (trace && lines[at + 1..].iter().take(12).any(field)).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::report::lines::Text;

    fn listed(text: &str) -> Vec<(String, String)> {
        let text = Text::plain(text, 1);
        let notice = Notice::read(text.lines());
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
            let text = Text::plain(text, 1);
            let notice = Notice::read(text.lines());
            assert_eq!(notice.inline(Says::Failed).len(), 1);
            assert!(mailbox::same(&notice.inline(Says::Failed)[0].address, "a@x.example"));
        }
        let text = Text::plain("It could not be delivered. Please contact help@x.example", 1);
        assert_eq!(Notice::read(text.lines()).inline(Says::Failed), []);
    }

    #[test]
    fn the_original_is_no_part_of_the_notice() {
        for text in [
            "not delivered:\n----- Original message -----\nTo: a@x\n",
            "not delivered:\nReceived: from x\n by y\nSubject: a\n",
            "not delivered:\nBelow is a copy of the original message:\nx\n",
        ] {
            let text = Text::plain(text, 1);
            assert_eq!(Notice::read(text.lines()).end, 1);
        }
        let text = Text::plain("The original message was received at noon\nnot delivered:\n<a@x>\n", 1);
        assert_eq!(Notice::read(text.lines()).end, 3);
    }

    #[test]
    fn expanded_aliases_tell_where_they_come_from() {
        let text = Text::plain("fatal errors\n\n<a@x.example> (expanded from <b@x.example>): gone\n", 1);
        let mention = Notice::read(text.lines()).listed().remove(0);
        assert_eq!((mention.original.as_deref(), mention.text.as_str()), (Some("b@x.example"), "gone"));
    }
}
