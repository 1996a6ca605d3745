//! What changes or refuses an address before Postfix asks for its transport: alias and canonical
//! tables, access tables, size limits.
//!
//! Not here: where the transport leads (`wiring_findings`). Invariant: tables are asked about
//! addresses as they come in mail, so that a pattern is found as well as an entry.

use super::asked_addresses::{anybody, host_below, named_hosts, within};
use super::list_value::without;
use super::lookup_order::{LookupOrder, TableEntry, find};
use super::masquerading::masqueraded;
use super::postconf::{Postconf, RESTRICTIONS};
use super::service_route::ServiceRoute;
use crate::config::Config;
use crate::finding::Finding;

/// Tables that replace a recipient.
const REWRITING: [&str; 3] = ["canonical_maps", "recipient_canonical_maps", "virtual_alias_maps"];

/// Results of access(5) that keep a message from its transport.
const KEEPING: [&str; 8] =
    ["REJECT", "DEFER", "DEFER_IF_REJECT", "DEFER_IF_PERMIT", "DISCARD", "HOLD", "REDIRECT", "FILTER"];

/// The addresses of a domain that tables are asked about.
struct AskedDomain<'a> {
    postconf: &'a Postconf,
    config: &'a Config,
    domain: &'a str,
    /// All domains whose mail goes to carom.
    domains: &'a [&'a str],
}

pub(super) fn findings(postconf: &Postconf, config: &Config, routes: &[ServiceRoute]) -> Vec<Finding> {
    let domains: Vec<&str> = routes.iter().flat_map(|route| &route.domains).map(String::as_str).collect();
    let asked = |domain| AskedDomain { postconf, config, domain, domains: &domains };
    let mut findings: Vec<Finding> = REWRITING
        .into_iter()
        .flat_map(|maps| domains.iter().map(move |domain| (maps, *domain)))
        .filter_map(|(maps, domain)| asked(domain).is_rewritten(maps))
        .collect();
    findings.extend(domains.iter().filter_map(|domain| is_masqueraded(postconf, domain)));
    for table in access_tables(postconf, "check_recipient_access") {
        findings.extend(domains.iter().filter_map(|domain| asked(domain).is_kept(&table)));
    }
    for table in access_tables(postconf, "check_sender_access") {
        findings.extend(is_null_sender_kept(postconf, &table));
    }
    findings.extend(size(postconf, config));
    findings
}

impl AskedDomain<'_> {
    /// Addresses in the domain, in a host below it, and in hosts that the tables name.
    fn addresses(&self, tables: &[String]) -> Vec<String> {
        let mut addresses = within(self.config, self.domain);
        addresses.push(anybody(&host_below(self.domain)));
        let hosts = named_hosts(self.postconf, tables, self.domain, self.domains);
        addresses.extend(hosts.iter().map(|host| anybody(host)));
        addresses
    }

    /// An entry that replaces addresses of the domain by others.
    fn is_rewritten(&self, maps: &str) -> Option<Finding> {
        let tables = self.postconf.list(maps);
        let found = |address: String| find(self.postconf, LookupOrder::Address, &tables, &address);
        // An address that stays itself is the usual exception from a wildcard.
        let mut found = self.addresses(&tables).into_iter().filter_map(found);
        let TableEntry { table, key, value } =
            found.find(|entry| !is_itself(&entry.key.text, &entry.value))?;
        let (domain, key) = (self.domain, key.text);
        Some(Finding::wrong(
            "postfix",
            format_args!("{maps} replaces addresses in {domain}: {table} has {value} for {key}"),
            format_args!("take the domain out of {table}: such mail does not come to carom as it was sent"),
        ))
    }

    /// An entry of an access table that keeps mail for the domain.
    fn is_kept(&self, table: &str) -> Option<Finding> {
        let tables = [table.to_owned()];
        let found = |address: String| find(self.postconf, LookupOrder::Access, &tables, &address);
        let mut found = self.addresses(&tables).into_iter().filter_map(found);
        let entry = found.find(|entry| keeps(&entry.value))?;
        let (domain, result, key) = (self.domain, entry.value, entry.key.text);
        Some(Finding::wrong(
            "postfix",
            format_args!("{table} keeps mail for {domain} from carom: it has `{result}` for {key}"),
            format_args!("remove the entry from {table}, or let one with DUNNO come before it"),
        ))
    }
}

pub(super) fn is_itself(key: &str, to: &str) -> bool {
    let domain = key.rsplit_once('@').map_or(key, |(_, domain)| domain);
    to.eq_ignore_ascii_case(key) || to.strip_prefix('@').is_some_and(|to| to.eq_ignore_ascii_case(domain))
}

/// A domain above this one that replaces it in recipients.
fn is_masqueraded(postconf: &Postconf, domain: &str) -> Option<Finding> {
    let below = host_below(domain);
    let masqueraded = |name| Some((name, masqueraded(postconf, "envelope_recipient", name)?));
    let (name, to) = [domain, &below].into_iter().find_map(masqueraded)?;
    Some(Finding::wrong(
        "postfix",
        format_args!("masquerade_domains replaces addresses in {domain}: {name} becomes {to}"),
        format_args!(
            "put !{domain} before {to} in masquerade_domains, or take envelope_recipient out of masquerade_classes"
        ),
    ))
}

/// Bounces have the null sender.
fn is_null_sender_kept(postconf: &Postconf, table: &str) -> Option<Finding> {
    let key = postconf.expanded("smtpd_null_access_lookup_key").ok().filter(|key| !key.is_empty())?;
    let result = postconf.look_up(table, &key).filter(|result| keeps(result))?;
    Some(Finding::wrong(
        "postfix",
        format_args!("{table} keeps bounces from carom: it has `{result}` for the null sender, {key}"),
        format_args!("remove the entry for {key} from {table}: every bounce has the null sender"),
    ))
}

pub(super) fn keeps(result: &str) -> bool {
    let action = result.split_whitespace().next().unwrap_or_default();
    let is_code = action.len() == 3 && action.starts_with(['4', '5']) && result.len() > 3;
    is_code || KEEPING.iter().any(|keeping| action.eq_ignore_ascii_case(keeping))
}

/// The tables that a restriction asks, in main.cf and in the `-o` options of master.cf.
fn access_tables(postconf: &Postconf, restriction: &str) -> Vec<String> {
    let mut tables = Vec::new();
    for name in RESTRICTIONS {
        let in_services = postconf.overrides(name);
        let lists = in_services.iter().map(|value| without(value, &[])).chain([postconf.list(name)]);
        for list in lists {
            let asked = list.windows(2).filter(|pair| pair[0].eq_ignore_ascii_case(restriction));
            tables.extend(asked.map(|pair| pair[1].clone()));
        }
    }
    tables.sort();
    tables.dedup();
    tables
}

/// A message that Postfix takes and carom never does comes back only when it has expired.
fn size(postconf: &Postconf, config: &Config) -> Option<Finding> {
    let limit: u64 = postconf.expanded("message_size_limit").ok()?.parse().ok()?;
    let ours = config.message.max_size;
    if (1..=ours).contains(&limit) {
        return None;
    }
    let shown = if limit == 0 { "no limit".to_owned() } else { format!("{limit} bytes") };
    Some(Finding::wrong(
        "postfix",
        format_args!("message_size_limit is {shown}, and carom takes {ours} bytes: larger mail is deferred"),
        "set message_size_limit to at most [message] max_size, or raise max_size",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_access_tables_that_keep_mail_are_known() {
        for result in
            ["REJECT", "reject not here", "550 5.1.1 gone", "450 later", "HOLD", "redirect a@b.example"]
        {
            assert!(keeps(result), "{result}");
        }
        for result in ["OK", "DUNNO", "550", "12345", "PREPEND X-A: b", "permit_mynetworks", "WARN x", ""] {
            assert!(!keeps(result), "{result}");
        }
    }

    #[test]
    fn an_address_that_stays_itself_is_not_replaced() {
        assert!(is_itself("@a.example", "@a.example") && is_itself("x@a.example", "X@A.example"));
        assert!(is_itself("x@a.example", "@a.example"));
        assert!(!is_itself("@a.example", "x@a.example") && !is_itself("@a.example", "@b.example"));
    }
}
