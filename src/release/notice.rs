//! The notification that a suppression is undone (`bounce.undone`), as a promise.

use crate::clock;
use crate::config::Config;
use crate::digest;
use crate::plan::{Action, Notification, Plan, Step};
use crate::store::{Released, Suppressed};

/// The source of entries that reports and the mail log made: applications know of them.
pub(crate) const REPORT: &str = "report";

/// Takes an entry off the list. `because`: `operator`, `message` or `delivery`. The soft bounces of
/// `forgotten` (a period in milliseconds since 1970) are forgotten.
pub(crate) fn release(
    entry: Suppressed,
    because: &str,
    forgotten: std::ops::Range<i64>,
    config: &Config,
    now_ms: i64,
) -> Released {
    let is_known = entry.source == REPORT && config.applications.of(&entry.sender_domain).is_some();
    let notice = is_known.then(|| (key(&entry, now_ms), plan(&entry, because)));
    Released { entry, restored: None, forgotten, notice }
}

fn key(entry: &Suppressed, now_ms: i64) -> String {
    let Suppressed { address, sender_domain, added_ms, .. } = entry;
    let times = format!("{added_ms} {now_ms}");
    let parts = [address, sender_domain, &times].map(String::as_bytes);
    format!("undone-{}", digest::sha256_hex(&[parts[0], b"\0", parts[1], b"\0", parts[2]], 32))
}

fn plan(entry: &Suppressed, because: &str) -> Plan {
    let Suppressed { address, sender_domain, reason, added_ms, grounds, .. } = entry;
    let suppressed_at = clock::rfc3339(*added_ms);
    let all = [
        ("because", because),
        ("reason", reason),
        ("rule", &grounds.rule),
        ("status", &grounds.status),
        ("provider", &grounds.provider),
        ("suppressed_at", &suppressed_at),
    ];
    let fields = all.into_iter().filter(|(_, value)| !value.is_empty());
    let notification = Notification {
        event: "bounce.undone".into(),
        address: address.clone(),
        sender_domain: sender_domain.clone(),
        fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        bounce: None,
        has_application: true,
        happened_ms: None,
    };
    let step = Step { after: None, delay: 0, action: Action::Notify(notification) };
    Plan { steps: vec![step], ..Plan::default() }
}
