//! `carom check`: is everything there that carom needs? Each finding gives the subject, what was
//! found, and the fix if something is wrong.
//!
//! Not here: the rules of the config (`config`) and of policies (`workshop::inspect`). Invariant:
//! it changes nothing that a message would not change too (opening the store may create it), and
//! "ok" means that it was tried.

mod mail_log_findings;
mod permissions;
mod trust_findings;

use crate::auth::{Dns, DnsFailure};
use crate::clock;
use crate::config::{Config, CycleTable, ExportTable};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::files::{command, private};
use crate::finding::Finding;
use crate::policy::{self, Wanted};
use crate::store::Store;
use crate::wiring;
use crate::workshop::inspect;
use mail_log_findings::mail_log;
use permissions::permissions;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use trust_findings::trust_findings;

/// Without a tick for so long (milliseconds), ticks have stopped.
const OVERDUE_MS: i64 = 10 * 60_000;
/// A name that every resolver can answer, and that none answers without asking.
const KNOWN_DOMAIN: &str = "com";

/// Everything.
pub(crate) fn check(config: &Config) -> Vec<Finding> {
    let mut findings = sections(config);
    findings.extend(permissions(config));
    findings.extend(needed(config));
    findings.extend(trust_findings(config));
    let logs = config.mail_logs.get().into_iter().flatten();
    findings.extend(logs.map(|log| mail_log(config, log)));
    findings.extend(config.cycles.get().into_iter().flatten().flat_map(cycle));
    findings.extend(config.export.get().into_iter().flat_map(exports));
    findings.extend(wiring::findings_if_used(config));
    findings.extend(tick(config));
    findings.push(dns(config));
    findings
}

/// What a message needs, tested without the network and without reading mail logs. A fault in a
/// part of the config that only `carom cron` reads is not looked for: it must not stop mail.
pub(crate) fn quick(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::good("config", "read and understood, as far as messages need it")];
    findings.extend(needed(config));
    findings
}

fn needed(config: &Config) -> Vec<Finding> {
    let mut findings = policies(config);
    let mail = config.require_domains(&config.default_policy);
    findings.extend(mail.err().map(|error| Finding::error("config", &error)));
    findings.push(store(config));
    findings.push(writable("log", &config.log_dir(), "[log] directory"));
    let relay = [(&config.relay.done, "[relay] done"), (&config.relay.failed, "[relay] failed")];
    let relay = relay.into_iter().filter_map(|(path, key)| Some((path.as_deref()?, key)));
    findings.extend(relay.map(|(path, key)| writable("relay", path, key)));
    findings
}

/// The parts of the config that `carom cron` reads; everything else was checked when it was loaded.
fn sections(config: &Config) -> Vec<Finding> {
    let faults = [
        config.alerting.get().err(),
        config.cycles.get().err(),
        config.export.get().err(),
        config.mail_logs.get().err(),
    ];
    let faults: Vec<Error> = faults.into_iter().flatten().collect();
    match faults.is_empty() {
        true => vec![Finding::good("config", "read and understood")],
        false => faults.iter().map(|fault| Finding::error("config", fault)).collect(),
    }
}

/// Where exports go.
fn exports(export: &ExportTable) -> Vec<Finding> {
    let files = [(&export.prometheus, "[export] prometheus"), (&export.html, "[export] html")];
    let files = files.into_iter().filter_map(|(file, key)| Some((file.as_deref()?.parent()?, key)));
    let directories =
        [(&export.json, "[export] json"), (&export.csv, "[export] csv"), (&export.events, "[export] events")];
    let directories = directories.into_iter().filter_map(|(path, key)| Some((path.as_deref()?, key)));
    // A directory of our own is created when it is needed.
    let directories = directories.filter_map(|(path, key)| Some((existing(path)?, key)));
    files.chain(directories).map(|(directory, key)| takes_files("export", directory, key)).collect()
}

/// The directory itself, or the nearest one above it that exists.
fn existing(path: &Path) -> Option<&Path> {
    path.ancestors().find(|path| path.exists())
}

/// Whether a directory that carom does not create takes a file.
fn takes_files(subject: &str, directory: &Path, key: &str) -> Finding {
    match directory.is_dir() {
        true => writable(subject, directory, key),
        false => Finding::wrong(
            subject,
            format_args!("{}: there is no such directory", directory.display()),
            format_args!("create it, or set {key} to a file in another one"),
        ),
    }
}

/// The directory of a cycle's file, and the programs that it runs.
fn cycle(cycle: &CycleTable) -> Vec<Finding> {
    let directory = cycle.file.as_deref().and_then(Path::parent);
    let directory = directory.map(|directory| takes_files("cycle", directory, "[[cycle]] file"));
    let programs =
        [(&cycle.reload, "reload"), (&cycle.run, "run")].into_iter().filter_map(|(command, key)| {
            let program = command.first().filter(|program| !command::exists(program))?;
            let found = format!("[[cycle]] {} {key}: there is no program {program:?}", cycle.name);
            Some(Finding::wrong("cycle", found, "install it, or write its full path"))
        });
    directory.into_iter().chain(programs).collect()
}

/// Once there was a tick, there is one each minute, and no part of it fails.
fn tick(config: &Config) -> Option<Finding> {
    let beat = Store::open(&config.store_path()).and_then(|store| store.heartbeat()).ok()??;
    let (last, took) = (clock::rfc3339(beat.at_ms), beat.duration_ms);
    if clock::now_ms() - beat.at_ms > OVERDUE_MS {
        let remedy = "let cron or a timer run `carom cron` each minute as the mail user";
        return Some(Finding::wrong("tick", format_args!("the last one was at {last}"), remedy));
    }
    if !beat.failed.is_empty() {
        let failed = format!("the last one, at {last}, failed in part: {}", beat.failed.join(", "));
        let remedy = "run `carom cron` as the mail user, and follow what it says";
        return Some(Finding::wrong("tick", failed, remedy));
    }
    Some(Finding::good("tick", format_args!("the last one was at {last} and took {took} ms")))
}

/// The default policy, the one that classifies log lines, and every one that has a table: it loads,
/// accepts its settings, and decides about a message.
fn policies(config: &Config) -> Vec<Finding> {
    let damaged = policy::verify_compiled(config);
    let config = Arc::new(config.clone());
    let inspect = |name: &str| {
        let mut findings = inspect::inside(&config, &Wanted { name, file: None, settings: None });
        for finding in findings.iter_mut().filter(|finding| finding.subject == "settings") {
            finding.found = config.locate_complaint(name, &finding.found);
        }
        findings
    };
    let damaged = damaged.iter().map(|error| Finding::error("policy", error));
    damaged.chain(config.policies_in_use().into_iter().flat_map(inspect)).collect()
}

fn store(config: &Config) -> Finding {
    match Store::open(&config.store_path()).and_then(|store| store.check()) {
        Ok(found) => Finding::good("store", found),
        Err(error) => Finding::error("store", &error),
    }
}

/// Whether a directory exists, or can be created, and takes a file.
fn writable(subject: &str, directory: &Path, key: &str) -> Finding {
    let probe = directory.join(format!(".check-{:x}", fastrand::u64(..)));
    let tried = private::make_directory(directory)
        .and_then(|()| private::make_file(&probe))
        .and_then(|()| std::fs::remove_file(&probe));
    match tried {
        Ok(()) => Finding::good(subject, format_args!("{} can be written", directory.display())),
        Err(error) => {
            let remedy =
                format!("let the user that runs carom write there, or set {key} to another directory");
            Finding::wrong(subject, format_args!("{}: {error}", directory.display()), remedy)
        }
    }
}

/// Whether a query is answered. That the answer is "no such name" is an answer too.
fn dns(config: &Config) -> Finding {
    let dns = match Dns::open(&config.dns) {
        Ok(dns) => dns,
        Err(error) => return Finding::error("dns", &error),
    };
    let deadline = Deadline::after(Duration::from_secs(u64::from(config.dns.timeout)));
    match dns.mx(KNOWN_DOMAIN, deadline) {
        Err(DnsFailure::Temporary(text)) => Finding::wrong(
            "dns",
            text,
            "set [dns] servers to a resolver that answers, or correct /etc/resolv.conf",
        ),
        Ok(_) | Err(DnsFailure::NotFound | DnsFailure::NoMail) => Finding::good("dns", "answers"),
    }
}
