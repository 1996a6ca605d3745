//! `[log]`: the message log and carom's own log.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogTable {
    /// Directory of the logs; default `log` in the state directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
    /// Format of the message log.
    pub(crate) format: LogFormat,
    /// Delete logs after N days (0: never).
    pub(crate) keep_days: u32,
    /// Delete the oldest days early when all logs together exceed N bytes (0: no limit).
    pub(crate) max_size: u64,
    /// Least level in carom's own log: `error`, `warn`, `info`, `debug`, `trace`.
    pub(crate) level: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// One JSON object a line.
    Json,
    /// One readable line.
    Text,
}

impl Default for LogTable {
    fn default() -> LogTable {
        LogTable {
            directory: None,
            format: LogFormat::Json,
            keep_days: 10,
            max_size: 0,
            level: "info".into(),
        }
    }
}
