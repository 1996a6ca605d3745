//! `carom check`, and how findings are printed.

use super::print;
use super::show::line;
use crate::check;
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::finding::Finding;
use std::fmt::Write;

pub(crate) fn check(config: &Config, json: bool) -> Result<Exit> {
    findings(&check::check(config), json)
}

/// Prints findings. The exit code is 1 if something is wrong.
pub(crate) fn findings(findings: &[Finding], json: bool) -> Result<Exit> {
    let mut text = String::new();
    for finding in findings {
        if json {
            text.push_str(&line(finding)?);
            continue;
        }
        let (mark, word) = match (finding.is_wrong(), finding.note) {
            (true, _) => ("wrong", "fix"),
            (_, true) => ("note ", "better"),
            _ => ("ok   ", ""),
        };
        let _ = writeln!(text, "{mark}  {:10} {}", finding.subject, finding.found);
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(text, "       {:10} {word}: {remedy}", "");
        }
    }
    print(text.as_bytes())?;
    Ok(if findings.iter().any(Finding::is_wrong) { Exit::Failure } else { Exit::Ok })
}
