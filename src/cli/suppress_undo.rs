//! `carom suppress undo`: releases what reports and the mail log did in a period.
//!
//! Not here: what is undone (`release`). Invariant: a rehearsal shows exactly what would be done.

use super::operator_name::operator_name;
use super::suppression_line::shown;
use super::terminal::{Terminal, line, print};
use crate::clock::{self, typed_time};
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::release::{self, Undo, UndoFilter};
use crate::store::{AuditEntry, Store};
use clap::Args;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Addresses that people are shown.
const MOST: usize = 100;

#[derive(Args, Debug)]
#[command(
    after_help = "Look at what would happen first, with --dry-run. Entries of operators and imports stay, unless \
--source names them. An address whose earlier entry goes on stays suppressed. The soft bounces of the period that led \
to an entry are forgotten, and applications get the event bounce.undone.\n\nExamples:\n  \
    carom suppress undo --since 2026-03-01T09:00 --until 2026-03-01T10:00 --dry-run\n  \
    carom suppress undo --since 3h --reason host-unknown"
)]
pub(crate) struct UndoArgs {
    /// What was suppressed at or after TIME (2026-01-31T12:00:00Z, 2026-01-31, 12h)
    #[arg(long, value_name = "TIME", value_parser = typed_time::time)]
    since: i64,
    /// What was suppressed before TIME [default: no end]
    #[arg(long, value_name = "TIME", value_parser = typed_time::time)]
    until: Option<i64>,
    /// Only what this rule of the policy classified
    #[arg(long)]
    rule: Option<String>,
    /// Only with this reason (user-unknown, mailbox-full, complaint …)
    #[arg(long)]
    reason: Option<String>,
    /// Only from this source: report (with the mail log), log, operator or import
    #[arg(long, value_parser = ["report", "log", "operator", "import"])]
    source: Option<String>,
    /// Only of this provider (google, microsoft …), also named by one of its mail servers or
    /// domains
    #[arg(long)]
    provider: Option<String>,
    /// Only for mail of this sender domain
    #[arg(long, value_name = "DOMAIN")]
    sender_domain: Option<String>,
    /// Show what would be released, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

pub(crate) fn run(
    arguments: &UndoArgs,
    config: &Arc<Config>,
    store: &Arc<Store>,
    terminal: Terminal,
) -> Result<Exit> {
    let now_ms = clock::now_ms();
    let filter = UndoFilter {
        since_ms: arguments.since,
        until_ms: arguments.until.unwrap_or(release::open_end(now_ms)),
        rule: arguments.rule.clone(),
        reason: arguments.reason.clone(),
        source: arguments.source.clone(),
        provider: arguments.provider.clone(),
        sender_domain: arguments.sender_domain.clone(),
    };
    if filter.since_ms >= filter.until_ms {
        return Err(
            Error::new("--since is not before --until").remedy("give the beginning of the period first")
        );
    }
    let undo = Undo::find(store, &filter, config, now_ms)?;
    let shown = if terminal.json {
        line(&release::as_json(&undo, &filter, arguments.dry_run))?
    } else {
        words(&undo, arguments)
    };
    if !arguments.dry_run && store.exists() {
        let (sum, dimensions) = (undo.sum(), format!("{filter:?}"));
        let whole = release::as_json(&undo, &filter, false);
        let entry = AuditEntry {
            at_ms: now_ms,
            who: operator_name(),
            action: "undo".into(),
            what: filter.words(),
            before: whole["entries"].clone(),
            ..AuditEntry::default()
        };
        let action = store.begin_action(&entry)?;
        let keys = undo.carry_out(store, now_ms)?;
        store.end_action(action, &whole)?;
        tracing::info!(
            released = sum.released,
            restored = sum.restored,
            filter = dimensions,
            "suppressions undone"
        );
        release::notify(&keys, config, store)?;
    }
    print(shown)
}

fn words(undo: &Undo, arguments: &UndoArgs) -> String {
    let (sum, mut text) = (undo.sum(), String::new());
    let mut groups: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for one in &undo.releases {
        let grounds = &one.entry.grounds;
        *groups.entry((&one.entry.reason, &grounds.rule, &grounds.provider)).or_default() += 1;
    }
    for one in undo.releases.iter().take(MOST).filter(|_| arguments.dry_run) {
        let what = if one.restored.is_some() { "keep" } else { "release" };
        let _ = writeln!(text, "{what:8} {}", shown(&one.entry));
    }
    if arguments.dry_run && undo.releases.len() > MOST {
        let _ = writeln!(text, "… and {} more; --json shows all", undo.releases.len() - MOST);
    }
    for ((reason, rule, provider), many) in groups.into_iter().take(MOST) {
        let rule = if rule.is_empty() { "no rule on record" } else { rule };
        let _ = writeln!(text, "{many:8} {reason}, {rule}, {provider}");
    }
    let would = if arguments.dry_run { "would be " } else { "" };
    let _ = writeln!(text, "{} {would}released, {} notifications", sum.released, sum.notified);
    if sum.restored > 0 {
        let _ = writeln!(text, "{} stay suppressed: an earlier entry goes on", sum.restored);
    }
    if undo.unrecorded > 0 {
        let _ = writeln!(
            text,
            "{} more entries of the period have no rule and provider on record; without --rule and --provider they are \
             released too",
            undo.unrecorded
        );
    }
    if arguments.dry_run {
        text.push_str("nothing was changed (--dry-run)\n");
    }
    text
}
