//! The refusals in quoted sessions, found by the recipient they are about.
//!
//! Not here: reading the sessions (`session`), and what was said about a recipient in words
//! (`mention`). Invariant: case does not count in an address.

use super::lines::NumberedLine;
use super::mailbox;
use super::session::{self, Exchange};
use std::collections::{HashMap, HashSet};

/// Addresses of a reply that are read, at most.
const MAX_NAMED: usize = 20;

#[derive(Debug, Default)]
pub(crate) struct Transcript {
    exchanges: Vec<Exchange>,
    /// By address in small letters: the last refusal that names it, and the first summary about it.
    spoken: HashMap<String, usize>,
    summaries: HashMap<String, usize>,
}

impl Transcript {
    pub(crate) fn read(lines: &[NumberedLine<'_>]) -> Transcript {
        let mut transcript = Transcript { exchanges: session::read(lines), ..Transcript::default() };
        for (at, exchange) in transcript.exchanges.iter().enumerate() {
            let recipient = exchange.recipient.iter().map(|address| address.to_lowercase());
            if exchange.summary {
                recipient.for_each(|address| _ = transcript.summaries.entry(address).or_insert(at));
            } else {
                let named = mailbox::all(&exchange.reply).take(MAX_NAMED);
                let named = named.map(|found| found.address.to_lowercase());
                recipient.chain(named).for_each(|address| _ = transcript.spoken.insert(address, at));
            }
        }
        transcript
    }

    /// Whether nothing was refused.
    pub(crate) fn is_empty(&self) -> bool {
        self.exchanges.is_empty()
    }

    /// Whether somebody speaks in it: a server, to a command, or of a recipient. In a list of
    /// replies and their numbers nobody does.
    pub(crate) fn is_spoken(&self) -> bool {
        let is_spoken =
            |said: &Exchange| !said.stage.is_empty() || said.recipient.is_some() || said.host.is_some();
        self.exchanges.iter().any(is_spoken)
    }

    /// The refusal that is about a recipient: one that names it, or the one right before sendmail's
    /// summary about it, or, if it is the only recipient, the first. The only refusal of all is
    /// about everybody if it came before anybody was named.
    pub(crate) fn about(&self, address: &str, only: bool) -> Option<&Exchange> {
        let address = address.to_lowercase();
        let summary = self.summaries.get(&address).copied();
        let before = summary.and_then(|at| self.exchanges[..at].last());
        let before = before.filter(|before| !before.summary && before.recipient.is_none());
        let spoken = self.spoken.get(&address).map(|at| &self.exchanges[*at]);
        let is_of_all = self.exchanges.len() == 1 && self.exchanges[0].recipient.is_none();
        let is_general = is_of_all && matches!(self.exchanges[0].stage, "MAIL" | "EHLO" | "HELO" | "CONN");
        let first = || self.exchanges.iter().find(|exchange| !exchange.summary && (only || is_general));
        spoken.or(before).or(summary.map(|at| &self.exchanges[at])).or_else(first)
    }

    /// The recipients that refusals name, with the lines, for a notice without a list.
    pub(crate) fn recipients(&self) -> Vec<(String, u32)> {
        let summaries = self.exchanges.iter().any(|exchange| exchange.summary);
        let named = self.exchanges.iter().filter(|exchange| exchange.summary == summaries);
        let mut seen = HashSet::new();
        named
            .filter_map(|exchange| Some((exchange.recipient.clone()?, exchange.line)))
            .filter(|(address, _)| seen.insert(address.to_lowercase()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    fn transcript(text: &str) -> Transcript {
        Transcript::read(&PartText::plain(text, 1).lines())
    }

    #[test]
    fn sendmail_says_what_it_heard() {
        let found = transcript(
            "... while talking to mx.x.example.:\n>>> RCPT To:<a@x.example>\n<<< 550-5.1.1 no such\n<<< 550 5.1.1 user\n\
             550 5.1.1 <a@x.example>... User unknown\n>>> DATA\n<<< 503 no recipients\n",
        );
        let first = found.about("a@x.example", false).unwrap();
        assert_eq!((first.stage, first.reply.as_str()), ("RCPT", "550-5.1.1 no such user"));
        assert_eq!(first.host.as_deref(), Some("mx.x.example"));
        assert_eq!(found.recipients(), [("a@x.example".to_owned(), 5)]);
    }

    #[test]
    fn a_summary_alone_is_read() {
        let found = transcript(
            "550 x.example (smtp)... 550 Host unknown\n554 <a@x.example>... 550 Host unknown (no)\n<b@x.example>... Deferred: refused\n",
        );
        assert_eq!(found.about("a@x.example", false).unwrap().reply, "550 Host unknown (no)");
        assert_eq!(found.about("b@x.example", false).unwrap().reply, "Deferred: refused");
        assert_eq!(found.about("c@x.example", false), None);
    }
}
