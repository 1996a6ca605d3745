//! What operators of bounces type: `classify`, `suppress`, `verp`, `rules`.
//!
//! Not here: what is done (`classify`, `suppression`, `auth::verp`); here it is asked for and shown.

use super::show::line;
use super::{print, read_input, say};
use crate::class::DeliveryFailure;
use crate::classify::{self, Classified, Item};
use crate::clock;
use crate::config::Config;
use crate::envelope::split_address;
use crate::error::{Context, Error, Exit, Result};
use crate::intake::formats;
use crate::policy::facts::Facts;
use crate::policy::{Policy, Use, Wanted};
use crate::return_path::Keys;
use crate::return_path::verp::{self, Form};
use crate::smtp_reply;
use crate::store::{Store, Suppressed};
use crate::suppress;
use clap::{Args, Subcommand};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// Messages that are in memory at once.
const CHUNK: usize = 256;

#[derive(Args, Debug)]
pub(crate) struct Classify {
    /// Files, mboxes, Maildirs or directories; standard input if there are none
    files: Vec<PathBuf>,
    /// Each line of the input is an SMTP reply, not a message
    #[arg(long)]
    text: bool,
    /// Show the rule that decided, the reader that found it, and where
    #[arg(long)]
    explain: bool,
    /// The policy that classifies
    #[arg(long, value_name = "NAME", default_value = "bounce")]
    policy: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Suppress {
    /// Suppress addresses
    Add {
        /// The addresses
        #[arg(required = true)]
        addresses: Vec<String>,
        /// Why
        #[arg(long, default_value = "operator")]
        reason: String,
        /// Only mail of this sender domain
        #[arg(long, value_name = "DOMAIN", default_value = "")]
        sender_domain: String,
        /// For so many days; 0 until it is removed
        #[arg(long, default_value_t = 0)]
        days: u32,
    },
    /// Let addresses get mail again, and forget their soft bounces
    Remove {
        /// The addresses
        #[arg(required = true)]
        addresses: Vec<String>,
        /// Only mail of this sender domain
        #[arg(long, value_name = "DOMAIN")]
        sender_domain: Option<String>,
    },
    /// Is mail to this address suppressed? The exit code says so: 0 no, 1 yes
    Check {
        /// The address
        address: String,
        /// Mail of this sender domain
        #[arg(long, value_name = "DOMAIN", default_value = "")]
        sender_domain: String,
    },
    /// List what is suppressed
    List {
        /// Only addresses that hold this text
        #[arg(default_value = "")]
        containing: String,
    },
    /// Take addresses from a CSV or JSON Lines file, or a bare list
    Import {
        /// The file; `-` for standard input
        file: PathBuf,
    },
    /// Write the list as CSV, or as JSON Lines with --json
    Export,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verp {
    /// The signed return path for a recipient
    Sign {
        /// The recipient
        address: String,
    },
    /// Whose return path this is, and whether it still holds
    Verify {
        /// The return path
        return_path: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Convert a bounce-regex-list.xml of Postfix-Deliverability-Analytics into rules for [policy.bounce.settings]
    Import {
        /// The file
        file: PathBuf,
    },
}

pub(crate) fn classify(arguments: &Classify, config: &Arc<Config>, json: bool) -> Result<Exit> {
    let wanted = Wanted { name: &arguments.policy, file: None, settings: None };
    let policy = Policy::open(&wanted, config, Use::One)?;
    policy.start_clock()?;
    let facts = Rc::new(Facts::of_nothing(config)?);
    let mut shown = Shown { policy: &policy, facts: &facts, json, explain: arguments.explain, failed: false };
    if arguments.text {
        return shown.texts(&arguments.files);
    }
    let mut items: Vec<Item> = Vec::with_capacity(CHUNK);
    let files = if arguments.files.is_empty() { vec![PathBuf::from("-")] } else { arguments.files.clone() };
    for file in files.iter().flat_map(|file| files_of(file)) {
        match read_input(&file) {
            Ok(bytes) => items.extend(messages(&file, bytes)),
            Err(error) => {
                say(&format!("carom: {error}\n"));
                shown.failed = true;
            }
        }
        if items.len() >= CHUNK {
            shown.show(&std::mem::take(&mut items))?;
        }
    }
    shown.show(&items)?;
    Ok(if shown.failed { Exit::Failure } else { Exit::Ok })
}

/// The files below a path: itself, or what a Maildir or directory holds, in order.
fn files_of(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && !entry.ends_with("tmp") {
            found.extend(files_of(&entry));
        }
    }
    found
}

/// The messages of a file: one, or those of an mbox.
fn messages(file: &Path, bytes: Vec<u8>) -> Vec<Item> {
    let name = file.display().to_string();
    // A file that is named as one message is one, even if what is in it came out of a mailbox.
    let one =
        file.extension().is_some_and(|ending| ["eml", "msg", "txt"].iter().any(|known| ending == *known));
    if one || !bytes.starts_with(b"From ") {
        return vec![Item { name, raw: bytes }];
    }
    let mut found: Vec<Item> = Vec::new();
    let mut last = None;
    for part in formats::parts(&bytes) {
        if last.as_ref() != Some(&part.range) {
            let number = found.len() + 1;
            let name = if number == 1 { name.clone() } else { format!("{name}#{number}") };
            found.push(Item { name, raw: part.bytes(&bytes) });
            last = Some(part.range);
        }
    }
    found
}

/// How results are shown.
struct Shown<'a> {
    policy: &'a Policy,
    facts: &'a Rc<Facts>,
    json: bool,
    explain: bool,
    failed: bool,
}

impl Shown<'_> {
    fn show(&mut self, items: &[Item]) -> Result<()> {
        let verdicts = classify::classify(items, self.policy, self.facts).map_err(Error::new)?;
        let mut text = String::new();
        for verdict in &verdicts {
            if self.json {
                text.push_str(&line(verdict)?);
            } else {
                self.human(verdict, &mut text);
            }
        }
        print(text.as_bytes()).map(drop)
    }

    fn human(&self, verdict: &Classified, text: &mut String) {
        let kind = serde_json::to_value(verdict.kind).ok();
        let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default();
        let _ = writeln!(text, "{}  {kind}", verdict.file);
        for one in &verdict.recipients {
            let (found, class) = (&one.found, &one.class);
            let severity = serde_json::to_value(class.severity).ok();
            let severity = severity.as_ref().and_then(|severity| severity.as_str()).unwrap_or_default();
            let status = found.status.map_or("-".to_owned(), |status| status.to_string());
            let _ = writeln!(text, "  {:40} {status:8} {severity:8} {}", found.address, class.reason);
            if self.explain {
                let rule = if class.rule.is_empty() { "the kind of report" } else { &class.rule };
                let _ = writeln!(
                    text,
                    "    decided by {rule}\n    found by the reader of {} in line {}: {}",
                    found.reader, found.line, found.diagnostic
                );
            }
        }
    }

    /// Every line is an SMTP reply.
    fn texts(&self, files: &[PathBuf]) -> Result<Exit> {
        let stdin = [PathBuf::from("-")];
        let files = if files.is_empty() { &stdin[..] } else { files };
        for file in files {
            let bytes = read_input(file)?;
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            for lines in lines.chunks(10_000) {
                let failures: Vec<DeliveryFailure> = lines.iter().map(|line| reply(line)).collect();
                let classes = self.policy.classify(self.facts, &failures).map_err(Error::new)?;
                let mut shown = String::new();
                for (failure, class) in failures.iter().zip(&classes) {
                    if self.json {
                        shown.push_str(&line(&serde_json::json!({
                            "text": failure.text, "status": failure.status, "reply_code": failure.code,
                            "reason": class.reason, "category": class.category, "severity": class.severity,
                            "rule": class.rule,
                        }))?);
                    } else {
                        let rule = if self.explain { format!(" [{}]", class.rule) } else { String::new() };
                        let _ = writeln!(shown, "{:20} {}{rule}", class.reason, failure.text);
                    }
                }
                print(shown.as_bytes())?;
            }
        }
        Ok(Exit::Ok)
    }
}

/// An SMTP reply in a line.
fn reply(line: &str) -> DeliveryFailure {
    let (code, enhanced) = smtp_reply::leading_codes(line);
    DeliveryFailure {
        text: line.trim().to_owned(),
        status: enhanced.map(|status| status.to_string()).unwrap_or_default(),
        code: code.unwrap_or_default(),
        ..DeliveryFailure::default()
    }
}

fn checked(address: &str) -> Result<String> {
    let address = address.trim().trim_start_matches('<').trim_end_matches('>').to_lowercase();
    match split_address(&address) {
        Some(_) => Ok(address),
        None => Err(Error::new(format_args!("{address}: no address")).remedy("give local@domain")),
    }
}

pub(crate) fn suppress(command: &Suppress, config: &Config, json: bool) -> Result<Exit> {
    let store = Store::open(&config.store_path())?;
    let now_ms = clock::now_ms();
    match command {
        Suppress::Add { addresses, reason, sender_domain, days } => {
            let entry = |address: &String| {
                Ok(Suppressed {
                    address: checked(address)?,
                    sender_domain: sender_domain.to_lowercase(),
                    reason: reason.clone(),
                    source: "operator".into(),
                    added_ms: now_ms,
                    expires_ms: (*days > 0).then(|| now_ms + i64::from(*days) * 86_400_000),
                })
            };
            let entries: Vec<Suppressed> = addresses.iter().map(entry).collect::<Result<_>>()?;
            let new = store.suppress_all(&entries)?;
            print(format!("{new} new, {} suppressed before\n", entries.len() - new).as_bytes())
        }
        Suppress::Remove { addresses, sender_domain } => {
            let mut gone = 0;
            for address in addresses {
                gone += usize::from(store.unsuppress(&checked(address)?, sender_domain.as_deref())?);
            }
            print(format!("{gone} removed, {} not on the list\n", addresses.len() - gone).as_bytes())
        }
        Suppress::Check { address, sender_domain } => {
            let address = checked(address)?;
            let found = store.suppressed(&address, &sender_domain.to_lowercase(), now_ms)?;
            let text = match &found {
                Some(entry) if json => line(entry)?,
                Some(entry) => shown(entry),
                None if json => "null\n".into(),
                None => format!("{address} is not suppressed\n"),
            };
            print(text.as_bytes())?;
            Ok(if found.is_some() { Exit::Failure } else { Exit::Ok })
        }
        Suppress::List { containing } => {
            let mut text = String::new();
            for entry in store.suppressions(&containing.to_lowercase(), now_ms)? {
                text.push_str(&if json { line(&entry)? } else { shown(&entry) });
            }
            print(text.as_bytes())
        }
        Suppress::Import { file } => {
            let bytes = read_input(file)?;
            let entries = suppress::read(&String::from_utf8_lossy(&bytes), "import", now_ms)
                .map_err(|error| error.within(file.display()))?;
            let new = store.suppress_all(&entries)?;
            print(format!("{new} new, {} suppressed before\n", entries.len() - new).as_bytes())
        }
        Suppress::Export => {
            let entries = store.suppressions("", now_ms)?;
            let text = if json { suppress::json_lines(&entries) } else { suppress::csv(&entries) };
            print(text.as_bytes())
        }
    }
}

pub(crate) fn shown(entry: &Suppressed) -> String {
    let until = entry.expires_ms.map_or("until removed".into(), |at| format!("until {}", clock::rfc3339(at)));
    let whose = if entry.sender_domain.is_empty() { "all mail" } else { &entry.sender_domain };
    let since = clock::rfc3339(entry.added_ms);
    format!("{:40} {whose:24} {:20} {since} {until}  {}\n", entry.address, entry.reason, entry.source)
}

pub(crate) fn verp(command: &Verp, config: &Config, json: bool) -> Result<Exit> {
    let settings = &config.verp;
    let keys = Keys::new(&settings.keys).map_err(|error| error.within("[verp] keys"))?;
    let form = Form::new(&settings.prefix, &settings.domain).map_err(|error| error.within("[verp]"))?;
    let today = verp::day(clock::now_ms());
    match command {
        Verp::Sign { address } => {
            let signed = verp::sign(&keys, &form, address, today)?;
            let text =
                if json { line(&serde_json::json!({ "return_path": signed }))? } else { signed + "\n" };
            print(text.as_bytes())
        }
        Verp::Verify { return_path } => {
            match verp::verify(&keys, &form, return_path, today, settings.max_age) {
                Ok(verified) => {
                    let recipient = verified.recipient.address();
                    let age = today - verified.signed_day;
                    let text = if json {
                        line(&serde_json::json!({ "recipient": recipient, "age_days": age }))?
                    } else {
                        format!(
                            "{}, signed {age} days ago\n",
                            recipient.unwrap_or("an address too long to be written out")
                        )
                    };
                    print(text.as_bytes())
                }
                Err(refused) => Err(Error::new(format_args!("{return_path}: {refused}"))),
            }
        }
    }
}

pub(crate) fn rules(command: &Rules) -> Result<Exit> {
    let Rules::Import { file } = command;
    let bytes = read_input(file)?;
    let toml = crate::import::pda::rules_of_pda(&String::from_utf8_lossy(&bytes)).context(file.display())?;
    print(toml.as_bytes())
}
