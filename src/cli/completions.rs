//! `carom completions`: the completions of a shell, generated from what can be typed.

use super::terminal::print;
use super::typed::Typed;
use crate::error::{Exit, Result};
use clap::CommandFactory;
use clap_complete::Shell;

pub(crate) fn run(shell: Shell) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Typed::command(), "carom", &mut script);
    print(script)
}
