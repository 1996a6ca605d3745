//! Does Postfix hand carom the mail that the config is about? For `carom postfix show` and `carom
//! check`.
//!
//! Not here: changing it. Invariant: it asks Postfix and changes nothing; wiring by hand counts as
//! much as ours.

use super::postconf::{Edit, Postconf};
use super::service_route::{ServiceRoute, routes};
use super::similar::similar;
use super::{asking_findings, before_transport, lmtp_route};
use crate::config::{Config, LogKind, MailLog, OwnMail};
use crate::error::{Error, Result};
use crate::files::user_database;
use crate::finding::Finding;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

/// Lists of domains whose mail Postfix keeps for itself.
const OTHER_CLASSES: [&str; 3] = ["mydestination", "virtual_mailbox_domains", "virtual_alias_domains"];

/// A service of master.cf that runs `carom pipe`.
struct Service {
    name: String,
    policy: Option<String>,
    user: Option<String>,
    flags: String,
}

/// The same for a host that may have no Postfix, or one that is not there for carom.
pub(crate) fn findings_if_used(config: &Config) -> Vec<Finding> {
    let postconf = Postconf::new(None);
    if !Postconf::is_installed() || routes(config).is_err() {
        return Vec::new();
    }
    let mut findings =
        mail_findings(&postconf, config).unwrap_or_else(|error| vec![Finding::error("postfix", &error)]);
    if !is_wired(&postconf).unwrap_or(false) {
        findings.iter_mut().for_each(|finding| finding.note = true);
    }
    findings.extend(asking_findings::findings(&postconf, config).into_iter().flatten());
    findings
}

/// Whether a service runs carom.
pub(super) fn is_wired(postconf: &Postconf) -> Result<bool> {
    let is_ours = |entry: &String| service(entry).is_some() || lmtp_route::is_service(entry);
    Ok(postconf.services()?.iter().any(is_ours))
}

/// What was found; the first finding for each domain says whether its mail arrives.
pub(crate) fn findings(postconf: &Postconf, config: &Config) -> Result<Vec<Finding>> {
    let mut findings = mail_findings(postconf, config)?;
    findings.extend(asking_findings::findings(postconf, config)?);
    Ok(findings)
}

fn mail_findings(postconf: &Postconf, config: &Config) -> Result<Vec<Finding>> {
    let routes = match routes(config) {
        Ok(routes) => routes,
        Err(error) => return Ok(vec![Finding::error("postfix", &error)]),
    };
    let services: Vec<Service> = postconf.services()?.iter().filter_map(|entry| service(entry)).collect();
    let by_lmtp =
        |domain: &String| transport(postconf, domain).filter(|to| lmtp_route::is_ours(postconf, to));
    let lmtp: BTreeSet<String> = routes.iter().flat_map(|route| &route.domains).filter_map(by_lmtp).collect();
    if services.is_empty() && lmtp.is_empty() {
        let found = "master.cf has no service that runs carom pipe";
        return Ok(vec![Finding::wrong("postfix", found, postconf.enable())]);
    }
    let mut findings = Vec::new();
    for route in &routes {
        findings.extend(
            route.domains.iter().flat_map(|domain| domain_findings(postconf, route, domain, &services)),
        );
    }
    for transport in &lmtp {
        findings.extend(lmtp_route::findings(postconf, transport));
        findings.extend(not_shown_as_ours(postconf, config, transport));
    }
    for service in &services {
        findings.extend(limits(postconf, config, service)?);
        findings.extend(user(config, service));
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

fn not_named_as_ours(config: &Config, service: &Service) -> Option<Finding> {
    let (number, log) = counting_as_sent(config, std::slice::from_ref(&service.name))?;
    let (name, written) = (&service.name, log.carom_transports.join(", "));
    let found = format!(
        "{name} hands mail to carom, and carom_transports of [[logs]] ({written}) does not name it: what it gets \
         counts as mail that was sent"
    );
    let finding = Finding::wrong("postfix", found, format_args!("set carom_transports = [\"{name}\"]"));
    Some(finding.of_key(config, &["logs", &number.to_string(), "carom_transports"]))
}

fn service(entry: &str) -> Option<Service> {
    let mut words = entry.split(' ');
    let name = words.next()?.to_owned();
    let words: Vec<&str> = words.skip(6).collect();
    let (&"pipe", attributes) = words.split_first()? else { return None };
    let program = attributes.iter().position(|word| word.starts_with("argv="))?;
    let program_name = attributes[program].rsplit(['=', '/']).next()?;
    let arguments = &attributes[program + 1..];
    if program_name != "carom" || !arguments.contains(&"pipe") {
        return None;
    }
    let attribute = |name: &str| attributes[..program].iter().find_map(|word| word.strip_prefix(name));
    let policy = arguments.iter().position(|&word| word == "--policy").and_then(|at| arguments.get(at + 1));
    Some(Service {
        name,
        policy: policy.map(|&policy| policy.to_owned()),
        user: attribute("user=").and_then(|user| user.split(':').next()).map(str::to_owned),
        flags: attribute("flags=").unwrap_or_default().to_owned(),
    })
}

/// Whether mail for a domain, and for those below it, is taken and goes to the right service.
fn domain_findings(
    postconf: &Postconf,
    route: &ServiceRoute,
    domain: &str,
    services: &[Service],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut right, mut by_lmtp) = (Vec::new(), None);
    for key in [domain.to_owned(), format!(".{domain}")] {
        let found = transport(postconf, &key);
        let name = found.as_deref().and_then(|found| found.split(':').next()).unwrap_or_default();
        match services.iter().find(|service| service.name == name) {
            Some(service) if service.policy == route.policy => right.push(key),
            Some(service) => {
                let policy = service.policy.as_deref().unwrap_or("the default policy");
                let what = format!("mail for {key} goes to {name}, which runs {policy}");
                findings.push(Finding::wrong("postfix", what, postconf.enable()));
            }
            None if found.as_deref().is_some_and(|found| lmtp_route::is_ours(postconf, found)) => {
                by_lmtp = found;
                right.push(key);
            }
            None => {
                let other = found.as_deref().map_or("not to carom".into(), |found| format!("to {found}"));
                let what = format!("mail for {key} goes {other}");
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
    if right.len() == 2 && findings.is_empty() {
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

fn limits(postconf: &Postconf, config: &Config, service: &Service) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let name = format!("{}_destination_recipient_limit", service.name);
    if postconf.own(&name)?.as_deref() != Some("1") {
        let what = format!("{name} is not 1: carom decides for one recipient at a time");
        findings.push(Finding::wrong("postfix", what, postconf.enable()));
    }
    let name = format!("{}_time_limit", service.name);
    let limit = postconf.own(&name)?.map_or_else(|| postconf.expanded("command_time_limit"), Ok)?;
    let deadline = config.message.deadline;
    if seconds(&limit).is_some_and(|limit| limit <= u64::from(deadline)) {
        let what = format!("{name} is {limit}, not above carom's own deadline of {deadline} s");
        findings.push(Finding::wrong("postfix", what, postconf.enable()));
    }
    if service.flags.contains('u') {
        let what = format!("the flag u of {} makes the local part of recipients lower case", service.name);
        let remedy = "remove u from flags=: return paths of SRS and BATV depend on the case of letters";
        findings.push(Finding::wrong("postfix", what, remedy));
    }
    Ok(findings)
}

/// A time of Postfix in seconds: `120`, `120s`, `2m`.
fn seconds(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Error: Postfix would run carom as a user who does not exist, and hand it nothing.
pub(super) fn refuse_missing_user(edit: &Edit) -> Result<()> {
    let Edit::Service(_, Some(entry)) = edit else { return Ok(()) };
    let user = service(entry).and_then(|service| service.user).unwrap_or_default();
    match user_database::SYSTEM.user(&user) {
        Ok(None) if !user.is_empty() => Err(Error::new(format_args!(
            "there is no user {user} for Postfix to run carom as; nothing was changed"
        ))
        .remedy(create_user(&user))),
        _ => Ok(()),
    }
}

fn create_user(name: &str) -> String {
    format!("create the user: useradd --system --no-create-home --shell /usr/sbin/nologin {name}")
}

fn user(config: &Config, service: &Service) -> Option<Finding> {
    let name = service.user.as_deref()?;
    let state = config.state_dir();
    let owner = std::fs::metadata(&state).ok().map(|found| found.uid());
    match user_database::SYSTEM.user(name) {
        Ok(None) => Some(Finding::wrong(
            "postfix",
            format_args!("master.cf runs {} as {name}, and there is no such user", service.name),
            create_user(name),
        )),
        Ok(Some(user)) if user.uid == 0 => Some(Finding::wrong(
            "postfix",
            format_args!("master.cf runs {} as root", service.name),
            "set user= to a user with no other duties, like carom",
        )),
        Ok(Some(user)) if owner.is_some_and(|owner| owner != user.uid) => Some(Finding::wrong(
            "postfix",
            format_args!(
                "master.cf runs {} as {name}, and {} belongs to another user",
                service.name,
                state.display()
            ),
            format_args!("run: chown -R {name} {}", state.display()),
        )),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_of_ours_is_known_by_what_it_runs() {
        let entry = "in unix - n n - 16 pipe flags=DORXu user=mail:adm argv=/opt/bin/carom --config /c pipe \
                     --policy bounce --sender ${sender}";
        let service = service(entry).unwrap();
        assert_eq!((service.name.as_str(), service.policy.as_deref()), ("in", Some("bounce")));
        assert_eq!((service.user.as_deref(), service.flags.as_str()), (Some("mail"), "DORXu"));
        for other in [
            "smtp unix - - n - - smtp",
            "maildrop unix - n n - - pipe flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}",
            "x unix - n n - - pipe user=a argv=/usr/bin/carom relay /d",
        ] {
            assert!(super::service(other).is_none(), "{other}");
        }
    }

    #[test]
    fn times_of_postfix_are_read() {
        assert_eq!(["120", "120s", "2m", "1h", "1d"].map(seconds), [120, 120, 120, 3600, 86_400].map(Some));
        assert_eq!(["", "x", "5w", "-1s"].map(seconds), [None; 4]);
    }
}
