//! The shelf: messages under way that are not in memory. Between two ticks that is all of them.
//!
//! Not here: which messages go there (`crate::maillog`). Invariants: what cannot be written or read
//! is reported when the transaction is committed; a message to very many recipients goes there and
//! comes back piece by piece, so that it is in memory once.

use super::Index;
use super::queue_ids::QueueIds;
use crate::error::Result;
use crate::maillog::correlate::{FadedRecipient, QueuedMessage, QueuedRecipient, Shelf};
use rusqlite::{Connection, OptionalExtension, Statement, params};
use serde::{Deserialize, Serialize};

/// After this many queue ids that were not on the shelf, all that are get loaded into memory.
const MISSES: u32 = 1000;
/// Messages whose queue ids are in memory at most.
const KNOWN: usize = 200_000;
/// Recipients that are written together.
const PIECE: usize = 200;

/// Recipients of a long message, as they are stored.
#[derive(Deserialize)]
#[serde(untagged)]
enum Piece {
    Faded(Vec<FadedRecipient>),
    Whole(Vec<QueuedRecipient>),
}

impl Index {
    /// Forgets the messages of all logs that had no line since a time.
    pub(super) fn forget_unheard(&self, before_ms: i64) -> Result<()> {
        let silent = "DELETE FROM under_way WHERE last_ms < ?1";
        self.checked(self.connection.execute(silent, [before_ms]))?;
        self.forget_left_recipients()
    }

    /// Forgets recipients of messages that are not on the shelf any more.
    pub(super) fn forget_left_recipients(&self) -> Result<()> {
        let left = "DELETE FROM under_way_recipients WHERE NOT EXISTS (SELECT 1 FROM under_way m
            WHERE m.log = under_way_recipients.log AND m.queue_id = under_way_recipients.queue_id
            AND m.host = under_way_recipients.host)";
        self.checked(self.connection.execute(left, [])).map(drop)
    }
}

/// The messages of one log that are under way, in a transaction.
pub(crate) struct Shelved<'i> {
    log: i64,
    put: Statement<'i>,
    take: Statement<'i>,
    there: Statement<'i>,
    first: Statement<'i>,
    ids: Statement<'i>,
    put_piece: Statement<'i>,
    pieces: Statement<'i>,
    forget_pieces: Statement<'i>,
    misses: u32,
    /// All queue ids that are on the shelf, or were in this transaction.
    known: Option<QueueIds>,
    fault: Option<rusqlite::Error>,
}

impl<'i> Shelved<'i> {
    pub(crate) fn new(db: &'i Connection, log: i64) -> rusqlite::Result<Shelved<'i>> {
        Ok(Shelved {
            log,
            put: db.prepare(
                "INSERT OR REPLACE INTO under_way (log, queue_id, host, first_id, closed, last_ms, message)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
            take: db.prepare(
                "DELETE FROM under_way WHERE log = ?1 AND queue_id = ?2 AND host = ?3 RETURNING message",
            )?,
            there: db.prepare("SELECT 1 FROM under_way WHERE log = ?1 AND queue_id = ?2 AND host = ?3")?,
            first: db
                .prepare("SELECT queue_id FROM under_way WHERE first_id = ?2 AND log = ?1 AND host = ?3")?,
            ids: db.prepare("SELECT queue_id, first_id FROM under_way WHERE log = ?1 LIMIT ?2")?,
            put_piece: db.prepare(
                "INSERT INTO under_way_recipients (log, queue_id, host, piece, recipients)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            pieces: db.prepare(
                "SELECT recipients FROM under_way_recipients WHERE log = ?1 AND queue_id = ?2 AND host = ?3
                 ORDER BY piece",
            )?,
            forget_pieces: db
                .prepare("DELETE FROM under_way_recipients WHERE log = ?1 AND queue_id = ?2 AND host = ?3")?,
            misses: 0,
            known: None,
            fault: None,
        })
    }

    /// The first fault.
    pub(crate) fn into_fault(self) -> Option<rusqlite::Error> {
        self.fault
    }

    /// Counts an id that was not there. In a long run nearly none is, and then memory answers.
    fn missed(&mut self) -> rusqlite::Result<()> {
        self.misses += 1;
        if self.misses == MISSES {
            self.known = self.stored_ids()?;
        }
        Ok(())
    }

    /// The queue ids of all messages that are there, unless there are too many.
    fn stored_ids(&mut self) -> rusqlite::Result<Option<QueueIds>> {
        let (mut known, mut many) = (QueueIds::default(), 0);
        let mut rows = self.ids.query(params![self.log, KNOWN as i64])?;
        while let Some(row) = rows.next()? {
            many += 1;
            for column in 0..2 {
                if let Some(queue_id) = row.get_ref(column)?.as_str_or_null()? {
                    known.add(queue_id);
                }
            }
        }
        Ok((many < KNOWN).then_some(known))
    }

    /// The queue ids of all messages that are there, unless there are too many.
    pub(crate) fn queue_ids(&mut self) -> Option<QueueIds> {
        if self.known.is_none() {
            let known = self.stored_ids();
            self.known = self.noted(known).flatten();
        }
        self.known.clone()
    }

    fn noted<T>(&mut self, result: rusqlite::Result<T>) -> Option<T> {
        result.map_err(|error| self.fault = self.fault.take().or(Some(error))).ok()
    }

    fn take_first(&mut self, host: &str, queue_id: &str) -> rusqlite::Result<Option<QueuedMessage>> {
        let key = params![self.log, queue_id, host];
        // Most ids are not there, and selecting is cheaper than deleting nothing.
        if !self.there.exists(key)? {
            return Ok(None);
        }
        let text: Option<String> = self.take.query_row(key, |row| row.get(0)).optional()?;
        let Some(text) = text else { return Ok(None) };
        let Ok(mut message) = serde_json::from_str::<QueuedMessage>(&text) else { return Ok(None) };
        if message.recipients.len() == PIECE {
            let mut rows = self.pieces.query(key)?;
            let mut faded = Vec::new();
            while let Some(row) = rows.next()? {
                match serde_json::from_str(row.get_ref(0)?.as_str()?) {
                    Ok(Piece::Whole(recipients)) => message.recipients.append(recipients),
                    Ok(Piece::Faded(recipients)) => faded.extend(recipients),
                    Err(_) => {}
                }
            }
            message.faded.add(faded, usize::MAX);
            drop(rows);
            self.forget_pieces.execute(key)?;
        }
        Ok(Some(message))
    }

    fn put_pieces(&mut self, mut message: QueuedMessage) -> rusqlite::Result<()> {
        let (others, faded) = (message.recipients.split_off(PIECE), message.faded.take());
        // Its earlier id may belong to another message by now.
        let (first, requeued) = (message.queue_id(), message.requeued_as());
        let queue_id = requeued.or(first).unwrap_or_default();
        self.put.execute(params![
            self.log,
            queue_id,
            message.host(),
            requeued.and(first),
            message.closed,
            message.last_ms,
            text_of(&message)
        ])?;
        // Those of an older message.
        self.forget_pieces.execute(params![self.log, queue_id, message.host()])?;
        let pieces = others.chunks(PIECE).map(|piece| text_of(&piece));
        for (number, piece) in (0_i64..).zip(pieces.chain(faded.chunks(PIECE).map(|piece| text_of(&piece)))) {
            self.put_piece.execute(params![self.log, queue_id, message.host(), number, piece])?;
        }
        Ok(())
    }
}

fn text_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Shelf for Shelved<'_> {
    fn put(&mut self, message: QueuedMessage) {
        if let Some(known) = &mut self.known {
            known.note(&message);
        }
        let done = self.put_pieces(message);
        self.noted(done);
    }

    fn take(&mut self, host: &str, queue_id: &str) -> Option<QueuedMessage> {
        if self.known.as_ref().is_some_and(|known| !known.may_have(queue_id)) {
            return None;
        }
        let found = self.take_first(host, queue_id).and_then(|found| match found {
            Some(found) => Ok(Some(found)),
            None => {
                let first = self.first.query_row(params![self.log, queue_id, host], |row| row.get(0));
                let first: Option<String> = first.optional()?;
                first.map_or(Ok(None), |first| self.take_first(host, &first))
            }
        });
        let found = self.noted(found)?;
        if found.is_none() {
            let counted = self.missed();
            self.noted(counted);
        }
        found
    }
}
