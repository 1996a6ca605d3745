//! What decides whether a report is believed (`docs/proof.md`) and whether a report is answered:
//! settings by which strangers could have one believed, or by which nothing is ever proven,
//! recognized or answered.
//!
//! Not here: what proves a report (`policy/proof`). Invariant: with complete settings there is
//! nothing to find.

use crate::config::Config;
use crate::finding::Finding;
use crate::wiring;

/// What a finding is about.
const SUBJECT: &str = "proof";
/// The shipped policies by name.
const SINK: &str = "sink";
const BOUNCE: &str = "bounce";

pub(super) fn proof_findings(config: &Config) -> Vec<Finding> {
    let findings = servers(config).chain(believes_anyone(config));
    let findings = findings.chain(keys_are_missing(config)).chain(proves_nothing(config));
    findings.chain(tests_real_mail(config)).chain(answers_nobody(config)).collect()
}

fn trust<'a>(config: &'a Config, policy: &str) -> Option<&'a str> {
    config.policy.get(policy)?.settings.get("trust")?.as_str()
}

fn believes_anyone(config: &Config) -> impl Iterator<Item = Finding> {
    config.policy.keys().filter(|name| trust(config, name) == Some("off")).map(|name| {
        let found = format!("policy {name}: with trust = \"off\" anyone can suppress any address");
        let fix = "set trust to \"required\" or \"preferred\", and prove reports: see /usr/share/doc/carom/docs/proof.md (docs/proof.md of the sources)";
        Finding::note(SUBJECT, found, fix).of_key(config, &["policy", name, "settings", "trust"])
    })
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
        let fix = "name only hosts that send mail and take none from strangers: see /usr/share/doc/carom/docs/proof.md (docs/proof.md of the sources)";
        Some(Finding::note(SUBJECT, found, fix).of_key(config, &["auth", "own_servers"]))
    })
}

/// Return paths whose bounces the sink would get. Mail for them waits.
fn tests_real_mail(config: &Config) -> Option<Finding> {
    config.sink_of_return_paths().map(|error| Finding::error(SUBJECT, &error))
}

/// A domain of return paths that nothing signs.
fn keys_are_missing(config: &Config) -> Option<Finding> {
    let domain = config.return_paths.domain_without_keys()?;
    let found =
        format!("[verp] domain is {domain}, and there are no keys: no return path is signed or recognized");
    let fix = "set [verp] keys to one that you make with: carom secret new; or remove domain";
    Some(Finding::wrong("verp", found, fix).of_key(config, &["verp", "domain"]))
}

/// The bounce policy suppresses only what is proven.
fn proves_nothing(config: &Config) -> Option<Finding> {
    let is_used = config.default_policy == BOUNCE || config.policy.contains_key(BOUNCE);
    let reads_logs = config.mail_logs.get().is_ok_and(|logs| !logs.is_empty());
    let trust = trust(config, BOUNCE).unwrap_or("required");
    let proves = config.return_paths.has_keys() || reads_logs || !config.auth.own_servers.is_empty();
    if !is_used || proves || trust == "off" {
        return None;
    }
    let fix = "sign return paths ([verp] keys and domain), or read the mail log ([[logs]]): see /usr/share/doc/carom/docs/proof.md (docs/proof.md of the sources)";
    if trust != "required" || wiring::hands_mail_to_carom() {
        let found = "only bounces that the Postfix on this host writes are proven: there are no [verp] keys, \
                     no [[logs]] and no [auth] own_servers";
        return Some(Finding::note(SUBJECT, found, fix));
    }
    let found = "no report can ever be proven, so none suppresses an address: there are no [verp] keys, no \
                 [[logs]] and no [auth] own_servers";
    Some(Finding::wrong(SUBJECT, found, fix).of_key(config, &["default_policy"]))
}

/// The sink sends bounces and complaints only through mail exchangers that it knows.
fn answers_nobody(config: &Config) -> Option<Finding> {
    let table = config.policy.get(SINK);
    let is_used = config.default_policy == SINK || table.is_some();
    if !is_used || table.is_some_and(|table| table.path.is_some()) {
        return None;
    }
    let list = table.and_then(|table| table.settings.get("mx_allowlist"));
    let is_empty = match list {
        Some(toml::Value::Table(hosts)) => hosts.is_empty(),
        Some(toml::Value::Array(hosts)) => hosts.is_empty(),
        other => other.is_none(),
    };
    let found = "mx_allowlist of the sink is empty: bounces (oob) and complaints (fbl) are sent to nobody";
    let fix = "name the mail exchangers of the senders that you test: [policy.sink.settings.mx_allowlist] and \
               below it \"mx.example.com\" = \"\"";
    let finding = Finding::note(SINK, found, fix);
    is_empty.then(|| finding.of_key(config, &["policy", SINK, "settings", "mx_allowlist"]))
}
