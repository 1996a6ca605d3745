//! Everything known about an address, a Message-ID or a queue id: in the store, the archive, the
//! message log and the index.
//!
//! Not here: how it is shown (`cli/find`). Invariant: the names in JSON are public, and fields are
//! only ever added.

use crate::archive::{self, Kept};
use crate::clock;
use crate::config::Config;
use crate::envelope::split_address;
use crate::error::Result;
use crate::index::{Filter, Index, StoredDelivery};
use crate::message_log::{self, TrailFilter, TrailRow};
use crate::named_address::NamedAddress;
use crate::return_path;
use crate::store::{NotificationState, PendingStep, Store, Suppressed};
use serde::{Serialize, Serializer};
use std::collections::HashSet;

/// Deliveries of a key at most.
const DELIVERIES: u64 = 100;

#[derive(Serialize)]
pub(crate) struct Known {
    pub(crate) key: String,
    pub(crate) at_ms: i64,
    pub(crate) suppressed: Vec<Suppressed>,
    pub(crate) soft_bounces: Vec<SoftBounceOnRecord>,
    pub(crate) notifications: Vec<NotificationState>,
    pub(crate) kept: Vec<Kept>,
    /// Pending and parked steps that no line of the log is about.
    pub(crate) pending: Vec<PendingStep>,
    #[serde(serialize_with = "as_json")]
    pub(crate) log: Vec<TrailRow>,
    pub(crate) deliveries: Vec<StoredDelivery>,
    /// The sender that a forwarder rewrote (SRS) into this key.
    pub(crate) rewritten_from: Option<String>,
}

/// What is known about an address, whole: what `carom erase` would remove.
#[derive(Serialize)]
pub(crate) struct Export {
    #[serde(flatten)]
    known: Known,
    /// The kept reports as they came, in the order of `kept`.
    reports: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct SoftBounceOnRecord {
    pub(crate) sender_domain: String,
    pub(crate) time: String,
    pub(crate) proven: bool,
}

/// Lines of the message log are JSON already.
fn as_json<S: Serializer>(log: &[TrailRow], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(log.iter().filter_map(TrailRow::json))
}

impl Known {
    pub(crate) fn about(key: &str, store: &Store, config: &Config) -> Result<Known> {
        let (address, at_ms) = (key.to_lowercase(), clock::now_ms());
        let notifications = store.notifications(&address)?;
        let is_address = split_address(key).is_some_and(|(local, _)| !local.is_empty());
        let suppressed = suppressions_of(store, &address, is_address, at_ms)?;
        let log = log_about(&address, &notifications, &suppressed, store, config)?;
        let soft_bounce = |(sender_domain, at_ms, proven): (String, i64, bool)| SoftBounceOnRecord {
            sender_domain,
            time: clock::rfc3339(at_ms),
            proven,
        };
        let sought = NamedAddress::or_text(key);
        Ok(Known {
            key: key.to_owned(),
            at_ms,
            suppressed,
            soft_bounces: store.strikes(&address)?.into_iter().map(soft_bounce).collect(),
            notifications,
            kept: archive::about(config, key),
            pending: pending_about(&sought, &log, store)?,
            log,
            deliveries: deliveries_of(key, config)?,
            rewritten_from: return_path::unwrapped(key),
        })
    }

    /// The same with all deliveries and the text of each kept report, for whom it is about.
    pub(crate) fn whole(key: &str, store: &Store, config: &Config) -> Result<Export> {
        let mut known = Known::about(key, store, config)?;
        if let Some(index) = Index::look(&config.index_path())? {
            known.deliveries = index.deliveries_of_address(key)?;
        }
        let text = |one: &Kept| Ok(String::from_utf8_lossy(&archive::read(one, config)?).into_owned());
        let reports = known.kept.iter().map(text).collect::<Result<_>>()?;
        Ok(Export { known, reports })
    }

    pub(crate) fn is_nothing(&self) -> bool {
        let Known { suppressed, soft_bounces, notifications, kept, pending, log, deliveries, .. } = self;
        suppressed.is_empty()
            && soft_bounces.is_empty()
            && notifications.is_empty()
            && kept.is_empty()
            && pending.is_empty()
            && log.is_empty()
            && deliveries.is_empty()
    }
}

/// The trail of every message that names the key, or that notified somebody of it or suppressed it.
fn log_about(
    key: &str,
    notifications: &[NotificationState],
    suppressed: &[Suppressed],
    store: &Store,
    config: &Config,
) -> Result<Vec<TrailRow>> {
    let of_step = |id: &str| id.rsplit_once('/').map_or(id, |(message, _)| message).to_owned();
    let mut messages: HashSet<String> = notifications.iter().map(|one| of_step(&one.id)).collect();
    let grounds = suppressed.iter().filter(|entry| entry.address.eq_ignore_ascii_case(key));
    messages.extend(grounds.map(|entry| entry.grounds.key.clone()).filter(|key| !key.is_empty()));
    let about = Some(NamedAddress::or_text(key));
    let filter = TrailFilter { about, messages, ..TrailFilter::default() };
    message_log::trail(config, Some(store), &filter)
}

/// Steps of messages that have no line, because a kill came before it.
fn pending_about(sought: &NamedAddress, log: &[TrailRow], store: &Store) -> Result<Vec<PendingStep>> {
    let is_shown = |step: &PendingStep| {
        log.iter().any(|row| row.event.as_ref().is_some_and(|event| event.message() == Some(&step.key)))
    };
    let is_about = |step: &PendingStep| {
        let envelope = &step.envelope;
        let named = [Some(&step.key), step.address.as_ref(), envelope.queue_id.as_ref()];
        let named = named.into_iter().flatten().chain([&envelope.sender, &envelope.recipient]);
        named.into_iter().any(|name| sought.is_in(name.as_bytes()))
    };
    Ok(store.pending_steps()?.into_iter().filter(|step| is_about(step) && !is_shown(step)).collect())
}

/// The entries of an address, and domains and patterns that cover it; of other keys the entries
/// whose text contains them.
fn suppressions_of(store: &Store, key: &str, is_address: bool, now_ms: i64) -> Result<Vec<Suppressed>> {
    let mut found = match is_address {
        true => Vec::new(),
        false => store.suppressions(key, None, now_ms, usize::MAX)?,
    };
    let covering = store.entries_of(key, None, now_ms)?;
    let new = covering.into_iter().filter(|entry| !found.contains(entry)).collect::<Vec<_>>();
    found.extend(new);
    Ok(found)
}

/// Deliveries of an address; else of a Message-ID; else of a queue id.
fn deliveries_of(key: &str, config: &Config) -> Result<Vec<StoredDelivery>> {
    let Some(index) = Index::look(&config.index_path())? else { return Ok(Vec::new()) };
    let (key, limit) = (Some(key.to_owned()), Some(DELIVERIES));
    let filters = [
        Filter { recipient: key.clone(), limit, ..Filter::default() },
        Filter { message_id: key.clone(), limit, ..Filter::default() },
        Filter { queue_id: key, limit, ..Filter::default() },
    ];
    for filter in filters {
        let found = deliveries(&index, &filter)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// All deliveries that a filter lets through.
pub(crate) fn deliveries(index: &Index, filter: &Filter) -> Result<Vec<StoredDelivery>> {
    let mut all = Vec::new();
    index.deliveries(filter, |found| {
        all.push(found);
        Ok(true)
    })?;
    Ok(all)
}
