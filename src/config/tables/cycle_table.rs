//! `[[cycle]]`: a value for each day of one or more weeks, and what is done with today's.

use crate::config::{Fault, Span};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::PathBuf;

/// `[[cycle]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CycleTable {
    /// What it is called.
    pub(crate) name: String,
    /// Seven values for each week, Monday first; days begin at 00 h UTC.
    pub(crate) values: Vec<f64>,
    /// The file that holds today's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<PathBuf>,
    /// What the file says, with `{value}` in it; a line that says who wrote it stands above.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) text: String,
    /// The command that is run when the file has changed: a program and its arguments; no shell reads them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reload: Vec<String>,
    /// A command that is run once on each day whose value is above 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) run: Vec<String>,
    /// What is taken off the suppression list, once on each day whose value is above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) purge: Option<PurgeTable>,
    /// How long a command may take.
    #[serde(default = "half_a_minute")]
    pub(crate) timeout: Span,
}

fn half_a_minute() -> Span {
    Span::seconds(30)
}

/// `[cycle.purge]`: which entries of the suppression list go.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PurgeTable {
    /// Those that came from one of these: `report`, `import`, `operator`, …
    pub(crate) sources: Vec<String>,
    /// Only those of these sender domains; none: of all.
    #[serde(default)]
    pub(crate) sender_domains: Vec<String>,
    /// Only those that have stood so long.
    #[serde(default)]
    pub(crate) older_than: Span,
    /// Where `purged_DATE.csv` is written before; default the state directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
}

/// Key, fault and remedy of the first cycle that cannot be.
pub(crate) fn impossible(cycles: &[CycleTable]) -> Option<(usize, Fault)> {
    let mut names = HashSet::new();
    for (number, cycle) in cycles.iter().enumerate() {
        if cycle.name.is_empty() || cycle.name.contains(char::is_control) || !names.insert(&cycle.name) {
            return Some((number, ("name", "is missing or there twice", "give each [[cycle]] its own")));
        }
        let sound = cycle.values.iter().all(|value| value.is_finite() && *value >= 0.0);
        if cycle.values.is_empty() || cycle.values.len() % 7 != 0 || cycle.values.len() > 7 * 106 || !sound {
            return Some((
                number,
                ("values", "are not those of whole weeks", "give seven numbers for each week"),
            ));
        }
        if cycle.file.is_none() && cycle.run.is_empty() && cycle.purge.is_none() {
            return Some((
                number,
                ("[[cycle]]", "does nothing", "give file and text, run, or [cycle.purge]"),
            ));
        }
        if cycle.file.is_some() != cycle.text.contains("{value}") {
            return Some((number, ("text", "goes with file, and holds {value}", "give both, or neither")));
        }
        if cycle.file.as_ref().is_some_and(|file| !file.is_absolute()) {
            return Some((number, ("file", "is not a whole path", "begin it with /")));
        }
        if cycle.file.is_none() && !cycle.reload.is_empty() {
            return Some((
                number,
                ("reload", "there is no file that could change", "give file and text, or use run"),
            ));
        }
        if cycle.timeout == Span::default() {
            return Some((number, ("timeout", "nothing is done in no time", "give at least 1s")));
        }
        if cycle.purge.as_ref().is_some_and(|purge| purge.sources.is_empty()) {
            return Some((
                number,
                ("sources", "nothing would be purged", "name them: [\"report\"] for what carom found"),
            ));
        }
    }
    None
}
