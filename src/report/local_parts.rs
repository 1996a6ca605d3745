//! Recipients that a notice names by their local part alone: `The following recipients …:`, then
//! `franzi99`; `User unknown: franzi99`.
//!
//! Not here: entries with an address (`entries`). Invariant: the domain comes from evidence: the
//! original was sent to this local part, or the report is from the host that has the mailbox. What
//! an entry with an address says names nobody else.

use super::entry_lines::EntryLine;
use super::evidence::Evidence;
use super::human_notice::HumanNotice;
use super::list_entry;
use super::mailbox;
use super::mention::Mention;
use super::phrases::Says;
use std::collections::HashMap;

/// Names of one notice, at most.
const MAX_NAMES: usize = 100;
/// Addresses of a notice that are compared, at most.
const MAX_ADDRESSES: usize = 1_000;
/// A longer local part is not one (RFC 5321 section 4.5.3.1.1).
const MAX_LOCAL: usize = 64;
/// Words on a line alone that are no names.
const WORDS: [&str; 24] = [
    "failed",
    "failure",
    "none",
    "unknown",
    "error",
    "reason",
    "delivery",
    "hello",
    "sorry",
    "regards",
    "reply",
    "postmaster",
    "message",
    "recipient",
    "maildrop",
    "procmail",
    "vpopmail",
    "vdelivermail",
    "dovecot",
    "deliver",
    "sieve",
    "lmtp",
    "smtp",
    "host",
];

/// A local part, and what follows it on its line.
struct Name<'a> {
    at: usize,
    local: &'a str,
    rest: &'a str,
}

impl Evidence<'_> {
    /// What the notice says about each.
    pub(crate) fn local_parts(&self) -> Vec<Mention> {
        let names = names(self.notice);
        let mention = |(number, name): (usize, &Name<'_>)| {
            let address = self.completed(name.local)?;
            let end = names.get(number + 1).map_or(self.notice.end, |next| next.at);
            let end = (name.at + 1..end).find(|at| self.begins_entry(*at)).unwrap_or(end);
            let mut mention = self.notice.mention(&address, name.at, name.rest, end.max(name.at + 1));
            if mention.text.is_empty() {
                mention.text = self.notice.whole().to_owned();
            }
            Some(mention)
        };
        names.iter().enumerate().filter_map(mention).collect()
    }

    /// Whether an entry with an address begins on a line.
    fn begins_entry(&self, at: usize) -> bool {
        let is_part = matches!(self.notice.entry_line(at), EntryLine::GoesOn | EntryLine::Indented);
        !is_part && list_entry::head(self.notice.lines[at].trimmed()).is_some()
    }

    /// The addresses in the notice by their local parts.
    fn own_addresses(&self) -> &HashMap<String, String> {
        self.own_addresses.get_or_init(|| {
            let mut own = HashMap::new();
            let found = self.notice.own().iter().flat_map(|line| mailbox::all(line.text));
            for address in found.map(|found| found.address).take(MAX_ADDRESSES) {
                let local = address.rsplit_once('@').map_or(address, |(local, _)| local);
                own.entry(local.to_lowercase()).or_insert_with(|| address.to_owned());
            }
            own
        })
    }

    /// The address with this local part.
    pub(crate) fn completed(&self, local: &str) -> Option<String> {
        let has = |address: &&String| {
            address.rsplit_once('@').is_some_and(|(known, _)| known.eq_ignore_ascii_case(local))
        };
        let said = || self.own_addresses().get(&local.to_lowercase()).cloned();
        let sent = self.addressees().iter().find(has).cloned();
        sent.or_else(said).or_else(|| Some(format!("{local}@{}", self.daemon_domain.as_deref()?)))
    }
}

fn names<'a>(notice: &HumanNotice<'a>) -> Vec<Name<'a>> {
    let opening = |says: Says| matches!(says, Says::Object | Says::Failed | Says::Delayed);
    let mut names: Vec<Name<'a>> = Vec::new();
    for hit in notice.hits.iter().filter(|hit| opening(hit.says)).take(MAX_NAMES) {
        let at = notice.folded.line(hit.end.saturating_sub(1));
        if notice.entry_line(at) != EntryLine::Apart {
            continue;
        }
        let own = notice.lines[at].text;
        // `User unknown: franzi99`.
        let tail = own.rsplit_once(": ").map(|(_, tail)| tail.trim());
        let named = tail.and_then(name).filter(|(_, rest)| rest.is_empty() && hit.says == Says::Object);
        if let Some((local, rest)) = named {
            names.push(Name { at, local, rest });
            continue;
        }
        names.extend(listed(notice, at));
        if names.len() >= MAX_NAMES {
            break;
        }
    }
    names.truncate(MAX_NAMES);
    names.sort_by_key(|name| name.at);
    names.dedup_by_key(|name| name.at);
    names
}

/// The names on the lines after an introduction that ends with a colon.
fn listed<'a>(notice: &HumanNotice<'a>, at: usize) -> Vec<Name<'a>> {
    let own = notice.own();
    let opening = (at..own.len()).take(4).find(|&line| own[line].text.ends_with(':'));
    let Some(opening) = opening.filter(|&last| own[at..last].iter().all(|line| !line.is_blank())) else {
        return Vec::new();
    };
    let rest = own.iter().enumerate().skip(opening + 1);
    let rest = rest.skip_while(|(_, line)| line.is_blank());
    // Some of the list may have whole addresses.
    let paragraph = rest.take_while(|(_, line)| !line.is_blank());
    let entries = paragraph.map_while(|(at, line)| {
        let is_said = matches!(notice.entry_line(at), EntryLine::GoesOn | EntryLine::Indented);
        let line = line.trimmed();
        if is_said {
            return Some(None);
        }
        let found = name(line).map(|(local, rest)| Name { at, local, rest });
        (found.is_some() || list_entry::head(line).is_some()).then_some(found)
    });
    entries.flatten().take(MAX_NAMES).collect()
}

/// The local part that a line begins with, if nothing but a reason follows.
fn name(line: &str) -> Option<(&str, &str)> {
    let inner = line.trim_start_matches(['<', '"', '\'', '*', '-', ' ', '\t']);
    let local = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+=%&".contains(&byte);
    let length = inner.bytes().take_while(|&byte| local(byte)).count();
    let local = inner[..length].trim_end_matches(['.', '-']);
    let rest = inner[local.len()..].trim_start_matches(['>', '"', '\'']);
    let rest = rest.strip_prefix(" \"").unwrap_or(rest);
    let apart = rest.trim().is_empty()
        || rest.trim_start().starts_with([':', '(', '[', ',', ';', '-'])
        || rest.starts_with("...");
    let word = WORDS.iter().any(|word| local.eq_ignore_ascii_case(word));
    let domain =
        local.contains('.') && mailbox::is_address(&format!("x@{local}")) && local.matches('.').count() > 1;
    // `Reason: …` is a label.
    let label =
        rest.trim_start().starts_with([':', '：']) && local.starts_with(|c: char| c.is_ascii_uppercase());
    let usable = !label
        && (2..=MAX_LOCAL).contains(&local.len())
        && !word
        && !domain
        && !local.starts_with(['.', '=']);
    (apart && usable).then_some((local, rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    fn read(text: &str) -> Vec<String> {
        let text = PartText::plain(text, 1);
        names(&HumanNotice::read(text.lines())).iter().map(|name| name.local.to_owned()).collect()
    }

    #[test]
    fn names_without_a_domain_are_found() {
        for text in [
            "It could not be delivered to the following recipients:\n\tfranzi99\n\tb.c\n",
            "The following recipients did not receive it, who do not take mail\nfrom a@x.example:\n\n  franzi99 (full)\n  b.c\n\nBye\n",
            "No such user: franzi99\nNo such user: b.c\n",
        ] {
            assert_eq!(read(text), ["franzi99", "b.c"], "{text}");
        }
    }

    #[test]
    fn sentences_are_no_names() {
        for text in
            ["It could not be delivered:\n\nThe mailbox is full\n", "It was not delivered.\nfranzi99\n"]
        {
            assert_eq!(read(text), [""; 0], "{text}");
        }
    }
}
