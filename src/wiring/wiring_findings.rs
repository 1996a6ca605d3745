//! Does Postfix hand carom the mail that the config is about? For `carom postfix show` and `carom
//! check`.
//!
//! Not here: changing it. Invariant: it asks Postfix and changes nothing; wiring by hand counts as
//! much as ours.

use super::asked_addresses::anybody;
use super::domain_findings::{RunningServices, domain_findings, transport};
use super::pipe_service::PipeService;
use super::postconf::Postconf;
use super::service_route::{named_routes, routes};
use super::{asking_findings, before_transport, lmtp_route, sent_return_paths, strangers_mail};
use crate::config::{Config, LogKind, MailLog, OwnMail};
use crate::error::Result;
use crate::finding::Finding;
use std::collections::{BTreeMap, BTreeSet};

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
    let used = domains.filter_map(|domain| Some(transport(postconf, &anybody(domain))?.value));
    let used: BTreeSet<String> = used.collect();
    let lmtp: Vec<String> = used.iter().filter(|to| lmtp_route::is_ours(postconf, to)).cloned().collect();
    if services.is_empty() && lmtp.is_empty() {
        let found = "master.cf has no service that runs carom pipe";
        return Ok(vec![Finding::wrong("postfix", found, postconf.enable())]);
    }
    // Others may run carom with a config of their own.
    let is_used = |service: &&PipeService| used.iter().any(|to| to.split(':').next() == Some(&service.name));
    let running = services.iter().filter(is_used).map(|one| (&*one.name, one.running(postconf, config)));
    let running: BTreeMap<&str, Vec<Finding>> = running.collect();
    let all: Vec<&str> = routes.iter().flat_map(|route| &route.domains).map(String::as_str).collect();
    let of_carom = RunningServices { services: &services, faults: &running, lmtp: &lmtp, domains: &all };
    let mut findings = Vec::new();
    for route in &routes {
        let of_domain = |domain: &String| domain_findings(postconf, config, route, domain, &of_carom);
        findings.extend(route.domains.iter().flat_map(of_domain));
    }
    findings.extend(running.into_values().flatten());
    for transport in &lmtp {
        findings.extend(lmtp_route::findings(postconf, transport));
        findings.extend(not_shown_as_ours(postconf, config, transport));
    }
    for service in &services {
        findings.extend(service.limits(postconf, config)?);
        findings.extend(service.user(postconf, config));
    }
    findings.extend(not_named_as_ours(config, &services));
    findings.extend(before_transport::findings(postconf, config, &routes));
    findings.extend(sent_return_paths::findings(postconf, config));
    let refused = strangers_mail::findings(postconf, config, &routes, &findings);
    findings.extend(refused);
    findings.extend(filters(postconf));
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
    let (number, log) = counting_as_sent(config, &names)?;
    let service = transport.split(':').next().unwrap_or_default().to_owned();
    let found = format!(
        "the log does not show that {transport} hands mail to carom: what it gets counts as mail that was sent"
    );
    let named = (!names.contains(&service))
        .then(|| format!("add -o syslog_name=postfix/{service} to {service} in master.cf"));
    let naming = (!OwnMail::of(log, config).is_into_carom(&service)).then(|| with_names(log, [&service]));
    let fix = named.into_iter().chain(naming).collect::<Vec<_>>().join(", and ");
    let finding = Finding::wrong("postfix", found, fix);
    Some(finding.of_key(config, &["logs", &number.to_string(), "carom_transports"]))
}

/// Services that a log does not show to be ours. The fix names all of them.
fn not_named_as_ours(config: &Config, services: &[PipeService]) -> Option<Finding> {
    let unnamed = services.iter().map(|service| &service.name);
    let counting = unnamed.map(|name| (counting_as_sent(config, std::slice::from_ref(name)), name));
    let ((number, log), name) = counting.filter_map(|(log, name)| Some((log?, name))).next()?;
    let (written, own) = (log.carom_transports.join(", "), OwnMail::of(log, config));
    let found = format!(
        "{name} hands mail to carom, and carom_transports of [[logs]] ({written}) does not name it: what it gets \
         counts as mail that was sent"
    );
    let lacking = services.iter().map(|service| &service.name).filter(|name| !own.is_into_carom(name));
    let finding = Finding::wrong("postfix", found, with_names(log, lacking));
    Some(finding.of_key(config, &["logs", &number.to_string(), "carom_transports"]))
}

/// The line of the config that names these transports beside those that it names already.
fn with_names<'n>(log: &'n MailLog, more: impl IntoIterator<Item = &'n String>) -> String {
    let all: Vec<String> = log.carom_transports.iter().chain(more).map(|name| format!("{name:?}")).collect();
    format!("set carom_transports = [{}]", all.join(", "))
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
