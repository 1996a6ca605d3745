//! The lists of recipients in a notice: an introduction, then entries, each an address at the
//! beginning of a line and then its reason.
//!
//! Not here: how one entry is written (`list_entry`), and addresses in sentences (`sentences`).
//! Invariant: all entries have the shape of the first, none is indented more, and none begins on a
//! line that goes on with what another one says.

use super::MAX_RECIPIENTS;
use super::entry_lines::{EntryLine, says_why};
use super::human_notice::HumanNotice;
use super::lines::NumberedLine;
use super::list_entry::{Enclosure, Ending, EntryHead, EntryShape, alias_entry, head, made_from};
use super::mailbox;
use super::mention::Mention;
use super::phrases::Says;
use super::quoted_reply::QuotedReply;
use super::reported::DeliveryAction;
use super::tidied::tidy;
use std::collections::HashMap;

/// Lines that are searched for a reply that is repeated with an address after the list.
const MAX_FURTHER: usize = 20;

/// Where an entry of a list starts.
struct Start<'a> {
    at: usize,
    address: &'a str,
    /// What follows the address on its line.
    rest: &'a str,
    /// It is the alias of the entry before.
    alias: bool,
}

/// A list that is being read.
struct List<'n, 'a> {
    notice: &'n HumanNotice<'a>,
    from: usize,
    /// A known introduction is before it.
    announced: bool,
    /// Where a transcript begins: entries after it count only if there are none before it.
    stop: usize,
    starts: Vec<Start<'n>>,
    /// The shape and the indentation of the first entry.
    shape: Option<(EntryShape, usize)>,
    /// The address in a comment like `(expanded from: …)` that no entry is before.
    orphan: Option<(usize, String)>,
}

impl<'a> HumanNotice<'a> {
    /// The entries of the lists that introductions announce.
    pub(crate) fn listed(&self) -> Vec<Mention> {
        let opens =
            self.hits.iter().find(|hit| matches!(hit.says, Says::Failed | Says::Delayed | Says::Delivered));
        opens.map_or(Vec::new(), |hit| List::read(self, self.folded.line(hit.start), true).mentions())
    }

    /// Entries in the form that no sentence has, `<a@x.example>: … 550 …`, without an introduction
    /// that is known.
    pub(crate) fn answered(&self) -> Vec<Mention> {
        let form = EntryShape { enclosure: Enclosure::Angle, ending: Ending::Colon };
        let list = List::read(self, 0, false);
        let has_form = list.shape.is_some_and(|(shape, _)| shape == form);
        let mut mentions = if has_form { list.mentions() } else { Vec::new() };
        mentions.retain(|mention| QuotedReply::find(&mention.text).code.is_some());
        mentions
    }

    /// Entries without an introduction that is known.
    pub(crate) fn unannounced(&self) -> Vec<Mention> {
        List::read(self, 0, false).mentions()
    }
}

impl<'n, 'a> List<'n, 'a> {
    fn read(notice: &'n HumanNotice<'a>, from: usize, announced: bool) -> List<'n, 'a> {
        let line = |start| notice.folded.line(start);
        let transcript =
            notice.hits.iter().find(|hit| hit.says == Says::Transcript && line(hit.start) >= from);
        let stop = transcript.map_or(notice.end, |hit| line(hit.start));
        let (starts, shape, orphan) = (Vec::new(), None, None);
        let mut list = List { notice, from, announced, stop, starts, shape, orphan };
        for (at, line) in notice.own().iter().enumerate().skip(from) {
            if list.is_over(at) {
                break;
            }
            let begins = notice.entry_line(at) != EntryLine::GoesOn && !list.continues_field(at);
            match head(line.trimmed()).filter(|_| begins) {
                Some(head) => list.take_entry(at, line, &head),
                None => list.take_comment(at, line),
            }
        }
        list
    }

    /// Whether a line goes on with a list of addresses in a header: `To: a@x.example,`.
    fn continues_field(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1).map(|before| &self.notice.lines[before]) else { return false };
        let is_field =
            before.trimmed().split_once(':').is_some_and(|(name, _)| !name.contains(['@', '<', ' ']));
        is_field
            && before.trimmed().ends_with(',')
            && head(before.trimmed()).is_none()
            && self.notice.lines[at].indent() > before.indent()
    }

    fn is_over(&self, at: usize) -> bool {
        let begun = self.starts.first().is_some_and(|first| first.at < self.stop);
        (at >= self.stop && (!self.announced || begun)) || self.starts.len() >= MAX_RECIPIENTS
    }

    /// A line that begins as an entry does. It may list more addresses.
    fn take_entry(&mut self, at: usize, line: &NumberedLine<'_>, head: &EntryHead<'n>) {
        let others = mailbox::listed(head.rest);
        let several = others.last().is_some_and(|(start, last)| {
            head.rest[start + last.len()..].trim_matches(['>', ' ', ',', '.', '"']).is_empty()
        });
        let fits = match self.shape {
            Some((shape, indent)) => head.shape.is_like(shape) && line.indent() <= indent,
            None => several || self.may_be_first(at, head),
        };
        if !fits || self.is_weak(head) || self.is_contact(at, head) {
            return;
        }
        self.shape.get_or_insert((head.shape, line.indent()));
        let rest = if several { "" } else { head.rest };
        self.starts.push(Start { at, address: head.address, rest, alias: false });
        let others = others.into_iter().filter(|_| several);
        self.starts.extend(others.map(|(_, address)| Start { at, address, rest: "", alias: false }));
    }

    /// Whether an entry names somebody to ask for help. In a reply, after the address, it is
    /// another.
    fn is_contact(&self, at: usize, head: &EntryHead<'_>) -> bool {
        let is_answered = says_why(head)
            && (head.shape.enclosure == Enclosure::Angle || QuotedReply::find(head.rest).is_some());
        !is_answered && self.notice.is_contact(at)
    }

    /// Whether a list can begin with this entry: it is not a sentence, or it is where a list is
    /// expected.
    fn may_be_first(&self, at: usize, head: &EntryHead<'_>) -> bool {
        head.shape.ending != Ending::Text
            || (self.announced && self.is_apart(at))
            || self.notice.is_after_introduction(at)
    }

    /// Whether a line begins a paragraph or follows an entry.
    fn is_apart(&self, at: usize) -> bool {
        at == self.from
            || self.notice.lines[at - 1].is_blank()
            || self.starts.last().is_some_and(|last| last.at + 1 == at)
    }

    /// Whether an entry needs an introduction to count.
    fn is_weak(&self, head: &EntryHead<'_>) -> bool {
        let shape = head.shape;
        !self.announced && (shape.ending == Ending::Text || shape.enclosure == Enclosure::Named)
    }

    /// A line that is not an entry may say what the entry before it was made from.
    fn take_comment(&mut self, at: usize, line: &NumberedLine<'n>) {
        match self.starts.last() {
            None if self.orphan.is_none() => {
                self.orphan = made_from(line.text).map(|address| (at, address));
            }
            None => {}
            Some(last) => {
                // Below a reason it says what the entry was made from, as with other servers.
                let alias = alias_entry(line.trimmed()).filter(|_| at == last.at + 1);
                self.starts.extend(alias.map(|address| Start { at, address, rest: "", alias: true }));
            }
        }
    }

    /// What is said about each entry.
    fn mentions(self) -> Vec<Mention> {
        if let (true, Some((at, address))) = (self.starts.is_empty(), &self.orphan) {
            return vec![self.notice.mention(address, *at, "", self.notice.end)];
        }
        let mut mentions = self.with_reasons();
        self.look_further(&mut mentions);
        self.join_aliases(&mut mentions);
        // Entries say what became of the message only if they do so each for itself.
        if !mentions.iter().any(|mention| mention.action == Some(DeliveryAction::Delayed)) {
            mentions.iter_mut().for_each(|mention| mention.action = None);
        }
        // A list of addresses, and what is said about all of them after it.
        if let Some((last, others)) = mentions.split_last_mut()
            && others.iter().all(|mention| mention.text.is_empty())
        {
            // Or before it.
            if last.text.is_empty() {
                self.notice.whole().clone_into(&mut last.text);
            }
            others.iter_mut().for_each(|mention| mention.text.clone_from(&last.text));
        }
        mentions
    }

    /// The reason of each entry ends where the next one starts.
    fn with_reasons(&self) -> Vec<Mention> {
        let many = self.starts.len() > 1;
        let (mut place, mut end) = (self.notice.end, self.notice.end);
        let mut mentions: Vec<Mention> = Vec::new();
        for start in self.starts.iter().rev() {
            if start.at != place {
                (place, end) = (start.at, place);
            }
            let last = self.stop.max(start.at + 1);
            let end = if many && start.at < self.stop { end.min(last) } else { end };
            mentions.push(self.notice.mention(start.address, start.at, start.rest, end));
        }
        mentions.reverse();
        if mentions.last().is_some_and(|last| last.text.is_empty()) && self.reasons_come_first() {
            let mut from = self.first_reason();
            for (start, mention) in self.starts.iter().zip(&mut mentions) {
                if from < start.at {
                    let lines = self.notice.lines[from..start.at].iter().map(NumberedLine::trimmed);
                    mention.text = tidy(&lines.collect::<Vec<&str>>().join(" "));
                    mention.stage = self.notice.stage_in(from..start.at).unwrap_or_default();
                }
                from = start.at + 1;
            }
            for at in 1..mentions.len() {
                if self.starts[at].at == self.starts[at - 1].at + 1 {
                    mentions[at].text = mentions[at - 1].text.clone();
                }
            }
        }
        mentions
    }

    /// Whether every reason stands before its address: there is one above the first entry and one
    /// above each other, unless it follows an entry with which it shares it.
    fn reasons_come_first(&self) -> bool {
        let is_reason = |at: usize| {
            let line = &self.notice.lines[at];
            !line.is_blank() && head(line.trimmed()).is_none()
        };
        let pairs = self.starts.windows(2);
        let mut others = pairs.map(|pair| pair[1].at == pair[0].at + 1 || is_reason(pair[1].at - 1));
        self.starts.len() > 1
            && !self.starts.iter().any(|start| start.alias)
            && self.first_reason() < self.starts[0].at
            && others.all(|with_reason| with_reason)
    }

    /// Where the lines right above the first entry begin, after the introduction.
    fn first_reason(&self) -> usize {
        let first = self.starts.first().map_or(0, |start| start.at);
        let above = self.notice.lines[..first].iter().rposition(NumberedLine::is_blank);
        let from = above.map_or(0, |blank| blank + 1);
        if self.announced { from.max(self.from + 1) } else { from }
    }

    /// Reads on after the list, where what was said between two servers may be repeated with the
    /// address.
    fn look_further(&self, mentions: &mut [Mention]) {
        let silent = |mention: &Mention| QuotedReply::find(&mention.text).code.is_none();
        let mut wanted: HashMap<String, usize> = HashMap::new();
        for (number, mention) in mentions.iter().enumerate().filter(|(_, mention)| silent(mention)) {
            wanted.insert(mention.address.to_lowercase(), number);
        }
        for at in self.stop..self.notice.end {
            if wanted.is_empty() {
                return;
            }
            let head = head(self.notice.lines[at].trimmed()).filter(|head| head.shape.ending != Ending::Text);
            let number = head.as_ref().and_then(|head| wanted.remove(&head.address.to_lowercase()));
            if let (Some(head), Some(number)) = (head, number) {
                let end = self.notice.end.min(at + MAX_FURTHER);
                let more = self.notice.mention(head.address, at, head.rest, end);
                if !silent(&more) {
                    mentions[number].text = more.text;
                    mentions[number].stage = more.stage;
                }
            }
        }
    }

    /// An alias shares what is said about the entry before it.
    fn join_aliases(&self, mentions: &mut [Mention]) {
        for at in (1..self.starts.len()).filter(|at| self.starts[*at].alias) {
            mentions[at].alias_of = Some(mentions[at - 1].address.clone());
            if !mentions[at - 1].text.is_empty() {
                mentions[at].text = mentions[at - 1].text.clone();
            }
        }
    }
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
    fn expanded_aliases_tell_where_they_come_from() {
        let text = PartText::plain("fatal errors\n\n<a@x.example> (expanded from <b@x.example>): gone\n", 1);
        let mention = HumanNotice::read(text.lines()).listed().remove(0);
        assert_eq!((mention.original.as_deref(), mention.text.as_str()), (Some("b@x.example"), "gone"));

        let below = "a@x.example\n    (reason: 550 5.1.1 no)\n    (expanded from: <b@x.example>)\n";
        let text = format!("had permanent fatal errors\n{below}");
        let text = PartText::plain(&text, 1);
        let listed = HumanNotice::read(text.lines()).listed();
        let [mention] = &listed[..] else { panic!("{listed:?}") };
        assert_eq!(
            (mention.address.as_str(), mention.original.as_deref()),
            ("a@x.example", Some("b@x.example"))
        );
    }
}
