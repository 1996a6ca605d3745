//! The addresses that tables of Postfix are asked about: those of mail in a domain of carom's, with
//! return paths as they are signed, and those in hosts below it.
//!
//! Not here: the keys that Postfix makes of an address (`lookup_order`). Invariant: no address is
//! one that anybody has; a return path is signed with a key that nobody has.

use super::postconf::Postconf;
use crate::clock;
use crate::config::Config;
use crate::return_path;
use std::collections::BTreeSet;

/// A local part that nobody has.
const ANYBODY: &str = "carom-check";
/// A host below a domain. The sink has one of this name.
const HOST: &str = "accept";
/// Hosts in tables that are asked about.
const MOST_HOSTS: usize = 20;

/// An address in a domain.
pub(super) fn anybody(domain: &str) -> String {
    format!("{ANYBODY}@{domain}")
}

/// Return paths in a domain, one of each form; none if it is no domain of return paths.
pub(super) fn signed(config: &Config, domain: &str) -> Vec<String> {
    let today = return_path::day(clock::now_ms());
    config.return_paths.samples(domain, "carom-check@example.com", today)
}

/// Addresses in a domain.
pub(super) fn within(config: &Config, domain: &str) -> Vec<String> {
    [anybody(domain)].into_iter().chain(signed(config, domain)).collect()
}

/// A host below a domain that no table names.
pub(super) fn host_below(domain: &str) -> String {
    format!("{HOST}.{domain}")
}

/// Hosts below a domain that these tables have entries for, unless they are in another one of
/// carom's domains. Tables that cannot be listed have none.
pub(super) fn named_hosts(
    postconf: &Postconf,
    tables: &[String],
    domain: &str,
    domains: &[&str],
) -> Vec<String> {
    let keys = tables.iter().flat_map(|table| postconf.keys(table));
    let inner: Vec<&&str> = domains.iter().filter(|other| host_in(other, domain).is_some()).collect();
    let is_of_other =
        |host: &String| inner.iter().any(|other| host == **other || host_in(host, other).is_some());
    let hosts = keys.filter_map(|key| host_in(&key, domain)).filter(|host| !is_of_other(host));
    hosts.collect::<BTreeSet<String>>().into_iter().take(MOST_HOSTS).collect()
}

/// The host below a domain that an entry is about.
fn host_in(key: &str, domain: &str) -> Option<String> {
    let name = key.rsplit('@').next().unwrap_or(key).to_ascii_lowercase();
    let bare = name.trim_start_matches('.');
    bare.strip_suffix(domain)?.strip_suffix('.').filter(|left| !left.is_empty())?;
    // An entry with a dot before it is about hosts further below.
    Some(if bare == name { name } else { host_below(bare) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_about_hosts_below_a_domain_are_known() {
        let host = |key: &str| host_in(key, "a.example");
        assert_eq!(host("Oob.a.example").as_deref(), Some("oob.a.example"));
        assert_eq!(host("x@oob.a.example").as_deref(), Some("oob.a.example"));
        assert_eq!(host(".oob.a.example").as_deref(), Some("accept.oob.a.example"));
        for other in ["a.example", ".a.example", "x@a.example", "ba.example", "example", "*", ""] {
            assert_eq!(host(other), None, "{other}");
        }
    }
}
