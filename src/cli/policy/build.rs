//! `carom policy build`: sources into a component.

use crate::cli::terminal::print;
use crate::error::{Exit, Result};
use crate::workshop::build;
use clap::Args;
use std::os::fd::AsFd;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct BuildArgs {
    /// The directory
    #[arg(default_value = ".")]
    directory: PathBuf,
}

pub(crate) fn run(arguments: &BuildArgs) -> Result<Exit> {
    let component = build::build(&arguments.directory, std::io::stderr().as_fd())?;
    let size = std::fs::metadata(&component).map_or(0, |found| found.len());
    print(format!("{}: {size} bytes\n", component.display()))
}
