//! A file of records that are whole deliveries, from where the last tick stopped: nothing is
//! correlated.
//!
//! Not here: what records mean (`crate::maillog`), and which file comes next. Invariant: the
//! position is committed with what was made of the records before it.

use super::delivery_counter::ChangedDeliveries;
use super::log_reader::{LogReader, Piece};
use crate::error::Result;
use crate::maillog::Delivery;
use crate::maillog::log_health::LogReading;
use crate::maillog::tail::{Chunk, Tail};

/// What reads the records.
pub(crate) trait Records {
    fn read(&mut self, chunk: &Chunk<'_>, each: &mut dyn FnMut(&Delivery<'_>));
    /// What the lines were, since the last call.
    fn take_reading(&mut self) -> LogReading;
    /// The latest time of a record, milliseconds since 1970.
    fn newest_ms(&self) -> i64;
    /// What has to be stored.
    fn state(&self) -> Result<Option<String>>;
}

/// Reads to the end, or for as long as there is time; returns whether there is.
pub(crate) fn read(
    reader: &mut LogReader<'_>,
    tail: &mut Tail,
    records: &mut dyn Records,
    position: &mut dyn FnMut(&Tail) -> Result<Option<String>>,
) -> Result<bool> {
    let mut more = true;
    loop {
        let before = tail.notes().bytes;
        let mut batch = None;
        while !reader.is_full(tail.notes().bytes - before) {
            let Some(chunk) = tail.next_chunk()? else {
                more = false;
                break;
            };
            // A transaction begins only when there is something to write.
            let batch = match &mut batch {
                Some(batch) => batch,
                none => none.insert(reader.index.begin()?),
            };
            let mut changed = ChangedDeliveries::default();
            records.read(&chunk, &mut |delivery| reader.counter().take(delivery, &mut changed));
            reader.write(batch, changed, 0)?;
            reader.show_progress(tail.notes().bytes - before, tail.ahead());
        }
        let Some(mut batch) = batch else { return Ok(true) };
        reader.finish(&mut batch)?;
        let piece = Piece {
            bytes: tail.notes().bytes - before,
            reading: records.take_reading(),
            newest_ms: records.newest_ms(),
            position: position(tail)?,
            state: records.state()?,
        };
        reader.commit(batch, None, piece)?;
        if !more {
            return Ok(true);
        }
        if !reader.goes_on() {
            return Ok(false);
        }
    }
}
