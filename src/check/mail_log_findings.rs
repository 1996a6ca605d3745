//! The mail logs of `[[logs]]`: whether each can be read, by whoever will read it, and whether its
//! lines are understood.
//!
//! Not here: what `carom cron` found (`tick`). Invariant: a log is read with the readers that
//! `carom cron` has, and nothing of it is remembered.

use crate::clock::{self, HOUR_MS};
use crate::config::{Config, LogKind, MailLog};
use crate::error::{Error, Result};
use crate::files::reader::Reader;
use crate::finding::Finding;
use crate::maillog::journald;
use crate::maillog::log_clock::LogClock;
use crate::maillog::sampled_log::SampledLog;
use crate::maillog::tail::{LogSample, SampledPart};
use crate::stats::render::wording::number;
use std::path::Path;

/// What a finding is about.
const SUBJECT: &str = "logs";

pub(crate) fn mail_log(config: &Config, log: &MailLog) -> Finding {
    let found = match (log.kind, log.path.as_deref()) {
        (LogKind::Journald, path) => of_journal(path),
        (_, Some(path)) => of_file(config, log, path),
        (_, None) => return Finding::good(SUBJECT, "no file"),
    };
    found.unwrap_or_else(|error| Finding::error(SUBJECT, &error))
}

fn of_file(config: &Config, log: &MailLog, path: &Path) -> Result<Finding> {
    let part = if log.kind == LogKind::PowerMta { SampledPart::Beginning } else { SampledPart::End };
    let sample = LogSample::read(path, part)?;
    Reader::of_mail(&config.policies.mail_user).may_read(&sample.path)?;
    let shown = sample.path.display().to_string();
    let age_ms = clock::now_ms().saturating_sub(sample.modified_ms);
    if sample.lines.is_empty() && age_ms <= log.silent_after.ms() {
        return Ok(Finding::good(SUBJECT, format_args!("{shown}: empty, nothing to read yet")));
    }
    let SampledLog { understood, lines, form, fault } = SampledLog::read(log.kind, &sample, log.zone.clone());
    if let Some(fault) = fault {
        let why = if fault.why.starts_with(&shown) { fault.why } else { format!("{shown}: {}", fault.why) };
        return Ok(Finding::wrong(SUBJECT, why, fault.fix));
    }
    let silent_ms = log.silent_after.ms();
    if silent_ms > 0 && age_ms > silent_ms {
        let since = clock::rfc3339(sample.modified_ms);
        let fix = format!(
            "let the mail server log to it, correct the path, or set silent_after of [[logs]] (now {})",
            log.silent_after
        );
        return Ok(Finding::wrong(SUBJECT, format_args!("{shown}: nothing new since {since}"), fix));
    }
    if let Some(finding) = other_zone(&shown, log, &sample, age_ms) {
        return Ok(finding);
    }
    let own = match log.kind {
        kind if kind.has_records() => lines.events + lines.unknown,
        _ => lines.total() - lines.foreign,
    };
    Ok(understood_part(&shown, log.kind, form, understood, own, lines.foreign))
}

/// Stamps that are off by hours while the log is written: every figure and every age is off, too.
fn other_zone(path: &str, log: &MailLog, sample: &LogSample, age_ms: i64) -> Option<Finding> {
    let is_written = log.kind == LogKind::Postfix && age_ms < HOUR_MS;
    let clock = LogClock::doubt(sample, &log.zone).filter(|_| is_written)?;
    let minutes = |ms: i64| (ms.abs() + 30_000) / 60_000;
    let hours = |ms: i64| match (minutes(ms) / 60, minutes(ms) % 60) {
        (1, 0) => "1 hour".to_owned(),
        (hours, 0) => format!("{hours} hours"),
        (hours, minutes) => format!("{hours}:{minutes:02} hours"),
    };
    let way = |ms: i64| if ms > 0 { "ahead of" } else { "behind" };
    let found = format!(
        "{path}: the newest line is {} {} the time at which it was written",
        hours(clock.ahead_ms),
        way(clock.ahead_ms)
    );
    let fix = match minutes(clock.of_utc_ms) {
        0 => "set timezone = \"UTC\" in [[logs]]: the log is written in UTC".to_owned(),
        _ => format!(
            "set timezone in [[logs]] to that of the host that writes the log, which is {} {} UTC",
            hours(clock.of_utc_ms),
            way(clock.of_utc_ms)
        ),
    };
    // No line comes before its time; a copy of a log has older ones.
    Some(Finding { note: clock.ahead_ms < 0, ..Finding::wrong(SUBJECT, found, fix) })
}

fn understood_part(
    path: &str,
    kind: LogKind,
    form: &str,
    understood: u64,
    own: u64,
    foreign: u64,
) -> Finding {
    let server = kind.server();
    let what = match kind {
        LogKind::PowerMta | LogKind::KumoMta => {
            format!("{server}, {} of {} lines are records", number(understood), number(own))
        }
        _ if own == 0 => {
            let others = number(foreign);
            let found = format!("{path}: no line of {server} yet among {others} of other programs");
            let fix = format!("if {server} logs elsewhere, set path of [[logs]] to that file");
            return Finding::note(SUBJECT, found, fix);
        }
        _ => format!("{form}, {server}, {} of {} lines understood", number(understood), number(own)),
    };
    let others = if foreign > 0 { format!(", {} of other programs", number(foreign)) } else { String::new() };
    let found = format!("{path}: {what}{others}");
    if understood * 2 < own && !kind.has_records() {
        let fix = "see what is not understood: carom cron --json counts such lines as unknown";
        return Finding::note(SUBJECT, found, fix);
    }
    Finding::good(SUBJECT, found)
}

fn of_journal(path: Option<&Path>) -> Result<Finding> {
    let newest = journald::newest_entries(path)?;
    let shown = path.map_or_else(|| "the journal".to_owned(), |path| path.display().to_string());
    if newest.total() == 0 {
        journald::require_journal(path)?;
        let found = format!("{shown}: no entry of the mail system");
        return Ok(Finding::note(SUBJECT, found, "let Postfix log to syslog, whose facility is mail"));
    }
    let understood = newest.events + newest.ignored;
    let own = newest.total() - newest.foreign;
    if understood == 0 && own > 0 {
        return Err(Error::new(format_args!("{shown}: none of {own} entries of Postfix is understood"))
            .remedy("update carom, or read a log file instead"));
    }
    Ok(understood_part(&shown, LogKind::Journald, "journal", understood, own, newest.foreign))
}
