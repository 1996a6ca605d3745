//! `[export]`: what each tick writes for others to read.

use crate::config::Fault;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[export]`: files that `carom cron` writes; each is whole or the one before. What is not named is not written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExportTable {
    /// For node_exporter's textfile collector: a name that ends in `.prom`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prometheus: Option<PathBuf>,
    /// The report as one HTML page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) html: Option<PathBuf>,
    /// A directory for `stats.json` and `ts-messages.json` (bouncy-sink's shapes) and `report.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<PathBuf>,
    /// A directory for one file of comma-separated values for each list of the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) csv: Option<PathBuf>,
    /// A directory for the deliveries that changed, as JSON Lines: one file a tick.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) events: Option<PathBuf>,
    /// Days that files of events are kept; 0 for ever.
    pub(crate) events_keep_days: u32,
    /// Hours that the report is about.
    pub(crate) hours: u32,
    /// Names of each list; the others count as `other`.
    pub(crate) top: usize,
}

impl Default for ExportTable {
    fn default() -> ExportTable {
        ExportTable {
            prometheus: None,
            html: None,
            json: None,
            csv: None,
            events: None,
            events_keep_days: 7,
            hours: 24,
            top: 20,
        }
    }
}

impl ExportTable {
    /// Key, fault and remedy, if it cannot be.
    pub(crate) fn impossible(&self) -> Option<Fault> {
        if self.hours == 0 || self.hours > 24 * 366 {
            return Some(("hours", "is no period of a report", "use 1 to 8784 hours"));
        }
        if self.top == 0 {
            return Some(("top", "leaves nothing to show", "use at least 1"));
        }
        let prometheus = self.prometheus.as_deref();
        if prometheus.is_some_and(|path| path.extension().is_none_or(|ending| ending != "prom")) {
            return Some(("prometheus", "is not read by node_exporter", "use a name that ends in .prom"));
        }
        None
    }
}
