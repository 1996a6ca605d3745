//! `carom postfix`: Postfix's wiring, made, undone and examined.
//!
//! Not here: what it consists of (`wiring`).

use super::check;
use super::terminal::{Terminal, print};
use crate::config::{Config, DEFAULT_PATH};
use crate::error::{Context, Exit, Result};
use crate::wiring::{self, Postconf, PostfixEndpoint, Rewiring, Wired};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum PostfixCommand {
    /// Add services and parameters for the domains of the config, and reload Postfix
    ///
    /// Mail for the `domains` of a policy goes to a service that runs this policy, and mail for the
    /// domain of signed return paths to one that runs the bounce policy. Only `postconf` edits
    /// Postfix's files. What was there before is kept in carom-wiring.json beside them. Run it
    /// again after the domains in the config have changed.
    Enable(EnableArgs),
    /// Undo what `enable` did, and reload Postfix
    Disable(Rewire),
    /// Show whether Postfix hands carom the mail that the config is about
    Show(Instance),
}

#[derive(Args, Debug)]
pub(crate) struct EnableArgs {
    #[command(flatten)]
    rewire: Rewire,
    /// The user that Postfix runs carom as [default: mail_user in the config]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Hand mail to a running `carom lmtp` instead of a `carom pipe` for each message
    ///
    /// For the domains of the config's own policy, which `carom lmtp` runs; those of other policies
    /// stay with `carom pipe`. ENDPOINT is unix:PATH or inet:HOST:PORT, by default
    /// unix:/run/carom/lmtp. It stays so until `disable`.
    #[arg(long, value_name = "ENDPOINT", num_args = 0..=1, default_missing_value = "unix:/run/carom/lmtp")]
    lmtp: Option<PostfixEndpoint>,
    /// Ask a running `carom access` about each recipient, so that suppressed ones are refused
    ///
    /// It is asked before all other restrictions of main.cf, and mail flows while it is stopped.
    /// ENDPOINT is unix:PATH or inet:HOST:PORT, by default unix:private/carom-access. It stays so
    /// until `disable`.
    #[arg(long, value_name = "ENDPOINT", num_args = 0..=1, default_missing_value = "unix:private/carom-access")]
    access: Option<PostfixEndpoint>,
}

#[derive(Args, Debug)]
pub(crate) struct Rewire {
    /// Print the commands, and run none
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    instance: Instance,
}

#[derive(Args, Debug)]
pub(crate) struct Instance {
    /// The config directory of another instance of Postfix
    #[arg(short = 'c', long, value_name = "DIR")]
    config_directory: Option<PathBuf>,
}

pub(crate) fn run(
    command: &PostfixCommand,
    config: &Config,
    config_file: Option<&Path>,
    state: Option<&Path>,
    terminal: Terminal,
) -> Result<Exit> {
    let (instance, asked) = match command {
        PostfixCommand::Enable(enable) => (&enable.rewire.instance, Some(enable)),
        PostfixCommand::Disable(rewire) => (&rewire.instance, None),
        PostfixCommand::Show(instance) => (instance, None),
    };
    let postconf = || Postconf::new(instance.config_directory.clone());
    let program = std::env::current_exe().context("carom's own program")?;
    let full = |path: &Path| std::path::absolute(path).context(path.display());
    let config_file = config_file.map(full).transpose()?.filter(|path| path != Path::new(DEFAULT_PATH));
    let state = state.map(full).transpose()?;
    let user = asked.and_then(|asked| asked.user.as_deref()).unwrap_or(&config.policies.mail_user);
    let lmtp = asked.and_then(|asked| asked.lmtp.as_ref());
    let access = asked.and_then(|asked| asked.access.as_ref());
    let (config_file, state) = (config_file.as_deref(), state.as_deref());
    let wired = Wired { config, config_file, state, program: &program, user, lmtp, access };
    match command {
        PostfixCommand::Enable(EnableArgs { rewire, .. }) => {
            change(&wiring::enabling(&postconf(), &wired)?, &postconf(), rewire, terminal)?;
            if rewire.dry_run {
                return Ok(Exit::Ok);
            }
            check::show(&wiring::findings(&postconf(), config)?, terminal)
        }
        PostfixCommand::Disable(rewire) => disable(rewire, terminal),
        PostfixCommand::Show(_) => check::show(&wiring::findings(&postconf(), config)?, terminal),
    }
}

/// Works without a config.
pub(crate) fn disable(arguments: &Rewire, terminal: Terminal) -> Result<Exit> {
    let postconf = || Postconf::new(arguments.instance.config_directory.clone());
    let exit = change(&wiring::disabling(&postconf())?, &postconf(), arguments, terminal)?;
    if !arguments.dry_run {
        wiring::require_unwired(&postconf())?;
    }
    Ok(exit)
}

/// Shows the commands, and runs them unless it is a rehearsal.
fn change(rewiring: &Rewiring, postconf: &Postconf, rewire: &Rewire, terminal: Terminal) -> Result<Exit> {
    if !rewire.dry_run {
        rewiring.apply(postconf)?;
    }
    if terminal.json {
        return terminal
            .show(&json!({ "dry_run": rewire.dry_run, "commands": rewiring.commands }), String::new);
    }
    if rewiring.commands.is_empty() {
        terminal.remark("nothing to change\n");
    }
    if terminal.quiet {
        return Ok(Exit::Ok);
    }
    print(rewiring.commands.iter().map(|command| format!("{command}\n")).collect::<String>())
}
