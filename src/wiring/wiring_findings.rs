//! Does Postfix hand carom the mail that the config is about? For `carom postfix show` and `carom
//! check`.
//!
//! Not here: changing it. Invariant: it asks Postfix and changes nothing; wiring by hand counts as
//! much as ours.

use super::pipe_service::PipeService;
use super::postconf::Postconf;
use super::service_route::{ServiceRoute, named_routes, routes};
use super::similar::similar;
use super::{asking_findings, before_transport, lmtp_route};
use crate::config::{Config, LogKind, MailLog, OwnMail};
use crate::error::Result;
use crate::finding::Finding;
use std::collections::{BTreeMap, BTreeSet};

/// Lists of domains whose mail Postfix keeps for itself.
const OTHER_CLASSES: [&str; 3] = ["mydestination", "virtual_mailbox_domains", "virtual_alias_domains"];

/// The same for a host that may have no Postfix, or one that is not there for carom.
pub(crate) fn findings_if_used(config: &Config) -> Vec<Finding> {
    if !Postconf::is_installed() || routes(config).is_ok_and(|routes| routes.is_empty()) {
        return Vec::new();
    }
    instances().iter().flat_map(|postconf| of_instance(postconf, config)).collect()
}

/// The instances of Postfix on this host that run carom; the first one if none does.
fn instances() -> Vec<Postconf> {
    let first = Postconf::new(None);
    let others = first.list("multi_instance_directories").into_iter();
    let others: Vec<Postconf> = others.map(|directory| Postconf::new(Some(directory.into()))).collect();
    let is_ours = |postconf: &Postconf| is_wired(postconf).unwrap_or(false);
    let mut wired: Vec<Postconf> = others.into_iter().filter(is_ours).collect();
    if wired.is_empty() || is_ours(&first) {
        wired.insert(0, first);
    }
    wired
}

/// Whether an instance of Postfix on this host has a service that runs carom.
pub(crate) fn hands_mail_to_carom() -> bool {
    Postconf::is_installed() && instances().iter().any(|postconf| is_wired(postconf).unwrap_or(false))
}

fn of_instance(postconf: &Postconf, config: &Config) -> Vec<Finding> {
    let mut findings =
        mail_findings(postconf, config).unwrap_or_else(|error| vec![Finding::error("postfix", &error)]);
    if !is_wired(postconf).unwrap_or(false) {
        findings.iter_mut().for_each(|finding| finding.note = true);
    }
    findings.extend(asking_findings::findings(postconf, config).into_iter().flatten());
    findings
}

/// Whether a service runs carom.
pub(super) fn is_wired(postconf: &Postconf) -> Result<bool> {
    let is_ours = |entry: &String| PipeService::read(entry).is_some() || lmtp_route::is_service(entry);
    Ok(postconf.services()?.iter().any(is_ours))
}

/// What was found; the first finding for each domain says whether its mail arrives.
pub(crate) fn findings(postconf: &Postconf, config: &Config) -> Result<Vec<Finding>> {
    let mut findings = mail_findings(postconf, config)?;
    findings.extend(asking_findings::findings(postconf, config)?);
    Ok(findings)
}

fn mail_findings(postconf: &Postconf, config: &Config) -> Result<Vec<Finding>> {
    let routes = match named_routes(config) {
        Ok(routes) => routes,
        Err(error) => return Ok(vec![Finding::error("postfix", &error)]),
    };
    let services: Vec<PipeService> =
        postconf.services()?.iter().filter_map(|entry| PipeService::read(entry)).collect();
    let domains = routes.iter().flat_map(|route| &route.domains);
    let used: BTreeSet<String> = domains.filter_map(|domain| transport(postconf, domain)).collect();
    let lmtp: Vec<&String> = used.iter().filter(|to| lmtp_route::is_ours(postconf, to)).collect();
    if services.is_empty() && lmtp.is_empty() {
        let found = "master.cf has no service that runs carom pipe";
        return Ok(vec![Finding::wrong("postfix", found, postconf.enable())]);
    }
    // Others may run carom with a config of their own.
    let is_used = |service: &&PipeService| used.iter().any(|to| to.split(':').next() == Some(&service.name));
    let running = services.iter().filter(is_used).map(|one| (&*one.name, one.running(postconf, config)));
    let running: BTreeMap<&str, Vec<Finding>> = running.collect();
    let mut findings = Vec::new();
    for route in &routes {
        let of_domain = |domain: &String| domain_findings(postconf, route, domain, &services, &running);
        findings.extend(route.domains.iter().flat_map(of_domain));
    }
    findings.extend(running.into_values().flatten());
    for transport in lmtp {
        findings.extend(lmtp_route::findings(postconf, transport));
        findings.extend(not_shown_as_ours(postconf, config, transport));
    }
    for service in &services {
        findings.extend(service.limits(postconf, config)?);
        findings.extend(service.user(postconf, config));
        findings.extend(not_named_as_ours(config, service));
    }
    findings.extend(before_transport::findings(postconf, config, &routes));
    findings.extend(filters(postconf));
    if !postconf.list("relay_recipient_maps").is_empty() {
        findings.push(Finding::note(
            "postfix",
            "relay_recipient_maps is set: recipients that it does not list are refused",
            "let it list the recipients in the domains of carom, for example with a regexp table",
        ));
    }
    Ok(findings)
}

/// The first log, by number, in which mail that is handed to carom would count as mail that was
/// sent: these are the names that the log has.
fn counting_as_sent<'c>(config: &'c Config, names: &[String]) -> Option<(usize, &'c MailLog)> {
    let logs = config.mail_logs.get().into_iter().flatten().enumerate();
    let mut logs = logs.filter(|(_, log)| matches!(log.kind, LogKind::Postfix | LogKind::Journald));
    logs.find(|(_, log)| {
        let own = OwnMail::of(log, config);
        !names.iter().any(|name| own.is_into_carom(name))
    })
}

fn not_shown_as_ours(postconf: &Postconf, config: &Config, transport: &str) -> Option<Finding> {
    let names = lmtp_route::names_in_log(postconf, transport);
    counting_as_sent(config, &names)?;
    let service = transport.split(':').next().unwrap_or_default();
    let found = format!(
        "the log does not show that {transport} hands mail to carom: what it gets counts as mail that was sent"
    );
    let fix = format!("add -o syslog_name=postfix/{service} to {service} in master.cf");
    Some(Finding::wrong("postfix", found, fix))
}

fn not_named_as_ours(config: &Config, service: &PipeService) -> Option<Finding> {
    let (number, log) = counting_as_sent(config, std::slice::from_ref(&service.name))?;
    let (name, written) = (&service.name, log.carom_transports.join(", "));
    let found = format!(
        "{name} hands mail to carom, and carom_transports of [[logs]] ({written}) does not name it: what it gets \
         counts as mail that was sent"
    );
    let finding = Finding::wrong("postfix", found, format_args!("set carom_transports = [\"{name}\"]"));
    Some(finding.of_key(config, &["logs", &number.to_string(), "carom_transports"]))
}

/// Whether mail for a domain, and for those below it, is taken and goes to the right service.
fn domain_findings(
    postconf: &Postconf,
    route: &ServiceRoute,
    domain: &str,
    services: &[PipeService],
    running: &BTreeMap<&str, Vec<Finding>>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut right, mut by_lmtp) = (0, None);
    for key in [domain.to_owned(), format!(".{domain}")] {
        let found = transport(postconf, &key);
        let name = found.as_deref().and_then(|found| found.split(':').next()).unwrap_or_default();
        match services.iter().find(|service| service.name == name) {
            Some(service) if service.policy == route.policy => {
                // What is wrong with the service itself is said once for all domains.
                right += i32::from(running.get(name).is_none_or(Vec::is_empty));
            }
            Some(service) => {
                let policy = service.policy.as_deref().unwrap_or("the default policy");
                let what = format!("mail for {key} goes to {name}, which runs {policy}");
                findings.push(Finding::wrong("postfix", what, postconf.enable()));
            }
            None if found.as_deref().is_some_and(|found| lmtp_route::is_ours(postconf, found)) => {
                by_lmtp = found;
                right += 1;
            }
            None => {
                let way = found.map_or("does not go to carom".into(), |found| format!("goes to {found}"));
                let what = format!("mail for {key} {way}");
                findings.push(Finding::wrong("postfix", what, meant(postconf, domain)));
            }
        }
    }
    if let Some(class) = OTHER_CLASSES.into_iter().find(|class| lists(postconf, class, domain)) {
        let what = format!("{domain} is in {class}, so that unknown recipients in it may be refused");
        findings.push(Finding::wrong("postfix", what, format!("remove {domain} from {class}")));
    } else if !lists(postconf, "relay_domains", domain) {
        let what = format!("{domain} is not in relay_domains, so that mail from outside is refused");
        findings.push(Finding::wrong("postfix", what, postconf.enable()));
    }
    if right == 2 && findings.is_empty() {
        let to = by_lmtp.as_ref().map_or(&route.service, |transport| transport);
        let what = format!("mail for {domain} and domains below it goes to {to}");
        findings.push(Finding::good("postfix", what));
    }
    findings
}

/// The fix for a domain that is not routed: it may be a typo of one that Postfix takes.
fn meant(postconf: &Postconf, domain: &str) -> String {
    let known = postconf.list("relay_domains");
    match similar(domain, known.iter().map(|name| name.trim_start_matches('.'))) {
        Some(near) => format!("correct the domain, if you mean {near}; or {}", postconf.enable()),
        None => postconf.enable(),
    }
}

/// What `transport_maps` says about a key. For a name below a domain, Postfix asks for both forms.
fn transport(postconf: &Postconf, key: &str) -> Option<String> {
    let parents = postconf.matches_subdomains("transport_maps");
    let keys = [Some(key), key.strip_prefix('.').filter(|_| parents)];
    let tables = postconf.list("transport_maps");
    let asked = keys.into_iter().flatten();
    asked
        .flat_map(|key| tables.iter().map(move |table| (key, table)))
        .find_map(|(key, table)| postconf.look_up(table, key))
}

/// Whether a list of domains has this one, by name or in a table.
fn lists(postconf: &Postconf, parameter: &str, domain: &str) -> bool {
    postconf.list(parameter).iter().any(|element| match element.contains(':') {
        true => postconf.look_up(element, domain).is_some(),
        false => element.eq_ignore_ascii_case(domain),
    })
}

/// Filters that hand mail in again: carom sees them as the client, unless they pass it on.
fn filters(postconf: &Postconf) -> Option<Finding> {
    let set = |name: &str| {
        let mut values = postconf.overrides(name);
        values.extend(postconf.expanded(name));
        values.into_iter().find(|value| !value.is_empty())
    };
    let (name, filter) =
        ["content_filter", "smtpd_proxy_filter"].into_iter().find_map(|name| Some((name, set(name)?)))?;
    let forwards = postconf.overrides("smtp_send_xforward_command");
    let asked = postconf.expanded("smtp_send_xforward_command").is_ok_and(|value| value == "yes");
    // smtpd(8) passes the client to a proxy that offers XFORWARD without being asked.
    let is_passed = name == "content_filter" && (asked || forwards.iter().any(|value| value == "yes"));
    if is_passed || set("smtpd_authorized_xforward_hosts").is_some() && name == "smtpd_proxy_filter" {
        return None;
    }
    Some(Finding::note(
        "postfix",
        format_args!("{name} = {filter}: carom sees the filter as the client of all mail"),
        "pass on the client with XFORWARD: -o smtp_send_xforward_command=yes for the service that \
         hands mail to the filter, and smtpd_authorized_xforward_hosts where it comes back",
    ))
}
