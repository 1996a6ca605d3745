//! `carom check`: is everything there that carom needs? Each finding gives the subject, what was
//! found, where, and the fix if something is wrong. `docs/check.md` lists them.
//!
//! Not here: the rules of the config (`config`) and of policies (`workshop::inspect`). Invariants:
//! it creates nothing, and removes only compiled code that is damaged; "ok" means that it was
//! tried, without a trace, by the user who will do it.

mod alert_findings;
mod bytecode_findings;
mod doubt_findings;
mod event_findings;
mod exchanger_findings;
mod lmtp_findings;
mod loop_findings;
mod mail_log_findings;
mod missing_names;
mod network_findings;
mod operator_findings;
mod output_findings;
mod permissions;
mod place_findings;
mod place_kind;
mod proof_findings;
mod secret_findings;
mod sender_findings;
mod shared_findings;
mod serve_findings;
mod spool_findings;
mod store_findings;
mod systemd_unit;
mod unit_findings;
mod webhook_findings;

pub(crate) use network_findings::{connect, connect_to_named};
pub(crate) use shared_findings::connect_to_shared;

use crate::config::Config;
use crate::error::Error;
use crate::finding::Finding;
use crate::policy::{self, CodeCheck, Use, Wanted};
use crate::wiring;
use crate::workshop::inspect;
use lmtp_findings::lmtp_findings;
use mail_log_findings::mail_log;
use network_findings::dns;
use permissions::permissions;
use place_findings::{own_places, policies_place, relative_paths};
use proof_findings::proof_findings;
use std::path::PathBuf;
use std::sync::Arc;
use store_findings::StoreDepth;

/// Everything. `spools` are relay directories, beside those that are known.
pub(crate) fn check(config: &Config, spools: &[PathBuf]) -> Vec<Finding> {
    let mut findings = sections(config);
    findings.extend(config.misnamed_domains().map(|error| Finding::error("config", &error)));
    findings.extend(relative_paths(config));
    findings.extend(permissions(config));
    findings.extend(secret_findings::tick_secrets(config));
    findings.extend(policies_place(config));
    findings.extend(needed(config, StoreDepth::Whole));
    findings.extend(store_findings::index_finding(config));
    findings.extend(proof_findings(config));
    findings.extend(lmtp_findings(config));
    findings.extend(serve_findings::serve_findings(config));
    findings.extend(loop_findings::loop_findings(config));
    findings.extend(doubt_findings::doubt_findings(config));
    findings.extend(alert_findings::alert_findings(config));
    findings.extend(shared_findings::shared_findings(config));
    let logs = config.mail_logs.get().into_iter().flatten().enumerate();
    findings.extend(
        logs.map(|(number, log)| {
            mail_log(config, log).of_key(config, &["logs", &number.to_string(), "path"])
        }),
    );
    let cycles = config.cycles.get().into_iter().flatten().enumerate();
    findings.extend(cycles.flat_map(|(number, cycle)| output_findings::cycle(config, number, cycle)));
    let exports = config.export.get().into_iter();
    findings.extend(exports.flat_map(|export| output_findings::exports(config, export)));
    findings.extend(event_findings::event_findings(config));
    findings.extend(output_findings::replaced(config));
    findings.extend(bytecode_findings::bytecode_findings(config));
    findings.extend(unit_findings::unit_findings(config));
    findings.extend(wiring::findings_if_used(config));
    findings.extend(wiring::own_mail_findings(config));
    findings.extend(wiring::powermta_findings(config));
    findings.extend(spool_findings::spool_findings(config, spools));
    findings.extend(dns(config));
    findings
}

/// What a message needs, tested without the network and without reading mail logs. A fault in a
/// part of the config that only `carom cron` reads is not looked for: it must not stop mail.
pub(crate) fn quick(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::good("config", "read and understood, as far as messages need it")];
    findings.extend(needed(config, StoreDepth::Version));
    findings
}

fn needed(config: &Config, depth: StoreDepth) -> Vec<Finding> {
    let mut findings = policies(config);
    let mail = config.require_domains(&config.default_policy);
    findings.extend(mail.err().map(|error| Finding::error("config", &error)));
    findings.extend(secret_findings::mail_secrets(config));
    findings.extend(own_places(config).iter().map(|place| place.finding(config)));
    findings.extend(store_findings::store_findings(config, depth));
    findings
}

/// The parts of the config that `carom cron` reads; everything else was checked when it was loaded.
fn sections(config: &Config) -> Vec<Finding> {
    let faults = [
        config.access.get().err(),
        config.alerting.get().err(),
        config.cycles.get().err(),
        config.events.get().err(),
        config.export.get().err(),
        config.mail_logs.get().err(),
        config.shared.get().err(),
        config.serve.get().err(),
    ];
    let faults: Vec<Error> = faults.into_iter().flatten().collect();
    match faults.is_empty() {
        true => vec![Finding::good("config", "read and understood")],
        false => faults.iter().map(|fault| Finding::error("config", fault)).collect(),
    }
}

/// Where a policy is named.
fn key_of_policy<'a>(config: &Config, name: &'a str) -> Vec<&'a str> {
    let has_path = config.policy.get(name).is_some_and(|policy| policy.path.is_some());
    let receives = config.access.get().is_ok_and(|access| access.policy.as_deref() == Some(name));
    match (has_path, name == config.default_policy, receives) {
        (true, ..) => vec!["policy", name, "path"],
        (_, true, _) => vec!["default_policy"],
        (.., true) => vec!["access", "policy"],
        _ => vec!["index", "policy"],
    }
}

/// The default policy, those that are named elsewhere, and every one that has a table: it loads,
/// accepts its settings, and decides about a message.
fn policies(config: &Config) -> Vec<Finding> {
    let damaged = policy::verify_compiled(config, CodeCheck::Look);
    let config = Arc::new(config.clone());
    let inspect = |name: &str| {
        let wanted = Wanted { name, file: None, settings: None };
        let mut findings = inspect::inside(&config, &wanted, Use::Look);
        for finding in findings.iter_mut().filter(|finding| finding.subject == "settings") {
            finding.place = config.place_of_complaint(name, &finding.found);
        }
        let key = key_of_policy(&config, name);
        for finding in findings.iter_mut().filter(|finding| finding.subject == "policy" && finding.is_wrong())
        {
            finding.place = config.place_of(&key).or(finding.place.take());
        }
        findings
    };
    let damaged = damaged.iter().map(|error| Finding::error("policy", error));
    damaged.chain(config.policies_in_use().into_iter().flat_map(inspect)).collect()
}
