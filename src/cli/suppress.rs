//! `carom suppress`: the suppression list by hand, and as files.
//!
//! Not here: the list (`store`) and the form of the files (`suppress`).

use super::read_input;
use super::terminal::{Terminal, print};
use crate::clock::{self, DAY_MS};
use crate::config::Config;
use crate::envelope::split_address;
use crate::error::{Error, Exit, Result};
use crate::store::{Store, Suppressed};
use crate::suppress;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  \
    carom suppress add ann@example.com --reason asked --days 90\n  \
    carom suppress check ann@example.com && echo \"mail may be sent\"\n  \
    carom suppress export > list.csv")]
pub(crate) enum SuppressCommand {
    /// Suppress addresses
    Add(AddArgs),
    /// Allow mail to addresses again, and forget their soft bounces
    Remove {
        /// The addresses
        #[arg(required = true)]
        addresses: Vec<String>,
        /// Only for mail of this sender domain
        #[arg(long, value_name = "DOMAIN")]
        sender_domain: Option<String>,
    },
    /// Show whether mail to an address is suppressed; exit code 0: no, 1: yes
    Check {
        /// The address
        address: String,
        /// For mail of this sender domain
        #[arg(long, value_name = "DOMAIN", default_value = "")]
        sender_domain: String,
    },
    /// List what is suppressed
    List {
        /// Only addresses that contain this text
        #[arg(default_value = "")]
        containing: String,
    },
    /// Add addresses from a CSV or JSON Lines file, or from a plain list
    Import {
        /// The file; `-` for standard input
        file: PathBuf,
    },
    /// Write the list as CSV, or as JSON Lines with --json
    Export,
}

#[derive(Args, Debug)]
pub(crate) struct AddArgs {
    /// The addresses
    #[arg(required = true)]
    addresses: Vec<String>,
    /// Why
    #[arg(long, default_value = "operator")]
    reason: String,
    /// Only for mail of this sender domain
    #[arg(long, value_name = "DOMAIN", default_value = "")]
    sender_domain: String,
    /// Expire after N days (0: never)
    #[arg(long, value_name = "N", default_value_t = 0)]
    days: u32,
}

pub(crate) fn run(command: &SuppressCommand, config: &Config, terminal: Terminal) -> Result<Exit> {
    let store = Store::open(&config.store_path())?;
    let now_ms = clock::now_ms();
    match command {
        SuppressCommand::Add(arguments) => {
            let entries = arguments.addresses.iter().map(|address| arguments.entry(address, now_ms));
            add(&store, &entries.collect::<Result<Vec<_>>>()?)
        }
        SuppressCommand::Remove { addresses, sender_domain } => {
            let mut gone = 0;
            for address in addresses {
                gone += usize::from(store.unsuppress(&checked(address)?, sender_domain.as_deref())?);
            }
            print(format!("{gone} removed, {} not on the list\n", addresses.len() - gone))
        }
        SuppressCommand::Check { address, sender_domain } => {
            let address = checked(address)?;
            let found = store.suppressed(&address, &sender_domain.to_lowercase(), now_ms)?;
            terminal.show(&found, || match &found {
                Some(entry) => shown(entry) + "\n",
                None => format!("{address} is not suppressed\n"),
            })?;
            Ok(if found.is_some() { Exit::Failure } else { Exit::Ok })
        }
        SuppressCommand::List { containing } => {
            terminal.rows(&store.suppressions(&containing.to_lowercase(), now_ms)?, "", shown)
        }
        SuppressCommand::Import { file } => {
            let text = read_input(file)?;
            let entries = suppress::read(&String::from_utf8_lossy(&text), "import", now_ms);
            add(&store, &entries.map_err(|error| error.within(file.display()))?)
        }
        SuppressCommand::Export => {
            let entries = store.suppressions("", now_ms)?;
            print(if terminal.json { suppress::json_lines(&entries) } else { suppress::csv(&entries) })
        }
    }
}

impl AddArgs {
    fn entry(&self, address: &str, now_ms: i64) -> Result<Suppressed> {
        Ok(Suppressed {
            address: checked(address)?,
            sender_domain: self.sender_domain.to_lowercase(),
            reason: self.reason.clone(),
            source: "operator".into(),
            added_ms: now_ms,
            expires_ms: (self.days > 0).then(|| now_ms + i64::from(self.days) * DAY_MS),
        })
    }
}

fn add(store: &Store, entries: &[Suppressed]) -> Result<Exit> {
    let new = store.suppress_all(entries)?;
    print(format!("{new} new, {} suppressed before\n", entries.len() - new))
}

fn checked(address: &str) -> Result<String> {
    let address = address.trim().trim_start_matches('<').trim_end_matches('>').to_lowercase();
    match split_address(&address) {
        Some(_) => Ok(address),
        None => Err(Error::new(format_args!("invalid address `{address}`")).remedy("give local@domain")),
    }
}

/// An entry of the list in a line.
pub(crate) fn shown(entry: &Suppressed) -> String {
    let until = entry.expires_ms.map_or("until removed".into(), |at| format!("until {}", clock::rfc3339(at)));
    let sender = if entry.sender_domain.is_empty() { "all mail" } else { &entry.sender_domain };
    let (since, reason, source) = (clock::rfc3339(entry.added_ms), &entry.reason, &entry.source);
    format!("{:40} {sender:24} {reason:20} {since} {until}  {source}", entry.address)
}
