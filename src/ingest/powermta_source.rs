//! PowerMTA's accounting files, from where the last tick stopped. A record is a whole delivery, so
//! nothing is correlated. Not here: what records mean (`crate::maillog`).

use super::delivery_counter::ChangedDeliveries;
use super::log_reader::{LogReader, Piece, stored, to_store};
use crate::clock;
use crate::config::MailLog;
use crate::error::Result;
use crate::maillog::powermta::Accounting;

pub(crate) fn read(reader: &mut LogReader<'_>, log: &MailLog) -> Result<()> {
    let Some(mut tail) = reader.tail(log)? else { return Ok(()) };
    let state = stored(reader.log.state.as_deref()).unwrap_or_default();
    let mut accounting = Accounting::new(log.zone.clone(), clock::now_ms(), state)
        .with_campaign_headers(log.campaign_headers.clone())
        .with_own(reader.own.clone());
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
            accounting.read(&chunk, |delivery| reader.counter().take(delivery, &mut changed));
            reader.write(batch, changed, 0)?;
            reader.show_progress(tail.notes().bytes - before, tail.ahead());
        }
        let Some(mut batch) = batch else { break };
        reader.finish(&mut batch)?;
        let piece = Piece {
            bytes: tail.notes().bytes - before,
            reading: accounting.take_reading(),
            newest_ms: accounting.newest_ms(),
            position: to_store(&tail.position())?,
            state: to_store(accounting.state())?,
        };
        reader.commit(batch, None, piece)?;
        if !more || !reader.goes_on() {
            break;
        }
    }
    reader.report(log, &tail);
    Ok(())
}
