//! `[lmtp]`: who may connect, who is believed, certificate and key, and chaos that was left on.
//!
//! Not here: the rules of its keys (`config/rules`). Invariant: with complete settings there is
//! nothing to find.

use crate::config::{Config, LmtpTable};
use crate::finding::Finding;
use crate::listen::{TlsIdentity, open_files};

const SUBJECT: &str = "lmtp";

pub(super) fn lmtp_findings(config: &Config) -> Vec<Finding> {
    let table = &config.lmtp;
    let key = |finding: Finding, key: &str| finding.of_key(config, &["lmtp", key]);
    let mut findings = Vec::new();
    if let Err(error) = TlsIdentity::load(table.certificate.as_deref(), table.key.as_deref()) {
        let fix = "let the user of carom read certificate and key, and use a pair that belongs together";
        findings.push(key(Finding::wrong(SUBJECT, error.text(), fix), "certificate"));
    }
    let open = table.clients.iter().find(|network| network.prefix_len() == 0);
    findings.extend(open.map(|network| {
        let found = format!("[lmtp] clients has {network}: every host may connect");
        key(Finding::note(SUBJECT, found, "name the networks of the hosts that forward bounces"), "clients")
    }));
    findings.extend(table.xforward.iter().filter_map(|network| {
        let is_wide = network.prefix_len() < if network.addr().is_ipv4() { 24 } else { 64 };
        let why = match (network.addr().is_loopback(), is_wide) {
            (true, _) => "every process on this host can prove any report",
            (_, true) => "each of its hosts can prove any report",
            _ => return None,
        };
        let found = format!("[lmtp] xforward has {network}: {why}");
        let fix = "use a unix socket that the mail server alone can open, or name its address: see \
                   /usr/share/doc/carom/docs/lmtp.md (docs/lmtp.md of the sources)";
        Some(key(Finding::note(SUBJECT, found, fix), "xforward"))
    }));
    if !open_files::are_enough_for(table.sessions) {
        let found = format!("[lmtp] sessions = {}: more than files may be open", table.sessions);
        let fix = "use fewer sessions, or raise LimitNOFILE of the service";
        findings.push(key(Finding::note(SUBJECT, found, fix), "sessions"));
    }
    findings.extend(chaos(table).map(|finding| key(finding, "chaos_by_address")));
    findings
}

fn chaos(table: &LmtpTable) -> Option<Finding> {
    let is_on = table.chaos_by_address || !table.chaos.is_empty();
    is_on.then(|| {
        let fix = "remove [[lmtp.chaos]] and chaos_by_address where real mail comes in";
        Finding::note(SUBJECT, "sessions of carom lmtp go wrong on purpose (chaos)", fix)
    })
}
