//! Does Postfix ask carom about suppressed recipients (`carom access`, `carom socketmap`), in time,
//! and does mail flow while carom is stopped?
//!
//! Not here: the answers (`crate::access`). Invariant: a service is taken for ours if its name has
//! `carom`, master.cf runs carom as it, or `enable` wrote it; nothing is sent to any other.

use super::list_value::ASKS;
use super::postconf::{Postconf, RESTRICTIONS};
use super::postfix_endpoint::silence;
use super::wiring_record::WiringRecord;
use crate::config::Config;
use crate::error::Result;
use crate::finding::Finding;
use crate::mailbox_syntax::normal_domain;

/// A request about nobody.
const PROBE: &[u8] = b"request=smtpd_access_policy\nprotocol_state=CONNECT\n\n";

/// One `check_policy_service`.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    endpoint: String,
    /// `default_action` is DUNNO.
    fails_open: bool,
    /// What permits before it.
    permits: Option<String>,
}

pub(super) fn findings(postconf: &Postconf, config: &Config) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let opens = postconf.expanded("smtpd_policy_service_default_action")?;
    let mut at_data = false;
    for name in RESTRICTIONS {
        let mut values = postconf.overrides(name);
        values.extend(postconf.expanded(name));
        for asked in values.iter().flat_map(|value| asked(value)).filter(|asked| is_ours(postconf, asked)) {
            at_data |= name.contains("data");
            findings.extend(one(postconf, name, &asked, opens.eq_ignore_ascii_case("dunno")));
        }
    }
    let discards = config.access.get().is_ok_and(|rules| rules.discards());
    if discards && !findings.is_empty() && !at_data {
        let found = "[access] drops mail to suppressed recipients, and Postfix asks only before DATA";
        let fix = "ask in smtpd_data_restrictions too: there a message is known to have no other recipient";
        findings.push(Finding::wrong("postfix", found, fix));
    }
    if !findings.is_empty() {
        findings.extend(nameless_sender(config));
    }
    Ok(findings)
}

/// Signed return paths of which nothing says whose mail they are: entries of the list for the
/// domain in From are not found for them.
fn nameless_sender(config: &Config) -> Option<Finding> {
    let domain = config.return_paths.domain()?;
    let rules = config.access.get().ok()?;
    if rules.sender_domains().any(|known| known == normal_domain(domain)) {
        return None;
    }
    let found = format!(
        "mail with return paths in {domain} is looked up as mail of {domain}: entries for the domain in From do not \
         refuse it"
    );
    let fix =
        format!("say whose mail it is: [[access.senders]] with domain, and return_paths = [\"{domain}\"]");
    Some(Finding::note("postfix", found, fix).of_key(config, &["verp", "domain"]))
}

fn one(postconf: &Postconf, list: &str, asked: &Asked, opens: bool) -> Vec<Finding> {
    let Asked { endpoint, fails_open, permits } = asked;
    let mut findings = Vec::new();
    if !fails_open && !opens {
        let found = format!("{list}: mail is deferred while {endpoint} does not answer");
        let fix = format!("write {ASKS} {{ {endpoint}, default_action=DUNNO }}");
        findings.push(Finding::note("postfix", found, fix));
    }
    if let Some(permits) = permits {
        let found = format!("{list}: mail that {permits} lets through is not asked about at {endpoint}");
        let fix = format!("put {ASKS} before {permits}");
        findings.push(Finding::note("postfix", found, fix));
    }
    if let Some(why) = silence(postconf, endpoint, PROBE, b"action=") {
        let found = format!("{list}: {endpoint} does not answer: {why}");
        let fix = "start it: systemctl enable --now carom-access.socket, or correct the name";
        findings.push(Finding::wrong("postfix", found, fix));
    }
    if findings.is_empty() {
        findings.push(Finding::good("postfix", format!("{list} asks {endpoint} about recipients")));
    }
    findings
}

/// Each policy service of a list of restrictions.
fn asked(value: &str) -> Vec<Asked> {
    let mut found = Vec::new();
    let mut permits: Option<String> = None;
    let mut rest = value.trim_start_matches([' ', ',']);
    while !rest.is_empty() {
        let (word, after) = word(rest);
        rest = after;
        if word.starts_with("permit") {
            permits.get_or_insert_with(|| word.to_owned());
        }
        if word == ASKS {
            let (service, after) = self::word(rest);
            rest = after;
            let inside = service.trim_start_matches('{').trim_end_matches('}');
            let mut parts = inside.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
            let endpoint = parts.next().unwrap_or_default().to_owned();
            let fails_open = inside.replace(' ', "").to_ascii_lowercase().contains("default_action=dunno");
            found.push(Asked { endpoint, fails_open, permits: permits.clone() });
        }
    }
    found
}

/// The first word, or what is in braces, and the rest.
fn word(text: &str) -> (&str, &str) {
    let end = match text.starts_with('{') {
        true => text.find('}').map_or(text.len(), |end| end + 1),
        false => text.find([' ', ',', '\t']).unwrap_or(text.len()),
    };
    (&text[..end], text[end..].trim_start_matches([' ', ',', '\t']))
}

fn is_ours(postconf: &Postconf, asked: &Asked) -> bool {
    let name = asked.endpoint.rsplit(['/', ':']).next().unwrap_or_default();
    let runs_carom = |entry: &String| {
        entry.split(' ').next() == Some(name) && entry.contains("/carom ") && entry.contains(" access")
    };
    let record = postconf.directory().and_then(|directory| WiringRecord::read(&directory));
    let is_written = record.is_ok_and(|record| record.access.is_some_and(|ours| ours.0 == asked.endpoint));
    is_written
        || asked.endpoint.contains("carom")
        || postconf.services().is_ok_and(|entries| entries.iter().any(runs_carom))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_services_are_found_with_what_comes_before_them() {
        let all = asked(
            "check_policy_service { unix:/run/x, default_action=DUNNO, timeout=10s }, permit_mynetworks, \
             check_policy_service unix:private/carom-access reject",
        );
        assert_eq!(all[0], Asked { endpoint: "unix:/run/x".into(), fails_open: true, permits: None });
        let second = Asked {
            endpoint: "unix:private/carom-access".into(),
            fails_open: false,
            permits: Some("permit_mynetworks".into()),
        };
        assert_eq!(all[1..], [second]);
        assert!(asked("permit_mynetworks, reject").is_empty() && asked("check_policy_service {").len() == 1);
    }
}
