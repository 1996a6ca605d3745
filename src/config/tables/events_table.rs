//! `[[events]]`: where `carom cron` sends what happened, as JSON.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsTable {
    pub(crate) kind: SinkKind,
    /// What is sent there.
    #[serde(default = "every_kind")]
    pub(crate) include: Vec<EventKind>,
    /// file: the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<PathBuf>,
    /// clickhouse, webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// clickhouse: the database.
    #[serde(default = "database")]
    pub(crate) database: String,
    /// clickhouse: the table.
    #[serde(default = "table")]
    pub(crate) table: String,
    /// clickhouse: the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// clickhouse: the password, or where it is (`file:…`, `credential:…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    /// webhook: Standard Webhooks secrets, `whsec_…`.
    #[serde(default)]
    pub(crate) secrets: Vec<String>,
    /// Longest time of a tick that is spent on it.
    #[serde(default = "five")]
    pub(crate) seconds: u32,
    /// Bytes that may wait for it on the disk.
    #[serde(default = "gibibyte")]
    pub(crate) max_backlog: u64,
    /// When more would wait: drop the oldest, and do not stop.
    #[serde(default)]
    pub(crate) drop_oldest: bool,
    /// file: begin another file after this many bytes.
    #[serde(default = "file_size")]
    pub(crate) max_size: u64,
    /// file: delete files after N days (0: never).
    #[serde(default = "seven")]
    pub(crate) keep_days: u32,
}

/// What takes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SinkKind {
    File,
    ClickHouse,
    Webhook,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EventKind {
    /// A delivery has changed.
    Delivery,
    /// A message was decided.
    Verdict,
    /// A message was a report, and counted.
    Report,
    /// A step of a message ended.
    Step,
    /// The suppression list has changed.
    Suppression,
}

impl EventKind {
    pub(crate) const ALL: [EventKind; 5] =
        [EventKind::Delivery, EventKind::Verdict, EventKind::Report, EventKind::Step, EventKind::Suppression];

    /// The word in the config and in events.
    pub(crate) fn name(self) -> &'static str {
        match self {
            EventKind::Delivery => "delivery",
            EventKind::Verdict => "verdict",
            EventKind::Report => "report",
            EventKind::Step => "step",
            EventKind::Suppression => "suppression",
        }
    }
}

fn every_kind() -> Vec<EventKind> {
    EventKind::ALL.into()
}

fn database() -> String {
    "default".into()
}

fn table() -> String {
    "carom_events".into()
}

fn five() -> u32 {
    5
}

fn seven() -> u32 {
    7
}

fn gibibyte() -> u64 {
    1 << 30
}

fn file_size() -> u64 {
    256 << 20
}
