//! `carom check`: is everything there that a message will need?
//!
//! Not here: looking (`check`). Here what was found is shown, for `carom policy check` and
//! `install` too.

use super::terminal::Terminal;
use crate::check;
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::finding::Finding;

pub(crate) fn run(quick: bool, config: &Config, terminal: Terminal) -> Result<Exit> {
    let findings = if quick { check::quick(config) } else { check::check(config) };
    show(&findings, terminal)
}

/// Prints findings; the exit code says whether something is wrong.
pub(crate) fn show(findings: &[Finding], terminal: Terminal) -> Result<Exit> {
    let shown: Vec<&Finding> = findings.iter().filter(|found| found.is_wrong() || !terminal.quiet).collect();
    terminal.rows(&shown, "", |finding| {
        let (mark, word) = match (finding.is_wrong(), finding.note) {
            (true, _) => ("wrong", "fix"),
            (_, true) => ("note ", "better"),
            _ => ("ok   ", ""),
        };
        let remedy = finding.remedy.as_ref();
        let remedy = remedy.map(|remedy| format!("\n       {:10} {word}: {remedy}", "")).unwrap_or_default();
        format!("{mark}  {:10} {}{remedy}", finding.subject, finding.found)
    })?;
    Ok(if findings.iter().any(Finding::is_wrong) { Exit::Failure } else { Exit::Ok })
}
