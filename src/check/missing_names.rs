//! Names in the config that DNS does not have.
//!
//! Not here: which names are looked up. Invariant: no answer is not "no such name"; a zone file is
//! not complete, so there a name is missing only if the zone has a similar one.

use crate::auth::{Dns, DnsFailure};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::wiring::similar;
use std::time::Duration;

/// What a name is looked up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sought {
    /// A domain that takes mail.
    Mail,
    /// A host.
    Address,
}

/// A name that DNS does not have.
pub(super) struct MissingName {
    /// The similar one that a zone has.
    near: Option<String>,
}

impl MissingName {
    pub(super) fn find(config: &Config, dns: &Dns, name: &str, sought: Sought) -> Option<MissingName> {
        if config.dns.zone.is_some() {
            let names = dns.zone_names();
            let is_at_or_above = |known: &&str| {
                known.strip_suffix(name).is_some_and(|above| above.is_empty() || above.ends_with('.'))
            };
            if names.iter().any(is_at_or_above) {
                return None;
            }
            let near = similar(name, names.iter().copied())?.to_owned();
            return Some(MissingName { near: Some(near) });
        }
        let by = Deadline::after(Duration::from_secs(u64::from(config.dns.timeout)));
        let failure = match sought {
            Sought::Mail => dns.mx(name, by).err(),
            Sought::Address => dns.addresses(name, by).err(),
        };
        (failure == Some(DnsFailure::NotFound)).then_some(MissingName { near: None })
    }

    /// Where the name is not.
    pub(super) fn place(&self, config: &Config, sought: Sought) -> String {
        match (&config.dns.zone, sought) {
            (Some(zone), _) => format!("is not in {}", zone.display()),
            (None, Sought::Mail) => "has neither MX nor address in DNS".to_owned(),
            (None, Sought::Address) => "has no address in DNS".to_owned(),
        }
    }

    /// What to do about the name.
    pub(super) fn fix(&self, name: &str) -> String {
        match &self.near {
            Some(near) => format!("correct {name}, if you mean {near}"),
            None => format!("correct {name}, or publish it in DNS"),
        }
    }
}
