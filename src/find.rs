//! Everything known about an address, a Message-ID or a queue id: in the store, the archive, the
//! message log and the index.
//!
//! Not here: how it is shown (`cli/find`). Invariants: what cannot be read is named, and hides
//! nothing else; the names in JSON are public, and fields are only ever added.

mod sources;

use crate::archive::{self, Kept};
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::index::{Filter, Index, MessageUnderWay, StoredDelivery};
use crate::mailbox_syntax::split_address;
use crate::message_log::{self, Trail, TrailFilter, TrailRow};
use crate::named_address::NamedAddress;
use crate::plan::Grounds;
use crate::policy::fingerprint;
use crate::return_path;
use crate::store::{NotificationState, PendingStep, Removal, Store, Suppressed};
use serde::{Serialize, Serializer};
use sources::KnownSources;
use std::collections::HashSet;

/// Times in the mail log may have whole seconds.
const SECOND_MS: i64 = 1000;
/// Deliveries of a key at most.
const DELIVERIES: u64 = 100;

#[derive(Serialize)]
pub(crate) struct Known {
    pub(crate) key: String,
    pub(crate) at_ms: i64,
    pub(crate) suppressed: Vec<Suppressed>,
    /// Who has taken it off the list, and when: the newest first.
    pub(crate) removals: Vec<Removal>,
    pub(crate) soft_bounces: Vec<SoftBounceOnRecord>,
    pub(crate) notifications: Vec<NotificationState>,
    pub(crate) kept: Vec<Kept>,
    /// Pending and parked steps that no line of the log is about.
    pub(crate) pending: Vec<PendingStep>,
    #[serde(serialize_with = "as_json")]
    pub(crate) log: Vec<TrailRow>,
    pub(crate) deliveries: Vec<StoredDelivery>,
    /// Messages of the mail log that have not ended.
    pub(crate) under_way: Vec<MessageUnderWay>,
    /// The sender that a forwarder rewrote (SRS) into this key.
    pub(crate) rewritten_from: Option<String>,
    /// Why a part of it could not be read.
    #[serde(serialize_with = "as_texts")]
    pub(crate) unread: Vec<Error>,
}

/// A message that is asked about.
pub(crate) struct AboutMessage<'a> {
    /// Its queue id or Message-ID.
    pub(crate) id: &'a str,
    pub(crate) deliveries: &'a [StoredDelivery],
    /// Other messages had the same queue id.
    pub(crate) is_shared: bool,
}

impl AboutMessage<'_> {
    /// Whether a row of the log that names the queue id is about this message.
    fn is_its(&self, row: &TrailRow, message_id: Option<&str>) -> bool {
        let Some(event) = &row.event else { return false };
        let names = [&event.message_id, &event.about].into_iter().flatten();
        match (message_id, names.clone().next()) {
            (Some(its), Some(_)) => names.clone().any(|name| name.eq_ignore_ascii_case(its)),
            _ => {
                let begins = self.deliveries.iter().map(|one| one.first_seen).min().unwrap_or_default();
                let ends = self.deliveries.iter().map(|one| one.last_seen).max().unwrap_or_default();
                (begins..=ends.saturating_add(SECOND_MS)).contains(&row.at_ms)
            }
        }
    }
}

/// What is known about an address, whole: what `carom erase` would remove.
#[derive(Serialize)]
pub(crate) struct Export {
    #[serde(flatten)]
    pub(crate) known: Known,
    /// The kept reports as they came, in the order of `kept`.
    reports: Vec<String>,
    /// What is kept of mail logs with lines that were not understood, and that name it.
    unread_logs: Vec<UnreadLog>,
}

#[derive(Serialize)]
struct UnreadLog {
    log: String,
    kept: String,
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

/// Each with its fix.
fn as_texts<S: Serializer>(errors: &[Error], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(errors.iter().map(Error::to_string))
}

impl Known {
    /// What can be read of it.
    pub(crate) fn about(key: &str, store: &Store, config: &Config) -> Known {
        let sources = &KnownSources::open(store, config);
        let (address, at_ms) = (key.to_lowercase(), clock::now_ms());
        let is_address = split_address(key).is_some_and(|(local, _)| !local.is_empty());
        let suppressed = sources.found(suppressions_of(store, &address, is_address, at_ms));
        let known = Known::gathered(key, suppressed, sources);
        let soft_bounce = |(sender_domain, at_ms, proven): (String, i64, bool)| SoftBounceOnRecord {
            sender_domain,
            time: clock::rfc3339(at_ms),
            proven,
        };
        Known {
            removals: sources.found(store.removals_of(&address)),
            soft_bounces: sources.found(store.strikes(&address)).into_iter().map(soft_bounce).collect(),
            kept: kept_about(key, is_address, &known.log, config),
            under_way: under_way(&named(key, config), &known.deliveries, sources),
            rewritten_from: return_path::unwrapped(key),
            unread: sources.unread(),
            ..known
        }
    }

    /// With why the store is not asked, or has not all there is.
    pub(crate) fn with_fault(mut self, fault: Option<Error>) -> Known {
        if let Some(fault) = fault {
            self.unread.retain(|known| !fault.text().ends_with(known.text()));
            self.unread.insert(0, fault);
        }
        self
    }

    /// The same if all of it could be read.
    pub(crate) fn whole(mut self) -> Result<Known> {
        if self.unread.is_empty() { Ok(self) } else { Err(self.unread.swap_remove(0)) }
    }

    /// The same about a message, by its queue id or Message-ID: this reads what the message has.
    /// Of the suppression list it has the entries that its failures have made.
    pub(crate) fn about_message(asked: &AboutMessage<'_>, store: &Store, config: &Config) -> Result<Known> {
        let AboutMessage { id, deliveries, is_shared } = asked;
        let sources = &KnownSources::open(store, config);
        let mut known = Known::gathered(id, Vec::new(), sources);
        known.deliveries.retain(|one| deliveries.is_empty() || deliveries.iter().any(|its| its.id == one.id));
        // Reports about it come as other messages, which name its Message-ID.
        let message_id = deliveries.iter().find_map(|one| one.message_id.as_deref());
        if *is_shared {
            known.log.retain(|row| asked.is_its(row, message_id));
        }
        if let Some(other) = message_id.filter(|other| !other.eq_ignore_ascii_case(id)) {
            let rows = log_about(&other.to_lowercase(), HashSet::new(), sources);
            let new = rows.into_iter().filter(|row| known.log.iter().all(|known| known.line != row.line));
            known.log.extend(new.collect::<Vec<_>>());
            known.log.sort_by_key(|row| row.at_ms);
        }
        // A message is under way, or it has deliveries.
        let under_way = match known.deliveries.is_empty() {
            true => under_way(&NamedAddress::or_text(id), &[], sources),
            false => Vec::new(),
        };
        let messages = known.log.iter().filter_map(|row| row.event.as_ref()?.message());
        let kept = archive::of_messages(config, messages);
        let suppressed = sources.found(suppressed_by(&known, store));
        Known { kept, under_way, suppressed, unread: sources.unread(), ..known }.whole()
    }

    fn gathered(key: &str, suppressed: Vec<Suppressed>, sources: &KnownSources<'_>) -> Known {
        let KnownSources { store, config, .. } = sources;
        let address = key.to_lowercase();
        let notifications = sources.found(store.notifications(&address));
        let sought = named(key, config);
        let to_forward = sources.found(store.messages_to_forward()).into_iter();
        let to_forward = to_forward.filter(|message| message.names(&sought));
        let mut open: HashSet<String> = to_forward.map(|message| message.key).collect();
        open.extend(sources.found(store.open_messages_named(key)));
        let mut messages = messages_of(&address, &notifications, &suppressed);
        messages.extend(open.iter().cloned());
        let log = log_about(&address, messages, sources);
        // As in the log, what never ran is left out.
        let notifications = notifications.into_iter().filter(|one| one.state != "skipped").collect();
        let deliveries = sources.index(|index| deliveries_of(key, index));
        Known {
            key: key.to_owned(),
            at_ms: clock::now_ms(),
            suppressed,
            removals: Vec::new(),
            soft_bounces: Vec::new(),
            notifications,
            kept: Vec::new(),
            pending: sources.found(pending_about(&sought, &open, &log, store)),
            log,
            under_way: Vec::new(),
            deliveries,
            rewritten_from: None,
            unread: Vec::new(),
        }
    }

    /// The same with all deliveries and the text of each kept report, for whom it is about.
    pub(crate) fn exported(self, store: &Store, config: &Config) -> Export {
        let (key, named) = (&self.key, named(&self.key, config));
        let sources = KnownSources::open(store, config).after(self.unread);
        let deliveries = sources.index(|index| index.deliveries_of_address(key, &named));
        let under_way = sources.index(|index| index.under_way(&named));
        let unread_logs = sources.index(|index| index.healths_naming(&named)).into_iter();
        let unread_logs = unread_logs.map(|(log, kept)| UnreadLog { log, kept }).collect();
        let text =
            |one: &Kept| archive::read(one, config).map(|raw| String::from_utf8_lossy(&raw).into_owned());
        let reports = self.kept.iter().map(|one| sources.found(text(one))).collect();
        let known = Known { deliveries, under_way, unread: sources.unread(), ..self };
        Export { known, reports, unread_logs }
    }

    /// With deliveries that only name the address, if nothing else is known about it: looking at
    /// all of them takes a while.
    pub(crate) fn or_named(mut self, store: &Store, config: &Config) -> Known {
        let is_address = split_address(&self.key).is_some_and(|(local, _)| !local.is_empty());
        if is_address && self.is_nothing() {
            let sources = KnownSources::open(store, config).after(self.unread);
            let named = named(&self.key, config);
            self.deliveries = sources.index(|index| index.deliveries_naming(&self.key, &named));
            self.deliveries.truncate(DELIVERIES as usize);
            self.unread = sources.unread();
        }
        self
    }

    pub(crate) fn is_nothing(&self) -> bool {
        let Known { suppressed, soft_bounces, notifications, kept, pending, log, deliveries, .. } = self;
        let (under_way, removals) = (&self.under_way, &self.removals);
        suppressed.is_empty()
            && removals.is_empty()
            && soft_bounces.is_empty()
            && notifications.is_empty()
            && kept.is_empty()
            && pending.is_empty()
            && log.is_empty()
            && deliveries.is_empty()
            && under_way.is_empty()
    }
}

/// The keys of messages that notified somebody of an address or suppressed it.
fn messages_of(key: &str, notifications: &[NotificationState], suppressed: &[Suppressed]) -> HashSet<String> {
    let of_step = |id: &str| id.rsplit_once('/').map_or(id, |(message, _)| message).to_owned();
    let mut messages: HashSet<String> = notifications.iter().map(|one| of_step(&one.id)).collect();
    let grounds = suppressed.iter().filter(|entry| entry.address.eq_ignore_ascii_case(key));
    messages.extend(grounds.filter_map(|entry| entry.grounds.report().map(str::to_owned)));
    messages
}

/// The key in whatever form it is written, also in return paths of ours that were cut or altered.
fn named(key: &str, config: &Config) -> NamedAddress {
    NamedAddress::or_text(key).in_paths(config.return_paths.prefixes())
}

/// The trail of these messages, and of every other one that names the key.
fn log_about(key: &str, messages: HashSet<String>, sources: &KnownSources<'_>) -> Vec<TrailRow> {
    let about = Some(named(key, sources.config));
    let filter = TrailFilter { about, messages, ..TrailFilter::default() };
    let found = message_log::trail(sources.config, Some(sources.store), &filter);
    sources.found(found.map(Some)).map_or(Vec::new(), |Trail { rows, unread }| {
        unread.into_iter().for_each(|error| sources.note(error));
        rows
    })
}

/// What is kept about the key; complaints that match nobody are known by the line of their message.
fn kept_about(key: &str, is_address: bool, log: &[TrailRow], config: &Config) -> Vec<Kept> {
    let messages = || log.iter().filter_map(|row| row.event.as_ref()?.message());
    if messages().any(|message| message == key) {
        return archive::of_messages(config, std::iter::once(key));
    }
    let mut kept = archive::about(config, key);
    if !is_address {
        kept.extend(archive::unmatched_of(config, messages()));
        kept.sort_by(|a, b| (b.at_ms, &b.file).cmp(&(a.at_ms, &a.file)));
        kept.dedup_by(|a, b| a.file == b.file);
    }
    kept
}

/// Messages of the mail log whose last lines are still to come, if they have no delivery yet.
fn under_way(
    sought: &NamedAddress,
    deliveries: &[StoredDelivery],
    sources: &KnownSources<'_>,
) -> Vec<MessageUnderWay> {
    let known: HashSet<&str> = deliveries.iter().filter_map(|one| one.queue_id.as_deref()).collect();
    let mut found = sources.index(|index| index.under_way(sought));
    found.retain(|message| !known.contains(message.queue_id.as_str()));
    found
}

/// Steps of messages that have no line yet, because their process is at work or was killed: of
/// those that name the key, and of these `open` ones.
fn pending_about(
    sought: &NamedAddress,
    open: &HashSet<String>,
    log: &[TrailRow],
    store: &Store,
) -> Result<Vec<PendingStep>> {
    let is_shown = |step: &PendingStep| {
        log.iter().any(|row| row.event.as_ref().is_some_and(|event| event.message() == Some(&step.key)))
    };
    let is_about = |step: &PendingStep| {
        let envelope = &step.envelope;
        let named = [Some(&step.key), step.address.as_ref(), envelope.queue_id.as_ref()];
        let named = named.into_iter().flatten().chain([&envelope.sender, &envelope.recipient]);
        open.contains(&step.key) || named.into_iter().any(|name| sought.is_in(name.as_bytes()))
    };
    let mut found = Vec::new();
    store.visit_shown_steps(&mut |step| {
        if is_about(&step) && !is_shown(&step) {
            found.push(step);
        }
        Ok(true)
    })?;
    Ok(found)
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

/// The entries that failures of a message, or complaints about it, have made.
fn suppressed_by(known: &Known, store: &Store) -> Result<Vec<Suppressed>> {
    let reports: HashSet<&str> = known.log.iter().filter_map(|row| row.event.as_ref()?.message()).collect();
    let mut found = Vec::new();
    for one in &known.deliveries {
        for address in [&one.recipient, &one.original_recipient].into_iter().flatten() {
            let bounce = one.message_id.as_deref().map(|id| fingerprint::of_message(id, address));
            let is_its = |entry: &Suppressed| {
                let Grounds { key, bounce: its, .. } = &entry.grounds;
                reports.contains(key.as_str()) || Some(its) == bounce.as_ref()
            };
            let entries = store.entries_of(address, None, known.at_ms)?;
            let new = entries.into_iter().filter(|entry| is_its(entry) && !found.contains(entry));
            found.extend(new.collect::<Vec<_>>());
        }
    }
    Ok(found)
}

/// Deliveries of an address; else of a Message-ID; else of a queue id.
fn deliveries_of(key: &str, index: &Index) -> Result<Vec<StoredDelivery>> {
    let (key, limit) = (Some(key.to_owned()), Some(DELIVERIES));
    let filters = [
        Filter { recipient: key.clone(), limit, ..Filter::default() },
        Filter { message_id: key.clone(), limit, ..Filter::default() },
        Filter { queue_id: key, limit, ..Filter::default() },
    ];
    for filter in filters {
        let found = deliveries(index, &filter)?;
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
