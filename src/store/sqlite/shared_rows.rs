//! What this host knows of the state that hosts share: its own number, the version of each fact,
//! what the others have not got yet, and how far their changes are read.
//!
//! Not here: what notes changes (`noted_changes`), the rows (`shared_facts`), what others say
//! (`taken_facts`), and the exchange (`crate::shared`). Invariant: a change is in the queue until
//! it was seen in the change log of the shared store.

use super::connection::SharedConnection;
use super::database_fault::Database;
use super::noted_changes::SHARED;
use super::shared_facts::{self, RowContent};
use super::suppression_rows::{self, COLUMNS};
use crate::clock::{self, DAY_MS};
use crate::error::{Error, Result};
use crate::store::shared_fact::{FactVersion, SharedFact, rank_of_claim, rank_of_time};
use crate::store::shared_state::{GroupPosition, GroupState, SharedSelf, Total, greatest_rank};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// States of a group in `shared_groups.behind`.
pub(super) const BEHIND: i64 = 1;
pub(super) const NEW: i64 = 2;
/// Whether this host has anything that others could lack.
const HAS_FACTS: &str =
    "SELECT EXISTS (SELECT 1 FROM suppressions) OR EXISTS (SELECT 1 FROM earlier_suppressions)
    OR EXISTS (SELECT 1 FROM strikes) OR EXISTS (SELECT 1 FROM reported) OR EXISTS (SELECT 1 FROM memory)
    OR EXISTS (SELECT 1 FROM shared_stamps)";
/// Entries that are in force though they are older than what they replaced, as imported ones may
/// be, or name a time that is yet to come, are changes of now: they stay in force.
const NOTE_IN_FORCE: &str =
    "INSERT INTO shared_changes SELECT 's' || address || char(10) || sender_domain || char(10) || source || char(10) || key, 0
    FROM (SELECT one.* FROM earlier_suppressions AS other CROSS JOIN suppressions AS one
        ON one.address = other.address AND one.sender_domain = other.sender_domain
        WHERE (other.added_ms, other.source, other.key) > (one.added_ms, one.source, one.key)
        UNION SELECT * FROM suppressions WHERE added_ms > ?1)";
/// How long it is known that something was removed.
const REMOVED_DAYS: i64 = 90;
/// Removals that one transaction forgets.
const PIECE: usize = 2000;

pub(crate) fn this_host(shared: &SharedConnection) -> Result<SharedSelf> {
    shared.read(|db| {
        let waiting = db.query_row("SELECT count(*) FROM shared_queue", [], |row| row.get::<_, i64>(0))?;
        db.query_row("SELECT is_on, host FROM shared_self", [], |row| {
            Ok(SharedSelf { is_on: row.get(0)?, host: row.get(1)?, waiting: waiting.unsigned_abs() })
        })
    })
}

/// How many facts there are.
pub(crate) fn facts(shared: &SharedConnection) -> Result<u64> {
    const FACTS: &str =
        "SELECT (SELECT count(*) FROM suppressions) + (SELECT count(*) FROM earlier_suppressions)
        + (SELECT count(*) FROM strikes WHERE proven) + (SELECT count(*) FROM shared_stamps WHERE is_gone)
        + (SELECT count(*) FROM reported WHERE event <> 'soft-threshold')
        + (SELECT count(*) FROM memory WHERE name GLOB 'http*://*')";
    shared.read(|db| db.query_row(FACTS, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs))
}

/// Begins to note changes. All groups are to be compared, because nothing was noted before. A host
/// that has no facts yet only takes over.
pub(crate) fn begin(shared: &SharedConnection, host: u32, groups: u32) -> Result<()> {
    shared.write(move |db| {
        db.execute(
            "UPDATE shared_self SET is_on = 1, host = ?1, clock = max(clock, ?2)",
            params![host, rank_of_time(clock::now_ms())],
        )?;
        SHARED.begin(db)?;
        db.execute(NOTE_IN_FORCE, [clock::now_ms()])?;
        let has_facts = db.query_row(HAS_FACTS, [], |row| row.get::<_, bool>(0))?;
        compare_all(db, groups, if has_facts { BEHIND } else { NEW })
    })
}

/// Ranks too far ahead of the clock, of a host whose clock was wrong, become those of changes that
/// this host makes now, and so do the times in the rows. Returns whether there were any.
pub(crate) fn renew_ranks(shared: &SharedConnection) -> Result<bool> {
    let greatest = greatest_rank();
    let is_ahead = "SELECT typeof(clock) <> 'integer' OR clock > ?1 FROM shared_self";
    if !shared.read(|db| db.query_row(is_ahead, [greatest], |row| row.get(0)))? {
        return Ok(false);
    }
    shared.write(move |db| {
        let now_ms = clock::now_ms();
        let ahead =
            "SELECT name FROM shared_stamps WHERE typeof(rank) <> 'integer' OR rank > ?1 ORDER BY rank";
        let mut ahead = db.prepare(ahead)?;
        let names = ahead.query_map([greatest], |row| row.get(0))?;
        let names = names.collect::<rusqlite::Result<Vec<String>>>()?;
        let queue = "INSERT INTO shared_queue VALUES (?1) ON CONFLICT (name) DO NOTHING";
        let renew =
            "UPDATE shared_stamps SET host = (SELECT host FROM shared_self), rank = ?2 WHERE name = ?1";
        let (mut queue, mut renew) = (db.prepare(queue)?, db.prepare(renew)?);
        // Among each other they stay in their order.
        let mut clock = rank_of_time(now_ms);
        for name in &names {
            queue.execute([name])?;
            clock += 1;
            let rank = if name.starts_with('r') { rank_of_claim(now_ms) } else { clock };
            renew.execute(params![name, rank])?;
            shared_facts::set_right(db, name, now_ms)?;
        }
        db.execute("UPDATE shared_self SET clock = ?1", [clock])?;
        Ok(true)
    })
}

/// Notes changes no more, and forgets what others know.
pub(crate) fn end(shared: &SharedConnection) -> Result<()> {
    shared.write(|db| {
        db.execute("UPDATE shared_self SET is_on = 0", [])?;
        SHARED.end(db)?;
        for table in ["shared_stamps", "shared_queue", "shared_groups", "shared_totals"] {
            db.execute(&format!("DELETE FROM {table}"), [])?;
        }
        Ok(())
    })
}

/// All groups are to be compared as a whole, and all totals are to be shipped.
pub(crate) fn compare_again(shared: &SharedConnection, groups: u32) -> Result<()> {
    shared.write(move |db| compare_all(db, groups, BEHIND))
}

fn compare_all(db: &Connection, groups: u32, behind: i64) -> rusqlite::Result<()> {
    let mut put = db.prepare("INSERT OR REPLACE INTO shared_groups VALUES (?1, 0, 0, ?2)")?;
    (0..groups).try_for_each(|group| put.execute(params![group, behind]).map(drop))?;
    db.execute("DELETE FROM shared_totals", []).map(drop)
}

/// Runs work whose changes are not noted: other hosts do the same by themselves, or have done it.
pub(super) fn silently<T>(
    db: &Connection,
    work: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let is_on: bool = db.prepare_cached("SELECT is_on FROM shared_self")?.query_row([], |row| row.get(0))?;
    if !is_on {
        return work();
    }
    db.prepare_cached("UPDATE shared_self SET is_on = 0")?.execute([])?;
    let done = work()?;
    db.prepare_cached("UPDATE shared_self SET is_on = 1")?.execute([])?;
    Ok(done)
}

/// The first facts of the queue after this one. Those that are not there any more leave it.
pub(crate) fn waiting(shared: &SharedConnection, after: &str, most: usize) -> Result<Vec<SharedFact>> {
    let (facts, gone) = queued(shared, after, most)?;
    if !gone.is_empty() {
        shared.write(move |db| {
            let mut leave = db.prepare_cached("DELETE FROM shared_queue WHERE name = ?1")?;
            for name in &gone {
                if fact(db, name)?.is_none() {
                    leave.execute([name])?;
                }
            }
            Ok(())
        })?;
    }
    Ok(facts)
}

/// The same, with the names of those that are not there any more.
pub(crate) fn queued(
    shared: &SharedConnection,
    after: &str,
    most: usize,
) -> Result<(Vec<SharedFact>, Vec<String>)> {
    shared.read(|db| {
        let mut select =
            db.prepare_cached("SELECT name FROM shared_queue WHERE name > ?1 ORDER BY name LIMIT ?2")?;
        let names = select.query_map(params![after, most as i64], |row| row.get::<_, String>(0))?;
        let (mut facts, mut gone) = (Vec::new(), Vec::new());
        for name in names {
            let name = name?;
            match fact(db, &name)? {
                Some(fact) => facts.push(fact),
                None => gone.push(name),
            }
        }
        Ok((facts, gone))
    })
}

/// The version that is known here, and what the tables say.
fn fact(db: &Connection, name: &str) -> rusqlite::Result<Option<SharedFact>> {
    let content = shared_facts::content(db, name)?;
    Ok(match (stamp(db, name)?, content) {
        (Some((version, true)), _) => Some(SharedFact { name: name.to_owned(), version, content: None }),
        // It has expired.
        (_, None) => None,
        (Some((version, false)), Some(content)) => {
            Some(SharedFact { name: name.to_owned(), version, content: Some(content.content) })
        }
        (None, Some(content)) => Some(old_fact(name.to_owned(), content)),
    })
}

fn old_fact(name: String, content: RowContent) -> SharedFact {
    let version = content.version(&name);
    SharedFact { name, version, content: Some(content.content) }
}

/// The version in `shared_stamps`, and whether the fact was removed.
pub(super) fn stamp(db: &Connection, name: &str) -> rusqlite::Result<Option<(FactVersion, bool)>> {
    let select = "SELECT rank, host, is_gone FROM shared_stamps WHERE name = ?1";
    db.prepare_cached(select)?.query_row([name], |row| Ok((version(row, 0)?, row.get(2)?))).optional()
}

fn version(row: &Row<'_>, from: usize) -> rusqlite::Result<FactVersion> {
    Ok(FactVersion { rank: row.get(from)?, host: row.get(from + 1)? })
}

/// These versions have reached the shared store: what has not changed since leaves the queue.
pub(crate) fn shipped(shared: &SharedConnection, facts: Vec<(String, FactVersion)>) -> Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    shared.write(move |db| {
        let leave = "DELETE FROM shared_queue WHERE name = ?1 AND NOT EXISTS (
            SELECT 1 FROM shared_stamps WHERE name = ?1 AND (rank, host) <> (?2, ?3))";
        let mut leave = db.prepare_cached(leave)?;
        facts.iter().try_for_each(|(name, FactVersion { rank, host })| {
            leave.execute(params![name, rank, host]).map(drop)
        })
    })
}

/// How far the changes of each group are read.
pub(crate) fn positions(shared: &SharedConnection) -> Result<Vec<GroupPosition>> {
    shared.read(|db| {
        let mut select =
            db.prepare_cached("SELECT number, place, mark, behind FROM shared_groups ORDER BY number")?;
        let rows = select.query_map([], |row| {
            let (place, mark): (i64, i64) = (row.get(1)?, row.get(2)?);
            let state = match row.get(3)? {
                0 => GroupState::Read,
                NEW => GroupState::New,
                _ => GroupState::Behind,
            };
            Ok(GroupPosition { number: row.get(0)?, place: place as u64, mark: mark as u64, state })
        })?;
        rows.collect()
    })
}

/// Calls `take` for each fact, as they all are at one moment.
pub(crate) fn each_fact(
    shared: &SharedConnection,
    take: &mut dyn FnMut(SharedFact) -> Result<()>,
) -> Result<()> {
    // A connection of its own: others write meanwhile.
    let db = shared.reader()?;
    let fault = |error: &rusqlite::Error| Database::Store.fault(shared.path(), error);
    let mut failed: Option<Error> = None;
    let walked = walk(&db, &mut |fact| {
        failed = take(fact).err();
        failed.is_none()
    });
    match failed {
        Some(error) => Err(error),
        None => walked.map_err(|error| fault(&error)),
    }
}

/// Of each table a name, the stamp and the content, until `take` says no.
fn walk(db: &Connection, take: &mut dyn FnMut(SharedFact) -> bool) -> rusqlite::Result<()> {
    type Read = fn(&Row<'_>) -> rusqlite::Result<(String, RowContent)>;
    let _moment = db.unchecked_transaction()?;
    let entry: Read = |row| {
        let entry = suppression_rows::row(row)?;
        Ok((shared_facts::suppression_name(&entry), shared_facts::suppression(&entry)))
    };
    let strike: Read = |row| Ok((row.get(0)?, shared_facts::strike(row, 1)?));
    let report: Read = |row| Ok((row.get(0)?, shared_facts::report(row, 1)?));
    let tracker: Read = |row| Ok((row.get(0)?, shared_facts::tracker(row, 1)?));
    let tables: [(String, Read); 5] = [
        (format!("SELECT {COLUMNS} FROM suppressions"), entry),
        (format!("SELECT {COLUMNS} FROM earlier_suppressions"), entry),
        (
            "SELECT 'b' || address || char(10) || sender_domain || char(10) || coalesce(bounce, key), at_ms, key, bounce,
             logged FROM strikes WHERE proven"
                .into(),
            strike,
        ),
        (
            "SELECT 'r' || event || char(10) || id, key, until_ms, address FROM reported
             WHERE event <> 'soft-threshold'"
                .into(),
            report,
        ),
        ("SELECT 't' || name, value, expires_ms FROM memory WHERE name GLOB 'http*://*'".into(), tracker),
    ];
    for (sql, read) in tables {
        let mut select = db.prepare(&sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (name, content) = read(row)?;
            let fact = match stamp(db, &name)? {
                Some((version, false)) => SharedFact { name, version, content: Some(content.content) },
                Some((_, true)) => continue,
                None => old_fact(name, content),
            };
            if !take(fact) {
                return Ok(());
            }
        }
    }
    let mut select = db.prepare("SELECT name, rank, host FROM shared_stamps WHERE is_gone")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if !take(SharedFact { name: row.get(0)?, version: version(row, 1)?, content: None }) {
            return Ok(());
        }
    }
    Ok(())
}

/// Forgets what was removed long ago. When a claim was removed is not known: there are few.
pub(crate) fn forget_removed(shared: &SharedConnection, now_ms: i64) -> Result<()> {
    shared.write(move |db| {
        let before = rank_of_time(now_ms - REMOVED_DAYS * DAY_MS);
        let forget = format!(
            "DELETE FROM shared_stamps WHERE name IN (SELECT name FROM shared_stamps WHERE is_gone AND rank < ?1 \
             AND substr(name, 1, 1) <> 'r' LIMIT {PIECE})"
        );
        db.execute(&forget, [before]).map(drop)
    })
}

/// Counters (`c` and their name), minutes (`m` and their start) from this one on, and earlier ones
/// that have changed since they were shipped.
pub(crate) fn totals_to_ship(shared: &SharedConnection, from_minute: i64) -> Result<Vec<Total>> {
    shared.read(|db| {
        let select =
            "SELECT 'c' || name, value FROM counters UNION ALL SELECT 'm' || minute, messages FROM series
            LEFT JOIN shared_totals AS known ON known.name = 'm' || minute
            WHERE minute >= ?1 OR known.value IS NOT messages";
        let mut select = db.prepare_cached(select)?;
        let rows =
            select.query_map([from_minute], |row| Ok(Total { name: row.get(0)?, value: row.get(1)? }))?;
        rows.collect()
    })
}

/// These totals were shipped.
pub(crate) fn shipped_totals(shared: &SharedConnection, totals: Vec<Total>) -> Result<()> {
    shared.write(move |db| {
        let mut put = db.prepare_cached("INSERT OR REPLACE INTO shared_totals VALUES (?1, ?2)")?;
        let minutes = totals.iter().filter(|total| total.name.starts_with('m'));
        for Total { name, value } in minutes {
            put.execute(params![name, value])?;
        }
        let gone = "DELETE FROM shared_totals WHERE NOT EXISTS (
            SELECT 1 FROM series WHERE minute = CAST(substr(name, 2) AS INTEGER))";
        db.execute(gone, []).map(drop)
    })
}
