//! The tables of the store. They can be read with the `sqlite3` shell.
//!
//! Invariant: a released migration never changes; a new one is appended.

use super::migrations;
use rusqlite::Connection;

/// One entry for each version: a file of version N has had the first N.
const STORE_MIGRATIONS: &[&str] = &["
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    INSERT INTO meta VALUES ('startedRunning', strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now'));

    -- bouncy-sink's counters, without its int_ prefix, and carom's own.
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    -- Messages of each minute; unix seconds of the minute's start.
    CREATE TABLE series (minute INTEGER PRIMARY KEY, messages INTEGER NOT NULL);

    -- A message whose plan was promised. `owner` is the process that is at it; `message` goes when all is done.
    CREATE TABLE journal (
        key TEXT PRIMARY KEY, state TEXT NOT NULL, at_ms INTEGER NOT NULL, owner TEXT,
        policy TEXT, seed TEXT, envelope TEXT, plan TEXT, message BLOB);
    CREATE INDEX journal_age ON journal (at_ms) WHERE state = 'finished';

    -- state: pending, succeeded, failed, skipped. `lease_ms`: until then the step is some process's.
    CREATE TABLE steps (
        key TEXT NOT NULL, step INTEGER NOT NULL, action TEXT NOT NULL, state TEXT NOT NULL,
        after INTEGER, outcome TEXT, due_ms INTEGER NOT NULL, lease_ms INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (key, step)) WITHOUT ROWID;
    CREATE INDEX steps_due ON steps (due_ms) WHERE state = 'pending';

    -- Answers of tracker checks.
    CREATE TABLE memory (name TEXT PRIMARY KEY, value INTEGER NOT NULL, expires_ms INTEGER NOT NULL) WITHOUT ROWID;
", "
    -- Where a policy with `monitor = true` would have done otherwise than the one in force; plans are JSON.
    CREATE TABLE differences (
        id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, envelope TEXT NOT NULL, seed TEXT NOT NULL,
        policy TEXT NOT NULL, hash TEXT NOT NULL, plan TEXT NOT NULL,
        other_policy TEXT NOT NULL, other_hash TEXT NOT NULL, other_plan TEXT NOT NULL);

    -- Addresses that get no more mail. An empty sender_domain: from nobody.
    CREATE TABLE suppressions (
        address TEXT NOT NULL, sender_domain TEXT NOT NULL, reason TEXT NOT NULL, source TEXT NOT NULL,
        added_ms INTEGER NOT NULL, expires_ms INTEGER, PRIMARY KEY (address, sender_domain)) WITHOUT ROWID;
    -- Soft bounces; `key` is the journal key of the report, or the id of the delivery in the logs.
    CREATE TABLE strikes (
        address TEXT NOT NULL, sender_domain TEXT NOT NULL, key TEXT NOT NULL, at_ms INTEGER NOT NULL,
        proven INTEGER NOT NULL, PRIMARY KEY (address, sender_domain, key)) WITHOUT ROWID;
", "
    -- How alerts stand, by rule and group; those that are as they should be, and were told so long ago, are not there.
    -- state: pending, firing, resolved. told: the state that was told last; told_ms: when; fired_ms: when firing was told last.
    CREATE TABLE alerts (
        rule TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, since_ms INTEGER NOT NULL, value REAL,
        told TEXT NOT NULL, told_ms INTEGER NOT NULL, fired_ms INTEGER NOT NULL,
        PRIMARY KEY (rule, subject)) WITHOUT ROWID;
", "
    -- What bounced, a digest of Message-ID and address, and whether a log line or a report said so: together they count once.
    ALTER TABLE strikes ADD COLUMN bounce TEXT;
    ALTER TABLE strikes ADD COLUMN logged INTEGER NOT NULL DEFAULT 0;

    -- URL templates of applications that were looked up. No template: there was none so far. Not asked for anew before fresh_ms.
    CREATE TABLE templates (
        source TEXT PRIMARY KEY, template TEXT, etag TEXT, fresh_ms INTEGER NOT NULL, note TEXT NOT NULL) WITHOUT ROWID;
    -- Steps may be 'parked' as well: they failed, and wait for an operator.
    CREATE INDEX steps_parked ON steps (key) WHERE state = 'parked';
"];

/// The version this carom writes.
pub(crate) const VERSION: i64 = STORE_MIGRATIONS.len() as i64;

/// Creates or updates the tables.
pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    migrations::apply(connection, STORE_MIGRATIONS)
}
