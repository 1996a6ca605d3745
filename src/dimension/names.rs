//! The names under which a delivery counts: domains, provider, client, relay and sources.
//!
//! Not here: what is counted. While millions are counted, each name is a number: most texts of a
//! delivery were seen before, and a look-up is cheaper than taking them apart again. Strangers
//! choose names, so the hashes are seeded. Invariant: a number means one text as long as its
//! `Numbers` exist, and 0 means none.

use super::domain::{NULL_SENDER, of_address};
use super::provider::provider;
use crate::mailbox_syntax::normal_domain;
use crate::maillog::DeliveryRoute;
use crate::maillog::logged_reply::host;
use foldhash::HashMap;
use memchr::memrchr;
use std::borrow::Cow;
use std::sync::Arc;

/// Characters of a name at most.
const LONGEST: usize = 128;
/// Longer texts (in bytes) are not remembered.
const REMEMBERED: usize = 512;

/// The place of the provider among the names.
pub(crate) const PROVIDER: usize = 1;

/// The place of the sender domain.
pub(crate) const SENDER_DOMAIN: usize = 2;

/// From whom and to whom a delivery is, as logged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parties<'a> {
    pub(crate) recipient: Option<&'a str>,
    pub(crate) sender: Option<&'a str>,
    pub(crate) client: Option<&'a str>,
    /// The next hop.
    pub(crate) relay: Option<&'a str>,
}

impl<'a> Parties<'a> {
    /// The names, in the order of `Dimension::NAMED` without the sources: recipient domain,
    /// provider, sender domain, client, relay.
    pub(crate) fn names(&self) -> [Option<Cow<'a, str>>; 5] {
        let relay = host(self.relay);
        let sender = match self.sender {
            Some("") => Some(NULL_SENDER.into()),
            sender => sender.map(domain),
        };
        let names = [
            self.recipient.map(domain),
            provider_of(relay, self.recipient.map(of_address)).map(Cow::Borrowed),
            sender,
            self.client.map(cut),
            Some(lower(cut(relay))),
        ];
        names.map(|name| name.filter(|name| !name.is_empty()))
    }
}

/// Who runs the server of the next hop; where none was reached, that of the recipient's domain.
fn provider_of(relay: &str, domain: Option<&str>) -> Option<&'static str> {
    provider(if relay.is_empty() { domain? } else { relay })
}

/// In lower case, with A-labels; empty if the address has none.
fn domain(address: &str) -> Cow<'_, str> {
    let domain = of_address(address);
    match domain.is_ascii() {
        true => lower(cut(domain)),
        false => cut(&normal_domain(domain)).into_owned().into(),
    }
}

/// Names of hosts and domains are the same in any case.
fn lower(name: Cow<'_, str>) -> Cow<'_, str> {
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => name.to_ascii_lowercase().into(),
        false => name,
    }
}

fn cut(name: &str) -> Cow<'_, str> {
    if name.len() <= LONGEST {
        return name.into();
    }
    name.char_indices().nth(LONGEST).map_or(name, |(cut, _)| &name[..cut]).into()
}

/// What is known of each name.
pub(crate) type ByName<T> = HashMap<String, T>;

/// The number of a name.
pub(crate) type Name = u32;

/// The numbers of a delivery's names, in the order of `Dimension::NAMED`. The last one is that of a
/// text with all sources.
pub(crate) type Names = [Name; 6];

/// No name.
pub(crate) const NONE: Name = 0;

#[derive(Default)]
pub(crate) struct Numbers {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Name>,
    /// By what follows the @ of an address: its registered domain.
    domains: HashMap<Arc<str>, Name>,
    /// By next hop, as logged: its name, and its provider.
    relays: HashMap<Box<str>, (Name, Name)>,
    /// The last route's sources and their number: most likely the next delivery has the same.
    sources: (String, Name),
    /// Memory for the sources of a route.
    memory: String,
    /// Bytes of memory.
    weight: usize,
}

/// Bytes of an entry of a table that has room for more, and of a text in memory beside its own.
const ENTRY: usize = 40;
const TEXT: usize = 24;

impl Numbers {
    pub(crate) fn text(&self, name: Name) -> &str {
        self.texts.get(name as usize).map_or("", |text| text)
    }

    /// Approximate bytes of memory.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// The sources under a number that stands for several.
    pub(crate) fn each_source(&self, name: Name) -> impl Iterator<Item = &str> {
        self.text(name).lines()
    }

    /// The numbers of [`Parties::names`], and of the sources.
    pub(crate) fn of(&mut self, parties: &Parties<'_>, route: &DeliveryRoute<'_>) -> Names {
        let (relay, provider) = parties.relay.map_or((NONE, NONE), |relay| self.relay(relay));
        let sender = match parties.sender {
            Some("") => self.number(NULL_SENDER),
            sender => sender.map_or(NONE, |sender| self.domain(sender)),
        };
        let recipient = parties.recipient.map_or(NONE, |recipient| self.domain(recipient));
        let mut provider = provider;
        if relay == NONE
            && let Some(of_domain) = provider_of("", Some(self.text(recipient)))
        {
            provider = self.number(of_domain);
        }
        let client = parties.client.map_or(NONE, |client| self.number(&cut(client)));
        [recipient, provider, sender, client, relay, self.sources(route)]
    }

    /// The number of all sources together.
    fn sources(&mut self, route: &DeliveryRoute<'_>) -> Name {
        let mut memory = std::mem::take(&mut self.memory);
        memory.clear();
        for (kind, name) in route.sources() {
            memory.extend([kind.name(), "/", name, "\n"]);
        }
        if memory != self.sources.0 {
            self.sources.1 = self.number(&memory);
            self.sources.0.clone_from(&memory);
        }
        self.memory = memory;
        self.sources.1
    }

    fn domain(&mut self, address: &str) -> Name {
        let Some(at) = memrchr(b'@', address.as_bytes()) else { return NONE };
        let raw = &address[at + 1..];
        if let Some(name) = self.domains.get(raw) {
            return *name;
        }
        let name = self.number(&domain(address));
        match self.texts.get(name as usize) {
            // Most are registered domains themselves.
            Some(text) if **text == *raw => {
                self.domains.insert(text.clone(), name);
                self.weight += ENTRY;
            }
            _ if raw.len() <= REMEMBERED => {
                self.domains.insert(raw.into(), name);
                self.weight += raw.len() + TEXT + ENTRY;
            }
            _ => {}
        }
        name
    }

    fn relay(&mut self, relay: &str) -> (Name, Name) {
        if let Some(names) = self.relays.get(relay) {
            return *names;
        }
        let host = host(Some(relay));
        let names =
            (self.number(&lower(cut(host))), provider(host).map_or(NONE, |provider| self.number(provider)));
        if relay.len() <= REMEMBERED {
            self.relays.insert(relay.into(), names);
            self.weight += relay.len() + TEXT + ENTRY;
        }
        names
    }

    /// The number of a text.
    pub(crate) fn number(&mut self, text: &str) -> Name {
        if text.is_empty() {
            return NONE;
        }
        if let Some(name) = self.numbers.get(text) {
            return *name;
        }
        if self.texts.is_empty() {
            self.texts.push("".into());
        }
        // Memory ends before the numbers do.
        let name = self.texts.len() as Name;
        let text: Arc<str> = text.into();
        self.weight += text.len() + TEXT + 2 * ENTRY;
        self.texts.push(text.clone());
        self.numbers.insert(text, name);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_counts_under_lower_case_registered_domains_and_who_runs_the_server() {
        let parties = Parties {
            sender: Some(""),
            recipient: Some("\"a@b\"@Mail.Example.CO.UK"),
            relay: Some("mx1.google.com[192.0.2.1]:25"),
            client: Some("shop"),
        };
        let want = ["example.co.uk", "google", "<>", "shop", "mx1.google.com"];
        assert_eq!(parties.names().map(Option::unwrap), want);
        let mut numbers = Numbers::default();
        let route = DeliveryRoute::default().with_syslog_name("postfix/smtp-a");
        let names = numbers.of(&parties, &route);
        assert_eq!(names.map(|name| numbers.text(name))[..5], want);
        assert_eq!(
            numbers.each_source(names[5]).collect::<Vec<_>>(),
            ["transport/smtp-a", "instance/postfix"]
        );
        assert_eq!(numbers.of(&parties, &route), names, "the same the next time");
        let nothing = Parties { sender: Some("root"), relay: Some("none"), ..Parties::default() };
        let unknown = DeliveryRoute::default();
        assert_eq!((numbers.of(&nothing, &unknown), nothing.names()), ([NONE; 6], [const { None }; 5]));
        assert_eq!(numbers.of(&nothing, &route)[5], names[5]);
    }

    #[test]
    fn what_is_absurdly_long_is_cut_and_not_remembered() {
        let mut numbers = Numbers::default();
        let long = format!("a@{}", "\u{e9}".repeat(5000));
        let parties = Parties { recipient: Some(&long), client: Some(&long), ..Parties::default() };
        let names = numbers.of(&parties, &DeliveryRoute::default());
        let text = parties.names()[0].clone().unwrap();
        assert_eq!((numbers.text(names[0]), text.chars().count()), (&*text, LONGEST));
        let two_texts = 2 * (2 * LONGEST + TEXT + 2 * ENTRY);
        assert!(numbers.weight() <= two_texts, "{}", numbers.weight());
    }
}
