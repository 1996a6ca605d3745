//! `[serve]`: where it listens, who may ask, certificate and key, and the file of the rules that
//! were installed there.
//!
//! Not here: the rules of its keys (`config/serve_rules`). Invariant: with complete settings there
//! is nothing to find.

use super::place_findings::user;
use crate::config::Config;
use crate::files::command::shell_word;
use crate::files::probe;
use crate::finding::Finding;
use crate::listen::{ListenAddress, TlsIdentity};

const SUBJECT: &str = "serve";

pub(super) fn serve_findings(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let path = config.installed_rules_path();
    // A state directory that is none, or is out of reach, is found as that.
    let has_rules = config.state_dir().is_dir() && probe::barred_by(&path).is_none();
    if let Some(error) = config.installed_rules().err().filter(|_| has_rules) {
        let error = match probe::may_read(&path) {
            Err(_) => {
                error.remedy(format!("let the user of carom read it: chown {} {}", user(), shell_word(&path)))
            }
            Ok(()) => error,
        };
        findings.push(Finding::error("rules", &error));
    }
    // A fault in the section is found where it is read.
    let Ok(rules) = config.serve.get() else { return findings };
    let (table, key) = (&rules.table, |finding: Finding, key: &str| finding.of_key(config, &["serve", key]));
    if let Err(error) = TlsIdentity::load(table.certificate.as_deref(), table.key.as_deref()) {
        let fix = "let the user of carom read certificate and key, and use a pair that belongs together";
        findings.push(key(Finding::wrong(SUBJECT, error.text(), fix), "certificate"));
    }
    for written in &table.listen {
        let address = match written.parse() {
            Ok(ListenAddress::Tcp(address)) if !address.ip().is_loopback() => address,
            Ok(_) => continue,
            Err(error) => {
                let fix = error.remedy_text().unwrap_or("use ADDRESS:PORT or unix:PATH");
                findings.push(key(Finding::wrong(SUBJECT, error.text(), fix), "listen"));
                continue;
            }
        };
        if rules.tokens.is_empty() {
            let found =
                format!("[serve] listen has {address}, and there are no tokens: carom serve does not start");
            let fix = "add [[serve.tokens]] (see `carom secret new --token`), or listen on 127.0.0.1";
            findings.push(key(Finding::wrong(SUBJECT, found, fix), "listen"));
        } else if table.certificate.is_none() {
            let found = format!("[serve] listen has {address}: tokens go over the network in plain text");
            let fix = "set certificate and key, or listen on 127.0.0.1 behind a proxy with HTTPS";
            findings.push(key(Finding::note(SUBJECT, found, fix), "listen"));
        }
    }
    findings
}
