//! `carom man`: the manual pages, generated from what can be typed.
//!
//! Invariant: each command that help shows has a page, named after the words of the command.

use super::terminal::print;
use crate::error::{Context, Exit, Result};
use crate::files::publish::{OUTPUT, make_output_directory, publish};
use clap_mangen::Man;
use std::path::Path;

pub(crate) fn run(mut command: clap::Command, directory: Option<&Path>) -> Result<Exit> {
    command.build();
    if let Some(directory) = directory {
        make_output_directory(directory)?;
        pages(&command, directory)?;
        return Ok(Exit::Ok);
    }
    print(text(&page(&command))?)
}

fn pages(command: &clap::Command, directory: &Path) -> Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        pages(sub, directory)?;
    }
    let page = page(command);
    publish(&directory.join(page.get_filename()), &text(&page)?, OUTPUT)
}

/// The footer names the program and its release, not the command.
fn page(command: &clap::Command) -> Man {
    Man::new(command.clone()).source(concat!("carom ", env!("CARGO_PKG_VERSION"))).manual("carom")
}

fn text(page: &Man) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    page.render(&mut text).context("cannot write the manual page")?;
    Ok(text)
}
