//! THE SEAM: everything that the store keeps, and the verbs that read and change it, by group.
//!
//! The rest of carom sees only this file, the verbs in `pending_steps`, `looked_up`, `releasing`,
//! `recording`, `counted`, `erasing`, `killed`, `operating`, `once`, `sharing` and `together`, and
//! the types beside them. Not here: SQL (`sqlite`), what the rows mean to a message
//! (`crate::journal`), and how they are shown (`crate::stats`). Another database would be another
//! folder with the same functions. Invariant: a verb that returns `Ok` has reached the disk, and
//! one that fails has changed nothing: each verb that changes something is one transaction (`beat`
//! is two), even if it touches several groups.

mod audited;
mod counted;
mod erasing;
mod erasure;
mod journal_entry;
mod killed;
mod listed_addresses;
mod looked_up;
mod message_record;
mod observed;
mod once;
mod operating;
mod pending_steps;
mod recording;
mod releasing;
mod remembered_list;
mod shared_fact;
mod shared_state;
mod sharing;
mod soft_list;
mod sqlite;
mod sink_mark;
mod sinks;
mod suppressed;
mod suppression_change;
mod suppression_reader;
/// Domains and patterns on the suppression list.
pub(crate) mod suppression_target;
mod tally;
mod together;
#[cfg(test)]
mod tests;

pub(crate) use audited::{AuditEntry, AuditFilter, Removal};
pub(crate) use erasure::{StoreErasure, ToErase};
pub(crate) use journal_entry::{
    Claimed, DueSteps, Ended, Entry, FinishedMessage, MessageOnRecord, NotificationState, OnRecord, PAUSED,
    PendingStep, Performed, Promise, PromisedLine, Standing, StepOnRecord, WAITING_STATES,
};
use listed_addresses::ListedAddresses;
pub(crate) use message_record::{FoldedFile, MessageRecord};
pub(crate) use observed::{
    AlertRecord, AlertState, CONFIG_OF_TICK, Difference, Heartbeat, OVERDUE_MS, TemplateLookup,
};
pub(crate) use shared_fact::{FactVersion, SharedFact};
pub(crate) use shared_state::{GroupPosition, GroupState, Merged, Total, greatest_rank};
// The index is an SQLite file too, which is encrypted, migrated and overwritten in the same way.
pub(crate) use sink_mark::SinkMark;
pub(crate) use sqlite::database_fault::{Database, guard, moved_away, set_aside};
pub(crate) use sqlite::{encryption, free_pages, inspection, migrations, read_only};
pub(crate) use suppressed::{
    Effect, ImportChange, Released, ReportedEntry, SoftBounce, StrikeCount, Suppressed,
};
pub(crate) use suppression_change::SuppressionChange;
pub(crate) use suppression_reader::SuppressionReader;
pub(crate) use tally::{ANSWER_TIMES, Tally};
pub(crate) use together::{Begun, StepState, Transaction};

use crate::deadline::Deadline;
use crate::error::Result;
use crate::files::lock::LockFile;
use crate::mailbox_syntax::{in_a_labels, normal_domain};
use sqlite::connection::SharedConnection;
use sqlite::{
    difference_rows, due_messages, mark_rows, promise_rows, purge, settling, step_rows, strike_rows,
    suppression_look, suppression_rows,
};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The store. Cheap to share: one connection, used by all threads of the process.
pub(crate) struct Store {
    db: SharedConnection,
}

/// The file.
impl Store {
    /// Opens the SQLite file at `path`, with its directory and its tables, made where missing.
    pub(crate) fn open(path: &Path) -> Result<Store> {
        Ok(Store { db: SharedConnection::open(path)? })
    }

    /// Opens it when it is first needed: then each verb may fail because of that.
    pub(crate) fn lazy(path: &Path) -> Store {
        Store { db: SharedConnection::lazy(path) }
    }

    /// The same for somebody whose client waits for a moment only: a store that others lock is
    /// unavailable soon.
    pub(crate) fn impatient(path: &Path) -> Store {
        Store { db: SharedConnection::impatient(path) }
    }

    /// Opens it for who only asks: also where it cannot be written, as on a full disk. Where there
    /// is none, it is an empty one in memory, and nothing is made.
    pub(crate) fn to_read(path: &Path) -> Result<Store> {
        match read_only::is_missing(path) {
            true => Store::in_place_of(path),
            false => Store::open(path).or_else(|error| Store::look(path).map_err(|_| error)),
        }
    }

    /// An empty one in memory, in place of a file that is missing or cannot be used.
    pub(crate) fn in_place_of(path: &Path) -> Result<Store> {
        Ok(Store { db: SharedConnection::in_memory(path)? })
    }

    /// Opens it for somebody who may only read it: every verb that changes something fails.
    pub(crate) fn look(path: &Path) -> Result<Store> {
        Ok(Store { db: SharedConnection::look(path)? })
    }

    /// Opens it for `carom check`, which creates nothing. Whether it could be written is tried
    /// where that leaves no trace. Error: it cannot be used, and the fix.
    pub(crate) fn glance(path: &Path) -> Result<Store> {
        Ok(Store { db: SharedConnection::glance(path)? })
    }

    /// Whether this process has opened it.
    pub(crate) fn is_open(&self) -> bool {
        self.db.is_open()
    }

    /// Whether its file has lost its name since it was opened: what is written would be lost.
    pub(crate) fn is_replaced(&self) -> bool {
        self.db.is_replaced()
    }

    /// Whether anything was ever stored here.
    pub(crate) fn exists(&self) -> bool {
        self.db.path().exists()
    }

    /// The version of the tables in the file, and the version that this carom writes.
    pub(crate) fn versions(&self) -> Result<(i64, i64)> {
        sqlite::versions(&self.db)
    }

    /// Error: the file is damaged. Reads as much of it as there is time for; returns whether that
    /// is all.
    pub(crate) fn inspect(&self, within: Option<Duration>) -> Result<bool> {
        self.db.read(|db| inspection::read_pages(db, within))
    }

    /// Very many rows will be read and written: that takes 16 MiB of memory more.
    pub(crate) fn expect_many(&self) -> Result<()> {
        self.db.expect_many()
    }

    /// Moves SQLite's write-ahead log into the file when it has grown, and claims nothing more.
    /// Dropping the store does so too.
    pub(crate) fn close(&self) {
        self.db.checkpoint();
        self.db.leave();
    }

    /// Keeps other ticks out of what only one at a time may do, until the lock is dropped. `None`:
    /// another tick has it.
    pub(crate) fn lock_tick(&self) -> Result<Option<LockFile>> {
        sqlite::lock_beside(&self.db, ".tick")
    }

    /// Removes what has expired, in every group, the oldest first, until the deadline. Steps that
    /// have been parked for 90 days are given up: returns those.
    pub(crate) fn purge(&self, now_ms: i64, deadline: Deadline) -> Result<Vec<PendingStep>> {
        purge::purge(&self.db, now_ms, deadline)
    }
}

/// The journal: promises, their steps, and which process does them.
impl Store {
    /// Writes down what was decided about messages and counts them, in one transaction. For each,
    /// returns what was known about its key: a key that is on record changes nothing. The steps
    /// that need not wait for anything are leased to the caller for `lease_ms`.
    pub(crate) fn write_down(&self, entries: &[Entry<'_>], lease_ms: i64) -> Result<Vec<OnRecord>> {
        promise_rows::write_down(&self.db, entries, lease_ms)
    }

    /// What is known about a key; `None`: nothing.
    pub(crate) fn on_record(&self, key: &str) -> Result<Option<OnRecord>> {
        promise_rows::on_record(&self.db, key)
    }

    /// Takes the steps of each message that can be done now, for `lease_ms`.
    pub(crate) fn claim(&self, keys: &[&str], now_ms: i64, lease_ms: i64) -> Result<Vec<Vec<usize>>> {
        step_rows::claim(&self.db, keys, now_ms, lease_ms)
    }

    /// Takes what can be done now of a message on record, with everything needed to do it. While
    /// another living process works on the message, returns `None`: its due steps are that
    /// process's, or the tick's if it hangs.
    pub(crate) fn claim_message(&self, key: &str, now_ms: i64, lease_ms: i64) -> Result<Option<DueSteps>> {
        step_rows::claim_message(&self.db, key, now_ms, lease_ms)
    }

    /// The same over all messages, at most `limit` of them, and no more than there are `bytes` of
    /// memory for. Steps of a message that another living process works on are taken from it only
    /// when they are overdue by a whole lease.
    pub(crate) fn claim_due(&self, now_ms: i64, lease_ms: i64, limit: usize, bytes: u64) -> Result<Claimed> {
        step_rows::claim_due(&self.db, now_ms, lease_ms, limit, bytes)
    }

    /// The size of the message whose steps are claimed first; `None`: no step is due.
    pub(crate) fn first_due_size(&self, now_ms: i64, lease_ms: i64) -> Result<Option<u64>> {
        due_messages::first_size(&self.db, now_ms, lease_ms)
    }

    /// Records how steps of messages (by key) ended, adds what they count for, and skips what
    /// waited for another end. Returns for each message whether nothing is left to do. A step that
    /// has ended before changes nothing. An error: whoever claims steps next records the ends.
    pub(crate) fn settle(&self, ended: &[(&str, &[Ended])], now_ms: i64, by: Deadline) -> Result<Vec<bool>> {
        settling::settle(&self.db, ended, now_ms, by)
    }

    /// This process is done with these messages (key and bytes); what is pending is for whoever
    /// comes next. Their files are not needed any more.
    pub(crate) fn release(&self, left: &[(&str, &Arc<Vec<u8>>)]) -> Result<()> {
        step_rows::release(&self.db, left)
    }

    /// The file of a message is not needed any more. Whoever does its steps goes on with them.
    pub(crate) fn take_source(&self, key: &str, raw: &Arc<Vec<u8>>) -> Result<()> {
        step_rows::take_source(&self.db, key, raw)
    }

    /// The source of these messages is gone, so they cannot be delivered again: finished ones leave
    /// the journal.
    pub(crate) fn forget(&self, keys: &[String]) -> Result<()> {
        promise_rows::forget(&self.db, keys)
    }
}

/// Suppressions, and the soft bounces (strikes) that lead to them.
impl Store {
    /// Suppresses an address, or replaces why and until when. An entry that the same failure made
    /// stays as it is, and one that an operator has removed stays away.
    pub(crate) fn suppress(&self, entry: &Suppressed) -> Result<ReportedEntry> {
        let entry = &*entry.as_listed();
        let written = suppression_rows::suppress(&self.db, entry)?;
        if written == ReportedEntry::Written && entry.grounds.soft_bounces > 0 {
            self.note_soft(&entry.address);
        }
        Ok(written)
    }

    /// Suppresses many addresses in one transaction; returns how many were new. Puts that on record
    /// under the name `by`, if there is one.
    pub(crate) fn suppress_all(&self, entries: &[Suppressed], by: Option<&str>) -> Result<usize> {
        suppression_rows::suppress_all(&self.db, &all_listed(entries), by)
    }

    /// Adds the entries that say more than the list does, in one transaction; returns what each is
    /// to the list.
    pub(crate) fn import(&self, entries: Vec<Suppressed>, now_ms: i64) -> Result<Vec<ImportChange>> {
        let entries = match entries.iter().all(Suppressed::is_ascii) {
            true => entries,
            false => all_listed(&entries).into_owned(),
        };
        suppression_rows::import(&self.db, entries, now_ms)
    }

    /// What each entry would be to the list.
    pub(crate) fn compare_with_list(&self, entries: &[Suppressed], now_ms: i64) -> Result<Vec<ImportChange>> {
        suppression_rows::compare_all(&self.db, &all_listed(entries), now_ms)
    }

    /// Why mail of this sender domain to this address is suppressed now; `None`: it is not.
    pub(crate) fn suppressed(
        &self,
        address: &str,
        sender_domain: &str,
        now_ms: i64,
    ) -> Result<Option<Suppressed>> {
        suppression_look::suppressed(&self.db, &in_a_labels(address), sender_domain, now_ms)
    }

    /// What suppresses mail to this address now: mail of this sender domain, or (`None`) any mail.
    pub(crate) fn entries_of(
        &self,
        address: &str,
        sender_domain: Option<&str>,
        now_ms: i64,
    ) -> Result<Vec<Suppressed>> {
        let sender_domain = sender_domain.map(normal_domain);
        suppression_look::entries_of(&self.db, &in_a_labels(address), sender_domain.as_deref(), now_ms)
    }

    /// The suppression list, sorted by address: up to `most` of the entries whose address contains
    /// `containing`, after one of them.
    pub(crate) fn suppressions(
        &self,
        containing: &str,
        after: Option<&Suppressed>,
        now_ms: i64,
        most: usize,
    ) -> Result<Vec<Suppressed>> {
        suppression_rows::suppressions(&self.db, &in_a_labels(containing), after, now_ms, most)
    }

    /// How many entries the suppression list has.
    pub(crate) fn suppressed_count(&self, now_ms: i64) -> Result<u64> {
        suppression_rows::suppressed_count(&self.db, now_ms)
    }

    /// Counts a soft bounce and returns how many count now. The same key counts once, and so do the
    /// log line and the report of one bounce; unproven ones are noted once a day, and not counted.
    pub(crate) fn strike(&self, bounce: &SoftBounce<'_>) -> Result<StrikeCount> {
        bounce.as_listed(|bounce| strike_rows::strike(&self.db, bounce))
    }

    /// Deliveries to these addresses succeeded at these times (milliseconds since 1970): soft
    /// bounces from before are forgotten. Returns how many were.
    pub(crate) fn forgive<'a>(&self, delivered: impl IntoIterator<Item = (&'a str, i64)>) -> Result<usize> {
        let alive = delivered
            .into_iter()
            .map(|(address, at_ms)| (in_a_labels(&address.to_lowercase()).into(), at_ms))
            .collect();
        strike_rows::forgive(&self.db, alive)
    }

    /// The next addresses after this one that have soft bounces.
    pub(crate) fn struck_after(&self, after: &str, most: usize) -> Result<Vec<String>> {
        strike_rows::struck_after(&self.db, after, most)
    }

    /// The soft bounces of an address: sender domain, time (milliseconds since 1970), proven or
    /// not.
    pub(crate) fn strikes(&self, address: &str) -> Result<Vec<(String, i64, bool)>> {
        strike_rows::strikes(&self.db, &in_a_labels(address))
    }
}

fn all_listed(entries: &[Suppressed]) -> Cow<'_, [Suppressed]> {
    match entries.iter().all(Suppressed::is_ascii) {
        true => Cow::Borrowed(entries),
        false => entries.iter().map(|entry| entry.as_listed().into_owned()).collect(),
    }
}

/// Marks: what the tick has done, and yes-or-no answers that expire (trackers, sent notifications).
impl Store {
    /// Records that a tick has ended, and which parts of it failed.
    pub(crate) fn beat(&self, at_ms: i64, duration_ms: u64, failed: Vec<String>) -> Result<()> {
        mark_rows::beat(&self.db, &self.next_heartbeat(at_ms, duration_ms, failed)?)
    }

    /// The heartbeat of a tick that is about to end.
    pub(crate) fn next_heartbeat(
        &self,
        at_ms: i64,
        duration_ms: u64,
        failed: Vec<String>,
    ) -> Result<Heartbeat> {
        let before = self.heartbeat()?.unwrap_or_default();
        let whole_ms = if failed.is_empty() { Some(at_ms) } else { before.whole_ms };
        Ok(Heartbeat { at_ms, duration_ms, whole_ms, failed })
    }

    /// The last tick; `None` before the first.
    pub(crate) fn heartbeat(&self) -> Result<Option<Heartbeat>> {
        mark_rows::heartbeat(&self.db)
    }

    /// Removes these entries from the suppression list, unless they have changed since, and sets a
    /// mark in the same transaction. Returns how many were removed.
    pub(crate) fn purge_suppressions(
        &self,
        entries: &[Suppressed],
        name: &str,
        value: &str,
    ) -> Result<usize> {
        mark_rows::purge_suppressions(&self.db, entries, name, value)
    }
}

/// Differences between the policy in force and the policies that only observe.
impl Store {
    /// Records a difference, and forgets the oldest beyond a thousand.
    pub(crate) fn record_difference(&self, found: Difference) -> Result<()> {
        difference_rows::record_difference(&self.db, found)
    }

    /// The newest `many` differences, oldest first, of the observing policy `other` or of all.
    pub(crate) fn differences(&self, other: Option<&str>, many: usize) -> Result<Vec<Difference>> {
        difference_rows::differences(&self.db, other, many)
    }
}
