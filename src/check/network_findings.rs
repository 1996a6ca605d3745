//! What the network says: DNS answers, the domains of the config exist in it, and, if it is asked
//! for, a mail exchanger answers on port 25.
//!
//! Not here: which addresses may be connected to (`action::doors`). Invariant: DNS is asked for a
//! name that no cache knows, so that a query leaves the host; nothing is connected to unless
//! `--connect` asks for it, and no mail is begun.

use super::exchanger_findings::exchanger_findings;
use super::missing_names::{MissingName, Sought};
use super::operator_findings::operator_findings;
use super::sender_findings::sender_findings;
use super::webhook_findings::webhook_findings;
use crate::action::doors::{TargetHost, smtp};
use crate::auth::{Dns, DnsFailure};
use crate::config::{Config, MailServer};
use crate::deadline::Deadline;
use crate::finding::Finding;
use crate::store::{PendingStep, Store};
use crate::wiring;
use std::collections::BTreeSet;
use std::time::Duration;

/// Domains that are looked up, and mail exchangers that are tried, at most.
const MOST: usize = 20;
/// Actions that send mail to the sender of a message.
const MAILED: [&str; 3] = ["bounce", "complain", "auto-reply"];

fn deadline(config: &Config) -> Deadline {
    Deadline::after(Duration::from_secs(u64::from(config.dns.timeout)))
}

/// Whether a query is answered. That the answer is "no such name" is an answer too.
pub(super) fn dns(config: &Config) -> Vec<Finding> {
    let dns = match Dns::open(&config.dns).and_then(|dns| dns.ready().map(|()| dns)) {
        Ok(dns) => dns,
        Err(error) => return vec![Finding::error("dns", &error).of_key(config, &["dns"])],
    };
    if let Some(zone) = &config.dns.zone {
        let mut findings =
            vec![Finding::good("dns", format_args!("{} answers, and no server", zone.display()))];
        findings.extend(misspelled(config, &dns));
        findings.extend(named(config, &dns));
        return findings;
    }
    let unknown_name = format!("carom-check-{:012x}.com", fastrand::u64(..1 << 48));
    match dns.mx(&unknown_name, deadline(config)) {
        Err(DnsFailure::Temporary(text)) => vec![
            Finding::wrong(
                "dns",
                text,
                "set [dns] servers to a resolver that answers, or correct /etc/resolv.conf",
            )
            .of_key(config, &["dns", "servers"]),
        ],
        Ok(_) | Err(DnsFailure::NotFound | DnsFailure::NoMail) => {
            let mut findings = vec![Finding::good("dns", "answers")];
            findings.extend(domains(config, &dns));
            findings.extend(named(config, &dns));
            findings
        }
    }
}

/// Hosts and domains that the config names for other reasons than mail that carom takes.
fn named(config: &Config, dns: &Dns) -> Vec<Finding> {
    let mut findings = operator_findings(config, dns);
    findings.extend(webhook_findings(config, dns));
    findings.extend(exchanger_findings(config, dns));
    findings.extend(sender_findings(config, dns));
    findings
}

/// Domains of the config to which nobody can send mail. The names below a sink's domain count, too.
fn domains(config: &Config, dns: &Dns) -> Vec<Finding> {
    let routed = wiring::domains(config);
    let lost = routed.iter().take(MOST).filter(|(_, domain)| {
        let is_lost = |name: &str| matches!(dns.mx(name, deadline(config)), Err(DnsFailure::NotFound));
        is_lost(domain) && is_lost(&format!("accept.{domain}"))
    });
    let finding = |(policy, domain): &(String, String)| {
        let found = format!("{domain} has neither MX nor address in DNS: nobody can send mail to it");
        let fix = format!("correct the domain, or publish: {domain}. IN MX 10 {}.", config.hostname());
        Finding::note("domains", found, fix).of_key(config, &key_of(config, policy, domain))
    };
    lost.map(finding).collect()
}

/// Domains of the config that the zone does not have, and has under a similar name. A zone need not
/// have the domains of a sink.
fn misspelled(config: &Config, dns: &Dns) -> Vec<Finding> {
    let routed = wiring::domains(config);
    let meant = routed.iter().filter_map(|(policy, domain)| {
        let missing = MissingName::find(config, dns, domain, Sought::Mail)?;
        let found = format!("{domain} {}", missing.place(config, Sought::Mail));
        let finding = Finding::note("domains", found, missing.fix(domain));
        Some(finding.of_key(config, &key_of(config, policy, domain)))
    });
    meant.collect()
}

/// Where a domain is written.
fn key_of<'a>(config: &Config, policy: &'a str, domain: &str) -> Vec<&'a str> {
    match config.return_paths.domain() {
        Some(verp) if verp.eq_ignore_ascii_case(domain) => vec!["verp", "domain"],
        Some(_) if config.return_paths.is_domain(domain) => vec!["verp", "earlier"],
        _ => vec!["policy", policy, "settings", "domains"],
    }
}

/// Connects to the mail exchangers of `domain`, or of those that mail waits for, or to those that
/// the sink may answer, until one greets.
pub(crate) fn connect(config: &Config, domain: Option<&str>) -> Finding {
    let dns = match Dns::open(&config.dns) {
        Ok(dns) => dns,
        Err(error) => return Finding::error("connect", &error),
    };
    let by = Deadline::after(Duration::from_secs(config.send.timeout.into()));
    let (hosts, why_not) = exchangers(config, &dns, domain, by);
    let Some(first) = hosts.first() else {
        let fix = "name one: carom check --connect example.com";
        return match why_not {
            Some(why_not) => Finding::wrong("connect", why_not, fix),
            None => Finding::note("connect", "no domain is known that carom would send mail to", fix),
        };
    };
    let port = config.network.smtp_port;
    let (tried, mut failures) = (&hosts[..hosts.len().min(MOST)], Vec::new());
    for (left, host) in (1..=tried.len() as u32).rev().zip(tried) {
        // One that answers nothing leaves time for the others.
        let by = Deadline::after(by.left() / left);
        let target = TargetHost { name: host.clone(), port, may_be_private: false };
        match smtp::greeting(&target, config, &dns, by) {
            Ok(greeting) => {
                return Finding::good("connect", format_args!("{host} answers on port {port}: {greeting}"));
            }
            Err(failure) => failures.push(format!("{host}: {failure}")),
        }
    }
    let found = format!("port {port} of no mail exchanger answers: {}", failures.join("; "));
    let fix = format!(
        "let this host connect to port {port} of others: many providers block it until they are asked; see with: \
         nc -vz {first} {port}"
    );
    Finding::wrong("connect", found, fix)
}

/// Connects to the servers that the config names for alerts and for unproven mail.
pub(crate) fn connect_to_named(config: &Config) -> Vec<Finding> {
    let Ok(dns) = Dns::open(&config.dns) else { return Vec::new() };
    let alerts = config.alerting.get().ok().and_then(|alerting| alerting.server.as_ref());
    let named = [(alerts, ["alerts", "server"]), (config.unproven.server.as_ref(), ["unproven", "server"])];
    let tried = named.into_iter().filter_map(|(server, key)| {
        let MailServer { host, port } = server?;
        let target = TargetHost { name: host.clone(), port: *port, may_be_private: true };
        let by = Deadline::after(Duration::from_secs(config.send.timeout.into()));
        let name = format!("[{}] {}, {host} on port {port}", key[0], key[1]);
        let finding = match smtp::greeting(&target, config, &dns, by) {
            Ok(greeting) => Finding::good("connect", format_args!("{name}, answers: {greeting}")),
            Err(why) => {
                let fix = "correct host and port, or let the server listen there";
                Finding::wrong("connect", format_args!("{name}, does not answer: {why}"), fix)
            }
        };
        Some(finding.of_key(config, &key))
    });
    tried.collect()
}

/// Names of mail exchangers, or why there are none.
fn exchangers(
    config: &Config,
    dns: &Dns,
    domain: Option<&str>,
    by: Deadline,
) -> (Vec<String>, Option<String>) {
    let domains = match domain {
        Some(domain) => vec![domain.to_owned()],
        None => waiting_domains(config),
    };
    let (mut hosts, mut why_not) = (Vec::new(), None);
    for domain in domains.iter().take(MOST) {
        match dns.mx(domain, by) {
            Ok(found) => hosts.extend(found),
            Err(DnsFailure::Temporary(text)) => why_not = Some(text),
            Err(DnsFailure::NotFound | DnsFailure::NoMail) => {
                why_not = Some(format!("{domain} takes no mail"))
            }
        }
    }
    if hosts.is_empty() && domain.is_none() {
        let list = config.policy.get("sink").and_then(|sink| sink.settings.get("mx_allowlist"));
        let named = list.and_then(toml::Value::as_table).into_iter().flatten().map(|(host, _)| host.clone());
        hosts.extend(named.filter(|host| !host.contains('*')));
    }
    (hosts, why_not)
}

/// The domains of senders to whom mail waits in the outbox.
fn waiting_domains(config: &Config) -> Vec<String> {
    let mut domains: BTreeSet<String> = BTreeSet::new();
    let mut add = |step: PendingStep| {
        let domain = step.envelope.sender.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase());
        domains.extend(domain.filter(|_| MAILED.contains(&step.action.as_str())));
        Ok(true)
    };
    // A store that cannot be read is a finding of its own.
    let _ = Store::glance(&config.store_path()).and_then(|store| store.visit_steps(&mut add));
    domains.into_iter().collect()
}
