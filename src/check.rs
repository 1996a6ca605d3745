//! `carom check`: is everything there that a message will need? Each finding says what was looked at, what was found,
//! and, where something is wrong, how to mend it.
//!
//! It changes nothing that a message would not change too: opening the store may create it.

use crate::auth::{Dns, DnsFailure};
use crate::clock;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::finding::Finding;
use crate::policy::Wanted;
use crate::store::Store;
use crate::workshop::inspect;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A last tick so long ago (milliseconds) was the last for now.
const OVERDUE_MS: i64 = 10 * 60_000;

/// Looks at everything.
pub(crate) fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::good("config", "read and understood")];
    findings.extend(policies(config));
    findings.push(store(config));
    findings.push(writable("log", &config.log_dir(), "[log] directory"));
    if let Some(done) = &config.relay.done {
        findings.push(writable("relay", done, "[relay] done"));
    }
    if let Some(failed) = &config.relay.failed {
        findings.push(writable("relay", failed, "[relay] failed"));
    }
    for directory in config
        .cycles
        .get()
        .into_iter()
        .flatten()
        .filter_map(|cycle| cycle.file.as_deref().and_then(Path::parent))
    {
        findings.push(match directory.is_dir() {
            true => writable("cycle", directory, "[[cycle]] file"),
            false => Finding::wrong(
                "cycle",
                format_args!("{}: there is no such directory", directory.display()),
                "make it, or set [[cycle]] file to a file in another one",
            ),
        });
    }
    let sections = [
        config.alerting.get().err(),
        config.cycles.get().err(),
        config.export.get().err(),
        config.mail_logs.get().err(),
    ];
    findings.extend(sections.iter().flatten().map(|error| Finding::error("config", error)));
    findings.extend(tick(config));
    findings.push(dns(config));
    findings
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
        return Some(Finding::wrong(
            "tick",
            failed,
            "run `carom cron` as the mail user and see what it says",
        ));
    }
    Some(Finding::good("tick", format_args!("the last one was at {last} and took {took} ms")))
}

/// The default policy, the one that classifies what logs say, and every one that has a table: it loads, accepts its settings, and
/// decides about a message.
fn policies(config: &Config) -> Vec<Finding> {
    let mut names: Vec<&String> = config.policy.keys().collect();
    if !names.contains(&&config.default_policy) {
        names.push(&config.default_policy);
    }
    let classifies = &config.index.policy;
    if config.mail_logs.get().is_ok_and(|logs| !logs.is_empty())
        && !classifies.is_empty()
        && !names.contains(&classifies)
    {
        names.push(classifies);
    }
    let config = Arc::new(config.clone());
    let look = |name: &&String| inspect::inside(&config, &Wanted { name, file: None, settings: None });
    names.iter().flat_map(look).collect()
}

fn store(config: &Config) -> Finding {
    match Store::open(&config.store_path()).and_then(|store| store.check()) {
        Ok(found) => Finding::good("store", found),
        Err(error) => Finding::error("store", &error),
    }
}

/// A directory that carom writes to is there and takes a file.
fn writable(subject: &str, directory: &Path, key: &str) -> Finding {
    let probe = directory.join(format!(".check-{:x}", fastrand::u64(..)));
    let tried = std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(&probe, b""))
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

/// DNS answers at all: a name that cannot exist (RFC 2606) is found not to.
fn dns(config: &Config) -> Finding {
    let asked = Dns::open(&config.dns).map(|dns| {
        let deadline = Deadline::after(Duration::from_secs(u64::from(config.dns.timeout.max(1))));
        dns.addresses("carom-check.invalid", deadline)
    });
    match asked {
        Err(error) => Finding::error("dns", &error),
        Ok(Err(DnsFailure::Temporary(text))) => Finding::wrong(
            "dns",
            text,
            "set [dns] servers to a resolver that answers, or mend /etc/resolv.conf",
        ),
        Ok(_) => Finding::good("dns", "answers"),
    }
}
