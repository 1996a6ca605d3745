//! `carom import`: configs of carom's predecessors, converted.
//!
//! Not here: the conversion (`import`).

use super::terminal::{note, print};
use crate::error::{Context, Exit, Result};
use crate::import::{Imported, bes, pda};
use clap::Subcommand;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Convert a config.yml of HPI's Bounced Email Service into a carom.toml on standard output
    #[command(after_help = "What cannot be converted is named on standard error, with the reason.\n\n\
        Example:\n  carom import bes config.yml > carom.toml")]
    Bes {
        /// The service's config.yml
        file: PathBuf,
        /// Which environment of the file [default: the only one, or production]
        #[arg(long, value_name = "NAME")]
        env: Option<String>,
    },
    /// Convert an application.conf of Postfix-Deliverability-Analytics into a carom.toml on
    /// standard output
    #[command(after_help = "The bounce-regex-list.xml that it names is converted too, if it is a file that \
        can be read. What cannot be converted is named on standard error, with the reason.\n\n\
        Example:\n  carom import pda application.conf > carom.toml")]
    Pda {
        /// The application.conf
        file: PathBuf,
    },
}

pub(crate) fn run(command: &ImportCommand) -> Result<Exit> {
    let imported = match command {
        ImportCommand::Bes { file, env } => bes::import(&text(file)?, env.as_deref()),
        ImportCommand::Pda { file } => {
            let beside = file.parent().unwrap_or(Path::new("."));
            let read = |path: &str| text(&beside.join(path)).ok();
            pda::import(&text(file)?, read)
        }
    };
    let (ImportCommand::Bes { file, .. } | ImportCommand::Pda { file }) = command;
    let Imported { toml, notes } = imported.map_err(|error| error.within(file.display()))?;
    notes.iter().for_each(note);
    print(toml)
}

fn text(file: &Path) -> Result<String> {
    let bytes = super::named_file::read_foreign_config(file)?;
    String::from_utf8(bytes).context(file.display()).map_err(|error| error.remedy("give a text in UTF-8"))
}
