//! `carom find`: everything known about an address, a Message-ID or a queue id, and the reports that were kept.
//!
//! Not here: finding it (`store`, `kept`, `log`); here it is put together and shown.

use super::bounces::shown;
use super::show::line;
use super::{logs, print};
use crate::archive::{self, Kept};
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::message_log;
use crate::return_path::srs;
use crate::store::{NotificationState, Store, Suppressed};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::IsTerminal;

#[derive(Args, Debug)]
pub(crate) struct Find {
    /// The address, Message-ID or queue id
    key: String,
    /// Print a report that was kept about the address: the newest, or the Nth newest
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1")]
    mail: Option<usize>,
}

/// What carom itself knows of a key.
struct Known {
    suppressed: Vec<Suppressed>,
    strikes: Vec<(String, i64, bool)>,
    told: Vec<NotificationState>,
    kept: Vec<Kept>,
    log: Vec<String>,
}

pub(crate) fn find(arguments: &Find, config: &Config, json: bool) -> Result<Exit> {
    let key = arguments.key.trim_start_matches('<').trim_end_matches('>');
    if let Some(number) = arguments.mail {
        return mail(key, number, config);
    }
    let known = known(key, config)?;
    let before = srs::decode(key).map(|srs| srs.original);
    let deliveries = logs::about(key, config)?;
    let mut text = String::new();
    if json {
        let log: Vec<Value> = known.log.iter().filter_map(|entry| serde_json::from_str(entry).ok()).collect();
        let strike = |(domain, at_ms, proven): &(String, i64, bool)| json!({ "sender_domain": domain, "time": clock::rfc3339(*at_ms), "proven": proven });
        text = line(&json!({
            "key": key, "at_ms": clock::now_ms(), "suppressed": known.suppressed, "log": log, "deliveries": deliveries,
            "soft_bounces": known.strikes.iter().map(strike).collect::<Vec<_>>(),
            "notifications": known.told, "kept": known.kept, "rewritten_from": before,
        }))?;
    } else {
        known.write(key, &mut text);
        for delivery in logs::table(&deliveries).lines() {
            let _ = writeln!(text, "delivery     {delivery}");
        }
        if text.is_empty() {
            text = format!("nothing is known about {key}\n");
        }
        if let Some(before) = before {
            let _ = writeln!(
                text,
                "rewritten    by a forwarder (SRS), as it says from {before}: see carom find {before}"
            );
        }
    }
    print(text.as_bytes())
}

fn known(key: &str, config: &Config) -> Result<Known> {
    let store = Store::open(&config.store_path())?;
    let address = key.to_lowercase();
    let log = message_log::tail(config, usize::MAX)?;
    Ok(Known {
        suppressed: store.suppressions(&address, clock::now_ms())?,
        strikes: store.strikes(&address)?,
        told: store.notifications(&address)?,
        kept: archive::of(config, &address),
        log: log.into_iter().filter(|entry| entry.to_lowercase().contains(&address)).collect(),
    })
}

impl Known {
    fn write(&self, key: &str, text: &mut String) {
        for entry in &self.suppressed {
            let _ = write!(text, "suppressed   {}", shown(entry));
        }
        for (domain, at_ms, proven) in &self.strikes {
            let proven = if *proven { "" } else { ", unproven" };
            let _ = writeln!(text, "soft bounce  {}  of mail of {domain}{proven}", clock::rfc3339(*at_ms));
        }
        for told in &self.told {
            let next = match told.state.as_str() {
                "succeeded" => "told".into(),
                "pending" => format!("next try {}", clock::rfc3339(told.due_ms)),
                "parked" => format!("parked: carom outbox retry {}", told.id),
                state => state.to_owned(),
            };
            let (at, tries) = (clock::rfc3339(told.at_ms), told.attempts);
            let _ = writeln!(text, "notification {at}  {}  {tries} tries, {next}  {}", told.event, told.note);
        }
        for (place, kept) in self.kept.iter().enumerate() {
            let (at, number) = (clock::rfc3339(kept.at_ms), place + 1);
            let _ = writeln!(text, "kept         {at}  carom find {key} --mail {number}");
        }
        for entry in &self.log {
            let _ = writeln!(text, "message      {}", message_log::readable(entry));
        }
    }
}

/// A report as it came; on a terminal without what would steer it.
fn mail(address: &str, number: usize, config: &Config) -> Result<Exit> {
    let kept = archive::of(config, address);
    let Some(one) = number.checked_sub(1).and_then(|place| kept.get(place)) else {
        return Err(Error::new(format_args!("{address}: {} reports are kept", kept.len())).remedy(
            "set keep = true in [policy.bounce.settings]; carom find ADDRESS shows which there are",
        ));
    };
    let raw = archive::read(one, config)?;
    if !std::io::stdout().is_terminal() {
        return print(&raw);
    }
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    let text = String::from_utf8_lossy(&raw).replace("\r\n", "\n");
    print(text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect::<String>().as_bytes())
}
