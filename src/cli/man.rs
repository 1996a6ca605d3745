//! `carom man`: the manual page, generated from what can be typed.

use super::terminal::print;
use super::typed::Typed;
use crate::error::{Context, Exit, Result};
use clap::CommandFactory;

pub(crate) fn run() -> Result<Exit> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Typed::command()).render(&mut page).context("cannot write the manual page")?;
    print(page)
}
