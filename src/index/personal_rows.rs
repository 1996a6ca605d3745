//! Deliveries that lose the addresses they name: those of one address, and those that are old.
//!
//! Not here: when, and what else knows an address (`crate::erase`). Invariant: statistics are of
//! their own tables, so every count stays; rows with pending work stay as they are.

use super::Index;
use super::delivery_row::first_row;
use super::pending_work::ACTED_ON_FOR_MS;
use super::stored_delivery::{COLUMNS, FROM, StoredDelivery, stored_delivery};
use crate::clock::DAY_MS;
use crate::error::Result;
use crate::named_address::NamedAddress;
use crate::store::free_pages;
use rusqlite::{Connection, params};

/// Rows of one transaction.
const PIECE: i64 = 20_000;
/// What is remembered: deliveries with lower ids are anonymous.
const ANONYMOUS: &str = "anonymous";

/// What the index had about an address.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IndexErasure {
    pub(crate) deliveries: usize,
    /// Messages that have not ended, or deliveries with pending work. They stay as they are.
    pub(crate) pending: usize,
}

const OF_ADDRESS: &str = "(recipient = ?1 OR original_recipient = ?1 OR sender = ?1)";
/// Anonymous addresses have this local part.
const IS_NAMED: &str = "coalesce(recipient, '') NOT LIKE '*@%'";
const IS_PENDING: &str = "EXISTS (SELECT 1 FROM owed WHERE row = deliveries.id)";

impl Index {
    /// All deliveries to and from an address, the oldest first.
    pub(crate) fn deliveries_of_address(&self, address: &str) -> Result<Vec<StoredDelivery>> {
        let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE {OF_ADDRESS} ORDER BY deliveries.id");
        let found = (|| self.connection.prepare(&sql)?.query_map([address], stored_delivery)?.collect())();
        self.checked(found)
    }

    /// What [`Index::erase`] would remove.
    pub(crate) fn find_traces(&self, address: &str, named: &NamedAddress) -> Result<IndexErasure> {
        let of = |condition: &str| {
            let sql = format!("SELECT count(*) FROM deliveries WHERE {OF_ADDRESS} AND {condition}");
            let many = self.connection.query_row(&sql, [address], |row| row.get::<_, i64>(0));
            self.checked(many).map(|many| many as usize)
        };
        let pending = of(IS_PENDING)? + self.checked(under_way(&self.connection, named))?;
        Ok(IndexErasure { deliveries: of(&format!("NOT {IS_PENDING}"))?, pending })
    }

    /// Removes deliveries to and from an address.
    pub(crate) fn erase(&self, address: &str, named: &NamedAddress) -> Result<IndexErasure> {
        let erased = self.find_traces(address, named)?;
        let sql = format!("DELETE FROM deliveries WHERE {OF_ADDRESS} AND NOT {IS_PENDING}");
        let deliveries = self.checked(self.connection.execute(&sql, [address]))?;
        self.checked(forget_closed(&self.connection, named))?;
        self.checked(blank_quotes(&self.connection, address, named))?;
        self.checked(free_pages::overwrite(&self.connection))?;
        Ok(IndexErasure { deliveries, ..erased })
    }

    /// Takes the local parts of addresses, and what else names people, out of deliveries that were
    /// first seen more than `days` (0: never) before the newest one and have ended; a piece at a
    /// time, until `stopped`. A clock that is ahead makes nothing anonymous too early.
    pub(crate) fn make_anonymous(&self, now_ms: i64, days: u32, stopped: &dyn Fn() -> bool) -> Result<()> {
        let newest = self.newest_seen(now_ms)?;
        let Some(newest) = newest.filter(|_| days > 0) else { return Ok(()) };
        let put = format!(
            "UPDATE deliveries SET sender = CASE WHEN sender = '' THEN '' ELSE {} END, recipient = {},
             original_recipient = NULL, message_id = NULL, client_id = NULL, reply = NULL
             WHERE id >= ?1 AND id < ?2 AND {IS_NAMED} AND last_seen < ?3",
            without_local_part("sender"),
            without_local_part("recipient")
        );
        let left = format!("SELECT min(id) FROM deliveries WHERE id >= ?1 AND id < ?2 AND {IS_NAMED}");
        const END: &str = "SELECT coalesce(max(id) + 1, ?2) FROM
             (SELECT id FROM deliveries WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3)";
        // Until then failures in the log may have to be acted on.
        let days = i64::from(days).max(ACTED_ON_FOR_MS / DAY_MS + 1);
        let before_ms = newest.min(now_ms) - days * DAY_MS;
        let last = first_row(before_ms);
        let mut from: i64 =
            self.remembered(ANONYMOUS)?.and_then(|from| from.parse().ok()).unwrap_or(i64::MIN);
        // Those that are still tried keep the place, and are looked at again.
        let mut first_left = None;
        while from < last && !stopped() {
            let end: i64 =
                self.checked(self.connection.query_row(END, params![from, last, PIECE], |row| row.get(0)))?;
            self.checked(self.connection.execute(&put, params![from, end, before_ms]))?;
            let named: Option<i64> =
                self.checked(self.connection.query_row(&left, params![from, end], |row| row.get(0)))?;
            first_left = first_left.or(named);
            from = end;
        }
        self.remember(ANONYMOUS, &first_left.unwrap_or(from).to_string())
    }
}

/// SQL for the address in a column with `*` for everything before its last `@`.
fn without_local_part(column: &str) -> String {
    format!(
        "'*@' || CASE WHEN coalesce(instr({column}, '@'), 0) = 0 THEN '' ELSE \
         substr({column}, length(rtrim({column}, replace({column}, '@', ''))) + 1) END"
    )
}

/// Messages that have not ended, and name the address.
fn under_way(db: &Connection, named: &NamedAddress) -> rusqlite::Result<usize> {
    let mut select = db.prepare(
        "SELECT message FROM under_way WHERE closed = 0
         UNION ALL SELECT recipients FROM under_way_recipients",
    )?;
    let mut rows = select.query([])?;
    let mut found = 0;
    while let Some(row) = rows.next()? {
        found += usize::from(named.is_in(row.get_ref(0)?.as_bytes()?));
    }
    Ok(found)
}

/// Deliveries of others whose reply, sender or Message-ID names the address.
fn blank_quotes(db: &Connection, address: &str, named: &NamedAddress) -> rusqlite::Result<()> {
    const COLUMNS: [&str; 3] = ["reply", "sender", "message_id"];
    // Whatever the form, the first letters of the local part are in it.
    let local: String = address.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
    for column in COLUMNS {
        let select = format!("SELECT id, {column} FROM deliveries WHERE {column} LIKE '%' || ?1 || '%'");
        let put = format!("UPDATE deliveries SET {column} = ?2 WHERE id = ?1");
        let mut changed: Vec<(i64, String)> = Vec::new();
        let mut select = db.prepare(&select)?;
        let mut rows = select.query([&local])?;
        while let Some(row) = rows.next()? {
            if let Some(blanked) = named.blanked(row.get_ref(1)?.as_str()?) {
                changed.push((row.get(0)?, blanked));
            }
        }
        for (id, blanked) in changed {
            db.execute(&put, params![id, blanked])?;
        }
    }
    Ok(())
}

/// Messages that have ended are kept for a while, for lines that come late.
fn forget_closed(db: &Connection, named: &NamedAddress) -> rusqlite::Result<()> {
    let mut select = db.prepare("SELECT log, queue_id, host, message FROM under_way WHERE closed = 1")?;
    let mut rows = select.query([])?;
    let mut forget = db.prepare("DELETE FROM under_way WHERE log = ?1 AND queue_id = ?2 AND host = ?3")?;
    while let Some(row) = rows.next()? {
        if named.is_in(row.get_ref(3)?.as_bytes()?) {
            forget.execute(params![
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?
            ])?;
        }
    }
    Ok(())
}
