//! Does Postfix take mail for a domain of the config and for the hosts below it, and hand it to the
//! service of its policy?
//!
//! Not here: what happens to an address before (`before_transport`), and who is refused
//! (`strangers_mail`). Invariant: a transport is looked up as Postfix does it, so that an entry for
//! an address, a pattern or a host counts before one for the domain.

use super::asked_addresses::{anybody, host_below, named_hosts, within};
use super::domain_list::lists;
use super::lmtp_route;
use super::lookup_order::{LookupOrder, TableEntry, find};
use super::pipe_service::PipeService;
use super::postconf::Postconf;
use super::service_route::ServiceRoute;
use super::similar::similar;
use crate::config::Config;
use crate::finding::Finding;
use std::collections::BTreeMap;

/// Lists of domains whose mail Postfix keeps for itself.
const OTHER_CLASSES: [&str; 3] = ["mydestination", "virtual_mailbox_domains", "virtual_alias_domains"];

/// What runs carom in this Postfix.
pub(super) struct RunningServices<'a> {
    pub(super) services: &'a [PipeService],
    /// What is wrong with a service itself, which is said once for all domains.
    pub(super) faults: &'a BTreeMap<&'a str, Vec<Finding>>,
    /// Transports that hand mail to `carom lmtp`.
    pub(super) lmtp: &'a [String],
    /// All domains whose mail goes to carom.
    pub(super) domains: &'a [&'a str],
}

/// What `transport_maps` says about an address.
pub(super) fn transport(postconf: &Postconf, address: &str) -> Option<TableEntry> {
    find(postconf, LookupOrder::Transport, &postconf.list("transport_maps"), address)
}

/// What was found; a single good finding if all is well.
pub(super) fn domain_findings(
    postconf: &Postconf,
    config: &Config,
    route: &ServiceRoute,
    domain: &str,
    running: &RunningServices<'_>,
) -> Vec<Finding> {
    let ours = OurRoute { postconf, route, domain, running };
    let mut asked = vec![(domain.to_owned(), within(config, domain))];
    asked.push((format!(".{domain}"), vec![anybody(&host_below(domain))]));
    let hosts = named_hosts(postconf, &postconf.list("transport_maps"), domain, running.domains);
    asked.extend(hosts.into_iter().map(|host| (host.clone(), vec![anybody(&host)])));
    let wrong = |(shown, addresses): (String, Vec<String>)| {
        let plain = addresses.first().cloned();
        addresses.into_iter().find_map(|address| {
            let shown = if plain.as_ref() == Some(&address) { &shown } else { &address };
            ours.goes_elsewhere(shown, &address)
        })
    };
    let mut findings: Vec<Finding> = asked.into_iter().filter_map(wrong).collect();
    findings.extend(refused(postconf, domain));
    let to = transport(postconf, &anybody(domain)).map(|entry| entry.value).unwrap_or_default();
    let service = to.split(':').next().unwrap_or_default();
    if findings.is_empty() && running.faults.get(service).is_none_or(Vec::is_empty) {
        let is_lmtp = running.lmtp.contains(&to);
        let to = if is_lmtp { &to } else { &route.service };
        let what = format!("mail for {domain} and domains below it goes to {to}");
        findings.push(Finding::good("postfix", what));
    }
    findings
}

/// Lists that keep mail for the domain, or lack it.
fn refused(postconf: &Postconf, domain: &str) -> Option<Finding> {
    let names = [domain.to_owned(), host_below(domain)];
    let kept = names.iter().flat_map(|name| OTHER_CLASSES.map(|class| (name, class)));
    if let Some((name, class)) = kept.into_iter().find(|(name, class)| lists(postconf, class, name)) {
        let what = format!("{name} is in {class}, so that unknown recipients in it may be refused");
        return Some(Finding::wrong("postfix", what, format!("remove {name} from {class}")));
    }
    let what = format!("{domain} is not in relay_domains, so that mail from outside is refused");
    (!lists(postconf, "relay_domains", domain)).then(|| Finding::wrong("postfix", what, postconf.enable()))
}

struct OurRoute<'a> {
    postconf: &'a Postconf,
    route: &'a ServiceRoute,
    domain: &'a str,
    running: &'a RunningServices<'a>,
}

impl OurRoute<'_> {
    /// Mail that another service gets, or none of carom's.
    fn goes_elsewhere(&self, shown: &str, address: &str) -> Option<Finding> {
        let entry = transport(self.postconf, address);
        let value = entry.as_ref().map(|entry| entry.value.as_str());
        let name = value.and_then(|value| value.split(':').next()).unwrap_or_default();
        let what = match self.running.services.iter().find(|service| service.name == name) {
            Some(service) if service.policy == self.route.policy => return None,
            Some(service) => {
                let policy = service.policy.as_deref().unwrap_or("the default policy");
                format!("mail for {shown} goes to {name}, which runs {policy}")
            }
            None if value.is_some_and(|value| lmtp_route::is_ours(self.postconf, value)) => {
                // The listener runs the config's own policy.
                let policy = self.route.policy.as_ref()?;
                let to = value.unwrap_or_default();
                format!("mail for {shown} goes to {to}, which runs the default policy and not {policy}")
            }
            None => {
                let way = value.map_or("does not go to carom".into(), |value| format!("goes to {value}"));
                format!("mail for {shown} {way}")
            }
        };
        Some(Finding::wrong("postfix", what, self.fix(entry.as_ref())))
    }

    /// What `enable` writes counts before an entry for a domain, and after all that are for less.
    fn fix(&self, entry: Option<&TableEntry>) -> String {
        let (domain, table) = (self.domain, entry.map_or("", |entry| entry.table.as_str()));
        let Some(entry) = entry.filter(|entry| self.is_for_less(&entry.key.text)) else {
            return self.meant();
        };
        let key = &entry.key.text;
        let to = self.running.lmtp.first().unwrap_or(&self.route.service);
        let to = if to.contains(':') { to.clone() } else { format!("{to}:") };
        let pattern = domain.replace('.', "[.]");
        match table.split(':').next().unwrap_or_default() {
            "regexp" | "pcre" => {
                format!("let {table} begin with an entry for carom: /[@.]{pattern}{}/ {to}", entry.dollar())
            }
            "static" => format!("remove {table} from transport_maps: it is for all mail"),
            _ if entry.is_pattern() => format!("let {table} have no answer for addresses in {domain}"),
            _ => format!("remove {key} from {table}, or let it lead to {to}"),
        }
    }

    /// Whether a key is for less than the domain and all hosts below it.
    fn is_for_less(&self, key: &str) -> bool {
        key.contains('@') || key.ends_with(&format!(".{}", self.domain)) && key[1..] != *self.domain
    }

    /// The domain may be a typo of one that Postfix takes.
    fn meant(&self) -> String {
        let known = self.postconf.list("relay_domains");
        match similar(self.domain, known.iter().map(|name| name.trim_start_matches('.'))) {
            Some(near) => format!("correct the domain, if you mean {near}; or {}", self.postconf.enable()),
            None => self.postconf.enable(),
        }
    }
}
