//! Do the socketmaps answer in which Postfix looks up addresses (`carom socketmap`), and do they
//! say what the config means?
//!
//! Not here: the maps themselves (`crate::access`). Invariant: each map is asked once, about an
//! address that nobody has; the names of carom's maps say which are carom's.

use super::asked_addresses::anybody;
use super::list_value::without;
use super::postconf::{Postconf, RESTRICTIONS};
use super::postfix_endpoint::{EndpointPeer, of_another_protocol, talk};
use super::similar::similar;
use crate::config::{Config, SuppressedAnswer};
use crate::finding::Finding;
use crate::mailbox_syntax::normal_domain;
use crate::text::{bounded, printable};
use std::collections::BTreeSet;
use std::io::Result;

/// Parameters with tables of addresses.
const TABLES: [&str; 5] = [
    "sender_canonical_maps",
    "canonical_maps",
    "recipient_canonical_maps",
    "virtual_alias_maps",
    "smtp_generic_maps",
];
/// What a table is one of, if it is a socketmap.
const TYPE: &str = "socketmap:";
/// The kinds of carom's maps.
const KINDS: [&str; 3] = [SUPPRESSED, VERP, RETURN_PATH];
const SUPPRESSED: &str = "suppressed";
const VERP: &str = "verp";
const RETURN_PATH: &str = "return-path";
/// How a reply begins that Postfix can use.
const USABLE: [&str; 2] = ["OK ", "NOTFOUND "];
/// Bytes of a reply at most, and of one that is shown.
const LONGEST: usize = 100_000;
const LONGEST_SHOWN: usize = 200;

/// A socketmap in a parameter: `socketmap:unix:PATH:KIND/DOMAIN`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SocketMap {
    parameter: &'static str,
    endpoint: String,
    kind: String,
    /// Empty: it has none.
    domain: String,
}

pub(super) fn findings(postconf: &Postconf, config: &Config) -> Vec<Finding> {
    let parameters = RESTRICTIONS.into_iter().chain(TABLES);
    let maps: BTreeSet<SocketMap> = parameters.flat_map(|parameter| maps_in(postconf, parameter)).collect();
    maps.iter().flat_map(|map| map.findings(postconf, config)).collect()
}

fn maps_in(postconf: &Postconf, parameter: &'static str) -> Vec<SocketMap> {
    let of_services = postconf.overrides(parameter).into_iter().flat_map(|value| without(&value, &[]));
    let elements = of_services.chain(postconf.list(parameter));
    elements.filter_map(|element| SocketMap::read(parameter, &element)).collect()
}

impl SocketMap {
    fn read(parameter: &'static str, table: &str) -> Option<SocketMap> {
        let (endpoint, name) = table.strip_prefix(TYPE)?.rsplit_once(':')?;
        let (kind, domain) = name.split_once('/').unwrap_or((name, ""));
        let (endpoint, kind, domain) = (endpoint.to_owned(), kind.to_owned(), domain.to_owned());
        Some(SocketMap { parameter, endpoint, kind, domain })
    }

    fn name(&self) -> String {
        match self.domain.as_str() {
            "" => self.kind.clone(),
            domain => format!("{}/{domain}", self.kind),
        }
    }

    fn table(&self) -> String {
        format!("{TYPE}{}:{}", self.endpoint, self.name())
    }

    fn findings(&self, postconf: &Postconf, config: &Config) -> Vec<Finding> {
        let SocketMap { parameter, endpoint, .. } = self;
        let mut findings: Vec<Finding> = self.unanswered(postconf).into_iter().collect();
        findings.extend(self.not_dropped(config));
        findings.extend(self.beside_the_envelope(postconf));
        if findings.is_empty() && self.is_of_carom() {
            let name = self.name();
            findings.push(Finding::good("postfix", format!("{parameter} looks up {name} at {endpoint}")));
        }
        findings
    }

    /// It answers nothing that Postfix can use.
    fn unanswered(&self, postconf: &Postconf) -> Option<Finding> {
        let (parameter, table) = (self.parameter, self.table());
        let request = format!("{} {}", self.name(), self.key());
        let (found, fix) = match talk(postconf, &self.endpoint, |peer| look_up(peer, &request))? {
            Ok(reply) if USABLE.iter().any(|usable| reply.starts_with(usable)) => return None,
            Ok(reply) => {
                let reply = printable(bounded(&reply, LONGEST_SHOWN));
                let found = format!("{parameter}: {table} answers {reply}: mail is deferred");
                (found, self.meant())
            }
            Err(why) => {
                postconf.mute(table.clone());
                let found = format!("{parameter}: mail is deferred, because {table} does not answer: {why}");
                let start = "start it (carom socketmap: systemctl enable --now carom-socketmap.socket)";
                (found, format!("{start}, or correct the name"))
            }
        };
        Some(Finding::wrong("postfix", found, fix))
    }

    /// Whether carom has a map of this name.
    fn is_of_carom(&self) -> bool {
        match self.kind.as_str() {
            SUPPRESSED => true,
            VERP => !self.domain.is_empty(),
            RETURN_PATH => self.domain.is_empty(),
            _ => false,
        }
    }

    /// The address that it is asked about.
    fn key(&self) -> String {
        match self.kind.as_str() {
            VERP => format!("carom-check+user=example.com@{}", self.domain),
            _ => anybody("example.com"),
        }
    }

    /// The name that may be meant.
    fn meant(&self) -> String {
        if self.is_of_carom() {
            return "correct what the answer says".to_owned();
        }
        match similar(&self.kind, KINDS.into_iter()) {
            Some(near) => format!("write {}", SocketMap { kind: near.to_owned(), ..self.clone() }.table()),
            None => "name one of its maps; those of carom are suppressed, suppressed/DOMAIN and verp/DOMAIN"
                .to_owned(),
        }
    }

    /// A table has no word for mail that is dropped if it has no other recipient.
    fn not_dropped(&self, config: &Config) -> Option<Finding> {
        let rules = config.access.get().ok().filter(|_| self.kind == SUPPRESSED)?;
        let (_, mail) = rules.of(&normal_domain(&self.domain));
        if mail.answer != SuppressedAnswer::Discard {
            return None;
        }
        let (parameter, table) = (self.parameter, self.table());
        let found =
            format!("{parameter}: [access] drops mail to suppressed recipients, and {table} lets it through");
        let fix = "ask carom access instead: carom postfix enable --access";
        Some(Finding::wrong("postfix", found, fix))
    }

    /// Senders are signed in the envelope, and nowhere else.
    fn beside_the_envelope(&self, postconf: &Postconf) -> Option<Finding> {
        if self.parameter != TABLES[0] || self.kind != VERP {
            return None;
        }
        let classes = postconf.list("sender_canonical_classes");
        if classes == ["envelope_sender"] {
            return None;
        }
        let (shown, table) = (classes.join(", "), self.table());
        let found =
            format!("sender_canonical_classes is {shown}: {table} is for the envelope, not for headers");
        Some(Finding::wrong("postfix", found, "set sender_canonical_classes = envelope_sender"))
    }
}

/// The reply to one request, both of them netstrings.
fn look_up(peer: &mut EndpointPeer, request: &str) -> Result<String> {
    peer.say(format!("{}:{request},", request.len()).as_bytes())?;
    let length: usize = peer.until(b':')?.parse().map_err(|_| of_another_protocol())?;
    let mut reply = vec![0; length.min(LONGEST)];
    peer.fill(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_taken_apart_as_postfix_does_it() {
        for (table, endpoint, kind, domain) in [
            ("socketmap:inet:127.0.0.1:24492:suppressed", "inet:127.0.0.1:24492", "suppressed", ""),
            ("socketmap:unix:private/x:verp/a.example", "unix:private/x", "verp", "a.example"),
        ] {
            let map = SocketMap::read("canonical_maps", table).unwrap();
            assert_eq!((&*map.endpoint, &*map.kind, &*map.domain), (endpoint, kind, domain));
            assert_eq!(map.table(), table);
        }
        for other in ["hash:/x", "inline:{ {a=socketmap:b} }", "socketmap:x", "permit"] {
            assert!(SocketMap::read("canonical_maps", other).is_none(), "{other}");
        }
    }
}
