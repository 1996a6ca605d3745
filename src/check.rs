//! `carom check`: is everything there that a message will need? Each finding says what was looked at, what was found,
//! and, where something is wrong, how to mend it.
//!
//! It changes nothing that a message would not change too: opening the store may create it.

use crate::auth::{Dns, DnsFailure};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::policy::Wanted;
use crate::store::Store;
use crate::workshop::inspect::{self, Finding};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Looks at everything.
pub fn check(config: &Config) -> Vec<Finding> {
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
    findings.push(dns(config));
    findings
}

/// The default policy and every one that has a table: it loads, accepts its settings, and decides about a message.
fn policies(config: &Config) -> Vec<Finding> {
    let mut names: Vec<&String> = config.policy.keys().collect();
    if !names.contains(&&config.default_policy) {
        names.push(&config.default_policy);
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
