//! Finds the records of some deliveries in accounting files.
//!
//! Not here: reading parts of files (`tail`). Invariant: a record is about a delivery only if it
//! gives the delivery's id and recipient, as it did when it was counted, and is a record: a line
//! within a quoted text is none.

use super::accounting_delivery::{id, status};
use super::accounting_record::{AccountingRecord, Column, Columns, RecordType, is_header};
use super::accounting_times::AccountingTimes;
use super::csv_records::{Fields, RecordReader};
use super::{TORN, without_blank_line};
use crate::maillog::correlate::{LifeLine, LineMeaning};
use crate::maillog::logged_message::{LoggedMessage, LoggedRecipient};
use crate::maillog::postfix::{LINE, lossy};
use crate::maillog::tail::{FoundLine, LineSearch, SearchedFile};
use jiff::tz::TimeZone;
use memchr::{memchr, memrchr_iter};

/// Texts that are looked for at most: Message-IDs, and then recipients.
const TEXTS: usize = 8;

pub(crate) struct AccountingSearch<'a> {
    messages: &'a [LoggedMessage<'a>],
    times: AccountingTimes,
    records: RecordReader,
    fields: Fields,
    columns: Columns,
    /// The header line that `columns` are from.
    columns_of: Vec<u8>,
    lines: Vec<LifeLine>,
}

impl<'a> AccountingSearch<'a> {
    /// `zone` is that of times that name none.
    pub(crate) fn new(messages: &'a [LoggedMessage<'a>], zone: TimeZone, to_ms: i64) -> AccountingSearch<'a> {
        AccountingSearch {
            messages,
            times: AccountingTimes::new(zone, to_ms),
            records: RecordReader::new(),
            fields: Fields::default(),
            columns: Columns::default(),
            columns_of: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// What a line of theirs has: the part of a name that CSV leaves as it is.
    pub(crate) fn texts(&self) -> Vec<String> {
        let ids = self.messages.iter().filter_map(|message| message.message_id);
        let recipients = self.messages.iter().flat_map(|message| &message.deliveries);
        let names = ids.chain(recipients.map(|one| one.recipient));
        let is_changed = |one: char| one == '"' || one.is_control() || one == char::REPLACEMENT_CHARACTER;
        let plain = |name: &str| name.split(is_changed).max_by_key(|part| part.len()).map(str::to_owned);
        let mut texts: Vec<String> = Vec::new();
        for text in names.filter_map(plain).filter(|text| !text.is_empty()) {
            if texts.len() < TEXTS && !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }

    pub(crate) fn into_lines(self) -> Vec<LifeLine> {
        self.lines
    }

    /// Finds columns by this header line.
    fn use_header(&mut self, line: &[u8]) {
        if self.columns_of != line {
            self.records.read_line(line, &mut self.fields);
            self.columns = Columns::named(&self.fields, &[]);
            self.columns_of = line.to_vec();
        }
    }

    /// Takes the record that was read into `fields`.
    fn take_record(&mut self, text: &[u8]) {
        let Some(record) = AccountingRecord::new(&self.columns, &self.fields) else { return };
        let Some(recipient) = record.get(Column::Rcpt) else { return };
        let Ok(at_ms) = self.times.of_record(&record) else { return };
        let hash = id(&record, recipient, at_ms) as u32;
        let is_it = |one: &LoggedRecipient<'_>| one.hash == hash && one.recipient == recipient;
        if !self.messages.iter().any(|message| message.deliveries.iter().any(is_it)) {
            return;
        }
        let (means, named) = (meaning(&record), vec![recipient.to_lowercase()]);
        let text = lossy(text.trim_ascii_end()).into_owned();
        // A record of several lines is found by each of them.
        if self.lines.last().is_none_or(|last| last.text != text) {
            self.lines.push(LifeLine { at_ms, means, text, is_attempt: false, named });
        }
    }
}

impl LineSearch for AccountingSearch<'_> {
    fn time(&mut self, file: &SearchedFile, line: &[u8]) -> Option<i64> {
        self.use_header(&file.first_line);
        self.records.read_line(line, &mut self.fields);
        let record = AccountingRecord::new(&self.columns, &self.fields)?;
        self.times.of_record(&record).ok()
    }

    /// Reads records from some lines before the line, so that one that spans several is whole.
    fn take(&mut self, found: &FoundLine<'_>) {
        self.use_header(&found.file.first_line);
        let (around, line) = (found.around, found.at.start);
        let mut ends = memrchr_iter(b'\n', &around[..line]);
        let first = ends.by_ref().take(TORN + 1).last();
        let mut at = first.map_or(line, |end| end + 1);
        while at <= line {
            let rest = &around[at..around.len().min(at + LINE)];
            let length = match without_blank_line(rest) {
                Some(after) => rest.len() - after.len(),
                None => match self.records.read(rest, &mut self.fields) {
                    Some(length) if is_header(&self.fields, false) => {
                        let header = &rest[..length];
                        self.use_header(header.trim_ascii_end());
                        length
                    }
                    Some(length) => {
                        if at + length > line {
                            self.take_record(&rest[..length]);
                        }
                        length
                    }
                    // It is not whole, or no record.
                    None => memchr(b'\n', rest).map_or(rest.len(), |end| end + 1),
                },
            };
            at += length.max(1);
        }
    }
}

fn meaning(record: &AccountingRecord<'_>) -> LineMeaning {
    match (record.record_type, status(record)) {
        (RecordType::RemoteBounce, _) => LineMeaning::CameBack,
        (_, Some(status)) => LineMeaning::of_status(status),
        (RecordType::Received, _) => LineMeaning::HandedIn,
        (RecordType::Feedback, _) => LineMeaning::Complaint,
        _ => LineMeaning::Other,
    }
}
