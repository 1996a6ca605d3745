//! A file of records that are whole deliveries, from where the last tick stopped: nothing is
//! correlated.
//!
//! Not here: what records mean (`crate::maillog`), and which file comes next. Invariant: the
//! position is committed with what was made of the records before it.

use super::delivery_counter::ChangedDeliveries;
use super::log_reader::{LogReader, Piece};
use crate::error::Result;
use crate::maillog::Delivery;
use crate::maillog::tail::{Chunk, Tail};

/// What reads the records.
pub(crate) trait Records {
    fn read(&mut self, chunk: &Chunk<'_>, each: &mut dyn FnMut(&Delivery<'_>));
    /// What was read since the last call: this many bytes, up to a position.
    fn piece(&mut self, bytes: u64, position: Option<String>) -> Result<Piece>;
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
        let piece = records.piece(tail.notes().bytes - before, position(tail)?)?;
        reader.commit(batch, None, piece)?;
        if !more {
            return Ok(true);
        }
        if !reader.goes_on() {
            return Ok(false);
        }
    }
}
