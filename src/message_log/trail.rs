//! The trail of messages: the lines of the log in the order of time, with the state of every step
//! now, and the tries of a deferred message as one.
//!
//! The log is read from its end, so the newest line about a step is met first. The store, where it
//! can be read, knows more: the time of the next try, and what an operator has done. Not here: how
//! a row is shown (`log_reading`). Invariants: each line is in one row; memory grows with the rows
//! that are shown, not with the log.

use super::lines_back::LinesBack;
use super::logged_event::LoggedEvent;
use super::step_now::StepNow;
use super::word_filter::SoughtWords;
use crate::archive;
use crate::clock::{self, DAY_MS};
use crate::config::Config;
use crate::error::Result;
use crate::named_address::NamedAddress;
use crate::store::Store;
use memchr::memmem;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Rows at most, whoever asks.
const MOST: usize = 200_000;

/// Messages that are known as decided, at most.
const MOST_DECIDED: usize = 1 << 21;

/// Which rows are wanted.
#[derive(Default)]
pub(crate) struct TrailFilter {
    pub(crate) recipient: Option<String>,
    /// Of messages of these states; empty: all.
    pub(crate) statuses: Vec<String>,
    pub(crate) since_ms: Option<i64>,
    /// At most this many, the newest.
    pub(crate) lines: Option<usize>,
    /// An address, a Message-ID or a queue id.
    pub(crate) about: Option<NamedAddress>,
    /// Keys of messages that are about it in any case.
    pub(crate) messages: HashSet<String>,
}

/// A line, and what is known about its message now.
pub(crate) struct TrailRow {
    pub(crate) at_ms: i64,
    pub(crate) line: String,
    /// `None`: the line was cut off.
    pub(crate) event: Option<LoggedEvent>,
    pub(crate) steps: Vec<StepNow>,
    /// How often the message was deferred, and the time of the first.
    pub(crate) deferred: Option<(u32, String)>,
    /// It was deferred, and is decided since.
    pub(crate) is_decided: bool,
    /// It is the line of a redelivery, and the first delivery died before its own.
    pub(crate) is_only_line: bool,
    /// It was kept, and its copy has expired, was displaced, or was erased.
    pub(crate) copy_is_gone: bool,
}

/// What the lines after a line have said about its message.
#[derive(Default)]
struct Later {
    steps: HashMap<usize, StepNow>,
}

struct Reading<'a> {
    config: &'a Config,
    filter: &'a TrailFilter,
    /// Keys of messages that are wanted in any case.
    messages: HashSet<String>,
    store: Option<&'a Store>,
    rows: Vec<TrailRow>,
    later: HashMap<String, Later>,
    /// The rows of deferred messages.
    deferrals: HashMap<String, usize>,
    /// The rows of redeliveries, by message, until the line of the decision is met.
    again: HashMap<String, Vec<usize>>,
    /// Digests of messages that are decided.
    decided: HashSet<u64>,
    /// Digests of the keys of copies that are there.
    copies: OnceCell<HashSet<String>>,
}

/// The rows that are wanted, the oldest first.
pub(crate) fn trail(config: &Config, store: Option<&Store>, filter: &TrailFilter) -> Result<Vec<TrailRow>> {
    let messages = messages_about(config, filter)?;
    let mut reading = Reading {
        config,
        filter,
        messages,
        store,
        rows: Vec::new(),
        later: HashMap::new(),
        deferrals: HashMap::new(),
        again: HashMap::new(),
        decided: HashSet::new(),
        copies: OnceCell::new(),
    };
    let most = filter.lines.unwrap_or(MOST).min(MOST);
    let sought = reading.sought();
    let mut lines = match &sought {
        Some(sought) => LinesBack::naming(config, sought)?,
        None => LinesBack::of(config)?,
    };
    let mut is_over = false;
    while let Some(line) = lines.next()? {
        is_over |= reading.rows.len() >= most;
        if is_over && reading.deferrals.is_empty() {
            break;
        }
        if !is_over {
            is_over = !reading.take(&line);
        } else if memmem::find(&line, b"\"defer\"").is_some() {
            reading.count_try(&line);
        }
    }
    let mut rows = reading.into_rows();
    rows.reverse();
    rows.sort_by_key(|row| row.at_ms);
    Ok(rows)
}

/// The keys of all messages that a line about the wanted address or id names: not all of their
/// lines do.
fn messages_about(config: &Config, filter: &TrailFilter) -> Result<HashSet<String>> {
    let mut messages = filter.messages.clone();
    let Some(about) = &filter.about else { return Ok(messages) };
    let sought = SoughtWords::of(about);
    let mut lines = LinesBack::naming(config, &sought)?;
    while let Some(line) = lines.next()? {
        if messages.len() < MOST && about.is_in(&line) {
            let event = LoggedEvent::read(&line);
            messages.extend(event.and_then(|event| event.message().map(str::to_owned)));
        }
    }
    Ok(messages)
}

impl Reading<'_> {
    /// The words of which a wanted line has some; `None`: any line may be wanted.
    fn sought(&self) -> Option<SoughtWords> {
        if let Some(about) = &self.filter.about {
            let mut sought = SoughtWords::of(about);
            self.messages.iter().for_each(|message| sought.add_quoted(message));
            return Some(sought);
        }
        let recipient = self.filter.recipient.as_ref()?;
        let mut sought = SoughtWords::default();
        sought.add_quoted(recipient);
        Some(sought)
    }

    /// The rows, the newest first. A redelivery stands for the decision that has no line.
    fn into_rows(mut self) -> Vec<TrailRow> {
        for place in self.again.values().filter_map(|places| places.last()) {
            self.rows[*place].is_only_line = true;
        }
        self.rows.retain(|row| self.filter.has_status(row));
        self.rows
    }

    /// Takes a line. Returns whether older ones are wanted too.
    fn take(&mut self, line: &[u8]) -> bool {
        let filter = self.filter;
        if filter.about.is_some() && !self.is_wanted(line) {
            return true;
        }
        let Some(event) = LoggedEvent::read(line) else {
            // A line for people has its record beside it.
            if line.starts_with(b"{") && !filter.is_narrow() {
                let at_ms = self.rows.last().map_or_else(clock::now_ms, |newer| newer.at_ms);
                self.rows.push(TrailRow::without_event(line, at_ms));
            }
            return true;
        };
        let at_ms = clock::parse(&event.time).unwrap_or(0);
        if let Some(since_ms) = filter.since_ms.filter(|since_ms| at_ms < *since_ms) {
            // A line has the time of its message, and may have been written much later.
            self.count_try(line);
            return at_ms + DAY_MS > since_ms;
        }
        if filter.recipient.as_ref().is_some_and(|address| !event.is_for(address)) {
            return true;
        }
        if event.is_deferral() && self.count_try(line) {
            return true;
        }
        if event.is_decision() {
            self.again.remove(event.message().unwrap_or_default());
        }
        let row = self.row(line, event, at_ms);
        let again = row.event.as_ref().filter(|event| event.is_redelivery());
        if let Some(message) = again.and_then(LoggedEvent::message) {
            self.again.entry(message.to_owned()).or_default().push(self.rows.len());
            self.rows.push(row);
        } else if filter.has_status(&row) {
            let deferred = row.event.as_ref().filter(|event| event.is_deferral());
            if let Some(same) = deferred.and_then(LoggedEvent::same_try) {
                self.deferrals.insert(same, self.rows.len());
            }
            self.rows.push(row);
        }
        true
    }

    fn row(&mut self, line: &[u8], event: LoggedEvent, at_ms: i64) -> TrailRow {
        let message = event.message().unwrap_or_default().to_owned();
        let is_decision = event.is_decision();
        let mut later = self.later.remove(&message).unwrap_or_default();
        let is_newest = later.steps.is_empty();
        let at = event.event.as_ref().map(|_| event.time.as_str());
        let mut steps: Vec<StepNow> = Vec::with_capacity(event.results.len());
        for result in &event.results {
            let logged = StepNow::logged(result, at);
            steps.push(match later.steps.get(&result.step).filter(|one| one.action == result.action) {
                None => {
                    later.steps.insert(result.step, logged.clone());
                    StepNow { at: None, ..logged }
                }
                Some(newer) if is_decision => newer.clone(),
                Some(_) => StepNow { at: None, ..logged.tried() },
            });
        }
        if is_decision {
            let known: Vec<usize> = steps.iter().map(|one| one.step).collect();
            steps.extend(later.steps.drain().map(|(_, one)| one).filter(|one| !known.contains(&one.step)));
            steps.sort_by_key(|one| one.step);
        } else if !message.is_empty() && !later.steps.is_empty() {
            self.later.insert(message.clone(), later);
        }
        if !event.is_deferral() && (is_decision || is_newest) {
            self.overlay(&message, &mut steps, is_decision || event.results.is_empty());
        }
        let deferred = event.is_deferral().then(|| (1, event.time.clone()));
        let is_decided = self.is_decided_since(&event);
        let (line, event, copy_is_gone) = (text_of(line), Some(event), false);
        let is_only_line = false;
        let row = TrailRow { at_ms, line, event, steps, deferred, is_decided, is_only_line, copy_is_gone };
        let copy_is_gone = row.was_kept() && !self.has_copy(&message);
        TrailRow { copy_is_gone, ..row }
    }

    fn has_copy(&self, message: &str) -> bool {
        let copies = self.copies.get_or_init(|| archive::without_effect(self.config));
        copies.contains(&archive::key_digest(message))
    }

    /// Whether a newer line decides about a deferred message; notes it if this one decides.
    fn is_decided_since(&mut self, event: &LoggedEvent) -> bool {
        let Some(same) = event.same_try() else { return false };
        let mut hasher = DefaultHasher::new();
        same.hash(&mut hasher);
        let digest = hasher.finish();
        if !event.is_deferral() && self.decided.len() < MOST_DECIDED {
            self.decided.insert(digest);
        }
        event.is_deferral() && self.decided.contains(&digest)
    }

    /// What the store has on record counts more than what the log says.
    fn overlay(&self, message: &str, steps: &mut Vec<StepNow>, is_whole: bool) {
        let Some(store) = self.store.filter(|_| !message.is_empty()) else { return };
        for row in store.steps_of(message).unwrap_or_default() {
            let Some(now) = StepNow::on_record(message, row) else { continue };
            match steps.iter_mut().find(|one| one.step == now.step && one.action == now.action) {
                Some(one) => *one = StepNow { at: one.at.take(), ..now },
                None if is_whole && now.action != "count" => steps.push(now),
                None => {}
            }
        }
        steps.sort_by_key(|one| one.step);
    }

    fn is_wanted(&self, line: &[u8]) -> bool {
        let of = |name: &[u8]| {
            let start = memmem::find(line, name)? + name.len();
            let end = memchr::memchr(b'"', &line[start..])?;
            std::str::from_utf8(&line[start..start + end]).ok()
        };
        let is_of_message = |name: &[u8]| of(name).is_some_and(|key| self.messages.contains(key));
        is_of_message(b"\"id\":\"")
            || is_of_message(b"\"key\":\"")
            || self.filter.about.as_ref().is_some_and(|about| about.is_in(line))
    }

    /// Counts an earlier try of a deferred message that has a row. Returns whether it did.
    fn count_try(&mut self, line: &[u8]) -> bool {
        let Some(event) = LoggedEvent::read(line).filter(LoggedEvent::is_deferral) else { return false };
        let Some(place) = event.same_try().and_then(|same| self.deferrals.get(&same)) else { return false };
        if let Some((tries, first)) = &mut self.rows[*place].deferred {
            *tries += 1;
            *first = event.time;
        }
        true
    }
}

impl TrailFilter {
    /// Whether it leaves lines out for what they say.
    fn is_narrow(&self) -> bool {
        self.recipient.is_some() || !self.statuses.is_empty()
    }

    fn has_status(&self, row: &TrailRow) -> bool {
        self.statuses.is_empty() || row.statuses().iter().any(|status| self.names(status))
    }

    /// Whether a line by itself is wanted.
    pub(crate) fn lets_through(&self, row: &TrailRow) -> bool {
        let is_for = |address: &String| row.event.as_ref().is_some_and(|event| event.is_for(address));
        self.recipient.as_ref().is_none_or(is_for) && self.has_status(row)
    }

    fn names(&self, status: &str) -> bool {
        self.statuses.iter().any(|one| one == status)
    }
}

fn text_of(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

impl TrailRow {
    fn without_event(line: &[u8], at_ms: i64) -> TrailRow {
        TrailRow {
            at_ms,
            line: text_of(line),
            event: None,
            steps: Vec::new(),
            deferred: None,
            is_decided: false,
            is_only_line: false,
            copy_is_gone: false,
        }
    }

    /// A line by itself, as it is written.
    pub(crate) fn alone(line: &str) -> TrailRow {
        let Some(event) = LoggedEvent::read(line.as_bytes()) else {
            return TrailRow::without_event(line.as_bytes(), 0);
        };
        let steps = event.results.iter().map(|step| StepNow::logged(step, None)).collect();
        TrailRow {
            at_ms: clock::parse(&event.time).unwrap_or(0),
            line: line.to_owned(),
            event: Some(event),
            steps,
            deferred: None,
            is_decided: false,
            is_only_line: false,
            copy_is_gone: false,
        }
    }

    /// The word for what became of the message.
    pub(crate) fn status(&self) -> &str {
        let Some(event) = &self.event else { return "" };
        let word = if self.is_only_line { event.decision_word() } else { event.word() };
        match word {
            "accepted" if self.was_kept() && !self.copy_is_gone => "kept",
            "accepted" if self.steps.iter().any(StepNow::has_forwarded) => "forwarded",
            word => word,
        }
    }

    /// Whether it was kept because it has no effect.
    fn was_kept(&self) -> bool {
        self.steps.iter().any(StepNow::has_kept)
            || self.event.as_ref().is_some_and(LoggedEvent::counts_as_kept)
    }

    /// The words for its state, by which rows are chosen.
    pub(crate) fn statuses(&self) -> Vec<&str> {
        let Some(event) = &self.event else { return Vec::new() };
        let mut statuses = if self.is_decided { Vec::new() } else { vec![self.status()] };
        if event.is_policy_failure() && !self.is_decided {
            statuses.push("policy-failed");
        }
        for step in &self.steps {
            match step.state {
                "given up" => statuses.push("given-up"),
                "pending" | "parked" => statuses.push(step.state),
                _ if step.has_forwarded() => statuses.push("forwarded"),
                _ if step.has_kept() && !self.copy_is_gone => statuses.push("kept"),
                _ => {}
            }
        }
        statuses
    }
}
