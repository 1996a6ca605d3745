//! `[[cycle]]`: a value for each day of one or more weeks, and what is done with today's.

use crate::config::span::Span;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CycleTable {
    pub(crate) name: String,
    /// Seven values for each week, Monday first. Days begin at 00:00 UTC.
    pub(crate) values: Vec<f64>,
    /// The file that contains today's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<PathBuf>,
    /// The content of the file, with `{value}` in it. A line that says who wrote it is put on top.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) text: String,
    /// The command that is run when the file has changed: a program and its arguments, without a
    /// shell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reload: Vec<String>,
    /// A command that is run once on each day with a value above 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) run: Vec<String>,
    /// What is removed from the suppression list, once on each day with a value above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) purge: Option<PurgeTable>,
    /// How long a command may run.
    #[serde(default = "half_a_minute")]
    pub(crate) timeout: Span,
}

fn half_a_minute() -> Span {
    Span::seconds(30)
}

/// `[cycle.purge]`: which entries of the suppression list are removed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PurgeTable {
    /// Those from one of these sources: `report`, `import`, `operator`, …
    pub(crate) sources: Vec<String>,
    /// Only those of these sender domains; empty for all.
    #[serde(default)]
    pub(crate) sender_domains: Vec<String>,
    /// Only those that are at least this old.
    #[serde(default)]
    pub(crate) older_than: Span,
    /// Where `purged_DATE.csv` is written first; default the state directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
}
