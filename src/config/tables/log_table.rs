//! `[log]`: the message log and carom's own log.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tracing::Level;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogTable {
    /// Directory of the logs; default `log` in the state directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
    /// Format of the message log.
    pub(crate) format: LogFormat,
    /// Delete logs after N days (0: never), but no records that are not in the store yet.
    pub(crate) keep_days: u32,
    /// Delete the oldest days early when all logs together exceed N bytes (0: no limit).
    pub(crate) max_size: u64,
    /// Least level in carom's own log.
    pub(crate) level: LogLevel,
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
            level: LogLevel(Level::INFO),
        }
    }
}

/// `error`, `warn`, `info`, `debug`, `trace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct LogLevel(pub(crate) Level);

impl TryFrom<String> for LogLevel {
    type Error = String;

    fn try_from(word: String) -> Result<LogLevel, String> {
        let level = word.parse().map(LogLevel);
        level.map_err(|_| format!("`{word}` is not a level: use error, warn, info, debug or trace"))
    }
}

impl From<LogLevel> for String {
    fn from(level: LogLevel) -> String {
        level.0.as_str().to_lowercase()
    }
}
