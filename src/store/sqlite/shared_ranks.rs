//! The order in which entries of one address, and its soft bounces, were made: by the clock that
//! hosts share, and not by the time of day that they name.
//!
//! Of the entries of an address and a sender domain, the one with the greatest rank is in force,
//! then the one with the greater source and key. Not here: how ranks are made
//! (`shared_changes.sql`, `store/shared_fact`). Invariant: the order depends on nothing but the
//! entries and their versions, so all hosts find the same one in force, whichever came first.

use crate::store::shared_fact::rank_of_time;
use crate::store::suppressed::Suppressed;
use rusqlite::{Connection, OptionalExtension};

/// The rank of a row of the list, in force or replaced.
pub(super) const ENTRY_RANK: &str = "coalesce((SELECT rank FROM shared_stamps WHERE name =
    's' || address || char(10) || sender_domain || char(10) || source || char(10) || key),
    min(max(added_ms, 0), 4398046511103) << 20)";
/// The rank of a soft bounce.
pub(super) const STRIKE_RANK: &str = "coalesce((SELECT rank FROM shared_stamps WHERE name =
    'b' || address || char(10) || sender_domain || char(10) || coalesce(bounce, key)),
    min(max(at_ms, 0), 4398046511103) << 20)";

/// The place of an entry in the order.
pub(super) fn place_of(rank: i64, entry: &Suppressed) -> (i64, &str, &str) {
    (rank, &entry.source, &entry.grounds.key)
}

/// The rank of an entry that the tables have.
pub(super) fn rank_of(db: &Connection, entry: &Suppressed) -> rusqlite::Result<i64> {
    let Suppressed { address, sender_domain, source, grounds, added_ms, .. } = entry;
    let name = format!("s{address}\n{sender_domain}\n{source}\n{}", grounds.key);
    let stamped = db
        .prepare_cached("SELECT rank FROM shared_stamps WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(stamped.unwrap_or_else(|| rank_of_time(*added_ms)))
}
