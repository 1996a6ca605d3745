//! ONE EXCHANGE: what this host has changed goes out, and what others have changed comes in.
//!
//! Facts are put into their groups, then all logs are read from where this host was. A process that
//! asks twice a second asks for what comes after that; for the last change that it knows it asks
//! where there is something, and in a part of the groups by turns. Not here: groups whose log does
//! not go on from there (`comparing`). Invariants: a fact leaves the queue when the newest change
//! at the time of its put was read: then no fail-over has lost it unseen. News count only together
//! with the change before them. A group with a fault holds up no other.

use super::change_log::{Continuation, NumberedChange, continuation, has_read};
use super::comparing;
use super::fact_place::{GROUPS, unpack};
use super::first_fault::FirstFault;
use super::foreign_fact::{is_ahead, is_believed};
use super::logged_change::{LoggedChange, changes};
use super::put_facts::{PutInto, put};
use super::server_fault::{accepted_of, not_ours};
use super::server_keys as keys;
use super::server_link::ServerLink;
use crate::clock;
use crate::config::SharedStore;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::store::{GroupPosition, GroupState, SharedFact, Store};
use redis::{Cmd, Value};
use std::collections::BTreeMap;

/// Facts that are put together.
const TOGETHER: usize = 10_000;
/// Changes of a group that are read together: the longest ones of all groups are no more than a
/// connection takes.
const READ: usize = 100;

/// Where reading a log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadFrom {
    /// At the last change that is known: a log that was lost is noticed, also if nothing is new.
    Last,
    /// After it, except in a part of the groups, another one at each turn: a log that was lost is
    /// noticed when something is new, or after some turns.
    AfterLast { turn: u32 },
}

/// Turns until each group was read from its last change.
const TURNS: u32 = 16;

impl ReadFrom {
    fn has_last(self, group: u32) -> bool {
        match self {
            ReadFrom::Last => true,
            ReadFrom::AfterLast { turn } => group % TURNS == turn % TURNS,
        }
    }
}

/// Exchanges everything that is new, until the deadline. Returns how many facts were shipped and
/// taken over.
pub(super) fn run(
    store: &Store,
    link: &mut ServerLink,
    shared: &SharedStore,
    from: ReadFrom,
    deadline: Deadline,
    faults: &mut FirstFault,
) -> Result<(usize, usize)> {
    let (mut shipped, mut taken, mut after) = (0, 0, String::new());
    loop {
        let facts = store.waiting_facts(&after, TOGETHER)?;
        let is_last = facts.len() < TOGETHER;
        facts.last().into_iter().for_each(|last| last.name.clone_into(&mut after));
        let put = put(link, shared, &facts, faults)?;
        let (kept, came, is_read) = read(store, link, shared, (put, from), faults)?;
        (shipped, taken) = (shipped + kept, taken + came);
        if deadline.passed() || is_last && is_read {
            break;
        }
        if is_last {
            after.clear();
        }
    }
    taken += comparing::compare_all(store, link, shared, deadline, faults)?.taken;
    Ok((shipped, taken))
}

/// What came out of logs.
#[derive(Default)]
struct LogsRead {
    news: Vec<SharedFact>,
    moved: Vec<GroupPosition>,
    /// The ranks of news that are too far ahead.
    ahead: Vec<i64>,
    /// There is more.
    has_more: bool,
}

/// Reads all logs on. What was put leaves the queue if it was read. Returns how many facts left the
/// queue and were taken over, and whether all was read.
fn read(
    store: &Store,
    link: &mut ServerLink,
    shared: &SharedStore,
    (mut put, from): (BTreeMap<u32, PutInto>, ReadFrom),
    faults: &mut FirstFault,
) -> Result<(usize, usize, bool)> {
    let mut positions = store.group_positions()?;
    positions.retain(|one| one.number < GROUPS && !one.is_behind());
    let (from_last, after_last): (Vec<_>, Vec<_>) =
        positions.into_iter().partition(|one| from.has_last(one.number) || put.contains_key(&one.number));
    let mut parts =
        ask_logs(link, shared, from_last, |one| (format!("{}-0", one.place.max(1)), None), faults)?;
    let mut news = ask_logs(link, shared, after_last, |one| (format!("{}-1", one.place), None), faults)?;
    news.retain(|(_, changes)| !changes.is_empty());
    parts.extend(with_last(link, shared, news, faults)?);
    let (mut logs, mut kept) = (LogsRead::default(), Vec::new());
    for (position, changes) in parts {
        let put = put.remove(&position.number);
        kept.extend(logs.go_on(position, &changes, put));
    }
    logs.ahead.into_iter().for_each(|rank| link.note_ahead(rank));
    let mut taken = 0;
    if !logs.moved.is_empty() {
        taken = store.merge(logs.news, logs.moved, clock::now_ms())?.taken;
    }
    let shipped = kept.len();
    store.shipped(kept)?;
    Ok((shipped, taken, !logs.has_more))
}

/// A group, and changes of its log.
type LogPart = (GroupPosition, Vec<LoggedChange>);

/// Reads logs: `range` says from which change on, and up to which.
fn ask_logs(
    link: &mut ServerLink,
    shared: &SharedStore,
    positions: Vec<GroupPosition>,
    range: impl Fn(&GroupPosition) -> (String, Option<String>),
    faults: &mut FirstFault,
) -> Result<Vec<LogPart>> {
    let asked = positions.iter().map(|position| {
        let (from, to) = range(position);
        let mut command = redis::cmd("XRANGE");
        command.arg(keys::log(&shared.name, position.number)).arg(from).arg(to.as_deref().unwrap_or("+"));
        command.arg("COUNT").arg(READ + 1);
        command
    });
    let asked: Vec<Cmd> = asked.collect();
    let answers = link.ask_each(&asked)?;
    let mut parts = Vec::new();
    for ((position, command), answer) in positions.into_iter().zip(&asked).zip(answers) {
        let log = log_of(command, answer, &keys::log(&shared.name, position.number));
        parts.extend(faults.of(log).map(|changes| (position, changes)));
    }
    Ok(parts)
}

/// News, each after the last change that was read before them, if it is there.
fn with_last(
    link: &mut ServerLink,
    shared: &SharedStore,
    news: Vec<LogPart>,
    faults: &mut FirstFault,
) -> Result<Vec<LogPart>> {
    let known = news.iter().map(|(position, _)| *position).filter(|position| position.place > 0).collect();
    let only = |one: &GroupPosition| (format!("{}-0", one.place), Some(format!("{}-0", one.place)));
    let mut last: BTreeMap<u32, Vec<LoggedChange>> = ask_logs(link, shared, known, only, faults)?
        .into_iter()
        .map(|(position, change)| (position.number, change))
        .collect();
    let after_last = news.into_iter().filter_map(|(position, changes)| {
        let before = if position.place > 0 { last.remove(&position.number)? } else { Vec::new() };
        Some((position, before.into_iter().chain(changes).collect()))
    });
    Ok(after_last.collect())
}

fn log_of(command: &Cmd, answer: Value, key: &str) -> Result<Vec<LoggedChange>> {
    changes(accepted_of(command, answer)?).map_err(|_| not_ours(key))
}

impl LogsRead {
    /// Goes on from a position by these changes. Returns what was put and read.
    fn go_on(
        &mut self,
        position: GroupPosition,
        changes: &[LoggedChange],
        put: Option<PutInto>,
    ) -> Vec<(String, crate::store::FactVersion)> {
        let numbered: Vec<NumberedChange> = changes.iter().map(LoggedChange::numbered).collect();
        let last = (position.place, position.mark);
        let Continuation::Known(known) = continuation(last, &numbered) else {
            self.moved.push(GroupPosition { state: GroupState::Behind, ..position });
            return Vec::new();
        };
        self.has_more |= changes.len() > READ;
        if let Some((place, mark)) = numbered[known..].last().copied() {
            self.moved.push(GroupPosition { place, mark, ..position });
            let facts = changes[known..].iter().filter_map(|change| unpack(&change.octets));
            for fact in facts {
                self.ahead.extend(is_ahead(&fact).then_some(fact.version.rank));
                self.news.extend(is_believed(&fact, None).then_some(fact));
            }
        }
        let put = put.filter(|put| has_read(put.newest, last, &numbered));
        put.map_or_else(Vec::new, |put| put.facts)
    }
}
