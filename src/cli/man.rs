//! `carom man`: the manual pages, generated from what can be typed.
//!
//! Invariant: each command that help shows has a page, named after the words of the command.

use super::terminal::print;
use crate::error::{Context, Exit, Result};
use clap_mangen::Man;
use std::path::Path;

pub(crate) fn run(mut command: clap::Command, directory: Option<&Path>) -> Result<Exit> {
    command.build();
    if let Some(directory) = directory {
        let written = std::fs::create_dir_all(directory).and_then(|()| pages(&command, directory));
        let remedy = "name a directory that this user may write in";
        written.context(directory.display()).map_err(|error| error.remedy(remedy))?;
        return Ok(Exit::Ok);
    }
    let mut text = Vec::new();
    page(&command).render(&mut text).context("cannot write the manual page")?;
    print(text)
}

fn pages(command: &clap::Command, directory: &Path) -> std::io::Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        pages(sub, directory)?;
    }
    page(command).generate_to(directory).map(drop)
}

/// The footer names the program and its release, not the command.
fn page(command: &clap::Command) -> Man {
    Man::new(command.clone()).source(concat!("carom ", env!("CARGO_PKG_VERSION"))).manual("carom")
}
