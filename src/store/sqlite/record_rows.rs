//! Messages without side effects become rows of the journal and counters; how far each file of the
//! message log is folded.
//!
//! Invariant: a key counts once; the position in a file and what was counted up to it change in one
//! transaction.

use super::connection::SharedConnection;
use super::counter_rows;
use crate::error::Result;
use crate::plan::Verdict;
use crate::store::message_record::{FoldedFile, MessageRecord};
use crate::store::tally::Tally;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};

pub(crate) fn record(shared: &SharedConnection, records: Vec<MessageRecord>) -> Result<()> {
    shared.write(move |db| add(db, &records))
}

pub(crate) fn folded_files(shared: &SharedConnection) -> Result<Vec<FoldedFile>> {
    shared.read(|db| {
        let select = "SELECT inode, name, position, fingerprint FROM record_files";
        db.prepare_cached(select)?.query_map([], file)?.collect()
    })
}

pub(crate) fn fold(
    shared: &SharedConnection,
    records: Vec<MessageRecord>,
    before: Option<FoldedFile>,
    now: FoldedFile,
) -> Result<bool> {
    const KNOWN: &str = "SELECT inode, name, position, fingerprint FROM record_files WHERE inode = ?1";
    const PUT: &str =
        "INSERT OR REPLACE INTO record_files (inode, name, position, fingerprint) VALUES (?1, ?2, ?3, ?4)";
    shared.write(move |db| {
        let known = db.prepare_cached(KNOWN)?.query_row([now.inode as i64], file).optional()?;
        if known != before {
            return Ok(false);
        }
        add(db, &records)?;
        let FoldedFile { inode, name, position, fingerprint } = &now;
        db.prepare_cached(PUT)?.execute(params![*inode as i64, name, *position as i64, fingerprint])?;
        Ok(true)
    })
}

pub(crate) fn forget_files(shared: &SharedConnection, inodes: Vec<u64>) -> Result<()> {
    if inodes.is_empty() {
        return Ok(());
    }
    shared.write(move |db| {
        let mut delete = db.prepare_cached("DELETE FROM record_files WHERE inode = ?1")?;
        inodes.iter().try_for_each(|inode| delete.execute([*inode as i64]).map(drop))
    })
}

fn file(row: &Row<'_>) -> rusqlite::Result<FoldedFile> {
    Ok(FoldedFile {
        inode: row.get::<_, i64>(0)? as u64,
        name: row.get(1)?,
        position: row.get::<_, i64>(2)? as u64,
        fingerprint: row.get(3)?,
    })
}

/// Counts each message whose key is new. A deferred one leaves no key, nor does one that is gone.
fn add(db: &Connection, records: &[MessageRecord]) -> rusqlite::Result<()> {
    const ONCE: &str =
        "INSERT OR IGNORE INTO journal (key, state, at_ms, plan) VALUES (?1, 'finished', ?2, ?3)";
    let (mut tally, mut minutes) = (Tally::default(), BTreeMap::<i64, u64>::new());
    let mut insert = db.prepare_cached(ONCE)?;
    let mut known = db.prepare_cached("SELECT 1 FROM journal WHERE key = ?1")?;
    let mut gone = HashSet::new();
    for MessageRecord { key, at_ms, verdict, counted, is_gone } in records {
        if !matches!(verdict, Verdict::Defer(_)) {
            let plan = || json!({ "verdict": verdict, "steps": [] }).to_string();
            let counts_already = match is_gone {
                true => !gone.insert(key) || known.exists([key])?,
                false => insert.execute(params![key, at_ms, plan()])? == 0,
            };
            if counts_already {
                continue;
            }
            *minutes.entry(at_ms.div_euclid(60_000) * 60).or_default() += 1;
        }
        counted.iter().for_each(|(name, many)| tally.add_many(name, many));
    }
    counter_rows::add_all(db, &tally)?;
    minutes.into_iter().try_for_each(|(minute, messages)| counter_rows::add_messages(db, minute, messages))
}
