//! `carom policy new`: the beginning of a policy.

use crate::cli::terminal::print;
use crate::error::{Exit, Result};
use crate::workshop::scaffold::{self, Language};
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct NewArgs {
    /// rust, c, javascript or python
    #[arg(long, short)]
    language: Language,
    /// The directory to create
    directory: PathBuf,
}

pub(crate) fn run(arguments: &NewArgs) -> Result<Exit> {
    let files = scaffold::scaffold(arguments.language, &arguments.directory)?;
    let list: String = files.iter().map(|file| format!("{}\n", file.display())).collect();
    print(format!("{list}\nnext: cd {} && carom policy build\n", arguments.directory.display()))
}
