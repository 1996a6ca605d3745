//! Mail that carom sends to itself: forwarded messages and alerts whose address is in a domain that
//! is handed to carom.
//!
//! Not here: circles through other hosts, which only a message shows (`action::loops`). Invariant:
//! an address that is not used is not looked at.

use crate::config::Config;
use crate::finding::Finding;
use crate::wiring;

/// What a finding is about.
const SUBJECT: &str = "loop";

pub(super) fn loop_findings(config: &Config) -> Vec<Finding> {
    let own = wiring::domains(config);
    let domain_of = |address: &str| own_domain(&own, address);
    let mut findings = Vec::new();
    if let Some((to, domain)) = config.unproven.forwarded_to().and_then(|to| Some((to, domain_of(to)?))) {
        let found = format!(
            "[unproven] to: mail for {to} comes back to carom, which has {domain}: nobody reads what is forwarded"
        );
        let fix = format!("set to to a mailbox that people read, outside of {domain}");
        findings.push(Finding::wrong(SUBJECT, found, fix).of_key(config, &["unproven", "to"]));
    }
    let rules = config.alerting.get().into_iter().flat_map(|alerting| &alerting.rules).enumerate();
    for (number, rule) in rules {
        let lost = rule.mail.iter().find_map(|to| Some((to, domain_of(to)?)));
        findings.extend(lost.map(|(to, domain)| {
            let found = format!(
                "[[alert]] {}: mail for {to} comes back to carom, which has {domain}: nobody is alerted",
                rule.name
            );
            let fix = format!("set mail to a mailbox that people read, outside of {domain}");
            Finding::wrong(SUBJECT, found, fix).of_key(config, &["alert", &number.to_string(), "mail"])
        }));
    }
    findings
}

/// The domain of carom's that an address is in, or below.
fn own_domain<'a>(own: &'a [(String, String)], address: &str) -> Option<&'a str> {
    let domain = address.rsplit_once('@')?.1.trim_end_matches('.').to_ascii_lowercase();
    let is_in =
        |own: &&str| domain.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    own.iter().map(|(_, own)| own.as_str()).find(is_in)
}
