//! Facts of other hosts, taken over into the tables.
//!
//! Not here: what a fact does to the rows (`shared_facts`), and what this host has to say
//! (`shared_rows`). Invariant: what is taken over is not noted as a change of this host.

use super::connection::SharedConnection;
use super::shared_facts::{self, Before, UnknownEntries};
use super::shared_rows::{BEHIND, NEW, silently, stamp};
use crate::error::{Context, Result};
use crate::store::shared_fact::SharedFact;
use crate::store::shared_state::{GroupPosition, GroupState, Merged, greatest_rank};
use rusqlite::{Connection, params};
use std::sync::mpsc::sync_channel;
use std::thread::{self, Builder};

/// Facts of one transaction: others wait while it lasts.
const TOGETHER: usize = 20_000;

/// The same as `merge`, for very many facts: in the order of the tables, so that each page is
/// written once, and in several transactions. Another thread gets the next ones meanwhile.
pub(crate) fn merge_many(
    shared: &SharedConnection,
    mut facts: impl Iterator<Item = Result<SharedFact>> + Send,
    now_ms: i64,
) -> Result<Merged> {
    thread::scope(|scope| {
        let (send, sent) = sync_channel(1);
        let get = move || {
            loop {
                let some: Result<Vec<SharedFact>> = facts.by_ref().take(TOGETHER).collect();
                let is_last = some.as_ref().map_or(true, |some| some.len() < TOGETHER);
                if send.send(some).is_err() || is_last {
                    return;
                }
            }
        };
        Builder::new().spawn_scoped(scope, get).context("a thread that reads facts")?;
        let mut merged = Merged::default();
        for some in sent {
            let came = merge(shared, some?, Vec::new(), now_ms)?;
            (merged.taken, merged.outdated) = (merged.taken + came.taken, merged.outdated + came.outdated);
        }
        Ok(merged)
    })
}

/// Takes over what wins over the versions known here, in one transaction, with how far groups are
/// read. What this host knows better and the shared store has lost is queued.
pub(crate) fn merge(
    shared: &SharedConnection,
    facts: Vec<SharedFact>,
    positions: Vec<GroupPosition>,
    now_ms: i64,
) -> Result<Merged> {
    if facts.is_empty() && positions.is_empty() {
        return Ok(Merged::default());
    }
    shared.write(move |db| {
        let mut merged = Merged::default();
        let own: u32 = db.query_row("SELECT host FROM shared_self", [], |row| row.get(0))?;
        silently(db, || {
            let mut unknown = UnknownEntries::new(db)?;
            facts.iter().try_for_each(|fact| {
                if unknown.add(fact, now_ms)? {
                    merged.taken += 1;
                    return stamp_unless_old(db, fact);
                }
                // It may note something about another one.
                unknown.nothing_noted = false;
                merge_one(db, fact, own, now_ms, &mut merged)
            })
        })?;
        let seen =
            facts.iter().filter(|fact| !fact.name.starts_with('r')).map(|fact| fact.version.rank).max();
        db.execute(
            "UPDATE shared_self SET clock = max(clock, ?1)",
            [seen.unwrap_or(0).min(greatest_rank())],
        )?;
        // Where a log was lost, totals may be lost.
        if positions.iter().any(|position| position.state == GroupState::Behind) {
            db.execute("DELETE FROM shared_totals", [])?;
        }
        for GroupPosition { number, place, mark, state } in positions {
            let behind = match state {
                GroupState::Read => 0,
                GroupState::Behind => BEHIND,
                GroupState::New => NEW,
            };
            let put = "INSERT OR REPLACE INTO shared_groups VALUES (?1, ?2, ?3, ?4)";
            db.prepare_cached(put)?.execute(params![number, place as i64, mark as i64, behind])?;
        }
        Ok(merged)
    })
}

fn merge_one(
    db: &Connection,
    fact: &SharedFact,
    own: u32,
    now_ms: i64,
    merged: &mut Merged,
) -> rusqlite::Result<()> {
    let SharedFact { name, version, .. } = fact;
    let known = match stamp(db, name)? {
        // It ended while the clock of this host was ahead.
        Some((known, false)) if known == *version && has_gone_too_early(db, fact, now_ms)? => None,
        Some((known, _)) => Some(known),
        None => shared_facts::content(db, name)?.map(|content| content.version(name)),
    };
    if !fact.beats(known) {
        if known.is_some_and(|known| known > *version) {
            let queue = "INSERT INTO shared_queue VALUES (?1) ON CONFLICT (name) DO NOTHING";
            db.prepare_cached(queue)?.execute([name])?;
            merged.outdated += 1;
        }
        return Ok(());
    }
    if known.is_none() && fact.ends_ms().is_some_and(|ends_ms| ends_ms <= now_ms) {
        return Ok(());
    }
    merged.taken += 1;
    let whose = match known {
        None => Before::Nothing,
        Some(known) if known.host == own => Before::Own,
        Some(_) => Before::Other,
    };
    shared_facts::put(db, fact, whose, now_ms)?;
    if known.is_none() {
        return stamp_unless_old(db, fact);
    }
    put_stamp(db, fact)?;
    db.prepare_cached("DELETE FROM shared_queue WHERE name = ?1")?.execute([name])?;
    Ok(())
}

/// Whether a fact that has a term, and time left, is not in the tables.
fn has_gone_too_early(db: &Connection, fact: &SharedFact, now_ms: i64) -> rusqlite::Result<bool> {
    let lasts = fact.ends_ms().is_some_and(|ends_ms| ends_ms > now_ms);
    Ok(lasts && shared_facts::content(db, &fact.name)?.is_none())
}

/// Notes the version of a fact that was not known, unless the fact says it itself.
fn stamp_unless_old(db: &Connection, fact: &SharedFact) -> rusqlite::Result<()> {
    let content = fact.content.as_deref();
    let says_itself = content.and_then(|text| shared_facts::version_before_sharing(&fact.name, text));
    if says_itself == Some(fact.version) { Ok(()) } else { put_stamp(db, fact) }
}

fn put_stamp(db: &Connection, fact: &SharedFact) -> rusqlite::Result<()> {
    let SharedFact { name, version, content } = fact;
    let put = "INSERT INTO shared_stamps VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (name) DO UPDATE SET rank = excluded.rank, host = excluded.host, is_gone = excluded.is_gone";
    db.prepare_cached(put)?.execute(params![name, version.rank, version.host, content.is_none()]).map(drop)
}
