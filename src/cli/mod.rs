//! The front door: what was typed, and which part of carom answers it.
//!
//! Each command has a file of its name, which asks for what was typed and shows the answer; what is
//! computed is in the modules above. Invariant: under a mail server (`pipe`) every error here, bad
//! arguments included, ends as "try again later".

mod asked_store;
mod exit_code;
mod identity;
mod named_file;
mod operator_name;
mod removal_line;
mod renewal;
mod terminal;
mod typed;
mod typed_key;

mod access;
mod alerts;
mod check;
mod classify;
mod completions;
mod cron;
mod deliveries;
mod delivery_match;
mod erase;
mod exit_help;
mod export;
mod find;
mod import;
mod lmtp;
mod log;
mod man;
mod outbox;
mod pipe;
mod pipe_line;
mod policy;
mod postfix;
mod reclassify;
mod relay;
mod report;
mod rules;
mod secret;
mod serve;
mod shared;
mod sink_import;
mod socketmap;
mod stats;
mod suppress;
mod suppress_import;
mod suppress_terms;
mod suppress_undo;
mod suppression_line;
mod verp;

use crate::config::{Config, LogLevel};
use crate::deadline::stopping;
use crate::diagnostics;
use crate::error::{Exit, Result};
use crate::files::owner;
use crate::store::encryption;
use clap::error::ErrorKind;
use identity::Writes;
use postfix::PostfixCommand;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use terminal::Terminal;
use tracing::Level;
use typed::{Command, Global, Line, Typed};

/// Runs carom with the process's own arguments.
pub fn run() -> Exit {
    stopping::survive_file_limit();
    owner::leave_no_core();
    let words: Vec<OsString> = std::env::args_os().collect();
    if let Some((global, arguments)) = pipe_line::read(&words) {
        pipe::begin();
        return pipe::run(&arguments, || load(&global, Writes::State), || broken(&global), global.json);
    }
    let line = Line::new(words);
    let (by_server, failure) = (line.by_server, line.exit_of_failure());
    if by_server {
        pipe::begin();
    }
    match line.parse() {
        Ok(typed) => answer(typed).unwrap_or_else(|error| {
            terminal::note(error);
            failure
        }),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            let _ = error.print();
            Exit::Ok
        }
        Err(error) if by_server => pipe::bad_arguments(&error.to_string()),
        Err(error) => {
            let _ = error.print();
            failure
        }
    }
}

fn answer(Typed { global, command }: Typed) -> Result<Exit> {
    let terminal = Terminal { json: global.json, quiet: global.quiet };
    let writes = Writes::of(&command);
    let config = || load(&global, writes);
    let reread = || reread(&global);
    match command {
        Command::Pipe(arguments) => Ok(pipe::run(&arguments, config, || broken(&global), global.json)),
        Command::Relay(arguments) => relay::run(&arguments, config()?, terminal),
        Command::Lmtp(arguments) => lmtp::run(&arguments, config()?, &reread),
        Command::Access(arguments) => access::run(&arguments, config()?, &reread),
        Command::Socketmap(arguments) => socketmap::run(&arguments, config()?, &reread),
        Command::Serve(arguments) => serve::run(&arguments, config()?, &reread),
        Command::Cron(arguments) => cron::run(&arguments, config()?, terminal),
        Command::Deliveries(arguments) => deliveries::run(&arguments, &*config()?, terminal),
        Command::Report(arguments) => report::run(&arguments, &*config()?, terminal),
        Command::Export { what } => export::run(&what, &*config()?),
        Command::Reclassify => reclassify::run(&config()?, terminal),
        Command::Classify(arguments) => classify::run(&arguments, &config()?, terminal),
        Command::Suppress { command } => suppress::run(&command, &config()?, terminal),
        Command::Erase(arguments) => erase::run(&arguments, &*config()?, terminal),
        Command::Find(arguments) => find::run(&arguments, &*config()?, terminal),
        Command::Verp { command } => verp::run(&command, &*config()?, terminal),
        Command::Rules { command } => rules::run(&command, config, terminal),
        Command::Stats(arguments) => stats::run(&arguments, &*config()?, terminal),
        Command::Log(arguments) => log::run(&arguments, &*config()?, terminal),
        Command::Alerts => alerts::run(&*config()?, terminal),
        Command::Outbox(arguments) => outbox::run(&arguments, &*config()?, terminal),
        Command::Check(arguments) => {
            let by_root = owner::is_root();
            let config = load_to_test(&global, arguments.user.as_deref());
            check::run(&arguments, config, by_root, terminal)
        }
        // Undoing needs no config, and a broken one must not be in its way.
        Command::Postfix { command: PostfixCommand::Disable(arguments) } => {
            postfix::disable(&arguments, terminal)
        }
        Command::Postfix { command } => {
            let (file, state) = (config_file(&global), global.state.as_deref());
            postfix::run(&command, &*config()?, file.as_deref(), state, terminal)
        }
        Command::Policy { command } => policy::run(command, &config()?, terminal),
        Command::Secret { command } => secret::run(&command),
        Command::Shared { command } => shared::run(command, &*config()?, terminal),
        Command::Import { command } => import::run(&command),
        Command::Sink { command } => sink_import::run(&command),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { out } => man::run(Typed::whole(), out.as_deref()),
    }
}

/// What a config that cannot be used says about the log.
fn broken(global: &Global) -> Option<Config> {
    Config::of_broken(config_file(global).as_deref(), global.state.as_deref())
}

/// The config file that was named; `None`: the default one.
fn config_file(global: &Global) -> Option<PathBuf> {
    global.config.clone().or_else(|| std::env::var_os("CAROM_CONFIG").map(PathBuf::from))
}

/// The config for `carom check`, by the user whose rights are tested. Nothing is logged.
fn load_to_test(global: &Global, user: Option<&str>) -> Result<Arc<Config>> {
    let mut config = Config::load(config_file(global).as_deref(), global.state.as_deref())?;
    if let Some(key) = config.store_key()? {
        encryption::use_key(key)?;
    }
    match user {
        Some(user) => {
            identity::refuse_root(user, &config)?;
            owner::become_tester(user)?;
        }
        None => identity::assume(&config, Writes::Probes).map(drop)?,
    }
    config.add_installed_rules();
    Ok(Arc::new(config))
}

/// The config, the user who is to do the work, and a log that goes where the config says.
fn load(global: &Global, writes: Writes) -> Result<Arc<Config>> {
    let mut config = read(global)?;
    // What Postfix and policies are is in no database.
    if writes != Writes::System
        && let Some(key) = config.store_key()?
    {
        encryption::use_key(key)?;
    }
    if identity::assume(&config, writes)? {
        diagnostics::start(&config);
        config.add_installed_rules();
    }
    Ok(Arc::new(config))
}

/// The same for a process that serves, and is who it has to be.
fn reread(global: &Global) -> Result<Arc<Config>> {
    let mut config = read(global)?;
    config.add_installed_rules();
    Ok(Arc::new(config))
}

/// The config, with what was typed instead of it.
fn read(global: &Global) -> Result<Config> {
    let mut config = Config::load(config_file(global).as_deref(), global.state.as_deref())?;
    match global.verbose {
        0 => {}
        1 => config.log.level = LogLevel(Level::DEBUG),
        _ => config.log.level = LogLevel(Level::TRACE),
    }
    Ok(config)
}
