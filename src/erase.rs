//! Everything that carom keeps about an address goes.
//!
//! Not here: showing it first (`find`), and the mail server's own logs and queues. Invariant: what
//! is still to be done about the address is done first, so it stays and is named; counters and
//! statistics name nobody, and stay right.

use crate::archive;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::events;
use crate::index::{Index, IndexErasure, MessageUnderWay};
use crate::mailbox_syntax::split_address;
use crate::message_log::MessageLog;
use crate::message_log::blanking::{self, LogErasure};
use crate::named_address::NamedAddress;
use crate::store::suppression_target::normal_target;
use crate::store::{Store, StoreErasure, ToErase, set_aside};
use serde::Serialize;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

/// How long the records that are not in the store yet may take.
const FOLDING: Duration = Duration::from_secs(60);

/// What there was about an address.
#[derive(Debug, Serialize)]
pub(crate) struct Erasure {
    pub(crate) address: String,
    /// Nothing was changed.
    pub(crate) dry_run: bool,
    /// Entries of the suppression list, replaced ones too.
    pub(crate) suppressions: usize,
    pub(crate) soft_bounces: usize,
    /// Rows of the index of mail logs.
    pub(crate) deliveries: usize,
    /// Messages of the mail logs that were kept for later lines: they have just ended, or no line
    /// can come any more.
    pub(crate) log_messages: Vec<MessageUnderWay>,
    pub(crate) kept_reports: usize,
    /// Recorded differences between policies.
    pub(crate) differences: usize,
    /// Finished messages of the store in which the address is blanked.
    pub(crate) messages: usize,
    /// Places in the message log, in carom's own, and in lines of mail logs that were not
    /// understood, where it is blanked.
    pub(crate) log_places: usize,
    /// Return paths of ours in logs and databases that were cut after the local part of the address
    /// or within its domain: they stay, because nothing tells whose they are.
    pub(crate) cut_return_paths: usize,
    /// Places in events that are still to be sent where it is blanked.
    pub(crate) event_places: usize,
    pub(crate) left: Left,
}

/// What stays, because it cannot go now.
#[derive(Debug, Serialize)]
pub(crate) struct Left {
    /// Messages whose steps are to be done.
    pub(crate) pending_messages: usize,
    /// Their steps, as `carom outbox` shows them.
    pub(crate) pending_steps: usize,
    /// Deliveries that have not ended, or that a tick has to handle.
    pub(crate) pending_deliveries: usize,
    /// Logs that somebody has compressed.
    pub(crate) compressed_logs: Vec<PathBuf>,
    /// Databases that were moved away, as damaged ones are: nothing is removed from them.
    pub(crate) moved_away: Vec<PathBuf>,
}

impl Left {
    pub(crate) fn is_nothing(&self) -> bool {
        self.pending_messages == 0
            && self.pending_deliveries == 0
            && self.compressed_logs.is_empty()
            && self.moved_away.is_empty()
    }
}

impl Erasure {
    /// Whether nothing stays that names the address, or may name it.
    pub(crate) fn is_whole(&self) -> bool {
        self.left.is_nothing() && self.cut_return_paths == 0
    }

    pub(crate) fn is_nothing(&self) -> bool {
        let found = [
            self.suppressions,
            self.soft_bounces,
            self.deliveries,
            self.log_messages.len(),
            self.kept_reports,
            self.differences,
            self.messages,
            self.log_places,
            self.cut_return_paths,
            self.event_places,
        ];
        found.iter().all(|many| *many == 0) && self.left.is_nothing()
    }
}

/// Erases an address, or only counts what there is.
pub(crate) fn erase(
    config: &Config,
    store: &Store,
    address: &str,
    keeps_suppressions: bool,
    dry_run: bool,
) -> Result<Erasure> {
    let normal = address.trim().to_lowercase();
    let is_one =
        split_address(&normal).is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if !is_one || normal_target(&normal).is_some() {
        return Err(Error::new(format_args!("{address:?} is not an address"))
            .remedy("give one address; for entries that cover many, use carom suppress remove"));
    }
    let named = NamedAddress::of(&normal).in_paths(config.return_paths.prefixes());
    let what = ToErase { address: &normal, named: &named, keeps_suppressions };
    let found = match dry_run || !store.exists() {
        true => look(config, store, &what)?,
        false => remove(config, store, &what)?,
    };
    let (stored, indexed, logged, [kept_reports, event_places]) = found;
    let to_forward = store.messages_to_forward()?.into_iter().filter(|message| message.names(&named));
    let pending: HashSet<String> = to_forward.map(|message| message.key).chain(stored.pending).collect();
    let mut pending_steps = 0;
    store.visit_shown_steps(&mut |step| {
        pending_steps += usize::from(pending.contains(&step.key));
        Ok(true)
    })?;
    Ok(Erasure {
        address: normal.clone(),
        dry_run,
        suppressions: stored.suppressions,
        soft_bounces: stored.soft_bounces,
        deliveries: indexed.deliveries,
        log_messages: indexed.log_messages,
        kept_reports,
        differences: stored.differences,
        messages: stored.messages,
        log_places: logged.places + indexed.unread_lines,
        cut_return_paths: logged.cut + stored.cut + indexed.cut,
        event_places,
        left: Left {
            pending_messages: pending.len(),
            pending_steps,
            pending_deliveries: indexed.pending,
            compressed_logs: logged.packed,
            moved_away: [config.store_path(), config.index_path()]
                .iter()
                .flat_map(|path| set_aside(path))
                .collect(),
        },
    })
}

/// The last: kept reports, and places in waiting events.
type Found = (StoreErasure, IndexErasure, LogErasure, [usize; 2]);

fn look(config: &Config, store: &Store, what: &ToErase<'_>) -> Result<Found> {
    let indexed = match Index::look(&config.index_path())? {
        Some(index) => index.find_traces(what.address, what.named)?,
        None => IndexErasure::default(),
    };
    let logged = blanking::find_traces(config, what.named)?;
    let kept_reports = archive::about(config, what.address).len();
    let waiting = events::blanked_events::find_traces(config, what.named)?;
    Ok((store.find_traces(what)?, indexed, logged, [kept_reports, waiting]))
}

fn remove(config: &Config, store: &Store, what: &ToErase<'_>) -> Result<Found> {
    let busy = || Error::new("a tick is running").remedy("try again when it has finished");
    let _tick = store.lock_tick()?.ok_or_else(busy)?;
    // What a record names must not come back when it is folded.
    MessageLog::open(config).fold(store, Deadline::after(FOLDING))?;
    let indexed = match Index::look(&config.index_path())? {
        Some(index) => {
            let _reading = Index::lock(&config.index_path())?.ok_or_else(busy)?;
            index.erase(what.address, what.named)?
        }
        None => IndexErasure::default(),
    };
    let kept_reports = archive::forget(config, what.address)?;
    let waiting = events::blanked_events::blank(config, what.named)?;
    let stored = store.erase(what)?;
    let logged = blanking::blank(config, what.named, store)?;
    Ok((stored, indexed, logged, [kept_reports, waiting]))
}
