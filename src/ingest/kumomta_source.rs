//! KumoMTA's segments, from where the last tick stopped in each series.
//!
//! Not here: what records mean (`crate::maillog`). Invariant: the positions in all series are
//! stored together; a series whose segments are gone is forgotten.

use super::log_reader::{LogReader, Piece, stored, to_store};
use super::record_source::{self, Records};
use crate::config::MailLog;
use crate::error::Result;
use crate::maillog::Delivery;
use crate::maillog::kumomta::RecordLog;
use crate::maillog::tail::{Chunk, Position, Tail, series};
use std::collections::BTreeMap;

pub(crate) fn read(reader: &mut LogReader<'_>, log: &MailLog) -> Result<()> {
    let Some(path) = log.path.as_deref() else { return Ok(()) };
    let found = series(path)?;
    let mut positions: BTreeMap<String, Position> =
        stored(reader.log.position.as_deref()).unwrap_or_default();
    positions.retain(|series, _| found.contains(series));
    let state = stored(reader.log.state.as_deref()).unwrap_or_default();
    let mut records = RecordLog::new(reader.own.clone(), state)
        .with_headers(log.client_header.clone(), log.campaign_headers.clone());
    let mut found = found.into_iter().peekable();
    while let Some(series) = found.next() {
        let mut tail = Tail::open_series(path, &series, positions.get(&series).cloned())?;
        let mut position = |tail: &Tail| {
            positions.extend(tail.position().map(|position| (series.clone(), position.clone())));
            to_store(&positions)
        };
        let goes_on = record_source::read(reader, &mut tail, &mut records, &mut position)?;
        reader.report(log, &tail);
        if !goes_on || found.peek().is_some() && !reader.goes_on() {
            break;
        }
    }
    Ok(())
}

impl Records for RecordLog {
    fn read(&mut self, chunk: &Chunk<'_>, each: &mut dyn FnMut(&Delivery<'_>)) {
        self.read(chunk.lines, each);
    }

    fn piece(&mut self, bytes: u64, position: Option<String>) -> Result<Piece> {
        let (reading, newest_ms) = (self.take_reading(), self.newest_ms());
        Ok(Piece { bytes, reading, newest_ms, position, state: to_store(self.state())? })
    }
}
