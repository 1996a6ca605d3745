//! `carom policy`: the life of a policy at the terminal, from scaffold to rollback.
//!
//! Not here: what is done (`workshop`, `policy::life`); here it is asked for and shown.

mod author;
mod operate;

use super::{print, read_input, say, show};
use crate::config::Config;
use crate::error::{Context, Exit, Result};
use crate::policy::Wanted;
use crate::workshop::scaffold::Language;
use author::One;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begin a policy: sources, WIT, fixtures and a README, in a directory of their own
    New {
        /// rust, c, javascript or python
        #[arg(long, short)]
        language: Language,
        /// The directory; it is made
        directory: PathBuf,
    },
    /// Build the policy in a directory: its component becomes policy.wasm
    Build {
        /// The directory
        #[arg(default_value = ".")]
        directory: PathBuf,
    },
    /// Is it a policy that this carom can run, and does it behave?
    Check {
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Test a policy against fixtures: messages, and what should become of them
    Test {
        #[command(flatten)]
        chosen: Chosen,
        /// Fixture files, or directories of them [default: `tests` beside the policy]
        fixtures: Vec<PathBuf>,
        /// Write down what it decides now as what is expected from now on
        #[arg(long)]
        accept: bool,
    },
    /// Try a policy on one message, and show all there is to see; nothing is done
    Run(author::Run),
    /// Measure what a policy costs: cold start, warm decision, classification
    Bench {
        #[command(flatten)]
        chosen: Chosen,
        /// The message to decide about [default: a small one]
        #[arg(long, value_name = "FILE")]
        message: Option<PathBuf>,
        /// Fresh processes to start
        #[arg(long, value_name = "N", default_value_t = 20)]
        runs: usize,
        #[arg(long, hide = true)]
        one: Option<One>,
    },
    /// Install a component under a name: checked, prepared, compiled, and swapped in while mail flows
    Install {
        /// The name; its settings stand in [policy.NAME.settings]
        name: String,
        /// The component
        file: PathBuf,
    },
    /// List what is installed and shipped, or the releases of one policy
    List {
        /// The policy whose releases to list
        name: Option<String>,
    },
    /// Put the release before the one in force back in force
    Rollback {
        /// The policy
        name: String,
        /// Or this release
        #[arg(long, value_name = "NUMBER")]
        to: Option<u32>,
    },
    /// Show what a policy is made of, and where it comes from
    Show {
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Print the WIT package that policies are built for, or write it into a directory
    Wit {
        /// The directory
        directory: Option<PathBuf>,
    },
    /// Show where policies with `monitor = true` would have done otherwise than the one in force
    Diff {
        /// Only this policy
        name: Option<String>,
        /// Show the newest N
        #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
        lines: usize,
    },
}

/// A policy by name, or a component file.
#[derive(Args, Debug)]
pub(crate) struct Chosen {
    /// The name of a policy, or a component file
    policy: String,
    /// Settings instead of those in the config: JSON text, or a JSON or TOML file
    #[arg(long, value_name = "SETTINGS")]
    settings: Option<String>,
}

pub(crate) fn run(command: &Command, config: Arc<Config>, json: bool) -> Result<Exit> {
    match command {
        Command::New { language, directory } => author::new(*language, directory),
        Command::Build { directory } => author::build(directory),
        Command::Check { chosen } => author::check(chosen, &config, json),
        Command::Test { chosen, fixtures, accept } => author::test(chosen, fixtures, *accept, &config, json),
        Command::Run(arguments) => author::try_out(arguments, &config, json),
        Command::Bench { chosen, message, runs, one } => {
            author::bench(chosen, message.as_deref(), *runs, *one, &config, json)
        }
        Command::Install { name, file } => operate::install(name, file, &config, json),
        Command::List { name } => operate::list(name.as_deref(), &config, json),
        Command::Rollback { name, to } => operate::roll_back(name, *to, &config, json),
        Command::Show { chosen } => operate::show(chosen, &config, json),
        Command::Wit { directory } => operate::write_wit(directory.as_deref()),
        Command::Diff { name, lines } => operate::diff(name.as_deref(), *lines, &config, json),
    }
}

impl Chosen {
    fn is_file(&self) -> bool {
        self.policy.contains('/') || self.policy.ends_with(".wasm")
    }

    /// The name under which its settings stand: a file's is its stem.
    fn name(&self) -> &str {
        if self.is_file() {
            let stem = Path::new(&self.policy).file_stem().and_then(|stem| stem.to_str());
            return stem.unwrap_or("policy");
        }
        &self.policy
    }

    fn wanted(&self) -> Result<Wanted<'_>> {
        let settings = self.settings.as_deref().map(read_settings).transpose()?;
        Ok(Wanted { name: self.name(), file: self.is_file().then(|| Path::new(&self.policy)), settings })
    }
}

/// Settings as JSON text, from such text or from a file of either kind.
fn read_settings(given: &str) -> Result<String> {
    let text = if given.trim_start().starts_with('{') {
        given.to_owned()
    } else {
        let text = std::fs::read_to_string(given).context(given);
        text.map_err(|error| error.remedy("give JSON text, or a .json or .toml file"))?
    };
    if Path::new(given).extension().is_some_and(|ending| ending == "toml") {
        let table: toml::Table = toml::from_str(&text).context(given)?;
        return serde_json::to_string(&table).context(given);
    }
    let value: serde_json::Value = serde_json::from_str(&text).context("--settings")?;
    Ok(value.to_string())
}
