//! Does Postfix send mail with the return path that was signed? Tables and masquerading can replace
//! the sender of the envelope, and then no bounce is known again.
//!
//! Not here: what they do to recipients (`before_transport`). Invariant: only the domain that
//! return paths are signed for counts.

use super::asked_addresses::signed;
use super::before_transport::is_itself;
use super::list_value::without;
use super::lookup_order::{LookupOrder, find};
use super::masquerading::masqueraded;
use super::postconf::Postconf;
use crate::config::Config;
use crate::finding::Finding;

/// A class of addresses, as `masquerade_classes` names it.
const SENDER: &str = "envelope_sender";

/// Tables that replace the sender, and the parameter that says where; empty: everywhere. What
/// `canonical_maps` replaces, it replaces in recipients too.
const REPLACING: [(&str, &str); 2] =
    [("sender_canonical_maps", "sender_canonical_classes"), ("smtp_generic_maps", "")];

pub(super) fn findings(postconf: &Postconf, config: &Config) -> Vec<Finding> {
    let Some(domain) = config.return_paths.domain() else { return Vec::new() };
    let sample = signed(config, domain).into_iter().next();
    let replaced = sample.iter().flat_map(|sample| REPLACING.map(|(maps, classes)| (sample, maps, classes)));
    let mut findings: Vec<Finding> =
        replaced.filter_map(|(sample, maps, classes)| is_replaced(postconf, maps, classes, sample)).collect();
    findings.extend(is_masqueraded(postconf, domain));
    findings
}

fn is_replaced(postconf: &Postconf, maps: &str, classes: &str, sample: &str) -> Option<Finding> {
    if !classes.is_empty() && !postconf.list(classes).iter().any(|class| class == SENDER) {
        return None;
    }
    let of_services = postconf.overrides(maps).into_iter().map(|value| without(&value, &[]));
    let entry = of_services
        .chain([postconf.list(maps)])
        .find_map(|tables| find(postconf, LookupOrder::Address, &tables, sample))?;
    let (table, key, value) = (&entry.table, &entry.key.text, &entry.value);
    if is_itself(key, value) {
        return None;
    }
    let pattern = sample.rsplit_once('@').map_or(sample, |(_, domain)| domain).replace('.', "[.]");
    let fix = match entry.is_pattern() {
        true => {
            let end = entry.dollar();
            format!("let {table} begin with an entry that keeps them: /^(.*@{pattern}){end}/ {end}1")
        }
        false => format!("remove {key} from {table}"),
    };
    Some(Finding::wrong(
        "postfix",
        format_args!(
            "{maps} replaces signed return paths: {table} has {value} for {key}, so bounces prove nothing"
        ),
        fix,
    ))
}

fn is_masqueraded(postconf: &Postconf, domain: &str) -> Option<Finding> {
    let to = masqueraded(postconf, SENDER, domain)?;
    Some(Finding::wrong(
        "postfix",
        format_args!(
            "masquerade_domains replaces signed return paths: {domain} becomes {to}, so bounces go there"
        ),
        format_args!(
            "put !{domain} before {to} in masquerade_domains, or take {SENDER} out of masquerade_classes"
        ),
    ))
}
