//! `carom policy bench`: what a policy costs.
//!
//! A cold start is measured in fresh processes of the same command line, each asked by `--one` for
//! one measurement. Not here: measuring (`workshop::measure`).

use super::chosen::Chosen;
use crate::cli::named_file::read_input;
use crate::cli::terminal::{Terminal, line, print};
use crate::config::Config;
use crate::error::{Context, Error, Exit, Result};
use crate::mail::Mail;
use crate::policy::{Use, Wanted};
use crate::workshop::Bench;
use crate::workshop::measure::{self, Cold, Costs};
use clap::{Args, ValueEnum};
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// Decisions of a warm policy to measure.
const WARM_RUNS: usize = 2000;

#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// The message to decide about [default: a small one]
    #[arg(long, value_name = "FILE")]
    message: Option<PathBuf>,
    /// Fresh processes to start
    #[arg(long, value_name = "N", default_value_t = 20)]
    runs: usize,
    /// Print one measurement of this process
    #[arg(long, hide = true)]
    one: Option<One>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum One {
    Cold,
    ColdInterpreted,
    Class,
    ClassInterpreted,
}

pub(crate) fn run(arguments: &BenchArgs, config: &Arc<Config>, terminal: Terminal) -> Result<Exit> {
    let wanted = arguments.chosen.wanted()?;
    let mut on = Bench::with_small_message(config)?;
    if let Some(message) = &arguments.message {
        let mail = &on.mail;
        on.mail = Mail::arrived(read_input(message)?, mail.envelope.clone(), mail.seed, mail.at_ms);
    }
    if let Some(one) = arguments.one {
        return print(one.measured(&on, &wanted)?);
    }
    let mut costs = cold_costs(arguments.runs)?;
    measure::warm(&on, &wanted, WARM_RUNS, &mut costs)?;
    terminal.show(&costs, || words(&costs))
}

impl One {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn measured(self, on: &Bench, wanted: &Wanted<'_>) -> Result<String> {
        match self {
            One::Cold => line(&measure::cold(on, wanted, Use::One)?),
            One::ColdInterpreted => line(&measure::cold(on, wanted, Use::Interpreted)?),
            One::Class => line(&measure::first_class(on, wanted, Use::One)?),
            One::ClassInterpreted => line(&measure::first_class(on, wanted, Use::Interpreted)?),
        }
    }
}

fn cold_costs(runs: usize) -> Result<Costs> {
    let colds: Vec<Cold> = fresh(One::Cold, runs)?;
    let interpreted: Vec<Cold> = fresh(One::ColdInterpreted, runs)?;
    let median =
        |colds: &[Cold], of: fn(&Cold) -> f64| measure::median(&mut colds.iter().map(of).collect::<Vec<_>>());
    Ok(Costs {
        cold_runs: runs,
        cold: Cold {
            load_us: median(&colds, |cold| cold.load_us),
            link_us: median(&colds, |cold| cold.link_us),
            first_us: median(&colds, |cold| cold.first_us),
        },
        cold_interpreted_us: median(&interpreted, Cold::total_us),
        first_class_us: measure::median(&mut fresh(One::Class, runs)?),
        first_class_interpreted_us: measure::median(&mut fresh(One::ClassInterpreted, runs)?),
        ..Costs::default()
    })
}

/// One measurement of each of several fresh processes. The first, which may have to compile, does
/// not count.
fn fresh<T: DeserializeOwned>(one: One, runs: usize) -> Result<Vec<T>> {
    let own = std::env::current_exe().context("cannot find carom's own program file")?;
    let mut found = Vec::new();
    for run in 0..=runs.max(1) {
        let mut command = Command::new(&own);
        command.args(std::env::args_os().skip(1)).arg("--one").arg(one.name());
        let output = command.output().context(own.display())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Error::new(said.trim().trim_start_matches("carom: ")));
        }
        if run > 0 {
            found.push(serde_json::from_slice(&output.stdout).context("a measurement")?);
        }
    }
    Ok(found)
}

fn words(costs: &Costs) -> String {
    let (cold, runs) = (&costs.cold, costs.cold_runs);
    let answers = costs.answer_us.zip(costs.answer_p99_us).map_or(String::new(), |(median, p99)| {
        format!("answer, warm           {median:>9.1} µs   99 of 100 below {p99:.1}; in the SMTP dialogue\n")
    });
    format!(
        "cold start             {:>9.0} µs   load {:.0}, link {:.0}, first decision {:.0}; median of {runs} processes\n\
         cold start, Pulley     {:>9.0} µs   where memory may not be made executable\n\
         decision, warm         {:>9.1} µs   99 of 100 below {:.1}; a fresh instance each, {} of them\n\
         {answers}\
         first class            {:>9.0} µs   engine, load and one failure classified\n\
         first class, Pulley    {:>9.0} µs\n\
         classes                {:>9.0} /s   in batches of 10,000, one core\n",
        cold.total_us(),
        cold.load_us,
        cold.link_us,
        cold.first_us,
        costs.cold_interpreted_us,
        costs.warm_us,
        costs.warm_p99_us,
        costs.warm_runs,
        costs.first_class_us,
        costs.first_class_interpreted_us,
        costs.classified_per_second,
    )
}
