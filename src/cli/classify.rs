//! `carom classify`: what reports say and mean.
//!
//! Not here: reading and asking (`classify`).

use super::named_file::open_input;
use super::terminal::{Terminal, line, note, print};
use crate::class::{About, Class, DeliveryFailure, Severity};
use crate::classify::input::{self, FileMessages, Item};
use crate::classify::reply_lines::ReplyLines;
use crate::classify::{self, Classified};
use crate::config::Config;
use crate::error::{Context, Error, Exit, Result};
use crate::policy::recipient_facts::RecipientFacts;
use crate::policy::{Policy, Use, Wanted};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// Messages in memory at a time, and their bytes, after which no more are read.
const MESSAGES: usize = 256;
const BYTES: usize = 32 << 20;

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    carom classify bounce.eml --explain\n  \
    carom classify ~/Maildir --json\n  \
    echo \"550 5.1.1 user unknown\" | carom classify --text")]
pub(crate) struct ClassifyArgs {
    /// Files, mboxes, Maildirs or directories; standard input if none are given
    files: Vec<PathBuf>,
    /// Each line of the input is an SMTP reply rather than a message
    #[arg(long)]
    text: bool,
    /// Show the rule that decided, what the failure is about and why, the reader that found the
    /// recipient and where, and defects of the message
    #[arg(long)]
    explain: bool,
    /// The policy that classifies
    #[arg(long, value_name = "NAME", default_value = "bounce")]
    policy: String,
}

pub(crate) fn run(arguments: &ClassifyArgs, config: &Arc<Config>, terminal: Terminal) -> Result<Exit> {
    config.require_secrets()?;
    let wanted = Wanted { name: &arguments.policy, file: None, settings: None };
    let policy = Policy::open(&wanted, config, Use::One)?;
    policy.start_clock()?;
    let facts = Rc::new(RecipientFacts::of_nothing(config)?);
    let desk = Desk { policy: &policy, facts: &facts, terminal, explain: arguments.explain };
    let stdin = [PathBuf::from("-")];
    let files = if arguments.files.is_empty() { &stdin[..] } else { &arguments.files };
    if arguments.text { desk.replies(files) } else { desk.messages(files) }
}

struct Desk<'a> {
    policy: &'a Policy,
    facts: &'a Rc<RecipientFacts>,
    terminal: Terminal,
    explain: bool,
}

impl Desk<'_> {
    /// A file that cannot be read is reported, and the others are still classified.
    fn messages(&self, files: &[PathBuf]) -> Result<Exit> {
        let mut exit = Exit::Ok;
        let mut items: Vec<Item> = Vec::with_capacity(MESSAGES);
        let mut size = 0;
        for file in files.iter().flat_map(|file| input::files_below(file)) {
            let mut messages = match open_input(&file) {
                Ok(from) => FileMessages::new(&file, from),
                Err(error) => {
                    note(error);
                    exit = Exit::Failure;
                    continue;
                }
            };
            loop {
                let more = match messages.next().context(file.display()) {
                    Ok(more) if more.is_empty() => break,
                    Ok(more) => more,
                    Err(error) => {
                        note(error);
                        exit = Exit::Failure;
                        break;
                    }
                };
                size += more.iter().map(|item| item.raw.len()).sum::<usize>();
                items.extend(more);
                if items.len() >= MESSAGES || size >= BYTES {
                    self.show(&std::mem::take(&mut items))?;
                    size = 0;
                }
            }
        }
        self.show(&items)?;
        Ok(exit)
    }

    fn show(&self, items: &[Item]) -> Result<Exit> {
        let verdicts =
            classify::classify(items, self.policy, self.facts, self.explain).map_err(Error::new)?;
        self.terminal.rows(&verdicts, "", |verdict| self.words(verdict))
    }

    fn words(&self, verdict: &Classified) -> String {
        let mut text = format!("{}  {}", verdict.file, name(&verdict.kind));
        if let Some(feedback) = &verdict.feedback {
            let _ = write!(text, "  {}", feedback.kind);
            if self.explain {
                text.push_str(&whose(verdict));
            }
        }
        if self.explain && !verdict.defects.is_empty() {
            let _ = write!(text, "\n  defects: {}", verdict.defects.join(", "));
        }
        for one in &verdict.recipients {
            let (found, class) = (&one.found, &one.class);
            let status = found.status.map_or("-".to_owned(), |status| status.to_string());
            let severity = name(&class.severity);
            let _ = write!(text, "\n  {:40} {status:8} {severity:8} {}", found.address, class.reason);
            if self.explain {
                let rule = if class.rule.is_empty() { "the kind of report" } else { &class.rule };
                let _ = write!(
                    text,
                    "\n    decided by {rule}\n    about {}\n    found by the reader of {} in line {}: {}",
                    about(class),
                    found.reader,
                    found.line,
                    found.diagnostic
                );
            }
        }
        text
    }

    fn replies(&self, files: &[PathBuf]) -> Result<Exit> {
        for file in files {
            let mut lines = ReplyLines::new(open_input(file)?);
            loop {
                let failures = lines.next_batch().context(file.display())?;
                if failures.is_empty() {
                    break;
                }
                let classes = self.policy.classify(self.facts, &failures).map_err(Error::new)?;
                let rows = failures.iter().zip(&classes).map(|(failure, class)| self.reply(failure, class));
                print(rows.collect::<Result<String>>()?)?;
            }
        }
        Ok(Exit::Ok)
    }

    fn reply(&self, failure: &DeliveryFailure, class: &Class) -> Result<String> {
        if self.terminal.json {
            return line(&Answer::of(failure, class));
        }
        let explain = || format!(" [{}; about {}]", class.rule, about(class));
        let rule = if self.explain { explain() } else { String::new() };
        let severity = name(&class.severity);
        Ok(format!("{:20} {severity:8} {}{rule}\n", class.reason, failure.text))
    }
}

/// What an SMTP reply means, as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    about: About,
    category: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    evidence: &'a str,
    reason: &'a str,
    reply_code: u16,
    rule: &'a str,
    severity: Severity,
    status: &'a str,
    text: &'a str,
}

impl<'a> Answer<'a> {
    fn of(failure: &'a DeliveryFailure, class: &'a Class) -> Answer<'a> {
        Answer {
            about: class.about,
            category: &class.category,
            evidence: &class.evidence,
            reason: &class.reason,
            reply_code: failure.code,
            rule: &class.rule,
            severity: class.severity,
            status: &failure.status,
            text: &failure.text,
        }
    }
}

/// Who is named by a complaint, and what else can prove who complains.
fn whose(complaint: &Classified) -> String {
    let named = complaint.recipients.iter().filter(|one| one.found.named == Some(true)).count();
    let mut text = match named {
        0 => "\n  names nobody".to_owned(),
        1 => "\n  names one recipient".to_owned(),
        many => format!("\n  names {many} recipients"),
    };
    if let Some(message_id) = &complaint.original.message_id {
        let _ = write!(text, "; about the message {message_id}");
    }
    text
}

/// What a failure is about, and why.
fn about(class: &Class) -> String {
    let why = if class.evidence.is_empty() { "by its reason" } else { &class.evidence };
    format!("{}: {why}", class.about.name())
}

/// The name that a value has in JSON.
fn name(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    value.as_ref().and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}
