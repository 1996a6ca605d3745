//! Times in accounting files, which PowerMTA writes in the form that `acct-file` asks for.

use crate::maillog::stamp::Stamps;
use jiff::tz::TimeZone;

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

    /// Milliseconds since 1970, from seconds or milliseconds since 1970, `2026-01-02
    /// 03:04:05+0100`, or any form of a log's stamp.
    pub(crate) fn read(&mut self, text: &str) -> Option<i64> {
        match text.parse::<f64>() {
            Ok(seconds) if (0.0..1e11).contains(&seconds) => Some((seconds * 1000.0) as i64),
            Ok(milliseconds) if (1e11..1e15).contains(&milliseconds) => Some(milliseconds as i64),
            _ => {
                // A stamp ends with a space.
                self.line.clear();
                self.line.push_str(text);
                self.line.push(' ');
                self.stamps.read(self.line.as_bytes()).map(|(at_ms, _)| at_ms)
            }
        }
    }
}
