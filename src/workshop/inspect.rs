//! Can this carom run a policy, and does it behave? From the outside in: bytes, world, imports,
//! memory, settings, and a smoke run of everything that it exports.
//!
//! Not here: installing it (`policy::staging`). Invariant: a finding that something is wrong says
//! how to fix it.

use super::Bench;
use crate::class::DeliveryFailure;
use crate::config::Config;
use crate::finding::Finding;
use crate::policy::anatomy::{Anatomy, NEWEST, OFFERED};
use crate::policy::{self, Policy, Use, Wanted};
use std::path::Path;
use std::sync::Arc;

/// Inspects a component that is not installed; `settings` are those that it would get.
pub(crate) fn component(
    config: &Arc<Config>,
    name: &str,
    file: &Path,
    settings: Option<String>,
) -> Vec<Finding> {
    let anatomy = match policy::component(file).and_then(|wasm| Anatomy::read(&wasm)) {
        Ok(anatomy) => anatomy,
        Err(error) => return vec![Finding::error("component", &error)],
    };
    let objections = anatomy.objections();
    if !objections.is_empty() {
        return objections.iter().map(|error| Finding::error("world", error)).collect();
    }
    let built_for = anatomy.built_for().unwrap_or(NEWEST);
    let world = format!("carom:policy/policy@{built_for}; this carom offers {OFFERED}");
    let mut findings = vec![Finding::good("world", world)];
    findings.extend(outside(&anatomy, config));
    findings.extend(inside(config, &Wanted { name, file: Some(file), settings }, Use::One));
    findings
}

/// Without running it.
fn outside(anatomy: &Anatomy, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let imports = |package: &str| -> Vec<&str> {
        let of_package = anatomy.imports.iter().filter(|name| name.starts_with(package));
        of_package.map(|name| name.split(['/', '@']).nth(1).unwrap_or(name)).collect()
    };
    findings.push(Finding::good("imports", imports("carom:policy").join(", ")));
    if anatomy.wants_wasi() {
        let found = format!(
            "wasi ({}): files, network and environment are empty, and other calls trap",
            imports("wasi:").join(", ")
        );
        findings.push(Finding::note("imports", found, "build without WASI where the language can"));
    }
    let most = config.limits.memory as u64;
    match anatomy.memories.iter().map(|memory| memory.initial).max() {
        Some(initial) if initial > most => findings.push(Finding::wrong(
            "memory",
            format_args!("it begins with {initial} bytes, and may have {most}"),
            "build it smaller, or raise [limits] memory",
        )),
        _ => match anatomy
            .memories
            .iter()
            .map(|memory| memory.maximum)
            .max_by_key(|most| most.unwrap_or(u64::MAX))
        {
            Some(None) => findings.push(Finding::note(
                "memory",
                format_args!("unbounded; carom stops it at {most} bytes"),
                "link it with a bound where the language can (Rust and C: --max-memory=16777216)",
            )),
            Some(Some(own)) => findings.push(Finding::good("memory", format_args!("at most {own} bytes"))),
            None => findings.push(Finding::good("memory", "none")),
        },
    }
    findings
}

/// By running it: it loads, accepts its settings, and runs every export with a small message.
pub(crate) fn inside(config: &Arc<Config>, wanted: &Wanted<'_>, usage: Use) -> Vec<Finding> {
    let bench = match Bench::with_small_message(config) {
        Ok(bench) => bench,
        Err(error) => return vec![Finding::error("dns", &error)],
    };
    let policy = Policy::open(wanted, config, usage);
    let policy = match policy.and_then(|policy| policy.start_clock().map(|()| policy)) {
        Ok(policy) => policy,
        Err(error) => return vec![Finding::error("policy", &error)],
    };
    let mut findings = tried(&policy, config, &bench);
    let left_out = policy.rules_left_out(&bench.facts());
    findings.extend(left_out.iter().map(|error| Finding::error("rules", error)));
    findings
}

fn tried(policy: &Policy, config: &Arc<Config>, bench: &Bench) -> Vec<Finding> {
    let facts = bench.facts();
    let remedy = "fix the policy: `carom policy run` shows what it does";
    match policy.validate_settings(&facts) {
        Err(failure) => return vec![Finding::wrong("policy", failure, remedy)],
        Ok(complaints) if !complaints.is_empty() => {
            let fix = format!("change it in [policy.{}.settings]", policy.name);
            let finding = |complaint: &String| Finding::wrong("settings", complaint, &fix);
            return complaints.iter().map(finding).collect();
        }
        Ok(_) => {}
    }
    let failure = DeliveryFailure {
        text: "550 5.1.1 user unknown".into(),
        status: "5.1.1".into(),
        code: 550,
        ..DeliveryFailure::default()
    };
    let decided = policy.decide(&facts, bench.mail.seed, 0).map(|(decision, _)| decision.used);
    let mapped =
        policy.map(&mut None, &facts, &bench.mail.envelope.sender, &["mx.sender.example".to_owned()]);
    let classified = policy.classify(&facts, &[failure]);
    let answered =
        Bench::with_small_request(config).map(|bench| bench.facts()).ok().filter(|_| policy.receives());
    let answered = answered.map(|facts| policy.receive(&facts, bench.mail.seed, 0));
    let unanswered = answered.as_ref().and_then(|answered| answered.as_ref().err());
    let failed = [decided.as_ref().err(), mapped.as_ref().err(), classified.as_ref().err(), unanswered];
    let failed: Vec<Finding> =
        failed.into_iter().flatten().map(|failure| Finding::wrong("smoke run", failure, remedy)).collect();
    if !failed.is_empty() {
        return failed;
    }
    let form = if policy.readied.interpreted { ", as bytecode" } else { "" };
    let answers = if answered.is_some() { ", answers in the SMTP dialogue" } else { "" };
    vec![Finding::good(
        "policy",
        format_args!("{} ({}), decides, maps, classifies{answers}{form}", policy.name, policy.short_hash()),
    )]
}
