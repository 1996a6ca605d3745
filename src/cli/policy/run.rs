//! `carom policy run`: a policy on one message, new or from the message log.
//!
//! Not here: the trial (`workshop::trial`).

use super::chosen::Chosen;
use crate::auth::Dns;
use crate::cli::named_file::read_input;
use crate::cli::terminal::{Terminal, note};
use crate::clock;
use crate::config::Config;
use crate::envelope::Envelope;
use crate::error::{Error, Exit, Result};
use crate::mail::Mail;
use crate::policy::releases;
use crate::workshop::{Bench, trial};
use clap::Args;
use jiff::Timestamp;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    carom policy run policy.wasm message.eml --recipient b@example.com --seed 7\n  \
    carom policy run sink message.eml --replay 4bX1cY2dZ3     as it was decided then, by queue id\n  \
    carom policy run policy.wasm --request rcpt.txt     what it answers in the SMTP dialogue")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// The message; `-` for standard input
    #[arg(required_unless_present = "request")]
    message: Option<PathBuf>,
    /// Ask for an answer in the SMTP dialogue (`reception`) instead: a file with a request as
    /// Postfix sends it, name=value in each line; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["message", "sender", "recipient", "client_address", "client_helo", "replay"])]
    request: Option<PathBuf>,
    /// The envelope sender
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true, default_value = "")]
    sender: String,
    /// The envelope recipient
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true, default_value = "")]
    recipient: String,
    /// The address of the SMTP client
    #[arg(long, value_name = "IP")]
    client_address: Option<IpAddr>,
    /// The name the SMTP client gave in HELO
    #[arg(long, value_name = "NAME")]
    client_helo: Option<String>,
    /// Seed for random choices, to make runs reproducible
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The time the policy sees (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    now: Option<i64>,
    /// Use envelope, seed and time of a message in the log, by queue id or seed, and expect the
    /// same plan
    #[arg(long, value_name = "ID", conflicts_with_all = ["seed", "now"])]
    replay: Option<String>,
}

/// Milliseconds since 1970, the type of the global `--now`, whose place this option takes here.
fn time(text: &str) -> Result<i64, String> {
    text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(|error| error.to_string())
}

pub(crate) fn run(arguments: &RunArgs, config: &Arc<Config>, terminal: Terminal) -> Result<Exit> {
    let raw = arguments.message.as_deref().map_or(Ok(Vec::new()), read_input)?;
    let envelope = Envelope {
        sender: Envelope::normal_sender(&arguments.sender),
        recipient: Envelope::normal_sender(&arguments.recipient),
        client_address: arguments.client_address,
        client_helo: arguments.client_helo.clone(),
        ..Envelope::default()
    };
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    let mail = Mail::arrived(raw, envelope, seed, arguments.now.unwrap_or_else(clock::now_ms));
    let bench = Bench { config: config.clone(), dns: Arc::new(Dns::open(&config.dns)?), mail, session: None };
    let bench = match &arguments.request {
        Some(request) => bench.in_session(&String::from_utf8_lossy(&read_input(request)?))?,
        None => bench,
    };
    if let Some(key) = &arguments.replay {
        return replay(key, bench, &arguments.chosen, terminal);
    }
    let seen = trial::run(&bench, &arguments.chosen.wanted()?)?;
    let failed = seen.decided.is_err();
    terminal.show(&seen, || seen.render())?;
    Ok(if failed { Exit::Failure } else { Exit::Ok })
}

/// Decides again about a message in the log, with the release that decided then if it is still
/// kept.
fn replay(key: &str, mut bench: Bench, chosen: &Chosen, terminal: Terminal) -> Result<Exit> {
    let config = bench.config.clone();
    let mut wanted = chosen.wanted()?;
    let logged = trial::logged(&config, key)?;
    let (name, hash) = &logged.policy;
    let mail = &mut bench.mail;
    (mail.envelope, mail.seed, mail.at_ms) = (logged.envelope.clone(), logged.seed, logged.at_ms);
    let releases = releases::list(&config, wanted.name).unwrap_or_default();
    let release = releases.iter().find(|release| release.hash.starts_with(hash));
    if let (None, Some(release)) = (wanted.file, release) {
        wanted.file = Some(&release.directory);
    }
    let seen = trial::run(&bench, &wanted)?;
    terminal.show(&seen, || seen.render())?;
    if seen.digest == logged.plan {
        note(format_args!("the plan is the one on record ({})", logged.plan));
        return Ok(Exit::Ok);
    }
    let why = if seen.hash.starts_with(hash) {
        "the message, the settings or DNS have changed since".to_owned()
    } else {
        format!("it was decided by {name} ({hash}), which is no longer kept")
    };
    Err(Error::new(format_args!("the plan is not the one on record: {why}")))
}
