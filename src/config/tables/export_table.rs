//! `[export]`: files that `carom cron` writes for others to read. A file is always complete. What
//! is not named is not written.

use crate::config::access_maps::AccessMap;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExportTable {
    /// For node_exporter's textfile collector: a name that ends in `.prom`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prometheus: Option<PathBuf>,
    /// The report as one HTML page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) html: Option<PathBuf>,
    /// A directory for `stats.json` and `ts-messages.json` (in bouncy-sink's format) and
    /// `report.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<PathBuf>,
    /// A directory for the lists of the report, one CSV file each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) csv: Option<PathBuf>,
    /// The suppression list as an access map of Postfix: `/path`, `texthash:/path` or `cdb:/path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) postfix_access: Option<AccessMap>,
    /// Sender domains whose entries have maps of their own, beside it.
    pub(crate) postfix_access_senders: Vec<String>,
    /// Hours that the report covers.
    pub(crate) hours: u32,
    /// Names in each list. The rest is summed up as `other`.
    pub(crate) top: usize,
}

impl Default for ExportTable {
    fn default() -> ExportTable {
        ExportTable {
            prometheus: None,
            html: None,
            json: None,
            csv: None,
            postfix_access: None,
            postfix_access_senders: Vec::new(),
            hours: 24,
            top: 20,
        }
    }
}
