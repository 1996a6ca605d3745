//! `carom man`: the manual pages, generated from what can be typed.
//!
//! Invariant: each command that help shows has a page, named after the words of the command.

use super::terminal::print;
use super::typed::Typed;
use crate::error::{Context, Exit, Result};
use clap::{Args, CommandFactory};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Write carom.1 and a page for each command (carom-pipe.1, carom-policy-new.1, …) into DIR
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &ManArgs) -> Result<Exit> {
    if let Some(directory) = &arguments.out {
        let written = std::fs::create_dir_all(directory)
            .and_then(|()| clap_mangen::generate_to(Typed::command(), directory));
        let remedy = "name a directory that this user may write in";
        written.context(directory.display()).map_err(|error| error.remedy(remedy))?;
        return Ok(Exit::Ok);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Typed::command()).render(&mut page).context("cannot write the manual page")?;
    print(page)
}
