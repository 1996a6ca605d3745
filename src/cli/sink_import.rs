//! `carom sink import`: a config of bouncy-sink, converted.
//!
//! Not here: the conversion (`import::bouncy_sink`).

use super::named_file::{read_foreign_config, read_input};
use super::terminal::{note, print};
use crate::error::{Exit, Result};
use crate::import::bouncy_sink;
use crate::text::text_of;
use clap::Subcommand;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum SinkCommand {
    /// Convert a bouncy-sink consume-mail.ini into a carom.toml on standard output
    Import {
        /// The ini file; a User-Agents CSV that it names is read from the same directory
        file: PathBuf,
        /// PowerMTA's blacklist.dat: its random_bounce lines become the replies that the sink gives
        #[arg(long, value_name = "FILE")]
        blacklist: Option<PathBuf>,
    },
}

pub(crate) fn run(command: &SinkCommand) -> Result<Exit> {
    let SinkCommand::Import { file, blacklist } = command;
    let remedy = "name bouncy-sink's consume-mail.ini";
    let ini = read_foreign_config(file).map_err(|error| error.remedy(remedy))?;
    let directory = file.parent().unwrap_or(Path::new("."));
    let read = |name: &str| read_input(&directory.join(name)).ok().map(|bytes| text_of(&bytes));
    let blacklist = blacklist.as_ref().map(|file| {
        let bytes = read_input(file).map_err(|error| error.remedy("name PowerMTA's blacklist.dat"))?;
        Ok(text_of(&bytes))
    });
    let blacklist = blacklist.transpose()?;
    let imported = bouncy_sink::import(&text_of(&ini), blacklist.as_deref(), read)?;
    imported.notes.iter().for_each(note);
    note("set domains below [policy.sink.settings]: until then, carom defers every message");
    print(imported.toml)
}
