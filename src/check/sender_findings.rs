//! The sender domains that the config names as ours: they exist, and the mail logs have mail of
//! them under that name.
//!
//! Not here: the domains whose mail carom takes (`network_findings`). Invariant: a domain that mail
//! was counted for is never in doubt, and one that has sent nothing yet is not wrong.

use super::missing_names::{MissingName, Sought};
use crate::auth::Dns;
use crate::clock::{self, DAY_MS};
use crate::config::Config;
use crate::dimension::Dimension;
use crate::dimension::domain::registered;
use crate::finding::Finding;
use crate::index::{HOURS_MS, Index, Stretch};
use crate::mailbox_syntax::normal_domain;
use crate::maillog::Whose;
use crate::wiring::similar;
use std::collections::BTreeSet;

/// Domains that are looked up at most.
const MOST: usize = 20;
/// Deliveries of others that show whose mail a log has.
const ENOUGH: i64 = 100;

pub(super) fn sender_findings(config: &Config, dns: &Dns) -> Vec<Finding> {
    let index = Index::glance(&config.index_path()).ok().flatten();
    let days = Stretch::days_since(clock::now_ms() - HOURS_MS);
    let sums = index.as_ref().and_then(|index| index.sums(&[days], Dimension::SenderDomain).ok());
    let sending: BTreeSet<String> = sums.into_iter().flatten().map(|(name, _)| name).collect();
    let mut findings: Vec<Finding> = nothing_is_ours(config, index.as_ref()).into_iter().collect();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for (key, domain) in sender_domains(config) {
        if known.len() >= MOST || !known.insert(domain.clone()) || sending.contains(registered(&domain)) {
            continue;
        }
        let key: Vec<&str> = key.iter().map(String::as_str).collect();
        let missing = MissingName::find(config, dns, &domain, Sought::Mail);
        let near = similar(registered(&domain), sending.iter().map(String::as_str));
        let (found, fix) = match (missing, near) {
            (_, Some(near)) => {
                let found = format!("no mail of {domain} is in the logs, and they have mail of {near}");
                (found, format!("correct {domain}, if you mean {near}"))
            }
            (Some(missing), None) => {
                let place = missing.place(config, Sought::Mail);
                (format!("the sender domain {domain} {place}"), missing.fix(&domain))
            }
            (None, None) => continue,
        };
        findings.push(Finding::note("domains", found, fix).of_key(config, &key));
    }
    findings
}

/// Every sender domain that is named, and where.
fn sender_domains(config: &Config) -> Vec<(Vec<String>, String)> {
    let key = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<String>>();
    let mut named = Vec::new();
    for (number, log) in config.mail_logs.get().into_iter().flatten().enumerate() {
        let own = log.own.iter().flatten().filter_map(|entry| entry.domain());
        named.extend(own.map(|domain| (key(&["logs", &number.to_string(), "own"]), domain)));
    }
    for (number, application) in config.applications.all().iter().enumerate() {
        let domain = application.sender_domain().filter(|domain| domain.contains('.'));
        named.extend(domain.map(|domain| (key(&["notify", &number.to_string(), "sender_domain"]), domain)));
    }
    for (number, cycle) in config.cycles.get().into_iter().flatten().enumerate() {
        let domains = cycle.purge.iter().flat_map(|purge| &purge.sender_domains);
        let key = key(&["cycle", &number.to_string(), "purge", "sender_domains"]);
        named.extend(domains.map(|domain| (key.clone(), domain.as_str())));
    }
    for domain in config.export.get().into_iter().flat_map(|export| &export.postfix_access_senders) {
        named.push((key(&["export", "postfix_access_senders"]), domain.as_str()));
    }
    let of_access = config.access.get().into_iter().flat_map(|rules| rules.sender_domains());
    named.extend(of_access.map(|domain| (key(&["access", "senders"]), domain)));
    named.into_iter().map(|(key, domain)| (key, normal_domain(domain))).collect()
}

/// Logs in which nothing is ours, by what `[[logs]] own` says.
fn nothing_is_ours(config: &Config, index: Option<&Index>) -> Option<Finding> {
    let logs = config.mail_logs.get().ok()?;
    let number = logs.iter().position(|log| log.own.is_some())?;
    let days = Stretch::days_since(clock::now_ms() - 30 * DAY_MS);
    let total = |dimension, name| {
        let sum = index?.sum(&[days], dimension, name).ok()?;
        Some(sum.sent + sum.bounced + sum.expired)
    };
    let (ours, of_others) = (total(Dimension::All, "")?, total(Dimension::Whose, Whose::Others.name())?);
    let found = format!(
        "[[logs]] own: none of {of_others} deliveries in the logs is ours, so figures are empty and failures \
         suppress nobody"
    );
    let fix = "name your sender domains, clients or streams as the log has them: see with carom deliveries";
    let is_odd = ours == 0 && of_others >= ENOUGH;
    is_odd.then(|| Finding::note("logs", found, fix).of_key(config, &["logs", &number.to_string(), "own"]))
}
