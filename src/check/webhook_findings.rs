//! Whether the hosts of applications and of alerts' webhooks may be connected to: they have an
//! address, and it is not a private one that `[network] allow_private` does not list.
//!
//! Not here: their URLs (`config`). Invariant: names are looked up, and nothing is connected to.

use crate::action::doors::{TargetHost, Unreachable, resolve};
use crate::auth::Dns;
use crate::config::{Config, Endpoint, NOTIFY_VARIABLES};
use crate::deadline::Deadline;
use crate::finding::Finding;
use crate::webhook::shown;
use std::time::Duration;
use url::Url;

/// What a finding is about.
const SUBJECT: &str = "webhook";
/// URLs that are looked up at most.
const MOST: usize = 20;

pub(super) fn webhook_findings(config: &Config, dns: &Dns) -> Vec<Finding> {
    let of_notify = config.applications.all().iter().enumerate().map(|(number, application)| {
        let (url, key) = match &application.endpoint {
            Endpoint::Url(template) => (template.sample(&NOTIFY_VARIABLES).unwrap_or_default(), "url"),
            Endpoint::Lookup { document, .. } => (document.clone(), "lookup"),
        };
        (url, "notify", number, key)
    });
    let rules = config.alerting.get().into_iter().flat_map(|alerting| &alerting.rules).enumerate();
    let of_alerts = rules
        .filter_map(|(number, rule)| Some((rule.webhook.as_ref()?.url.clone(), "alert", number, "webhook")));
    let lost = of_notify.chain(of_alerts).take(MOST).filter_map(|(url, table, number, key)| {
        let finding = barred(config, dns, &url, &format!("[[{table}]] {key}"))?;
        Some(finding.of_key(config, &[table, &number.to_string(), key]))
    });
    lost.collect()
}

/// Why the host of a URL cannot be connected to.
pub(super) fn barred(config: &Config, dns: &Dns, url: &str, key: &str) -> Option<Finding> {
    let parsed = Url::parse(url).ok()?;
    let (name, port) = (parsed.host_str()?.to_owned(), parsed.port_or_known_default()?);
    let host = TargetHost { name, port, may_be_private: false };
    let by = Deadline::after(Duration::from_secs(u64::from(config.dns.timeout)));
    let found = |why: String| format!("{key}: {}: {why}", shown(url));
    match resolve(dns, &host, &config.network, by).err()? {
        Unreachable::Private(address) => {
            let length = if address.is_ipv4() { 32 } else { 128 };
            let why = format!("{} has the private address {address}, and carom connects to none", host.name);
            let fix = format!("if it is yours, allow it: [network] allow_private = [\"{address}/{length}\"]");
            Some(Finding::wrong(SUBJECT, found(why), fix))
        }
        Unreachable::NoAddress => {
            let why = format!("{} has no address", host.name);
            let finding = Finding::wrong(SUBJECT, found(why), format_args!("correct {key}"));
            // A zone is for tests, and seldom has the hosts of applications.
            Some(Finding { note: config.dns.zone.is_some(), ..finding })
        }
        Unreachable::Temporary(why) => {
            Some(Finding::note(SUBJECT, found(why), "see whether DNS answers for this name"))
        }
    }
}
