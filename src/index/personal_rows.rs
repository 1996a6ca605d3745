//! Deliveries that lose the addresses they name: those of one address, and those that are old.
//!
//! Not here: when, and what else knows an address (`crate::erase`). Invariant: statistics are of
//! their own tables, so every count stays; rows with pending work stay as they are.

use super::Index;
use super::delivery_row::first_row;
use super::pending_failures::ACTED_ON_FOR_MS;
use super::stored_delivery::{FROM, StoredDelivery, columns, stored_delivery};
use crate::clock::{self, DAY_MS};
use crate::error::Result;
use crate::named_address::NamedAddress;
use crate::store::free_pages;
use rusqlite::{Connection, params};
use serde::Serialize;
use std::collections::BTreeSet;

/// Rows of one transaction.
const PIECE: i64 = 20_000;
/// A message without a line for so long is not in the queue any more: mail servers keep it for five
/// days. If it was on hold, later lines make a new one of it.
const SILENT_MS: i64 = 7 * DAY_MS;
/// What is remembered: deliveries with lower ids are anonymous.
const ANONYMOUS: &str = "anonymous";

/// What the index had about an address.
#[derive(Clone, Debug, Default)]
pub(crate) struct IndexErasure {
    pub(crate) deliveries: usize,
    /// Messages that have not ended, or deliveries with pending work. They stay as they are.
    pub(crate) pending: usize,
    /// Logs of which a line that was not understood is kept, and names it.
    pub(crate) unread_lines: usize,
    /// Return paths in deliveries that may name it, and were cut. They stay.
    pub(crate) cut: usize,
    /// Messages that are kept for later lines, and need none any more.
    pub(crate) log_messages: Vec<MessageUnderWay>,
}

/// A message of the mail log whose lines may still come.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MessageUnderWay {
    pub(crate) queue_id: String,
    /// The server that logs it.
    pub(crate) host: String,
}

const OF_ADDRESS: &str = "(recipient = ?1 OR original_recipient = ?1 OR sender = ?1)";
/// Anonymous addresses have this local part.
const IS_NAMED: &str = "coalesce(recipient, '') NOT LIKE '*@%'";
/// A failure that is to be handled, or a change whose event is not queued yet.
const IS_PENDING: &str = "(EXISTS (SELECT 1 FROM owed WHERE what = 'failure' AND row = deliveries.id)
    OR deliveries.id IN (SELECT row FROM changed WHERE number >
        (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE name = 'queued changes')))";

impl Index {
    /// All deliveries to and from an address, the oldest first, and after them those that only name
    /// it.
    pub(crate) fn deliveries_of_address(
        &self,
        address: &str,
        named: &NamedAddress,
    ) -> Result<Vec<StoredDelivery>> {
        let sql = format!("SELECT {} FROM {FROM} WHERE {OF_ADDRESS} ORDER BY deliveries.id", columns());
        let found =
            (|| self.connection.prepare(&sql)?.query_map([address], |row| stored_delivery(row))?.collect())();
        let mut found: Vec<StoredDelivery> = self.checked(found)?;
        found.extend(self.deliveries_naming(address, named)?);
        Ok(found)
    }

    /// Deliveries that are not to or from an address, and name it: in a return path, a reply or an
    /// id. This looks at every row.
    pub(crate) fn deliveries_naming(
        &self,
        address: &str,
        named: &NamedAddress,
    ) -> Result<Vec<StoredDelivery>> {
        let (found, _) = self.checked(quotes(&self.connection, address, named))?;
        let sql = format!("SELECT {} FROM {FROM} WHERE deliveries.id = ?1", columns());
        let deliveries = (|| {
            let mut select = self.connection.prepare(&sql)?;
            found.iter().map(|quote| select.query_row([quote.id], |row| stored_delivery(row))).collect()
        })();
        self.checked(deliveries)
    }

    /// Messages that name somebody and have not ended.
    pub(crate) fn under_way(&self, named: &NamedAddress) -> Result<Vec<MessageUnderWay>> {
        let found = self.checked(UnderWay::naming(named, &self.connection, clock::now_ms()))?;
        Ok(named_messages(&found.pending))
    }

    /// What [`Index::erase`] would remove.
    pub(crate) fn find_traces(&self, address: &str, named: &NamedAddress) -> Result<IndexErasure> {
        Ok(self.traces(address, named)?.counted)
    }

    fn traces(&self, address: &str, named: &NamedAddress) -> Result<Traces> {
        let of = |condition: &str| {
            let sql = format!("SELECT count(*) FROM deliveries WHERE {OF_ADDRESS} AND {condition}");
            let many = self.connection.query_row(&sql, [address], |row| row.get::<_, i64>(0));
            self.checked(many).map(|many| many as usize)
        };
        let under_way = self.checked(UnderWay::naming(named, &self.connection, clock::now_ms()))?;
        let (quotes, cut) = self.checked(quotes(&self.connection, address, named))?;
        let (left, quotes): (Vec<Quote>, Vec<Quote>) = quotes.into_iter().partition(|one| one.is_pending);
        let pending = of(IS_PENDING)? + left.len() + under_way.pending.len();
        let deliveries = of(&format!("NOT {IS_PENDING}"))? + quotes.len();
        let unread_lines = self.healths_naming(named)?.len();
        let log_messages = named_messages(&under_way.over);
        Ok(Traces {
            counted: IndexErasure { deliveries, pending, unread_lines, cut, log_messages },
            under_way,
            quotes,
        })
    }

    /// Removes deliveries to and from an address, and its name from others.
    pub(crate) fn erase(&self, address: &str, named: &NamedAddress) -> Result<IndexErasure> {
        let Traces { counted, under_way, quotes } = self.traces(address, named)?;
        let sql = format!("DELETE FROM deliveries WHERE {OF_ADDRESS} AND NOT {IS_PENDING}");
        let deliveries = self.checked(self.connection.execute(&sql, [address]))?;
        self.checked(under_way.forget(&self.connection))?;
        self.checked(quotes.iter().try_for_each(|quote| quote.blank(&self.connection)))?;
        self.blank_healths(named)?;
        self.checked(free_pages::overwrite(&self.connection))?;
        Ok(IndexErasure { deliveries: deliveries + quotes.len(), ..counted })
    }

    /// Takes the local parts of addresses, and what else names people, out of deliveries that were
    /// first seen more than `days` (0: never) before the newest one, or before a log ended, and
    /// have ended; a piece at a time, until `stopped`. A clock that is ahead makes nothing
    /// anonymous too early.
    pub(crate) fn make_anonymous(&self, now_ms: i64, days: u32, stopped: &dyn Fn() -> bool) -> Result<()> {
        let last_ms = self.counted_back_from(now_ms)?;
        let Some(last_ms) = last_ms.filter(|_| days > 0) else { return Ok(()) };
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
        let before_ms = last_ms - days_with_names(days) * DAY_MS;
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

/// The days that names stay if `anonymous_days` are these: until then, failures in the log may have
/// to be acted on.
pub(super) fn days_with_names(anonymous_days: u32) -> i64 {
    i64::from(anonymous_days).max(ACTED_ON_FOR_MS / DAY_MS + 1)
}

/// SQL for the address in a column with `*` for everything before its last `@`.
fn without_local_part(column: &str) -> String {
    format!(
        "'*@' || CASE WHEN coalesce(instr({column}, '@'), 0) = 0 THEN '' ELSE \
         substr({column}, length(rtrim({column}, replace({column}, '@', ''))) + 1) END"
    )
}

/// Log, queue id and host of a message of the mail log.
type MessagePlace = (i64, String, String);

fn named_messages(places: &BTreeSet<MessagePlace>) -> Vec<MessageUnderWay> {
    let named = places.iter().cloned().map(|(_, queue_id, host)| MessageUnderWay { queue_id, host });
    named.collect()
}

/// Messages whose lines may still come, and that name an address.
#[derive(Default)]
struct UnderWay {
    /// Those that have not ended.
    pending: BTreeSet<MessagePlace>,
    /// The same of those that no line is needed of: they have ended, or had no line for so long
    /// that they will have none.
    over: BTreeSet<MessagePlace>,
}

impl UnderWay {
    fn naming(named: &NamedAddress, db: &Connection, now_ms: i64) -> rusqlite::Result<UnderWay> {
        let mut select = db.prepare(
            "SELECT log, queue_id, host, closed = 1 OR last_ms < ?1, message FROM under_way
             UNION ALL SELECT log, queue_id, host, closed = 1 OR last_ms < ?1, recipients
             FROM under_way_recipients JOIN under_way USING (log, queue_id, host)",
        )?;
        let mut rows = select.query([now_ms - SILENT_MS])?;
        let (mut pending, mut over) = (BTreeSet::new(), BTreeSet::new());
        while let Some(row) = rows.next()? {
            if named.is_in(row.get_ref(4)?.as_bytes()?) {
                let of_state = if row.get(3)? { &mut over } else { &mut pending };
                of_state.insert((row.get(0)?, row.get(1)?, row.get(2)?));
            }
        }
        Ok(UnderWay { pending, over })
    }

    fn forget(&self, db: &Connection) -> rusqlite::Result<()> {
        for table in ["under_way", "under_way_recipients"] {
            let sql = format!("DELETE FROM {table} WHERE log = ?1 AND queue_id = ?2 AND host = ?3");
            let mut forget = db.prepare(&sql)?;
            for (log, queue_id, host) in &self.over {
                forget.execute(params![log, queue_id, host])?;
            }
        }
        Ok(())
    }
}

/// What the index has about an address.
struct Traces {
    counted: IndexErasure,
    under_way: UnderWay,
    /// Without those of deliveries with pending work.
    quotes: Vec<Quote>,
}

/// A delivery that is not to or from an address, and names it.
struct Quote {
    id: i64,
    is_pending: bool,
    /// The columns that do, and what they are without it.
    blanked: Vec<(&'static str, String)>,
}

/// Columns that may quote an address: a return path that was signed for it, the words of a server.
const QUOTING: [&str; 6] = ["sender", "recipient", "original_recipient", "message_id", "client_id", "reply"];

/// And how many return paths there are that were cut, and may name the address.
fn quotes(db: &Connection, address: &str, named: &NamedAddress) -> rusqlite::Result<(Vec<Quote>, usize)> {
    // Whatever the form, the first letters of the local part are in it.
    let local: String = address.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
    let likely = QUOTING.map(|column| format!("{column} LIKE '%' || ?2 || '%'")).join(" OR ");
    let select = format!(
        "SELECT id, {IS_PENDING}, {} FROM deliveries WHERE ({likely}) AND NOT coalesce({OF_ADDRESS}, 0)",
        QUOTING.join(", ")
    );
    let (mut select, mut found, mut cut) = (db.prepare(&select)?, Vec::new(), 0);
    let mut rows = select.query(params![address, local])?;
    while let Some(row) = rows.next()? {
        let mut blanked = Vec::new();
        for (place, column) in QUOTING.into_iter().enumerate() {
            let text = row.get_ref(place + 2)?.as_str_or_null()?;
            cut += text.map_or(0, |text| named.cut_places(text.as_bytes()).len());
            blanked.extend(text.and_then(|text| named.blanked(text)).map(|text| (column, text)));
        }
        if !blanked.is_empty() {
            found.push(Quote { id: row.get(0)?, is_pending: row.get(1)?, blanked });
        }
    }
    Ok((found, cut))
}

impl Quote {
    fn blank(&self, db: &Connection) -> rusqlite::Result<()> {
        for (column, text) in &self.blanked {
            let put = format!("UPDATE deliveries SET {column} = ?2 WHERE id = ?1");
            db.prepare_cached(&put)?.execute(params![self.id, text])?;
        }
        Ok(())
    }
}
