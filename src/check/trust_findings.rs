//! Settings by which strangers could have a report believed (`docs/proof.md`).
//!
//! Not here: what proves a report (`policy/proof`). Invariant: with the defaults there is nothing
//! to find.

use crate::config::Config;
use crate::finding::Finding;

/// What a finding is about.
const SUBJECT: &str = "proof";

pub(super) fn trust_findings(config: &Config) -> impl Iterator<Item = Finding> {
    servers(config).chain(config.policy.iter().filter_map(|(name, policy)| {
        let is_off = policy.settings.get("trust").is_some_and(|trust| trust.as_str() == Some("off"));
        is_off.then(|| {
            let found = format!("policy {name}: with trust = \"off\" anyone can suppress any address");
            let fix = "set trust to \"required\" or \"preferred\", and prove reports: see docs/proof.md";
            Finding::note(SUBJECT, found, fix)
        })
    }))
}

/// Networks from which more than our own servers may hand in reports.
fn servers(config: &Config) -> impl Iterator<Item = Finding> {
    config.auth.own_servers.iter().filter_map(|network| {
        let is_wide = network.prefix_len() < if network.addr().is_ipv4() { 24 } else { 64 };
        let why = if network.addr().is_loopback() {
            "what a filter on this host hands back comes from there, too"
        } else if is_wide {
            "it is a whole network"
        } else {
            return None;
        };
        let found = format!("[auth] own_servers has {network}: {why}");
        let fix = "name only hosts that send mail and take none from strangers: see docs/proof.md";
        Some(Finding::note(SUBJECT, found, fix))
    })
}
