//! `carom policy`: a policy from scaffold to rollback, one file a subcommand.
//!
//! Not here: what is done (`workshop`, `policy`).

mod bench;
mod build;
mod check;
mod chosen;
mod diff;
mod install;
mod list;
mod new;
mod rollback;
mod run;
mod show;
mod test;
mod wit;

use super::terminal::Terminal;
use crate::config::Config;
use crate::error::{Exit, Result};
use clap::Subcommand;
use std::sync::Arc;

#[derive(Debug, Subcommand)]
#[command(after_help = "To write a first policy:\n  \
    carom policy new --language rust mine && cd mine\n  \
    carom policy build && carom policy test policy.wasm\n  \
    carom policy install mine policy.wasm")]
pub(crate) enum PolicyCommand {
    /// Create a policy in a new directory: sources, WIT, fixtures and a README
    New(new::NewArgs),
    /// Build the policy in a directory into policy.wasm
    Build(build::BuildArgs),
    /// Check that carom can run a policy, and that it accepts its settings
    Check(check::CheckArgs),
    /// Test a policy against fixtures: messages with the plans they should lead to
    Test(test::TestArgs),
    /// Run a policy on one message and show everything it does; nothing is carried out
    Run(Box<run::RunArgs>),
    /// Measure what a policy costs: cold start, warm decision, classification
    Bench(bench::BenchArgs),
    /// Install a component under a name: checked, prepared, compiled, and swapped in while mail
    /// flows
    Install(install::InstallArgs),
    /// List installed and shipped policies, or the releases of one policy
    List(list::ListArgs),
    /// Put the previous release back in force
    Rollback(rollback::RollbackArgs),
    /// Show what a policy consists of and where it comes from
    Show(show::ShowArgs),
    /// Print the WIT package that policies are built for, or write it into a directory
    Wit(wit::WitArgs),
    /// Show where policies with `monitor = true` would have decided differently from the policy in
    /// force
    Diff(diff::DiffArgs),
}

pub(crate) fn run(command: PolicyCommand, config: &Arc<Config>, terminal: Terminal) -> Result<Exit> {
    if matches!(command, PolicyCommand::Run(_) | PolicyCommand::Diff(_)) {
        config.require_secrets()?;
    }
    match command {
        PolicyCommand::New(arguments) => new::run(&arguments),
        PolicyCommand::Build(arguments) => build::run(&arguments),
        PolicyCommand::Check(arguments) => check::run(&arguments, config, terminal),
        PolicyCommand::Test(arguments) => test::run(&arguments, config, terminal),
        PolicyCommand::Run(arguments) => run::run(&arguments, config, terminal),
        PolicyCommand::Bench(arguments) => bench::run(&arguments, config, terminal),
        PolicyCommand::Install(arguments) => install::run(&arguments, config, terminal),
        PolicyCommand::List(arguments) => list::run(&arguments, config, terminal),
        PolicyCommand::Rollback(arguments) => rollback::run(&arguments, config, terminal),
        PolicyCommand::Show(arguments) => show::run(&arguments, config, terminal),
        PolicyCommand::Wit(arguments) => wit::run(&arguments),
        PolicyCommand::Diff(arguments) => diff::run(&arguments, config, terminal),
    }
}
