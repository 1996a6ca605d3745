//! PowerMTA's accounting files, from where the last tick stopped.
//!
//! Not here: what records mean (`crate::maillog`).

use super::log_reader::{LogReader, Piece, stored, to_store};
use super::record_source::{self, Records};
use crate::clock;
use crate::config::MailLog;
use crate::error::Result;
use crate::maillog::Delivery;
use crate::maillog::powermta::Accounting;
use crate::maillog::tail::{Chunk, Tail};

pub(crate) fn read(reader: &mut LogReader<'_>, log: &MailLog) -> Result<()> {
    let Some(mut tail) = reader.tail(log)? else { return Ok(()) };
    let state = stored(reader.log.state.as_deref()).unwrap_or_default();
    let mut accounting = Accounting::new(log.zone.clone(), clock::now_ms(), state)
        .with_campaign_headers(log.campaign_headers.clone())
        .with_own(reader.own.clone());
    let mut position = |tail: &Tail| to_store(&tail.position());
    record_source::read(reader, &mut tail, &mut accounting, &mut position)?;
    reader.report(log, &tail);
    Ok(())
}

impl Records for Accounting {
    fn read(&mut self, chunk: &Chunk<'_>, each: &mut dyn FnMut(&Delivery<'_>)) {
        self.read(chunk, each);
    }

    fn piece(&mut self, bytes: u64, position: Option<String>) -> Result<Piece> {
        let (reading, newest_ms) = (self.take_reading(), self.newest_ms());
        Ok(Piece { bytes, reading, newest_ms, position, state: to_store(self.state())? })
    }
}
