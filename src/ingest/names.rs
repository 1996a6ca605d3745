//! The names under which a delivery counts, each a number while it is counted: of five texts in a delivery most were seen before, and
//! looking one up is cheaper than taking it apart again.
//!
//! Not here: what is counted. Strangers choose names, so the tables are seeded. Invariant: a number stands for one text until `clear`,
//! and 0 for none.

use crate::logs::Delivery;
use crate::logs::failure::host;
use crate::stats::domain::{NULL_SENDER, of_address};
use crate::stats::provider::provider;
use foldhash::HashMap;
use memchr::memrchr;

/// Characters of a name.
const LONGEST: usize = 128;
/// Texts of more bytes are taken apart each time.
const REMEMBERED: usize = 512;

/// The number of a name.
pub(super) type Name = u32;

/// What is there of a delivery, in the order of `Dimension::NAMED`: recipient domain, provider, sender domain, client, relay.
pub(super) type Names = [Name; 5];

/// No name.
pub(super) const NONE: Name = 0;

/// Names and their numbers.
#[derive(Default)]
pub(super) struct Numbers {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, Name>,
    /// What stands behind the @ of an address, and its registered domain.
    domains: HashMap<Box<str>, Name>,
    /// Next hops as lines have them, with their name and who runs them.
    relays: HashMap<Box<str>, (Name, Name)>,
}

impl Numbers {
    /// The text of a number.
    pub(super) fn text(&self, name: Name) -> &str {
        self.texts.get(name as usize).map_or("", |text| text)
    }

    /// How many texts are remembered.
    pub(super) fn len(&self) -> usize {
        self.numbers.len() + self.domains.len() + self.relays.len()
    }

    /// The names under which a delivery counts.
    pub(super) fn of(&mut self, delivery: &Delivery<'_>) -> Names {
        let (relay, provider) = delivery.relay.map_or((NONE, NONE), |relay| self.relay(relay));
        let sender = match delivery.sender {
            Some("") => self.number(NULL_SENDER),
            sender => sender.map_or(NONE, |sender| self.domain(sender)),
        };
        let recipient = delivery.recipient.map_or(NONE, |recipient| self.domain(recipient));
        [recipient, provider, sender, delivery.client_id.map_or(NONE, |client| self.number(client)), relay]
    }

    fn domain(&mut self, address: &str) -> Name {
        let Some(at) = memrchr(b'@', address.as_bytes()) else { return NONE };
        let domain = &address[at + 1..];
        if let Some(name) = self.domains.get(domain) {
            return *name;
        }
        let name = self.number(&of_address(address).to_ascii_lowercase());
        if domain.len() <= REMEMBERED {
            self.domains.insert(domain.into(), name);
        }
        name
    }

    fn relay(&mut self, relay: &str) -> (Name, Name) {
        if let Some(names) = self.relays.get(relay) {
            return *names;
        }
        let host = host(Some(relay));
        let names = (self.number(host), provider(host).map_or(NONE, |provider| self.number(provider)));
        if relay.len() <= REMEMBERED {
            self.relays.insert(relay.into(), names);
        }
        names
    }

    fn number(&mut self, text: &str) -> Name {
        let text = text.char_indices().nth(LONGEST).map_or(text, |(cut, _)| &text[..cut]);
        if text.is_empty() {
            return NONE;
        }
        if let Some(name) = self.numbers.get(text) {
            return *name;
        }
        if self.texts.is_empty() {
            self.texts.push("".into());
        }
        // There are never so many.
        let name = self.texts.len() as Name;
        self.texts.push(text.into());
        self.numbers.insert(text.into(), name);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_counts_under_lower_case_registered_domains_and_who_runs_the_server() {
        let mut numbers = Numbers::default();
        let delivery = Delivery {
            sender: Some(""),
            recipient: Some("\"a@b\"@Mail.Example.CO.UK"),
            relay: Some("mx1.google.com[192.0.2.1]:25"),
            client_id: Some("shop"),
            ..Delivery::default()
        };
        let names = numbers.of(&delivery);
        assert_eq!(
            names.map(|name| numbers.text(name)),
            ["example.co.uk", "google", "<>", "shop", "mx1.google.com"]
        );
        assert_eq!(numbers.of(&delivery), names, "the same the next time");
        let nothing = Delivery { sender: Some("root"), relay: Some("none"), ..Delivery::default() };
        assert_eq!(numbers.of(&nothing), [NONE; 5]);
    }

    #[test]
    fn what_is_absurdly_long_is_cut_and_not_remembered() {
        let mut numbers = Numbers::default();
        let long = format!("a@{}", "é".repeat(5000));
        let names = numbers.of(&Delivery { recipient: Some(&long), ..Delivery::default() });
        assert_eq!(numbers.text(names[0]).chars().count(), LONGEST);
        assert_eq!(numbers.len(), 1);
    }
}
