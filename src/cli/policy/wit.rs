//! `carom policy wit`: the WIT package that policies are built for.

use crate::cli::terminal::print;
use crate::error::{Context, Exit, Result};
use crate::policy::wit;
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct WitArgs {
    /// The directory to write it into
    directory: Option<PathBuf>,
}

pub(crate) fn run(arguments: &WitArgs) -> Result<Exit> {
    let Some(directory) = &arguments.directory else { return print(wit::whole()) };
    std::fs::create_dir_all(directory).context(directory.display())?;
    for (name, text) in wit::FILES {
        let path = directory.join(name);
        std::fs::write(&path, text).context(path.display())?;
    }
    Ok(Exit::Ok)
}
