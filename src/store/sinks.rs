//! The verbs for marks, those of sinks of events among them, and for changes of the suppression
//! list.

use super::Store;
use super::sink_mark::SinkMark;
use super::sqlite::{mark_rows, suppression_changes};
use super::suppression_change::SuppressionChange;
use crate::error::{Context, Result};

/// What the names of marks begin with.
const SINK: &str = "events to ";

impl Store {
    /// Sets a mark.
    pub(crate) fn mark(&self, name: &str, value: &str) -> Result<()> {
        self.purge_suppressions(&[], name, value).map(drop)
    }

    /// The value of a mark.
    pub(crate) fn marked(&self, name: &str) -> Result<Option<String>> {
        mark_rows::marked(&self.db, name)
    }

    /// How far the sink of this name is.
    pub(crate) fn sink_mark(&self, name: &str) -> Result<SinkMark> {
        let mark = self.marked(&format!("{SINK}{name}"))?;
        Ok(mark.and_then(|mark| serde_json::from_str(&mark).ok()).unwrap_or_default())
    }

    pub(crate) fn set_sink_mark(&self, name: &str, mark: &SinkMark) -> Result<()> {
        self.mark(&format!("{SINK}{name}"), &serde_json::to_string(mark).context("JSON")?)
    }

    /// Notes changes of the suppression list from now on, or no longer.
    pub(crate) fn watch_suppressions(&self, watch: bool) -> Result<()> {
        suppression_changes::watch(&self.db, watch)
    }

    /// Up to `most` changes of the suppression list that were not collected, in order.
    pub(crate) fn suppression_changes(&self, most: usize) -> Result<Vec<SuppressionChange>> {
        suppression_changes::first(&self.db, most)
    }

    /// Changes up to this number are in the queue of events; 0: none.
    pub(crate) fn collected_suppression_changes(&self, number: i64) -> Result<()> {
        suppression_changes::are_collected(&self.db, number)
    }

    /// Those have reached every sink.
    pub(crate) fn delivered_suppression_changes(&self) -> Result<()> {
        suppression_changes::are_delivered(&self.db)
    }
}
