//! `carom policy wit`: the WIT package that policies are built for.

use crate::cli::terminal::print;
use crate::error::{Exit, Result};
use crate::files::publish::{OUTPUT, make_output_directory, publish};
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
    make_output_directory(directory)?;
    for (name, text) in wit::FILES {
        publish(&directory.join(name), text.as_bytes(), OUTPUT)?;
    }
    Ok(Exit::Ok)
}
