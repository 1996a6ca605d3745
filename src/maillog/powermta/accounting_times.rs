//! Times in accounting files, which PowerMTA writes in the form that `acct-file` asks for.

use super::accounting_record::{AccountingRecord, Column};
use crate::maillog::stamp::Stamps;
use jiff::tz::TimeZone;

/// 1990: PowerMTA is younger.
const EARLIEST_MS: i64 = 631_152_000_000;

pub(crate) struct AccountingTimes {
    stamps: Stamps,
    /// Memory for one time.
    line: String,
}

impl AccountingTimes {
    /// `zone` is that of times that name none.
    pub(crate) fn new(zone: TimeZone, reference_ms: i64) -> AccountingTimes {
        AccountingTimes { stamps: Stamps::new(zone, reference_ms), line: String::new() }
    }

    /// When a record was logged. Where the file does not say, when its message was first tried or
    /// queued. Error: the column whose time cannot be read; none, if there is no time.
    pub(crate) fn of_record(&mut self, record: &AccountingRecord<'_>) -> Result<i64, Option<Column>> {
        const COLUMNS: [Column; 4] =
            [Column::TimeLogged, Column::TimeFirstAttempt, Column::TimeQueued, Column::TimeImprinted];
        let first = COLUMNS.into_iter().find_map(|column| Some((column, record.get(column)?)));
        let (column, time) = first.ok_or(None)?;
        self.read(time).ok_or(Some(column))
    }

    /// Milliseconds since 1970, from seconds or milliseconds since 1970, `2026-01-02
    /// 03:04:05+0100`, or any form of a log's stamp.
    pub(crate) fn read(&mut self, text: &str) -> Option<i64> {
        let at_ms = match text.parse::<f64>() {
            Ok(seconds) if (0.0..1e11).contains(&seconds) => Some((seconds * 1000.0) as i64),
            Ok(milliseconds) if (1e11..1e15).contains(&milliseconds) => Some(milliseconds as i64),
            _ => {
                // A stamp ends with a space.
                self.line.clear();
                self.line.push_str(text);
                self.line.push(' ');
                self.stamps.read(self.line.as_bytes()).map(|(at_ms, _)| at_ms)
            }
        };
        // Zero, and what is near it, is a time that was not set.
        at_ms.filter(|at_ms| *at_ms >= EARLIEST_MS)
    }
}
