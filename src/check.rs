//! `carom check`: is everything there that a message will need? Each finding says what was looked at, what was found,
//! and, where something is wrong, how to mend it.
//!
//! It changes nothing that a message would not change too: opening the store may create it.

use crate::auth::{Dns, DnsFailure};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::policy::Policy;
use crate::policy::facts::Facts;
use crate::store::Store;
use serde::Serialize;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was looked at: `policy`, `store`, `dns`, …
    pub subject: String,
    /// What was found.
    pub found: String,
    /// How to mend it; `None` when all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    fn good(subject: &str, found: impl ToString) -> Finding {
        Finding { subject: subject.into(), found: found.to_string(), remedy: None }
    }

    fn wrong(subject: &str, found: impl ToString, remedy: impl ToString) -> Finding {
        Finding { subject: subject.into(), found: found.to_string(), remedy: Some(remedy.to_string()) }
    }

    fn error(subject: &str, error: &Error) -> Finding {
        let remedy = error.remedy_text().unwrap_or("see the text of the error");
        Finding::wrong(subject, error.text(), remedy)
    }
}

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
    let dns = match Dns::open(&config.dns) {
        Ok(dns) => Arc::new(dns),
        Err(error) => return vec![Finding::error("dns", &error)],
    };
    let mut findings = Vec::new();
    for name in names {
        let policy =
            match Policy::load(name, config, 1).and_then(|policy| policy.start_clock().map(|()| policy)) {
                Ok(policy) => policy,
                Err(error) => {
                    findings.push(Finding::error("policy", &error));
                    continue;
                }
            };
        let deadline = Deadline::after(Duration::from_secs(1));
        let raw = Arc::new(b"Subject: carom check\r\n\r\n".to_vec());
        let facts =
            Rc::new(Facts::new(raw, Envelope::default(), Arc::new(config.clone()), dns.clone(), deadline));
        match policy.validate_settings(&facts) {
            Err(failure) => {
                findings.push(Finding::wrong("policy", failure, "mend the policy, or name another"))
            }
            Ok(complaints) if complaints.is_empty() => {
                findings.push(Finding::good("policy", format_args!("{name} ({})", &policy.hash[..12])));
            }
            Ok(complaints) => findings.extend(complaints.iter().map(|complaint| {
                Finding::wrong("policy", complaint, format_args!("change it in [policy.{name}.settings]"))
            })),
        }
    }
    findings
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
