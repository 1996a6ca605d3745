//! The trail of messages: the lines of the log in the order of time, with the state of every step
//! now, and the tries of a deferred message as one.
//!
//! The log is read from its end, so the newest line about a step is met first. The store, where it
//! can be read, knows more: the time of the next try, and what an operator has done. Not here: how
//! a row is shown (`log_reading`). Invariants: each line is in one row; memory grows with the rows
//! that are shown, not with the log.

use super::lines_back::LinesBack;
use super::logged_event::LoggedEvent;
use super::stand_ins::{StandIn, StandIns};
use super::step_now::{self, StepNow};
use super::trail_filter::TrailFilter;
use super::trail_row::TrailRow;
use super::unread_parts::UnreadParts;
use super::word_filter::SoughtWords;
use crate::archive;
use crate::clock::{self, DAY_MS};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::store::Store;
use memchr::memmem;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Rows at most, whoever asks.
const MOST: usize = 200_000;

/// Messages that are known as decided, at most.
const MOST_DECIDED: usize = 1 << 21;

/// What the lines after a line have said about its message.
#[derive(Default)]
struct Later {
    steps: HashMap<usize, StepNow>,
}

pub(crate) struct Trail {
    /// The rows that are wanted, the oldest first.
    pub(crate) rows: Vec<TrailRow>,
    /// Why not all could be read.
    pub(crate) unread: Vec<Error>,
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
    /// The time of the oldest of them.
    oldest_deferral: Option<String>,
    /// Lines that may stand for decisions, until these are met.
    stand_ins: StandIns,
    /// The log was read from its beginning.
    is_whole: bool,
    /// Digests of messages that are decided.
    decided: HashSet<u64>,
    /// Digests of the keys of copies that are there.
    copies: OnceCell<HashSet<String>>,
    unread: UnreadParts,
}

pub(crate) fn trail(config: &Config, store: Option<&Store>, filter: &TrailFilter) -> Result<Trail> {
    let messages = messages_about(config, filter)?;
    let mut reading = Reading {
        config,
        filter,
        messages,
        store,
        rows: Vec::new(),
        later: HashMap::new(),
        deferrals: HashMap::new(),
        oldest_deferral: None,
        stand_ins: StandIns::default(),
        is_whole: false,
        decided: HashSet::new(),
        copies: OnceCell::new(),
        unread: UnreadParts::default(),
    };
    let most = filter.lines.unwrap_or(MOST).min(MOST);
    let sought = reading.sought();
    let mut lines = match &sought {
        Some(sought) => LinesBack::naming(config, sought)?,
        None => LinesBack::of(config)?,
    };
    let mut is_over = false;
    loop {
        let Some(line) = lines.next()? else {
            reading.is_whole = filter.since_ms.is_none();
            break;
        };
        reading.unread.look_at(&line, lines.path());
        is_over |= reading.rows.len() >= most;
        if !is_over {
            is_over = !reading.take(&line);
        } else if reading.is_waiting() {
            reading.look_at(&line);
        } else {
            break;
        }
    }
    let mut rows = reading.take_rows();
    rows.reverse();
    rows.sort_by_key(|row| row.at_ms);
    let rows = rows.split_off(rows.len().saturating_sub(most));
    Ok(Trail { rows, unread: reading.unread.into_errors() })
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
    /// Whether only lines about some messages are wanted.
    fn is_about_some(&self) -> bool {
        self.filter.about.is_some() || !self.messages.is_empty()
    }

    /// The words of which a wanted line has some; `None`: any line may be wanted.
    fn sought(&self) -> Option<SoughtWords> {
        if self.is_about_some() {
            let mut sought = self.filter.about.as_ref().map(SoughtWords::of).unwrap_or_default();
            self.messages.iter().for_each(|message| sought.add_quoted(message));
            return Some(sought);
        }
        self.filter.recipient.as_ref()?.sought()
    }

    /// The rows, the newest first. A redelivery stands for the decision that has no line.
    fn take_rows(&mut self) -> Vec<TrailRow> {
        for (message, oldest) in std::mem::take(&mut self.stand_ins).into_needed(self.is_whole) {
            // What the first delivery did before it died is in the store alone.
            let decided = self.ask(|store| store.decision(&message));
            let place = match oldest {
                StandIn::Shown(place) => place,
                StandIn::LeftOut(row) => {
                    self.rows.push(*row);
                    self.rows.len() - 1
                }
            };
            let row = &mut self.rows[place];
            if row.stand_for(decided) {
                let mut steps = std::mem::take(&mut row.steps);
                let found = step_now::look_up(&mut steps, self.store, &message, true);
                row.steps = steps;
                found.unwrap_or_else(|error| self.unread.note(error));
            }
        }
        let mut rows = std::mem::take(&mut self.rows);
        rows.retain(|row| self.filter.shows(row));
        rows
    }

    /// What the store says; nothing, if that cannot be read.
    fn ask<T>(&mut self, ask: impl FnOnce(&Store) -> Result<Option<T>>) -> Option<T> {
        ask(self.store?).unwrap_or_else(|error| {
            self.unread.note(error);
            None
        })
    }

    /// Takes a line. Returns whether older ones are wanted too.
    fn take(&mut self, line: &[u8]) -> bool {
        let filter = self.filter;
        if self.is_about_some() && !self.is_wanted(line) {
            return true;
        }
        let Some(event) = self.event(line) else {
            // A line for people has its record beside it.
            if line.starts_with(b"{") && !filter.is_narrow() {
                let at_ms = self.rows.last().map_or_else(clock::now_ms, |newer| newer.at_ms);
                self.rows.extend(Some(TrailRow::without_event(line, at_ms)).filter(|row| filter.shows(row)));
            }
            return true;
        };
        let at_ms = clock::parse(&event.time).unwrap_or(0);
        if let Some(since_ms) = filter.since_ms.filter(|since_ms| at_ms < *since_ms) {
            // A line has the time of its message, and may have been written much later.
            self.complete(&event, at_ms);
            return at_ms + DAY_MS > since_ms;
        }
        if !filter.is_for(&event) {
            return true;
        }
        if self.complete(&event, at_ms) {
            return true;
        }
        let row = self.row(line, event, at_ms);
        let (is_shown, place) = (filter.shows(&row), self.rows.len());
        let event = row.event.as_ref();
        event.iter().for_each(|event| self.stand_ins.take(event, &row, is_shown.then_some(place)));
        if let Some(deferred) = event.filter(|event| is_shown && event.is_deferral()) {
            let time = Some(&deferred.time);
            if self.oldest_deferral.is_none() || self.oldest_deferral.as_ref() > time {
                self.oldest_deferral = time.cloned();
            }
            self.deferrals.extend(deferred.same_try().map(|same| (same, place)));
        }
        self.rows.extend(is_shown.then_some(row));
        true
    }

    /// What a line says. A record under a key that another line has on record is of a redelivery:
    /// it was not counted, and nothing came of it.
    fn event(&mut self, line: &[u8]) -> Option<LoggedEvent> {
        let event = LoggedEvent::read(line)?;
        let Some(key) = event.record().filter(|_| event.is_decision()) else { return Some(event) };
        let decided_ms = self.ask(|store| store.decided_ms(key));
        let is_again = decided_ms.is_some_and(|decided_ms| clock::parse(&event.time) != Some(decided_ms));
        Some(if is_again { event.again() } else { event })
    }

    /// Whether older lines may say more about rows.
    fn is_waiting(&self) -> bool {
        !self.deferrals.is_empty() || self.stand_ins.are_waiting()
    }

    /// Takes of a line only what it says about rows that are there.
    fn look_at(&mut self, line: &[u8]) {
        let is_again = || {
            [&b"\"id\":\""[..], b"\"key\":\""]
                .iter()
                .any(|name| text_after(line, name).is_some_and(|key| self.stand_ins.has(key)))
        };
        // Lines that the log could not take come after newer ones.
        let is_late = || {
            let time = text_after(line, b"\"time\":\"");
            self.oldest_deferral.as_deref().is_some_and(|oldest| time.is_some_and(|time| time > oldest))
        };
        let is_about_rows = memmem::find(line, b"\"defer\"").is_some() || is_again() || is_late();
        if let Some(event) = is_about_rows.then(|| self.event(line)).flatten() {
            self.complete(&event, clock::parse(&event.time).unwrap_or(0));
        }
    }

    /// What a line says about rows that are there. Returns whether that is all it says: it is an
    /// earlier try of a deferred message.
    fn complete(&mut self, event: &LoggedEvent, at_ms: i64) -> bool {
        if event.is_deferral() {
            return self.count_try(event);
        }
        if event.is_decision() {
            self.stand_ins.forget(event.message().unwrap_or_default());
        }
        if event.is_decision() || event.is_end() {
            let place = event.same_try().and_then(|same| self.deferrals.get(&same));
            if let Some(deferred) = place.map(|place| &mut self.rows[*place]) {
                deferred.is_decided |= deferred.at_ms <= at_ms;
            }
        }
        false
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
            let adds_nothing = !is_decision && event.results.is_empty();
            let found = step_now::look_up(&mut steps, self.store, &message, is_decision || adds_nothing);
            found.unwrap_or_else(|error| self.unread.note(error));
            if adds_nothing {
                // What is over is said by the line of the decision.
                steps.retain(StepNow::is_open);
            }
        }
        let deferred = event.is_deferral().then(|| (1, event.time.clone()));
        let is_decided = self.is_decided_since(&event);
        let (event, bare) = (Some(event), TrailRow::without_event(line, at_ms));
        let row = TrailRow { event, steps, deferred, is_decided, ..bare };
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

    fn is_wanted(&self, line: &[u8]) -> bool {
        let is_of_message =
            |name: &[u8]| text_after(line, name).is_some_and(|key| self.messages.contains(key));
        is_of_message(b"\"id\":\"")
            || is_of_message(b"\"key\":\"")
            || self.filter.about.as_ref().is_some_and(|about| about.is_in(line))
    }

    /// Counts an earlier try of a deferred message that has a row. Returns whether it did.
    fn count_try(&mut self, event: &LoggedEvent) -> bool {
        let Some(place) = event.same_try().and_then(|same| self.deferrals.get(&same)) else { return false };
        if let Some((tries, first)) = &mut self.rows[*place].deferred {
            *tries += 1;
            if event.time < *first {
                first.clone_from(&event.time);
            }
        }
        true
    }
}

/// The text in quotes that begins after this.
fn text_after<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l str> {
    let start = memmem::find(line, name)? + name.len();
    let end = memchr::memchr(b'"', &line[start..])?;
    std::str::from_utf8(&line[start..start + end]).ok()
}
