//! PowerMTA's accounting files: CSV whose first line names the columns.
//!
//! Columns are found by name, because every `acct-file` has its own, and one file may hold records
//! of several types. Not here: reading the file (`tail`). Invariant: a record counts once it is
//! whole; what is not a record, or has no time, is counted as unknown and skipped.

mod csv_records;
mod accounting_record;
mod accounting_times;
mod accounting_delivery;
mod accounting_faults;
mod accounting_search;

pub(crate) use accounting_search::AccountingSearch;

use super::Lines;
use super::delivery::Delivery;
use super::log_health::LogReading;
use super::postfix::LINE;
use super::tail::Chunk;
use super::whose::{Submitter, Whose};
use super::whose_delivery::whose;
use crate::config::OwnMail;
use crate::maillog::deferred_deliveries::DeferredDeliveries;
use accounting_delivery::{RecordTime, delivery};
use accounting_faults::AccountingFaults;
use accounting_record::{AccountingRecord, Column, Columns, RecordType, is_header};
use accounting_times::AccountingTimes;
use csv_records::{Fields, RecordReader};
use jiff::tz::TimeZone;
use memchr::{memchr, memchr_iter};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A record spanning more lines than this is treated as torn.
const TORN: usize = 64;

/// What is stored between ticks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AccountingState {
    deferred: DeferredDeliveries,
    /// The beginning of a record that was not whole.
    torn: Vec<u8>,
    /// The last header line of the file.
    header: Vec<u8>,
    newest_ms: i64,
    /// Lines of the file that were read.
    line: u64,
}

/// Reads accounting files.
pub(crate) struct Accounting {
    times: AccountingTimes,
    records: RecordReader,
    fields: Fields,
    columns: Columns,
    /// Headers that name the campaign.
    campaign_headers: Vec<String>,
    own: Arc<OwnMail>,
    /// The header line that `columns` are from.
    columns_of: Vec<u8>,
    state: AccountingState,
    lines: Lines,
    faults: AccountingFaults,
}

impl Accounting {
    /// Starts where another stopped. `zone` is that of times that name none.
    pub(crate) fn new(zone: TimeZone, reference_ms: i64, state: AccountingState) -> Accounting {
        Accounting {
            times: AccountingTimes::new(zone, reference_ms),
            records: RecordReader::new(),
            fields: Fields::default(),
            columns: Columns::default(),
            campaign_headers: Vec::new(),
            own: Arc::default(),
            columns_of: Vec::new(),
            state,
            lines: Lines::default(),
            faults: AccountingFaults::default(),
        }
    }

    pub(crate) fn with_campaign_headers(self, campaign_headers: Vec<String>) -> Accounting {
        Accounting { campaign_headers, ..self }
    }

    pub(crate) fn with_own(self, own: Arc<OwnMail>) -> Accounting {
        Accounting { own, ..self }
    }

    /// Reads whole lines of a file and gives each delivery to `each`.
    pub(crate) fn read(&mut self, chunk: &Chunk<'_>, mut each: impl FnMut(&Delivery<'_>)) {
        if chunk.begins {
            self.end_file(&mut each);
            self.state.line = 0;
            self.faults.begin_file(chunk.path);
        } else {
            self.faults.begin_file(chunk.path);
            let header = std::mem::take(&mut self.state.header);
            self.use_header(if header.is_empty() { chunk.first_line } else { &header });
            self.state.header = header;
        }
        let mut torn = std::mem::take(&mut self.state.torn);
        if torn.is_empty() {
            self.state.torn = self.read_records(chunk.lines, chunk.begins, &mut each).to_vec();
        } else {
            torn.extend_from_slice(chunk.lines);
            self.state.torn = self.read_records(&torn, chunk.begins, &mut each).to_vec();
        }
    }

    /// What has to be stored.
    pub(crate) fn state(&self) -> &AccountingState {
        &self.state
    }

    /// The latest time of a record, milliseconds since 1970.
    pub(crate) fn newest_ms(&self) -> i64 {
        self.state.newest_ms
    }

    /// What the lines were, since the last call; a record counts as one.
    pub(crate) fn take_reading(&mut self) -> LogReading {
        LogReading { lines: std::mem::take(&mut self.lines), ..self.faults.take() }
    }

    /// A new file begins, so a record that was torn at the end of the last one stays torn; whole
    /// lines after its first are records.
    fn end_file(&mut self, each: &mut impl FnMut(&Delivery<'_>)) {
        let (torn, header) = (std::mem::take(&mut self.state.torn), self.state.header.clone());
        if self.columns_of.is_empty() && !torn.is_empty() {
            self.use_header(&header);
        }
        let mut rest = self.read_whole(&torn, false, each);
        while !rest.is_empty() {
            rest = self.give_up_line(rest);
            rest = self.read_whole(rest, false, each);
        }
        self.state.header.clear();
    }

    /// Reads all records and returns what may be the beginning of one. A quote that nothing closes
    /// makes a record of all that follows, so what is too long for a record loses its first line.
    fn read_records<'t>(
        &mut self,
        text: &'t [u8],
        is_first: bool,
        each: &mut impl FnMut(&Delivery<'_>),
    ) -> &'t [u8] {
        let mut rest = self.read_whole(text, is_first, each);
        while rest.len() >= LINE || memchr_iter(b'\n', rest).count() >= TORN {
            rest = self.give_up_line(rest);
            rest = self.read_whole(rest, false, each);
        }
        rest
    }

    /// Reads records up to one that is not whole.
    fn read_whole<'t>(
        &mut self,
        mut rest: &'t [u8],
        mut is_first: bool,
        each: &mut impl FnMut(&Delivery<'_>),
    ) -> &'t [u8] {
        loop {
            if let Some(after) = without_blank_line(rest) {
                self.lines.ignored += 1;
                self.state.line += 1;
                rest = after;
            } else {
                let text = &rest[..rest.len().min(LINE)];
                let Some(length) = self.records.read(text, &mut self.fields) else { return rest };
                self.take_record(&rest[..length], is_first, each);
                rest = &rest[length..];
            }
            is_first = false;
        }
    }

    fn give_up_line<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        self.lines.unknown += 1;
        self.lines.cut += 1;
        self.state.line += 1;
        self.faults.unread(text);
        &text[memchr(b'\n', text).map_or(text.len(), |end| end + 1)..]
    }

    /// Takes the record that was read into `fields`.
    fn take_record(&mut self, text: &[u8], is_first: bool, each: &mut impl FnMut(&Delivery<'_>)) {
        let line = self.state.line + 1;
        self.state.line += memchr_iter(b'\n', text).count() as u64;
        if is_header(&self.fields, is_first) {
            self.lines.ignored += 1;
            let line = text.trim_ascii_end();
            self.columns = Columns::named(&self.fields, &self.campaign_headers);
            self.columns_of = line.to_vec();
            self.state.header = line.to_vec();
            return;
        }
        let Some(record) = AccountingRecord::new(&self.columns, &self.fields) else {
            self.lines.unknown += 1;
            self.faults.unread(text);
            return;
        };
        if !record.has_column(Column::TimeLogged) {
            self.faults.without_time_logged();
        }
        let at_ms = match self.times.of_record(&record) {
            Ok(at_ms) => at_ms,
            Err(column) => {
                self.lines.unknown += 1;
                self.faults.without_time(line, column.and_then(|column| record.named(column)));
                self.faults.unread(text);
                return;
            }
        };
        self.lines.events += 1;
        let state = &mut self.state;
        state.newest_ms = state.newest_ms.max(at_ms);
        let logged = RecordTime { at_ms, newest_ms: state.newest_ms };
        if let Some(mut delivery) = delivery(&record, logged, &mut self.times, &mut state.deferred) {
            // A stranger can write a report that came back.
            let whose = match record.record_type {
                RecordType::RemoteBounce => Whose::Others,
                _ => whose(&self.own, Submitter::Unknown, &delivery),
            };
            delivery.route = delivery.route.with_whose(whose);
            each(&delivery);
        }
    }

    /// Finds columns by this header line.
    fn use_header(&mut self, line: &[u8]) {
        if self.columns_of != line {
            self.records.read_line(line, &mut self.fields);
            self.columns = Columns::named(&self.fields, &self.campaign_headers);
            self.columns_of = line.to_vec();
        }
    }
}

/// What follows a blank line; None if the text does not begin with one.
fn without_blank_line(text: &[u8]) -> Option<&[u8]> {
    if !text.first()?.is_ascii_whitespace() {
        return None;
    }
    let (line, after) = text.split_at(memchr(b'\n', text)? + 1);
    line.trim_ascii().is_empty().then_some(after)
}

#[cfg(test)]
mod tests;
