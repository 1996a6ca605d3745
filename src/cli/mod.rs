//! The front door: what was typed, and which part of carom answers it.
//!
//! Each command that does more than show something has a file of its own. Invariant: under a mail server (`pipe`)
//! everything that goes wrong here, bad arguments included, ends as "try again later".

mod alerts;
mod bounces;
mod check;
mod find;
mod logs;
mod outbox;
mod pipe;
mod policy;
mod relay;
mod report;
mod show;

use crate::config::Config;
use crate::error::{Context, Error, Exit, Result};
use crate::message_log;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Handles what rebounds in e-mail: bounces, complaints, auto-replies, and the test traffic of a bounce sink.
#[derive(Debug, Parser)]
#[command(name = "carom", version, max_term_width = 110, disable_help_subcommand = true)]
#[command(after_help = "A first look, without root and without a mail server:\n  \
    carom --state /tmp/carom pipe --sender a@example.com --recipient b@accept.sink.example.com --dry-run < message.eml\n  \
    carom --state /tmp/carom check\n\nUnder Postfix: see the pipe(8) lines in the README.")]
struct Typed {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The same, as a mail server types it: to describe all other commands would take as long as to read a message.
#[derive(Debug, Parser)]
#[command(name = "carom", disable_help_subcommand = true)]
struct TypedByServer {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: OnlyPipe,
}

#[derive(Debug, Subcommand)]
enum OnlyPipe {
    Pipe(pipe::Arguments),
}

/// Options of every command.
#[derive(Args, Debug)]
struct Global {
    /// The config file [default: /etc/carom/carom.toml if there is one]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    config: Option<PathBuf>,
    /// Keep store, logs and compiled policies below DIR, whatever the config says
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    state: Option<PathBuf>,
    /// Print for programs: one JSON object, or JSON Lines where there are many
    #[arg(long, global = true, help_heading = "Global options")]
    json: bool,
    /// Log more (twice: everything); the log is a file, see [log] in the config
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    verbose: u8,
    /// Print nothing but errors
    #[arg(short, long, global = true, help_heading = "Global options")]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Handle one message on standard input, as the mail server's pipe transport gives it
    Pipe(pipe::Arguments),
    /// Handle every message of a relay directory, many at once
    Relay(relay::Arguments),
    /// One tick, for cron each minute: read the logs, do what is due (retries, delayed steps), expire what is old
    Cron(logs::Cron),
    /// What the mail logs say became of each message
    Deliveries(Box<logs::Deliveries>),
    /// What became of the mail of a day: volume, outcomes, reasons, providers, delays
    Report(report::Report),
    /// One export now: what cron writes each tick if the config says so
    Export {
        #[command(subcommand)]
        what: report::Export,
    },
    /// Ask the policy anew why deliveries failed, after its rules have changed
    Reclassify,
    /// What bounces, complaints and auto-replies say, and what that means
    Classify(bounces::Classify),
    /// The suppression list: addresses that get no more mail
    Suppress {
        #[command(subcommand)]
        command: bounces::Suppress,
    },
    /// Show everything known about an address, a Message-ID or a queue id
    Find(find::Find),
    /// Signed return paths, which prove what a bounce is about
    Verp {
        #[command(subcommand)]
        command: bounces::Verp,
    },
    /// Rules of other tools
    Rules {
        #[command(subcommand)]
        command: bounces::Rules,
    },
    /// Show what was counted
    Stats(show::Stats),
    /// Show the message log in a readable form
    Log(show::Log),
    /// Show how the rules for alerts stand: quiet, pending or firing, with value, threshold and since when
    Alerts,
    /// Show what is owed: steps that wait for their time or for another try, and those that are parked
    Outbox {
        #[command(subcommand)]
        command: Option<outbox::Outbox>,
    },
    /// Test config, policy, store, directories and DNS; say how to fix what is wrong
    Check,
    /// The life of a policy: check, test, run, bench, install, list, rollback, show, wit, diff
    Policy {
        #[command(subcommand)]
        command: policy::Command,
    },
    /// Move from bouncy-sink
    Sink {
        #[command(subcommand)]
        command: Sink,
    },
    /// Print the shell completions of carom
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
    /// Print the manual page of carom
    Man,
}

#[derive(Debug, Subcommand)]
enum Sink {
    /// Convert a bouncy-sink consume-mail.ini into a carom.toml on standard output
    Import {
        /// The ini file; a User-Agents CSV that it names is looked for beside it
        file: PathBuf,
    },
}

/// Runs carom with the process's own arguments.
pub fn run() -> Exit {
    let under_mail_server = pipe::is_asked_for(std::env::args_os().skip(1));
    if under_mail_server {
        pipe::fail_softly();
    }
    // What is wrong is told by the whole, which knows what else it could have been.
    let by_server = under_mail_server.then(TypedByServer::try_parse).and_then(std::result::Result::ok);
    let by_server = by_server.map(|TypedByServer { global, command: OnlyPipe::Pipe(arguments) }| Typed {
        global,
        command: Command::Pipe(arguments),
    });
    let typed = match by_server.map_or_else(Typed::try_parse, Ok) {
        Ok(typed) => typed,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            let _ = error.print();
            return Exit::Ok;
        }
        Err(error) if under_mail_server => return pipe::bad_arguments(&error.to_string()),
        Err(error) => {
            let _ = error.print();
            return Exit::Failure;
        }
    };
    let json = typed.global.json;
    let result = match typed.command {
        Command::Pipe(arguments) => return pipe::run(&arguments, || load(&typed.global), json),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Typed::command(), "carom", &mut script);
            print(&script)
        }
        Command::Man => manual(),
        Command::Sink { command: Sink::Import { file } } => show::import(&file),
        Command::Rules { command } => bounces::rules(&command),
        command => load(&typed.global).and_then(|config| match command {
            Command::Relay(arguments) => relay::run(&arguments, config, json, typed.global.quiet),
            Command::Cron(arguments) => logs::cron(&arguments, config, json, typed.global.quiet),
            Command::Deliveries(arguments) => logs::deliveries(&arguments, &config, json),
            Command::Report(arguments) => report::report(&arguments, &config, json),
            Command::Export { what } => report::export(&what, &config),
            Command::Reclassify => logs::reclassify(&config, json, typed.global.quiet),
            Command::Stats(arguments) => show::stats(&arguments, &config, json),
            Command::Log(arguments) => show::log(&arguments, &config, json),
            Command::Alerts => alerts::alerts(&config, json),
            Command::Outbox { command } => outbox::run(command.as_ref(), &config, json),
            Command::Classify(arguments) => bounces::classify(&arguments, &config, json),
            Command::Suppress { command } => bounces::suppress(&command, &config, json),
            Command::Find(arguments) => find::find(&arguments, &config, json),
            Command::Verp { command } => bounces::verp(&command, &config, json),
            Command::Check => check::check(&config, json),
            Command::Policy { command } => policy::run(&command, config, json),
            _ => Ok(Exit::Ok),
        }),
    };
    result.unwrap_or_else(|error| {
        say(&format!("carom: {error}\n"));
        Exit::Failure
    })
}

/// The config, and a log that goes where it says.
fn load(global: &Global) -> Result<Arc<Config>> {
    let path = global.config.clone().or_else(|| std::env::var_os("CAROM_CONFIG").map(PathBuf::from));
    let mut config = Config::load(path.as_deref(), global.state.as_deref())?;
    match global.verbose {
        0 => {}
        1 => config.log.level = "debug".into(),
        _ => config.log.level = "trace".into(),
    }
    message_log::init(&config);
    Ok(Arc::new(config))
}

fn manual() -> Result<Exit> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Typed::command()).render(&mut page).context("cannot write the manual page")?;
    print(&page)
}

/// All of a file, or of standard input for `-`.
fn read_input(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.context(path.display()).map_err(|error| error.remedy("name a file that can be read, or `-`"))?;
    Ok(bytes)
}

/// Writes to standard output; a reader that has gone away is no error.
fn print(bytes: &[u8]) -> Result<Exit> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::new(error)),
        _ => Ok(Exit::Ok),
    }
}

/// Writes to standard error.
fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
