//! `carom suppress`: the suppression list by hand, and as files.
//!
//! Not here: the list (`store`) and the form of the files (`suppress`).

use super::asked_store::{store_to_read, store_to_remove_from};
use super::operator_name::operator_name;
use super::removal_line::removal_line;
use super::suppress_import::{self, ImportArgs};
use super::suppress_terms::SuppressTerms;
use super::suppress_undo::{self, UndoArgs};
use super::suppression_line::{shown, shown_with_author};
use super::terminal::{Terminal, print};
use crate::clock;
use crate::clock::typed_time::time;
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::store::{Store, Suppressed};
use crate::suppress;
use clap::{Args, Subcommand};
use serde_json::json;
use std::sync::Arc;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  \
    carom suppress add ann@example.com --reason asked --days 90\n  \
    carom suppress add @example.com --days 7\n  \
    carom suppress check ann@example.com && echo \"mail may be sent\"\n  \
    carom suppress list --since 22:00                what was suppressed since then\n  \
    carom suppress export > list.csv")]
pub(crate) enum SuppressCommand {
    /// Suppress addresses; or for a term a domain (@example.com), the domains below one
    /// (@*.example.com), or a pattern (user+*@example.com)
    Add(AddArgs),
    /// Allow mail to addresses again, and forget their soft bounces
    Remove {
        /// The addresses
        #[arg(required = true)]
        addresses: Vec<String>,
        /// Only the entry for mail of this sender domain; "" is the entry for any sender
        #[arg(long, value_name = "DOMAIN")]
        sender_domain: Option<String>,
    },
    /// Show whether mail to an address is suppressed, and by what
    Check {
        /// The address
        address: String,
        /// For mail of this sender domain; without it, any entry counts
        #[arg(long, value_name = "DOMAIN")]
        sender_domain: Option<String>,
    },
    /// List what is suppressed
    List {
        /// Only addresses that contain this text
        #[arg(default_value = "")]
        containing: String,
        /// Only entries whose failure, report or command was at or after TIME: RFC 3339, a date,
        /// 22:00, today, yesterday, or an age like 90m, 12h, 7d
        #[arg(long, value_name = "TIME", value_parser = time)]
        since: Option<i64>,
    },
    /// Add addresses from a list: carom's own, a mail provider's, or one address a line
    Import(ImportArgs),
    /// Release what reports and the mail log suppressed in a period, and notify applications again
    Undo(UndoArgs),
    /// Write the list as CSV, or as JSON Lines with --json
    Export,
}

#[derive(Args, Debug)]
pub(crate) struct AddArgs {
    /// The addresses, domains or patterns
    #[arg(required = true)]
    addresses: Vec<String>,
    /// Why
    #[arg(long, default_value = "operator")]
    reason: String,
    #[command(flatten)]
    terms: SuppressTerms,
}

pub(crate) fn run(command: &SuppressCommand, config: &Arc<Config>, terminal: Terminal) -> Result<Exit> {
    let store = match command {
        SuppressCommand::Remove { .. } | SuppressCommand::Undo(_) if !command.only_asks() => {
            store_to_remove_from(config)?
        }
        _ if command.only_asks() => store_to_read(config)?,
        _ => Store::open(&config.store_path())?,
    };
    let store = Arc::new(store);
    let now_ms = clock::now_ms();
    match command {
        SuppressCommand::Add(arguments) => {
            let entries = arguments.addresses.iter().map(|address| arguments.entry(address, now_ms));
            add(&store, &entries.collect::<Result<Vec<_>>>()?, terminal)
        }
        SuppressCommand::Remove { addresses, sender_domain } => {
            let (mut removed, mut left, who) = (0, Vec::new(), operator_name());
            for address in addresses {
                let address = checked(address)?;
                let sender_domain = sender_domain.as_deref();
                removed += usize::from(store.unsuppress(&address, sender_domain, now_ms, Some(&who))?);
                left.extend(
                    store
                        .entries_of(&address, sender_domain, now_ms)?
                        .into_iter()
                        .map(|entry| (address.clone(), entry)),
                );
            }
            show_removed(removed, addresses.len() - removed, &left, terminal)
        }
        SuppressCommand::Check { address, sender_domain } => {
            let address = checked(address)?;
            let entries = store.entries_of(&address, sender_domain.as_deref(), now_ms)?;
            let removals = if entries.is_empty() { store.removals_of(&address)? } else { Vec::new() };
            terminal.show(&entries.first(), || match &entries[..] {
                [] => {
                    let removals = removals.iter().map(|one| format!("removed {}\n", removal_line(one)));
                    format!("{address} is not suppressed\n{}", removals.collect::<String>())
                }
                found => found.iter().map(|entry| shown_with_author(entry, &store) + "\n").collect(),
            })?;
            Ok(if entries.is_empty() { Exit::Ok } else { Exit::Failure })
        }
        SuppressCommand::List { containing, since } => {
            suppress::each_some(&store, &containing.to_lowercase(), now_ms, |some| {
                let is_wanted = |entry: &&Suppressed| since.is_none_or(|since| entry.added_ms >= since);
                let wanted: Vec<&Suppressed> = some.iter().filter(is_wanted).collect();
                terminal.rows(&wanted, "", |entry| shown(entry)).map(drop)
            })?;
            Ok(Exit::Ok)
        }
        SuppressCommand::Import(arguments) => suppress_import::run(arguments, config, &store, terminal),
        SuppressCommand::Undo(arguments) => suppress_undo::run(arguments, config, &store, terminal),
        SuppressCommand::Export => {
            if !terminal.json {
                print(suppress::csv(&[]))?;
            }
            suppress::each_some(&store, "", now_ms, |some| {
                print(if terminal.json { suppress::json_lines(some) } else { suppress::csv_rows(some) })
                    .map(drop)
            })?;
            Ok(Exit::Ok)
        }
    }
}

impl SuppressCommand {
    fn only_asks(&self) -> bool {
        match self {
            SuppressCommand::Check { .. } | SuppressCommand::List { .. } | SuppressCommand::Export => true,
            SuppressCommand::Import(arguments) => arguments.dry_run,
            SuppressCommand::Undo(arguments) => arguments.dry_run,
            SuppressCommand::Add(_) | SuppressCommand::Remove { .. } => false,
        }
    }
}

impl AddArgs {
    fn entry(&self, address: &str, now_ms: i64) -> Result<Suppressed> {
        let terms = &self.terms;
        if terms.until.is_some_and(|until| until <= now_ms) {
            return Err(Error::new("--until is in the past").remedy("give a time to come, or --days"));
        }
        let expires_ms = terms.expires_ms(now_ms);
        let target = suppress::target(address, expires_ms.is_some(), terms.force);
        Ok(Suppressed {
            address: target.map_err(|why| Error::new(format_args!("`{address}`: {why}")))?,
            sender_domain: terms.sender_domain(),
            reason: suppress::reason(&self.reason)
                .map_err(|why| Error::new(why).remedy("give a shorter --reason"))?,
            source: "operator".into(),
            added_ms: now_ms,
            expires_ms,
            ..Suppressed::default()
        })
    }
}

fn add(store: &Store, entries: &[Suppressed], terminal: Terminal) -> Result<Exit> {
    let new = store.suppress_all(entries, Some(&operator_name()))?;
    let before = entries.len() - new;
    terminal
        .show(&json!({ "new": new, "before": before }), || format!("{new} new, {before} suppressed before\n"))
}

/// `left`: the addresses that are still suppressed, each with the entry that does it.
fn show_removed(
    removed: usize,
    unlisted: usize,
    left: &[(String, Suppressed)],
    terminal: Terminal,
) -> Result<Exit> {
    let entries: Vec<&Suppressed> = left.iter().map(|(_, entry)| entry).collect();
    terminal.show(&json!({ "removed": removed, "unlisted": unlisted, "left": entries }), || {
        let left = left.iter().map(|(address, by)| format!("{address} is still suppressed: {}\n", shown(by)));
        format!("{removed} removed, {unlisted} not on the list\n{}", left.collect::<String>())
    })
}

/// What `remove` and `check` are asked about.
fn checked(typed: &str) -> Result<String> {
    suppress::target(typed, true, true).map_err(|why| Error::new(format_args!("`{typed}`: {why}")))
}
