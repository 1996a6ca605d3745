//! The mail exchangers that the sink may answer, and the addresses for its complaints: whether DNS
//! has them.
//!
//! Not here: a list without an entry (`proof_findings`), and whether they answer (`--connect`).
//! Invariant: an entry with a `*` is a pattern, and is not looked up.

use super::missing_names::{MissingName, Sought};
use crate::auth::Dns;
use crate::config::Config;
use crate::finding::Finding;
use std::collections::BTreeMap;

/// The shipped policy whose settings these are.
const SINK: &str = "sink";
/// Names that are looked up at most.
const MOST: usize = 20;

pub(super) fn exchanger_findings(config: &Config, dns: &Dns) -> Vec<Finding> {
    let table = config.policy.get(SINK).filter(|table| table.path.is_none());
    let Some(list) = table.and_then(|table| table.settings.get("mx_allowlist")) else { return Vec::new() };
    let hosts: BTreeMap<&str, &str> = match list {
        toml::Value::Table(hosts) => {
            hosts.iter().map(|(host, to)| (host.as_str(), to.as_str().unwrap_or_default())).collect()
        }
        toml::Value::Array(hosts) => hosts.iter().filter_map(|host| Some((host.as_str()?, ""))).collect(),
        _ => return Vec::new(),
    };
    let impossible = hosts.keys().copied().filter(|host| !is_possible(host)).map(|host| {
        let found = format!("mx_allowlist has {host:?}, which cannot be the name of a host");
        let fix = "write the host as a key, and where its complaints go as the value: \"mx.example.com\" = \
                   \"fbl@example.com\"";
        let key = ["policy", SINK, "settings", "mx_allowlist", host];
        Finding::wrong(SINK, found, fix).of_key(config, &key)
    });
    let is_host = |host: &&str| !host.contains('*') && is_possible(host);
    let names = hosts.keys().copied().filter(is_host).map(|host| (host, host, Sought::Address));
    let domains = hosts.iter().filter_map(|(host, to)| Some((*host, to.rsplit_once('@')?.1, Sought::Mail)));
    let lost = names.chain(domains).take(MOST).filter_map(|(host, name, sought)| {
        let name = name.trim_end_matches('.');
        let missing = MissingName::find(config, dns, name, sought)?;
        let place = missing.place(config, sought);
        let found = match sought {
            Sought::Address => {
                format!("mx_allowlist has {name}, which {place}: it is the exchanger of nobody")
            }
            Sought::Mail => format!("mx_allowlist sends complaints to {name}, which {place}"),
        };
        let key = ["policy", SINK, "settings", "mx_allowlist", host];
        Some(Finding::note(SINK, found, missing.fix(name)).of_key(config, &key))
    });
    impossible.chain(lost).collect()
}

/// Whether a host, or some by a `*`, can have this name.
fn is_possible(host: &str) -> bool {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '*');
    !host.is_empty() && host.chars().all(is_of_name)
}
