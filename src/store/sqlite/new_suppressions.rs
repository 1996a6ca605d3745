//! The addresses that came to the suppression list last, by number: who remembers which addresses
//! are on the list learns of new ones here.
//!
//! The table and its triggers are there once somebody has remembered the list: without them a
//! change costs nothing. Not here: the list (`suppression_rows`). Invariants: an address is noted
//! in the transaction that adds it, and forgotten in the one that removes it; numbers only rise,
//! and who misses more of them than are kept learns that.

use super::connection::SharedConnection;
use super::noted_changes::NEW;
use crate::error::Result;
use crate::store::ListedAddresses;
use rusqlite::{Connection, params};

/// How many are kept, as the trigger has it.
const KEPT: i64 = 10_000;

/// From now on new addresses are noted; the number of the newest.
pub(crate) fn begin(shared: &SharedConnection) -> Result<i64> {
    const IS_NOTED: &str =
        "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name = 'new_suppression_gone'";
    if !shared.read(|db| db.prepare(IS_NOTED)?.exists([]))? {
        shared.write(|db| NEW.begin(db))?;
    }
    const NEWEST: &str =
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'new_suppressions'), 0)";
    shared.read(|db| db.query_row(NEWEST, [], |row| row.get(0)))
}

/// Adds those that came after what it knows. Returns whether it knows all of them then.
pub(super) fn tell(db: &Connection, listed: &ListedAddresses) -> rusqlite::Result<bool> {
    // One statement sees one state of the file.
    const AFTER: &str = "SELECT numbers.seq, new.address FROM sqlite_sequence AS numbers
        LEFT JOIN new_suppressions AS new ON new.number > ?1 WHERE numbers.name = 'new_suppressions'";
    let before = listed.newest();
    let (mut newest, mut select) = (0, db.prepare_cached(AFTER)?);
    let mut rows = select.query(params![before])?;
    while let Some(row) = rows.next()? {
        newest = row.get(0)?;
        if let Some(address) = row.get_ref(1)?.as_str_or_null()? {
            listed.add(address);
        }
    }
    // A smaller number: another file has been copied over this one.
    let knows_all = newest >= before && newest - KEPT <= before;
    if knows_all {
        listed.has_all_up_to(newest);
    }
    Ok(knows_all)
}
