//! Whether a log could be read in this tick: the fault, if there is one, and what is remembered for
//! the next tick.
//!
//! Not here: what is wrong with lines (`crate::maillog`). Invariant: a log that is only just
//! created or rotated, and one that is quiet for a night, is not at fault.

use crate::clock;
use crate::config::{LogKind, MailLog};
use crate::error::{Error, Result};
use crate::index::{Index, LogProgress};
use crate::maillog::log_fault::LogFault;
use crate::maillog::log_health::{FOREIGN_LINES, LogHealth, LogReading, UnreadableLog};
use crate::maillog::tail;
use crate::maillog::unread_form;

/// What an operator should know of a log.
#[derive(Default)]
pub(crate) struct Inspected {
    pub(crate) unreadable: Option<UnreadableLog>,
    /// Many lines were not understood, although others were.
    pub(crate) note: Option<String>,
}

/// Notes how reading a log ended, and whether the log cannot be read.
pub(crate) fn inspect(
    index: &Index,
    log: &MailLog,
    before: &LogProgress,
    read: Result<LogReading, Error>,
) -> Result<Inspected> {
    let (name, now_ms) = (log.name(), clock::now_ms());
    let note = read.as_ref().ok().and_then(|reading| many_unread(&name, reading));
    let known = index.log_health(&name)?;
    let mut health = known.unwrap_or_else(|| LogHealth::new(now_ms, before.understood > 0));
    let fault = match read {
        Err(error) => Some(LogFault::from(&error)),
        Ok(reading) => {
            let is_silent = reading.lines.total() == 0;
            health.note(log.kind, reading);
            let head = log.path.as_deref().map(tail::first_bytes).unwrap_or_default();
            let of_lines = health
                .fault_of_lines(log.kind, FOREIGN_LINES, |line| unread_form::explain(log.kind, &head, line));
            of_lines.or_else(|| if is_silent { silence(log, before, &health, &head, now_ms) } else { None })
        }
    };
    health.set_fault(fault);
    index.put_log_health(&name, &health)?;
    let unreadable = health.unreadable(&name);
    Ok(Inspected { note: note.filter(|_| unreadable.is_none()), unreadable })
}

/// The note about a log of which half of the lines or more were not understood.
fn many_unread(name: &str, reading: &LogReading) -> Option<String> {
    let LogReading { lines, unread, .. } = reading;
    let own = lines.total() - lines.foreign;
    let are_many = lines.unknown > 1 && lines.unknown.saturating_mul(2) >= own;
    let first = unread.as_deref().filter(|_| are_many)?;
    Some(format!("{name}: {} of {own} lines were not understood; the first is: {first}", lines.unknown))
}

/// The fault of a log that nothing new was in.
fn silence(
    log: &MailLog,
    before: &LogProgress,
    health: &LogHealth,
    head: &[u8],
    now_ms: i64,
) -> Option<LogFault> {
    if !health.understood && log.kind != LogKind::Journald {
        // Not a line of it: a short file that is not text has no whole line.
        if let Some(fault) = unread_form::binary(head) {
            return Some(fault);
        }
    }
    // A log that was never read is as old as its file, or as the first look at it.
    let modified_ms = || log.path.as_deref().and_then(tail::last_modified_ms).unwrap_or(health.since_ms);
    let since_ms = before.read_ms.unwrap_or_else(|| modified_ms().min(health.since_ms));
    let limit_ms = log.silent_after.ms();
    (limit_ms > 0 && now_ms.saturating_sub(since_ms) > limit_ms).then(|| LogFault {
        why: format!("nothing new since {}", clock::rfc3339(since_ms)),
        fix: format!(
            "let the mail server log to it, correct the path, or set silent_after of [[logs]] (now {})",
            log.silent_after
        ),
    })
}
