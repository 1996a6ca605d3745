//! `carom man`: the manual pages, generated from what can be typed.
//!
//! Invariant: each command that help shows has a page, named after the words of the command.

use super::terminal::print;
use crate::error::{Context, Exit, Result};
use std::path::Path;

pub(crate) fn run(command: clap::Command, directory: Option<&Path>) -> Result<Exit> {
    if let Some(directory) = directory {
        let written =
            std::fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory));
        let remedy = "name a directory that this user may write in";
        written.context(directory.display()).map_err(|error| error.remedy(remedy))?;
        return Ok(Exit::Ok);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).context("cannot write the manual page")?;
    print(page)
}
