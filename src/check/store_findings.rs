//! The databases and what they say: the store, the index, when the last tick was, and what waits in
//! the outbox.
//!
//! Not here: their directories (`place_findings`). Invariant: nothing is created or changed; a file
//! that is not there yet is not a fault.

use super::place_findings::{OWN, elsewhere, is_of_mail_user, run_as_mail_user, user};
use super::place_kind::{PlaceKind, misplaced};
use crate::clock::{self, DAY_MS, HOUR_MS};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::files::command::{quoted, shell_word};
use crate::files::{own_place, probe};
use crate::finding::Finding;
use crate::index::Index;
use crate::store::{CONFIG_OF_TICK, OVERDUE_MS, PendingStep, Store, encryption, moved_away};
use crate::text::{bounded, one_line};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Clocks of one host differ by less than this (milliseconds).
const SAME_TIME_MS: i64 = 60_000;
/// Bytes of a note of a step that are shown.
const SHOWN: usize = 200;

/// How long the pages of the store are read by a quick check.
const MOMENT: Duration = Duration::from_millis(300);
/// How long the pages of the index are read.
const SECONDS: Duration = Duration::from_secs(5);
/// What a check says of a database that is too large for that, before what reads all of it.
const PART: &str = "; only the first part of its pages was read, and is not damaged; to read all:";

/// How much of the store is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreDepth {
    /// Its version, and as many of its pages as can be read in a moment.
    Version,
    /// All of it.
    Whole,
}

/// The store, and with `Whole` the tick and the outbox, which are in it.
pub(super) fn store_findings(config: &Config, depth: StoreDepth) -> Vec<Finding> {
    let path = config.store_path();
    // A key that cannot be had here is found as that.
    if encryption::require_key().is_err() {
        return Vec::new();
    }
    let of_key = |finding: Finding| finding.of_key(config, &["store", "path"]);
    // A directory that is none, or is out of reach, is found as that.
    if path.parent().is_some_and(|above| is_no_directory(above) || probe::barred_by(above).is_some()) {
        return Vec::new();
    }
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let found = format!("{}: not there yet; it is made when it is needed", path.display());
            let lost = moved_away(&path, None).map(|error| of_key(lost(&error, depth)));
            return vec![lost.unwrap_or_else(|| Finding::good("store", found))];
        }
        _ => {}
    }
    let (store, is_whole) = match usable(config, &path, depth) {
        Ok(found) => found,
        Err(finding) => return vec![of_key(*finding)],
    };
    let part = if is_whole { String::new() } else { format!("{PART} carom check") };
    let said = match store.versions() {
        Ok((there, ours)) if there < ours => {
            format!("SQLite, tables of version {there}; the next message brings them to version {ours}{part}")
        }
        Ok((there, _)) => format!("SQLite, tables of version {there}, can be written{part}"),
        Err(error) => return vec![of_key(Finding::error("store", &error))],
    };
    let of_store = store.moved_away().map(|error| of_key(lost(&error, depth)));
    let mut findings = vec![of_store.unwrap_or_else(|| Finding::good("store", said))];
    let is_current = store.versions().is_ok_and(|(there, ours)| there == ours);
    if depth == StoreDepth::Whole && is_current {
        findings.extend(tick(config, &store).unwrap_or_else(|error| Some(Finding::error("tick", &error))));
        findings.extend(clock_set_back(&path));
        findings.extend(lost_alerts(&store).unwrap_or_else(|error| Some(Finding::error("alert", &error))));
        findings.extend(outbox(&store).unwrap_or_else(|error| vec![Finding::error("outbox", &error)]));
    }
    findings
}

/// A store that was moved away. Services are started after a quick check: they work without it.
fn lost(error: &Error, depth: StoreDepth) -> Finding {
    Finding { note: depth == StoreDepth::Version, ..Finding::error("store", error) }
}

fn is_no_directory(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| !found.is_dir())
}

/// The store, if it can be read and written, and whether all of its pages were read.
fn usable(config: &Config, path: &Path, depth: StoreDepth) -> Result<(Store, bool), Box<Finding>> {
    let shown = path.display();
    let wrong = |found: String, fix: String| Err(Box::new(Finding::wrong("store", found, fix)));
    match path.metadata() {
        Ok(found) if found.is_dir() => {
            let found = format!("{shown}: it is a directory, not a database");
            return wrong(found, format!("set [store] path to a file: {shown}/carom.db"));
        }
        Ok(found) if !found.is_file() => {
            let found = format!("{shown}: it is not a regular file");
            return wrong(
                found,
                format!("remove it, or set [store] path to another file: rm {}", shell_word(path)),
            );
        }
        _ => {}
    }
    let beside = ["", "-wal", "-shm"].map(|suffix| format!("{shown}{suffix}"));
    for file in beside.iter().map(Path::new) {
        let is_missing =
            file.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        if let (false, Err(error)) = (is_missing, probe::may_write(file)) {
            let (found, user) = (format!("{}: {} cannot write it: {error}", file.display(), user()), user());
            let fix = match probe::barred_by(file) {
                _ if is_of_mail_user(config) => run_as_mail_user(config),
                Some(bar) if own_place::is_own(bar) => {
                    format!("let {user} reach it: chown -R {user}: {}", shell_word(bar))
                }
                Some(_) => elsewhere("[store] path", &format!("{OWN}/carom.db")),
                None => format!("chown {user}: {0} && chmod u+rw {0}", shell_word(file)),
            };
            return wrong(found, fix);
        }
    }
    let store = Store::glance(path).map_err(|error| Box::new(Finding::error("store", &error)))?;
    let within = (depth == StoreDepth::Version).then_some(MOMENT);
    let is_whole = store.inspect(within).map_err(|error| Box::new(Finding::error("store", &error)))?;
    Ok((store, is_whole))
}

/// The index of the mail logs must be a file, have it for itself, and be readable: it may be large,
/// and its pages are read for some seconds.
pub(super) fn index_finding(config: &Config) -> Option<Finding> {
    let (index, store) = (config.index_path(), config.store_path());
    let identity = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    let is_same = index == store || identity(&index).is_some_and(|one| identity(&store) == Some(one));
    let key = if config.index.path.is_some() { ["index", "path"] } else { ["store", "path"] };
    let found = format!("{}: it is the path of the store and of the index", index.display());
    let fix = format!("set [index] path to another file: {}", index.with_file_name("index.db").display());
    let fix = if index.ends_with("index.db") { "set [store] path to another file".to_owned() } else { fix };
    if is_same {
        return Some(Finding::wrong("index", found, fix).of_key(config, &key));
    }
    if config.index.path.is_none() && is_no_directory(&config.state_dir()) {
        return None;
    }
    if let Some(misplaced) = misplaced("index", &index, PlaceKind::File, "[index] path") {
        return Some(misplaced.of_key(config, &["index", "path"]));
    }
    // A key that cannot be had here is found as that.
    encryption::require_key().ok()?;
    let read = Index::glance(&index).and_then(|found| found.map_or(Ok(true), |found| found.inspect(SECONDS)));
    let finding = match read {
        Ok(true) => return None,
        Ok(false) => {
            let all = format!("sqlite3 {} 'PRAGMA quick_check'", shell_word(&index));
            Finding::good("index", format_args!("{}: SQLite{PART} {all}", index.display()))
        }
        Err(error) => Finding::error("index", &error),
    };
    Some(finding.of_key(config, &["index", "path"]))
}

/// There is a tick each minute, and no part of it fails.
fn tick(config: &Config, store: &Store) -> Result<Option<Finding>> {
    let Some(beat) = store.heartbeat()? else { return never(store) };
    let (last, took) = (clock::rfc3339(beat.at_ms), beat.duration_ms);
    let age_ms = clock::now_ms() - beat.at_ms;
    if age_ms < -SAME_TIME_MS {
        let found = format!("the last tick was at {last}, which is still to come: the clock was set back");
        return Ok(Some(Finding::wrong("clock", found, CLOCK_FIX)));
    }
    if age_ms > OVERDUE_MS {
        let found = format!("the last one was at {last}: ticks have stopped, or the clock runs ahead");
        return Ok(Some(Finding::wrong("tick", found, TICK_FIX)));
    }
    if !beat.failed.is_empty() {
        let found = format!("the last one, at {last}, failed in part: {}", beat.failed.join(", "));
        let fix = "run `carom cron` as the mail user, and follow what it says";
        return Ok(Some(Finding::wrong("tick", found, fix)));
    }
    let other = store.marked(CONFIG_OF_TICK)?.filter(|config| !config.is_empty());
    let own = config.file.whole_path().map(|path| path.display().to_string());
    if let (Some(other), Some(own)) = (other.filter(|other| Some(other) != own.as_ref()), &own) {
        let found = format!("the last one, at {last}, had the config {other}, and this is {own}");
        let fix = format!(
            "let carom.service or cron name this config: carom --config {} cron; or check the other: carom --config \
             {} check",
            quoted(own),
            quoted(&other)
        );
        return Ok(Some(Finding::wrong("tick", found, fix)));
    }
    Ok(Some(Finding::good("tick", format_args!("the last one was at {last} and took {took} ms"))))
}

/// The store is there for long enough, and no tick has ever come.
fn never(store: &Store) -> Result<Option<Finding>> {
    let (Some(started), _) = store.counters()? else { return Ok(None) };
    let is_new = clock::parse(&started).is_none_or(|at_ms| clock::now_ms() - at_ms <= OVERDUE_MS);
    let found = format!("there was none since {started}: nothing is retried, expired or read");
    Ok((!is_new).then(|| Finding::wrong("tick", found, TICK_FIX)))
}

const TICK_FIX: &str = "let `carom cron` run each minute as the mail user (systemctl enable --now carom.timer, or \
                        cron), and see whether the clock is right: timedatectl";
const CLOCK_FIX: &str = "set it, and let NTP keep it: timedatectl set-ntp true";

/// Files that were written later than now.
fn clock_set_back(store: &Path) -> Option<Finding> {
    let written = store.metadata().ok()?.modified().ok()?;
    let written_ms = written.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis() as i64;
    let found = format!(
        "{} was written at {}, which is still to come: the clock was set back, so signatures and retries have \
         wrong ages",
        store.display(),
        clock::rfc3339(written_ms)
    );
    (written_ms - clock::now_ms() > SAME_TIME_MS).then(|| Finding::wrong("clock", found, CLOCK_FIX))
}

/// Alerts that reached nobody.
fn lost_alerts(store: &Store) -> Result<Option<Finding>> {
    let lost = store.lost_alerts(clock::now_ms() - 7 * DAY_MS)?;
    let Some(last) = lost.last() else { return Ok(None) };
    let note = one_line(bounded(&last.note, SHOWN));
    let (many, at) = (lost.len(), clock::rfc3339(last.at_ms));
    let alerts = if many == 1 { "1 alert was".to_owned() } else { format!("{many} alerts were") };
    let found = format!("{alerts} given up in the last 7 days; the last, {} of {at}: {note}", last.rule);
    let fix =
        "correct mail or webhook of the [[alert]], or [alerts] server; see what fires now: carom alerts";
    Ok(Some(Finding::wrong("alert", found, fix)))
}

/// Steps that wait for an operator, and steps that fail for long.
fn outbox(store: &Store) -> Result<Vec<Finding>> {
    let (mut parked, mut failing, mut paused) =
        (StuckSteps::default(), StuckSteps::default(), StuckSteps::default());
    store.visit_steps(&mut |step| {
        match (step.state.as_str(), step.attempts) {
            ("parked", _) => parked.add(step),
            _ if step.paused => paused.add(step),
            (_, 0) => {}
            _ => failing.add(step),
        }
        Ok(true)
    })?;
    let mut findings = Vec::new();
    if let Some(first) = &parked.first {
        let found = format!("{} parked; the first, {}", counted(parked.many), described(first));
        let fix =
            "correct the cause, then retry them: carom outbox retry --all; or drop one: carom outbox drop ID";
        findings.push(Finding::wrong("outbox", found, fix));
    }
    if let Some(first) = &failing.first {
        let found = format!("{} failing and retried; the first, {}", counted(failing.many), described(first));
        let fix = match failing.has_others {
            true => "see whether mail leaves this host: carom check --connect; and the rest: carom outbox",
            false => {
                "let the application take it, or correct its [[notify]]; then the next tick sends all after: carom \
                 outbox retry --all"
            }
        };
        let is_old = clock::now_ms() - first.since_ms > HOUR_MS;
        let finding = Finding::wrong("outbox", found, fix);
        findings.push(Finding { note: !is_old, ..finding });
    }
    if let Some(first) = &paused.first {
        let found = format!("{} held back; the first, {}", counted(paused.many), described(first));
        let fix = "when the application is well, remove paused from its [[notify]]; then the next tick sends \
                   them: carom outbox retry --all";
        findings.push(Finding::note("outbox", found, fix));
    }
    Ok(findings)
}

/// Steps that need an operator.
#[derive(Default)]
struct StuckSteps {
    many: usize,
    /// The one that was promised first.
    first: Option<PendingStep>,
    /// Some are no notifications.
    has_others: bool,
}

impl StuckSteps {
    fn add(&mut self, step: PendingStep) {
        self.many += 1;
        self.has_others |= step.action != "notify";
        if self.first.as_ref().is_none_or(|first| step.since_ms < first.since_ms) {
            self.first = Some(step);
        }
    }
}

fn counted(steps: usize) -> String {
    match steps {
        1 => "1 step is".to_owned(),
        many => format!("{many} steps are"),
    }
}

fn described(step: &PendingStep) -> String {
    let note = one_line(bounded(&step.note, SHOWN));
    // An alert is of no message.
    let of = if step.recipient.is_empty() { String::new() } else { format!(" of {}", step.recipient) };
    let since = clock::rfc3339(step.since_ms);
    format!("{}{of} ({}), since {since}: {note}", step.action, step.id)
}
