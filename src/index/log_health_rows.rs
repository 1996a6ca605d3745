//! Whether each log can be read, as the last tick found it: JSON among what the index remembers. It
//! quotes the first line that was not understood, which may name somebody.
//!
//! Not here: what makes a log unreadable (`crate::maillog`). Invariant: a log that the config does
//! not name any more is forgotten.

use super::Index;
use crate::error::{Context, Result};
use crate::maillog::log_health::{LogHealth, UnreadableLog};
use crate::named_address::NamedAddress;
use rusqlite::params;

/// In front of the log's name.
const HEALTH: &str = "health ";

impl Index {
    /// What is known of a log; None if no tick has looked at it.
    pub(crate) fn log_health(&self, log: &str) -> Result<Option<LogHealth>> {
        let text = self.remembered(&format!("{HEALTH}{log}"))?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    pub(crate) fn put_log_health(&self, log: &str, health: &LogHealth) -> Result<()> {
        self.remember(&format!("{HEALTH}{log}"), &serde_json::to_string(health).context("health of a log")?)
    }

    /// Forgets all logs but these.
    pub(crate) fn forget_logs_except(&self, logs: &[String]) -> Result<()> {
        for (log, _) in self.log_healths()? {
            if !logs.contains(&log) {
                let name = format!("{HEALTH}{log}");
                self.checked(self.connection.execute("DELETE FROM meta WHERE name = ?1", params![name]))?;
            }
        }
        Ok(())
    }

    /// The logs that cannot be read now.
    pub(crate) fn unreadable_logs(&self) -> Result<Vec<UnreadableLog>> {
        let healths = self.log_healths()?.into_iter();
        Ok(healths.filter_map(|(log, health)| health.unreadable(&log)).collect())
    }

    /// Each log that the last tick looked at.
    pub(crate) fn log_healths(&self) -> Result<Vec<(String, LogHealth)>> {
        let read = |(log, value): (String, String)| Some((log, serde_json::from_str(&value).ok()?));
        Ok(self.health_texts()?.into_iter().filter_map(read).collect())
    }

    /// What is kept of logs whose lines name somebody, with the log.
    pub(crate) fn healths_naming(&self, named: &NamedAddress) -> Result<Vec<(String, String)>> {
        let all = self.health_texts()?.into_iter();
        Ok(all.filter(|(_, text)| named.is_in(text.as_bytes())).collect())
    }

    /// Blanks an address in what is kept of lines that were not understood.
    pub(super) fn blank_healths(&self, named: &NamedAddress) -> Result<()> {
        for (log, text) in self.healths_naming(named)? {
            if let Some(blanked) = named.blanked(&text) {
                self.remember(&format!("{HEALTH}{log}"), &blanked)?;
            }
        }
        Ok(())
    }

    /// Each log and its JSON.
    fn health_texts(&self) -> Result<Vec<(String, String)>> {
        let rows = (|| {
            let sql =
                "SELECT name, value FROM meta WHERE name >= 'health ' AND name < 'health!' ORDER BY name";
            let mut select = self.connection.prepare(sql)?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(String, String)>>>()
        })();
        let of_log = |(name, value): (String, String)| Some((name.strip_prefix(HEALTH)?.to_owned(), value));
        Ok(self.checked(rows)?.into_iter().filter_map(of_log).collect())
    }
}
