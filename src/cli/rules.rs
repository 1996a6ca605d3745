//! `carom rules`: rules of other tools, converted, and drafts of rules for replies that no rule
//! knows.
//!
//! Not here: the conversion (`import::pda`) and the drafts (`suggest`).

use super::deliveries::open_index;
use super::named_file::read_foreign_config;
use super::terminal::{self, Terminal, print};
use crate::config::Config;
use crate::error::{Context, Exit, Result};
use crate::files::publish::publish;
use crate::import::pda::rules_of_pda;
use crate::suggest::{self, Suggestion};
use crate::text::text_of;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::sync::Arc;

/// The examples in a draft hold addresses.
const MODE: u32 = 0o640;

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Draft rules for the most frequent replies that no rule knows, with what they would change.
    /// Nothing is installed
    Suggest(SuggestArgs),
    /// Convert a bounce-regex-list.xml of Postfix-Deliverability-Analytics into rules for
    /// [policy.bounce.settings]
    Import {
        /// The file
        file: PathBuf,
    },
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    carom rules suggest\n  \
    carom rules suggest --days 7 --limit 3\n  \
    carom rules suggest --output drafts.toml")]
pub(crate) struct SuggestArgs {
    /// Use failures of the last N days
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Draft at most N rules
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
    /// Write the draft into this file, whole or not at all [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(
    command: &RulesCommand,
    config: impl FnOnce() -> Result<Arc<Config>>,
    terminal: Terminal,
) -> Result<Exit> {
    match command {
        RulesCommand::Suggest(arguments) => suggested(arguments, &config()?, terminal),
        RulesCommand::Import { file } => {
            let bytes = read_foreign_config(file)?;
            print(rules_of_pda(&text_of(&bytes)).context(file.display())?)
        }
    }
}

fn suggested(arguments: &SuggestArgs, config: &Arc<Config>, terminal: Terminal) -> Result<Exit> {
    arguments.output.iter().try_for_each(|path| config.may_replace(path))?;
    let suggestion = match open_index(config)? {
        Some(index) => {
            let bar = terminal.progress("{bar:30} {pos} failures");
            let wanted = (arguments.days, arguments.limit);
            terminal::watched(bar, |watch| suggest::suggest(config, &index, wanted, watch))?.0
        }
        None => Suggestion { days: arguments.days, ..Suggestion::default() },
    };
    let draft = suggestion.toml(&config.index.policy);
    if let Some(path) = arguments.output.as_deref().filter(|_| !suggestion.rules.is_empty()) {
        publish(path, draft.as_bytes(), MODE)?;
        if !terminal.json {
            let (rules, file) = (suggestion.rules.len(), path.display());
            return print(format!("{rules} rules drafted in {file}; nothing is installed\n"));
        }
    }
    terminal.show(&suggestion, || match suggestion.deliveries {
        0 => format!("every failure of the last {} days has a rule\n", suggestion.days),
        _ => draft,
    })
}
