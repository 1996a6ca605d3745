//! The people that carom writes to: whether the domains of `[[alert]] mail` and `[unproven] to` can
//! receive mail, and whether the servers that are named instead have an address.
//!
//! Not here: addresses in carom's own domains (`loop_findings`). Invariant: an address that is not
//! used is not looked up, and no answer is not "no such domain".

use crate::auth::{Dns, DnsFailure};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::finding::Finding;
use std::collections::BTreeMap;
use std::time::Duration;

/// Domains that are looked up at most.
const MOST: usize = 20;

pub(super) fn operator_findings(config: &Config, dns: &Dns) -> Vec<Finding> {
    let mut addresses: Vec<(Vec<String>, &str)> = Vec::new();
    if let Some(to) = config.unproven.forwarded_to().filter(|_| config.unproven.server.is_none()) {
        addresses.push((vec!["unproven".into(), "to".into()], to));
    }
    let alerting = config.alerting.get().ok().filter(|alerting| alerting.server.is_none());
    for (number, rule) in alerting.into_iter().flat_map(|alerting| &alerting.rules).enumerate() {
        let key = vec!["alert".into(), number.to_string(), "mail".into()];
        addresses.extend(rule.mail.iter().map(|to| (key.clone(), to.as_str())));
    }
    let mut known: BTreeMap<&str, bool> = BTreeMap::new();
    let mut findings = servers(config, dns);
    for (key, to) in addresses {
        let domain = to.rsplit_once('@').map_or(to, |(_, domain)| domain);
        if known.len() >= MOST && !known.contains_key(domain) {
            break;
        }
        let is_lost = *known.entry(domain).or_insert_with(|| is_lost(config, dns, domain));
        if is_lost {
            let key: Vec<&str> = key.iter().map(String::as_str).collect();
            let found =
                format!("mail for {to} is never delivered: {domain} has neither MX nor address in DNS");
            let fix = "correct the address, or name a mail server that takes it: server";
            // With a zone, peers are part of a test.
            let finding = match config.dns.zone.is_some() {
                true => Finding::note("domains", found, fix),
                false => Finding::wrong("domains", found, fix),
            };
            findings.push(finding.of_key(config, &key));
        }
    }
    findings
}

/// Servers that are named for such mail, and that no name leads to.
fn servers(config: &Config, dns: &Dns) -> Vec<Finding> {
    let of_alerts = config.alerting.get().ok().and_then(|alerting| alerting.server.as_ref());
    let of_unproven = config.unproven.server.as_ref();
    let named = [(of_alerts, ["alerts", "server"]), (of_unproven, ["unproven", "server"])];
    let lost = named.into_iter().filter_map(|(server, key)| {
        let host = &server?.host;
        let by = Deadline::after(Duration::from_secs(u64::from(config.dns.timeout)));
        dns.addresses(host, by).err().filter(|failure| *failure == DnsFailure::NotFound)?;
        let found = format!("[{}] {}: {host} has no address, so nothing is sent to it", key[0], key[1]);
        let finding = Finding::wrong("domains", found, "name a host that DNS has, or an address");
        // A zone is for tests, and seldom has every host.
        Some(Finding { note: config.dns.zone.is_some(), ..finding }.of_key(config, &key))
    });
    lost.collect()
}

fn is_lost(config: &Config, dns: &Dns, domain: &str) -> bool {
    let deadline = Deadline::after(Duration::from_secs(u64::from(config.dns.timeout)));
    matches!(dns.mx(domain, deadline), Err(DnsFailure::NotFound | DnsFailure::NoMail))
}
