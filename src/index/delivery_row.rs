//! The row of a delivery: its number, and writing it.
//!
//! Not here: reading it (`stored_delivery`). Invariant: two deliveries never share a row, and a
//! delivery keeps its row.

use crate::maillog::Delivery;
use rusqlite::{Connection, Statement, ToSql};

/// Rows that are tried, from the one that a delivery should have.
const PROBES: i64 = 1 << 16;

/// Changes nothing if another delivery has the row.
const PUT: &str = "INSERT INTO deliveries (id, mark, status, attempts, first_seen, last_seen, queue_id, message_id, client_id,
    sender, recipient, original_recipient, relay, dsn, reply, meaning, delay, delays, size, nrcpt, host, requeued_as, parent,
    notification, logged_category, route)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)
    ON CONFLICT (id) DO UPDATE SET status = ?3, attempts = ?4, first_seen = ?5, last_seen = ?6, queue_id = ?7, message_id = ?8,
    client_id = ?9, sender = ?10, recipient = ?11, original_recipient = ?12, relay = ?13, dsn = ?14, reply = ?15, meaning = ?16,
    delay = ?17, delays = ?18, size = ?19, nrcpt = ?20, host = ?21, requeued_as = ?22, parent = ?23, notification = coalesce(?24, notification),
    logged_category = ?25, route = ?26
    WHERE mark = ?2 AND queue_id IS ?7 AND host IS ?21 AND (queue_id IS NOT NULL OR recipient IS ?11)";

/// The statement that writes a row. It keeps its parameters, so what is the same in the next row
/// (the host, the message of several recipients, all that is absent) costs nothing.
pub(crate) struct DeliveryRow<'i> {
    statement: Statement<'i>,
    /// Absent parameters, a bit for each.
    absent: u32,
    /// The last text of each parameter.
    texts: [String; 27],
}

impl<'i> DeliveryRow<'i> {
    pub(crate) fn new(db: &'i Connection) -> rusqlite::Result<DeliveryRow<'i>> {
        Ok(DeliveryRow { statement: db.prepare(PUT)?, absent: u32::MAX, texts: Default::default() })
    }

    /// Puts a delivery into its row, or the next free one.
    pub(crate) fn put(
        &mut self,
        d: &Delivery<'_>,
        meaning: Option<i64>,
        route: Option<i64>,
    ) -> rusqlite::Result<i64> {
        let size = d.size.and_then(|size| i64::try_from(size).ok());
        self.bind(2, Some((d.id >> 32) as i64))?;
        self.bind_text(3, Some(d.status.name()))?;
        self.bind(4, Some(d.attempts))?;
        self.bind(5, Some(d.first_seen))?;
        self.bind(6, Some(d.last_seen))?;
        let texts = [d.queue_id, d.message_id, d.client_id, d.sender, d.recipient, d.original_recipient];
        for (at, text) in (7..).zip(texts.into_iter().chain([d.relay, d.dsn, d.reply])) {
            self.bind_text(at, text)?;
        }
        self.bind(16, meaning)?;
        self.bind(17, d.delay)?;
        self.bind_text(18, d.delays)?;
        self.bind(19, size)?;
        self.bind(20, d.nrcpt)?;
        for (at, text) in (21..).zip([d.host, d.requeued_as, d.parent, d.notification, d.category]) {
            self.bind_text(at, text)?;
        }
        self.bind(26, route)?;
        let first = row_id(d);
        for row in first..first + PROBES {
            self.bind(1, Some(row))?;
            if self.statement.raw_execute()? > 0 {
                return Ok(row);
            }
        }
        Err(rusqlite::Error::StatementChangedRows(0))
    }

    fn bind(&mut self, parameter: usize, value: Option<impl ToSql>) -> rusqlite::Result<()> {
        let (bit, was) = (1 << parameter, self.absent);
        self.absent = if value.is_none() { was | bit } else { was & !bit };
        if was & self.absent & bit != 0 {
            Ok(())
        } else {
            self.statement.raw_bind_parameter(parameter, value)
        }
    }

    fn bind_text(&mut self, parameter: usize, text: Option<&str>) -> rusqlite::Result<()> {
        if let Some(text) = text {
            let last = &mut self.texts[parameter];
            if last == text && self.absent & (1 << parameter) == 0 {
                return Ok(());
            }
            last.clear();
            last.push_str(text);
        }
        self.bind(parameter, text)
    }
}

/// Rows are in order of time, so inserts append and old rows are neighbours.
pub(crate) fn row_id(delivery: &Delivery<'_>) -> i64 {
    row_of(delivery.id, delivery.first_seen)
}

/// The row of the delivery with this id that was first seen at this time.
pub(crate) fn row_of(id: u64, first_seen: i64) -> i64 {
    first_row(first_seen) | (id & 0xffff_ffff) as i64
}

/// The low half of the id that the log gives a delivery, by its row.
pub(crate) fn hash_of_row(row: i64) -> u32 {
    (row & 0xffff_ffff) as u32
}

/// The first row of a second.
pub(crate) fn first_row(at_ms: i64) -> i64 {
    at_ms.div_euclid(1000).clamp(0, 0x7fff_ffff) << 32
}
