//! `carom suppress import`: a list of addresses from a file, and what became of each.
//!
//! Not here: reading it (`suppress`). Invariant: the exit code is 0 only if every entry could be
//! read.

use super::named_file::open_file;
use super::suppress_terms::SuppressTerms;
use super::suppression_line::shown;
use super::terminal::{Bar, Terminal, note, print};
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::ingest::ClassifyingPolicy;
use crate::store::{ImportChange, Store};
use crate::suppress::{Import, ImportDefaults, ImportOutcome, ListForm};
use clap::{Args, ValueEnum};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Problems that people are shown.
const MOST: usize = 20;

#[derive(Args, Debug)]
#[command(
    after_help = "Read by their content: carom's own export, one address a line, and lists of Amazon SES, \
SendGrid, Mailgun, Postmark, SparkPost, Mailchimp and PowerMTA, as JSON, JSON Lines or CSV. Complaints and unsubscribes \
keep that reason. Failures that pass or that are not about the address (soft bounces, blocks, a full mailbox) are \
skipped: the address may be alive. What an entry says goes before these options.\n\nExamples:\n  \
    carom suppress import bounces.csv --dry-run\n  \
    carom suppress import - --reason unsubscribe < list.txt"
)]
pub(crate) struct ImportArgs {
    /// The file; `-` for standard input
    file: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Read the file in this form, whatever it looks like
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<Format>,
    /// Reason of entries that have none
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    terms: SuppressTerms,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Separated values with a heading
    Csv,
    /// A JSON document, or JSON Lines
    Json,
    /// One address a line
    List,
}

pub(crate) fn run(
    arguments: &ImportArgs,
    config: &Arc<Config>,
    store: &Store,
    terminal: Terminal,
) -> Result<Exit> {
    let now_ms = clock::now_ms();
    let defaults = ImportDefaults {
        form: arguments.format.map(|format| match format {
            Format::Csv => ListForm::Csv,
            Format::Json => ListForm::Json,
            Format::List => ListForm::Plain,
        }),
        reason: arguments.reason.clone(),
        sender_domain: arguments.terms.sender_domain(),
        expires_ms: arguments.terms.expires_ms(now_ms),
        now_ms,
        force: arguments.terms.force,
        dry_run: arguments.dry_run,
    };
    let mut policy = std::cell::OnceCell::new();
    let classify = |failures: &[_]| {
        if failures.is_empty() {
            return Ok(Vec::new());
        }
        if policy.get().is_none() {
            let _ = policy.set(ClassifyingPolicy::open(config)?);
        }
        match policy.get().and_then(Option::as_ref) {
            Some(policy) => policy.classify(failures).map_err(Error::new),
            None => Ok(Vec::new()),
        }
    };
    let file = &arguments.file;
    let bar = std::cell::OnceCell::new();
    let progress = |done, all| {
        let bar = bar.get_or_init(|| terminal.progress("adding {pos} of {len} {wide_bar}"));
        bar.set(done, all);
    };
    let imported = Import::new(store, &classify, defaults).run(input(file, terminal)?, &progress);
    let imported = imported.map_err(|error| error.within(file.display()))?;
    drop(policy.take());
    show(&imported, file, terminal)
}

/// The file, or standard input, under a progress bar.
fn input(path: &Path, terminal: Terminal) -> Result<Box<dyn Read>> {
    let Some(file) = open_file(path)? else { return Ok(Box::new(io::stdin().lock())) };
    let total = file.metadata().map_or(0, |file| file.len());
    let bar = terminal.progress("reading {bytes} of {total_bytes} {wide_bar}");
    Ok(Box::new(Watched { file, bar, done: 0, total }))
}

struct Watched {
    file: File,
    bar: Bar,
    done: u64,
    total: u64,
}

impl Read for Watched {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let many = self.file.read(into)?;
        self.done += many as u64;
        self.bar.set(self.done, self.total);
        Ok(many)
    }
}

fn show(imported: &ImportOutcome, file: &Path, terminal: Terminal) -> Result<Exit> {
    if terminal.json {
        terminal.show(imported, String::new)?;
    } else {
        print(words(imported))?;
    }
    if imported.invalid == 0 && (imported.new + imported.same + imported.changed + imported.skipped > 0) {
        return Ok(Exit::Ok);
    }
    if imported.invalid == 0 {
        return Err(Error::new(format_args!("{}: no addresses found", file.display()))
            .remedy("give one address a line, or a heading that names a column `email`"));
    }
    for problem in imported.problems.iter().take(MOST) {
        let item = problem.item.map(|item| format!(", item {item}")).unwrap_or_default();
        note(format_args!("{}: line {}{item}: {}", file.display(), problem.line, problem.why));
    }
    let left = imported.invalid.saturating_sub(MOST as u64);
    let more = if left > 0 { format!("; {left} more are not shown") } else { String::new() };
    let (file, not) = (file.display(), if imported.dry_run { "would not be" } else { "not" });
    note(match imported.invalid {
        1 => format!("{file}: 1 entry {not} imported; correct it and import again"),
        many => format!("{file}: {many} entries {not} imported{more}; correct them and import again"),
    });
    Ok(Exit::Failure)
}

fn words(imported: &ImportOutcome) -> String {
    let ImportOutcome { dry_run, new, same, changed, skipped, .. } = imported;
    let mut text = String::new();
    for one in &imported.entries {
        let change = match one.change {
            ImportChange::New => "new",
            ImportChange::Same => "same",
            ImportChange::Changed => "changed",
        };
        let _ = writeln!(text, "{change:8} {}", shown(&one.entry));
    }
    let listed = imported.entries.len() as u64;
    if *dry_run && new + same + changed > listed {
        let _ = writeln!(text, "… and {} more", new + same + changed - listed);
    }
    let _ = write!(text, "{new} new, {} suppressed before", same + changed);
    if *changed > 0 {
        let _ = write!(text, " ({changed} changed)");
    }
    text.push_str(if *dry_run { "; nothing was changed (--dry-run)\n" } else { "\n" });
    if *skipped > 0 {
        let why = imported.skipped_because.iter().map(|(why, many)| format!("{many} {why}"));
        let _ = writeln!(text, "{skipped} skipped: {}", why.collect::<Vec<_>>().join("; "));
    }
    text
}
