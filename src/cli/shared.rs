//! `carom shared`: the state that many hosts share.
//!
//! Not here: the exchange (`shared`).

use super::asked_store::store_to_read;
use super::terminal::{Terminal, print};
use crate::clock;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Error, Exit, Result};
use crate::shared::{self, Compared, KnownHost, SharedDesk, StateMark};
use crate::store::Store;
use crate::text::{bounded, counted, one_line};
use clap::Subcommand;
use serde_json::json;
use std::fmt::Write as _;
use std::time::Duration;

/// Time for comparing everything.
const RESYNC: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum SharedCommand {
    /// Show whether this host exchanges with others, what waits, and which hosts there are
    Status,
    /// Compare everything with the shared store now, and put right what differs in either
    Resync,
    /// Count what differs between this host and the shared store, and change nothing
    Diff,
}

pub(crate) fn run(command: SharedCommand, config: &Config, terminal: Terminal) -> Result<Exit> {
    let store = match command {
        SharedCommand::Status | SharedCommand::Diff => store_to_read(config)?,
        SharedCommand::Resync => Store::open(&config.store_path())?,
    };
    match command {
        SharedCommand::Status => status(config, &store, terminal),
        SharedCommand::Resync => {
            let compared = SharedDesk::open(config, &store)?.resync(Deadline::after(RESYNC))?;
            show(&compared, ["taken over", "put into the shared store", "newer here"], terminal)
        }
        SharedCommand::Diff => {
            let compared = SharedDesk::open(config, &store)?.diff()?;
            let words = ["only or newer in the shared store", "only here", "newer here"];
            show(&compared, words, terminal)?;
            let differs = compared.taken + compared.put + compared.outdated + compared.behind > 0;
            Ok(if differs { Exit::Failure } else { Exit::Ok })
        }
    }
}

fn show(compared: &Compared, [taken, put, outdated]: [&str; 3], terminal: Terminal) -> Result<Exit> {
    terminal.show(compared, || {
        let mut text = format!(
            "{:8} {taken}\n{:8} {put}\n{:8} {outdated}\n",
            compared.taken, compared.put, compared.outdated
        );
        if compared.behind > 0 {
            let _ =
                writeln!(text, "{:8} groups are not compared yet: run carom shared resync", compared.behind);
        }
        text
    })
}

/// Also without the server: what waits is known here, and how the last exchange ended.
fn status(config: &Config, store: &Store, terminal: Terminal) -> Result<Exit> {
    let shared = config.shared.get()?;
    let (mark, this) = (StateMark::read(store)?.unwrap_or_default(), store.this_host()?);
    let waiting = shared::waiting(store, &mark)?;
    let behind = store.group_positions()?.iter().filter(|one| one.is_behind()).count();
    let asked =
        SharedDesk::open(config, store).and_then(|mut desk| Ok((desk.server().to_owned(), desk.hosts()?)));
    let (server, hosts, error) = match &asked {
        Ok((server, hosts)) => (Some(server), hosts.as_slice(), None),
        Err(error) => (None, [].as_slice(), Some(error)),
    };
    let time = |at_ms: Option<i64>| at_ms.map(clock::rfc3339);
    let last = mark.last_error();
    if terminal.json {
        let said = json!({
            "name": shared.name, "host": format!("{:08x}", this.host), "server": server,
            "error": error.or(last.as_ref()).map(ToString::to_string),
            "exchanged": time(mark.exchanged_ms), "failing_since": time(mark.failing_ms),
            "clock_ahead_seconds": mark.ahead_ms / 1000, "waiting": waiting, "groups_behind": behind, "hosts": hosts,
        });
        terminal.show(&said, String::new)?;
    } else {
        let reached = match (server, error) {
            (Some(version), _) => format!("Redis {version}"),
            (None, error) => format!("is not used: {}", error.map_or("", Error::text)),
        };
        let mut lines = vec![
            ("installation", shared.name.clone()),
            ("this host", format!("{:08x}", this.host)),
            ("server", reached),
            ("exchanged", time(mark.exchanged_ms).unwrap_or_else(|| "never".into())),
        ];
        if let (Some(since), Some(last)) = (time(mark.failing_ms), &last) {
            lines.push(("failing", format!("since {since}: {}", last.text())));
        }
        lines.extend(shared::clock_difference(mark.ahead_ms).map(|said| ("clock", said)));
        let (facts, groups) = (counted(waiting, "fact"), counted(behind as u64, "group"));
        lines.push(("waiting", format!("{facts} to be shipped to other hosts, {groups} to be compared")));
        print(words(&lines, hosts))?;
    }
    match asked.err().or(last) {
        None => Ok(Exit::Ok),
        Some(_) if terminal.json => Ok(Exit::Failure),
        Some(error) => Err(error),
    }
}

fn words(lines: &[(&str, String)], hosts: &[KnownHost]) -> String {
    let mut text = String::new();
    for (name, value) in lines {
        let _ = writeln!(text, "{name:14} {value}");
    }
    for KnownHost { host, hostname, seen, version, waiting } in hosts {
        let waiting = counted(*waiting, "fact");
        let line =
            format!("{host:14} {hostname}, carom {version}, exchanged {seen}, {waiting} to be shipped");
        let _ = writeln!(text, "{}", one_line(bounded(&line, 300)));
    }
    text
}
