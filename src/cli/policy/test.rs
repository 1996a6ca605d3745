//! `carom policy test`: fixtures, and what the policy makes of them.
//!
//! Not here: running a fixture (`workshop::expectation`).

use super::chosen::Chosen;
use crate::cli::terminal::{Terminal, line, print};
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::policy::Wanted;
use crate::workshop::expectation;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Fixture files, or directories of them [default: `tests` next to the policy]
    fixtures: Vec<PathBuf>,
    /// Write what the policy decides now into the fixtures, as what is expected
    #[arg(long)]
    accept: bool,
}

pub(crate) fn run(arguments: &TestArgs, config: &Config, terminal: Terminal) -> Result<Exit> {
    let wanted = arguments.chosen.wanted()?;
    let beside = wanted.file.and_then(Path::parent).unwrap_or(Path::new("")).join("tests");
    let beside = std::slice::from_ref(&beside);
    let places = if arguments.fixtures.is_empty() { beside } else { &arguments.fixtures };
    let (mut all, mut failed) = (0, 0);
    for place in places {
        for file in expectation::find(place)? {
            all += 1;
            failed += usize::from(!is_good(&file, &wanted, arguments.accept, config, terminal)?);
        }
    }
    if !terminal.json {
        let hint = if failed > 0 { "; --accept writes down what it decides now" } else { "" };
        print(format!("{} of {all} as expected{hint}\n", all - failed))?;
    }
    Ok(if failed == 0 { Exit::Ok } else { Exit::Failure })
}

/// Runs one fixture and shows how it ended.
fn is_good(
    file: &Path,
    wanted: &Wanted<'_>,
    accept: bool,
    config: &Config,
    terminal: Terminal,
) -> Result<bool> {
    let comparison = expectation::run(config, wanted, file)?;
    let passed = comparison.passed();
    let accepted = accept && !passed;
    if accepted {
        expectation::accept(file, &comparison)?;
    }
    if terminal.json {
        print(line(&json!({
            "fixture": file, "passed": passed, "accepted": accepted,
            "expected": comparison.expected, "actual": comparison.actual,
        }))?)?;
        return Ok(passed || accepted);
    }
    let word = match (passed, accepted, comparison.expected.is_some()) {
        (true, ..) => "ok      ",
        (_, true, _) => "accepted",
        (.., true) => "FAILED  ",
        _ => "NEW     ",
    };
    let diff = if passed { String::new() } else { comparison.diff() };
    print(format!("{word} {}\n{diff}", file.display()))?;
    Ok(passed || accepted)
}
