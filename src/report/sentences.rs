//! The sentences of a notice that name who did not get the message, where there is no list.
//!
//! Not here: lists (`entries`) and reasons (`mention`). Invariant: an address counts if it is right
//! next to a phrase that says what happened; the last guess counts only if there is no other
//! address.

use super::daemons::is_written_by_daemon;
use super::fold::folded;
use super::human_notice::HumanNotice;
use super::lines::NumberedLine;
use super::mailbox;
use super::mention::Mention;
use super::original::sole_recipient;
use super::phrases::Says;
use super::quoted_reply::QuotedReply;
use super::tidied::tidy;
use crate::message::Message;

/// Phrases whose sentence is searched for an address, at most.
const MAX_SENTENCES: usize = 200;
/// How far an address may be from a phrase, in bytes.
const REACH: usize = 80;
/// How far from a phrase that says nothing without it.
const NEAR: usize = 4;

/// An address in a sentence.
struct Named {
    /// The line that the sentence begins to name somebody in.
    at: usize,
    address: String,
}

impl HumanNotice<'_> {
    /// Addresses in the sentences of some phrases: `undeliverable to a@x.example, b@x.example`.
    pub(crate) fn inline(&self, says: &[Says]) -> Vec<Mention> {
        let mut found: Vec<Named> = Vec::new();
        let asked = self.hits.iter().enumerate().filter(|(_, hit)| says.contains(&hit.says));
        for (number, hit) in asked.take(MAX_SENTENCES) {
            let reach = if matches!(hit.says, Says::Perhaps | Says::Object) { NEAR } else { REACH };
            let from = hit.end;
            let after = self.piece(from, from + reach + 300);
            let Some(next) = mailbox::first(after).filter(|next| next.start <= reach) else { continue };
            let between = &after[..next.start];
            let asks = self.hits[number..]
                .iter()
                .take(8)
                .any(|hit| hit.says.is_contact() && hit.start < from + next.start);
            if between.contains(". ") || asks || is_sender(between) {
                continue;
            }
            let others = mailbox::listed(&after[next.end..])
                .into_iter()
                .map(|(start, address)| (next.end + start, address));
            for (start, address) in std::iter::once((next.start, next.address)).chain(others) {
                self.note(&mut found, from + start, address);
            }
        }
        self.mentioned(found)
    }

    /// Addresses at the end of lines that begin with a reason: `Mailbox too large: a@x.example`.
    pub(crate) fn after_reasons(&self) -> Vec<Mention> {
        let mut found: Vec<Mention> = Vec::new();
        for (at, line) in self.own().iter().enumerate() {
            let Some((reason, address)) = line.trimmed().rsplit_once(": ") else { continue };
            let address = address.trim_matches(['<', '>', '"', '\'', ' ', '.']);
            let words = reason.split(' ').filter(|word| !word.is_empty()).count();
            if words < 2 || !mailbox::is_address(address) || self.is_contact(at) {
                continue;
            }
            let next = self.own().get(at + 1).is_none_or(NumberedLine::is_blank);
            let mention = self.mention(address, at, "", if next { at + 4 } else { at + 1 }.min(self.end));
            let said = QuotedReply::find(&mention.text).is_some();
            let text = if said { mention.text.clone() } else { tidy(line.trimmed()) };
            found.push(Mention { text, ..mention });
            if found.len() >= MAX_SENTENCES {
                break;
            }
        }
        found
    }

    /// Addresses right before a phrase: `the address a@x.example does not exist`.
    pub(crate) fn gone(&self) -> Vec<Mention> {
        self.before(Says::Gone, 2 * NEAR)
    }

    /// Addresses before a phrase in its sentence: `mail to a@x.example could not be delivered`.
    pub(crate) fn named_before(&self) -> Vec<Mention> {
        self.before(Says::Failed, REACH)
    }

    /// The last address before each such phrase that is no sender's, at most `reach` bytes away.
    fn before(&self, says: Says, reach: usize) -> Vec<Mention> {
        let mut found: Vec<Named> = Vec::new();
        for hit in self.hits.iter().filter(|hit| hit.says == says).take(MAX_SENTENCES) {
            let before = self.piece(hit.start.saturating_sub(400), hit.start);
            let start = hit.start - before.len();
            let near = |named: &mailbox::AddressInText<'_>| {
                before.len() - named.end <= reach
                    && !before[named.end..].contains(". ")
                    && !is_sender(&before[..named.start])
            };
            let named: Vec<mailbox::AddressInText<'_>> = mailbox::all(before).filter(near).collect();
            let Some(last) = named.len().checked_sub(1) else { continue };
            let goes_on = |at: &usize| is_listed(&before[named[at - 1].end..named[*at].start]);
            let first = last - (1..=last).rev().take_while(goes_on).count();
            for named in &named[first..] {
                self.note(&mut found, start + named.start, named.address);
            }
        }
        self.mentioned(found)
    }

    /// Some of the folded text of the notice, at the borders of characters.
    fn piece(&self, mut from: usize, to: usize) -> &str {
        let text = &self.folded.text;
        let mut to = to.min(self.folded.start(self.end));
        while !text.is_char_boundary(to) {
            to -= 1;
        }
        while !text.is_char_boundary(from) {
            from += 1;
        }
        text.get(from..to).unwrap_or_default()
    }

    /// Adds an address as it is written, where it is in the folded text, unless it is known.
    fn note(&self, found: &mut Vec<Named>, place: usize, address: &str) {
        let at = self.folded.line(place);
        let written = mailbox::all(self.lines[at].text).find(|written| folded(written.address) == address);
        if let Some(written) =
            written.filter(|written| !found.iter().any(|known| known.address == written.address))
        {
            found.push(Named { at, address: written.address.to_owned() });
        }
    }

    /// What is said about each. Addresses on one line share it.
    fn mentioned(&self, found: Vec<Named>) -> Vec<Mention> {
        let rest =
            |named: &Named| self.lines[named.at].text.split_once(&named.address).map_or("", |(_, rest)| rest);
        let mut mentions: Vec<Mention> = Vec::new();
        let (mut place, mut end) = (self.end, self.end);
        for named in found.iter().rev() {
            if named.at != place {
                (place, end) = (named.at, place);
            }
            let mut mention = self.mention(&named.address, named.at, rest(named), end.max(named.at));
            if !QuotedReply::find(&mention.text).is_some() {
                // Without a reply, the sentence is what was said, or what is said about the next.
                let next = mentions.last().map(|next| next.text.as_str());
                let shared = next.filter(|next| QuotedReply::find(next).is_some());
                let sentence = self.lines[named.at].trimmed();
                let after = || self.reason(named.at, "", end).text;
                mention.text = shared.map_or_else(|| tidy(&format!("{sentence} {}", after())), str::to_owned);
            }
            mentions.push(mention);
        }
        mentions.reverse();
        mentions
    }

    /// The only address there is, apart from those to ask for help.
    pub(crate) fn lone(&self, is_party: impl Fn(&str) -> bool) -> Option<Mention> {
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

    /// The address on a line `To:`, if the header that is repeated there has no other, and is
    /// not that of a report itself.
    fn only_addressee(&self, at: usize) -> Option<String> {
        /// A header is read so far, on either side.
        const NEAR: usize = 12;
        const FIELDS: [&str; 3] = ["To", "Cc", "Bcc"];
        let blank = self.lines[..at].iter().rposition(NumberedLine::is_blank).map_or(0, |blank| blank + 1);
        let block = &self.own()[blank.max(at.saturating_sub(NEAR))..];
        let end = block.iter().position(NumberedLine::is_blank).unwrap_or(block.len());
        let block = &block[..end.min(2 * NEAR)];
        if block.iter().any(|line| is_written_by_daemon(&folded(line.trimmed()))) {
            return None;
        }
        let is_field = |line: &&NumberedLine<'_>| line.trimmed().split_once(':').is_some();
        let indent = block.iter().filter(is_field).map(NumberedLine::indent).min().unwrap_or_default();
        let unindented =
            |line: &NumberedLine<'_>| line.text.get(indent..).unwrap_or_default().to_owned() + "\n";
        let header: String = block.iter().map(unindented).collect();
        let header = Message::read(header.as_bytes());
        let mut to: Vec<String> = FIELDS.iter().flat_map(|name| header.addresses(name)).take(NEAR).collect();
        to.dedup_by(|one, other| mailbox::same(one, other));
        let only = to.pop().filter(|_| to.is_empty());
        only.filter(|address| mailbox::is_address(address))
    }

    /// The address after `To:`, where the notice repeats the header of the message; or that of the
    /// only recipient that the header of the original shows.
    pub(crate) fn addressed(&self) -> Option<Mention> {
        let to = |line: &NumberedLine<'_>| {
            line.trimmed().get(..3).is_some_and(|label| label.eq_ignore_ascii_case("to:"))
        };
        let said = self.own().iter().position(to);
        let (at, address) = match said {
            Some(at) => (at, self.only_addressee(at)?),
            None => {
                let address = sole_recipient(self.original())?;
                (self.end + self.original().iter().position(|line| line.text.contains(&address))?, address)
            }
        };
        Some(Mention { text: self.whole().to_owned(), ..self.mention(&address, at, "", at + 1) })
    }
}

/// Whether a text between two addresses makes them a list: `, `, ` and `.
fn is_listed(between: &str) -> bool {
    const AND: [&str; 8] = ["and", "und", "et", "y", "e", "en", "och", "и"];
    let word = between.trim_matches(['<', '>', '"', '\'', ',', ';', '&', ' ']);
    between.contains([',', ';', '&']) && word.is_empty() || AND.contains(&word)
}

/// Whether the words before an address make it the sender's: `mail from a@x.example`.
fn is_sender(before: &str) -> bool {
    const WORDS: [&str; 14] = [
        " from",
        " by",
        " sent by",
        " sender",
        " absender",
        " expediteur",
        " remitente",
        " mittente",
        " remetente",
        " gesendet von",
        " fran",
        " от",
        " from:",
        " von:",
    ];
    let before = before.trim_end_matches([' ', '<', '"', '\'', '(']);
    let expanded = before.ends_with("expanded from") || before.ends_with("generated from");
    !expanded && WORDS.iter().any(|word| before.ends_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

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
}
