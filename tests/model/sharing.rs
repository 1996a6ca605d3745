//! A MODEL of the state that hosts share: three hosts, whose clocks differ, change and release one fact; the shared store loses
//! its newest writes in a fail-over, or everything; answers are lost on the way. Which version stands and how a log is read on
//! are carom's own functions. One host may be cut off for as long as it likes: it does nothing meanwhile.
//!
//! With one fact, a change that is put again is the same change; in carom, octets by chance tell it from the one that was lost.
//! In carom: `Change` is a trigger of `src/store/sqlite/shared_changes.sql`, `Put` is `src/shared/put_facts.lua`, `Read` and the
//! queue are `src/shared/exchange.rs`; a process that looks for news only has not read yet, or has read all. `Look` and `Fill`
//! are `src/shared/comparing.rs`. In every state it is asked what would become of it without further faults: all must end with
//! the version that beats all others ever made. Each `Sharing` but the first is a fault, and is refuted.

#[path = "../../src/shared/change_log.rs"]
#[allow(dead_code)]
mod change_log;
#[path = "../../src/store/shared_fact.rs"]
#[allow(dead_code)]
mod shared_fact;

use change_log::{Continuation, NumberedChange, continuation, has_read};
use shared_fact::{FactVersion, SharedFact};
use stateright::{Checker, HasDiscoveries, Model, Property};

const HOSTS: usize = 3;
/// How far the clock of each host is ahead.
const AHEAD: [i64; HOSTS] = [0, 50, -20];

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sharing {
    Sound,
    /// A change is forgotten as soon as the store has said that it has it.
    TrustsTheAnswer,
    /// The last change that was read is known again by its number alone.
    KnowsByNumber,
    /// A comparison that has filled the store is not repeated.
    FillsOnce,
    /// The rank of a change is the time of day.
    RanksByTime,
}

/// The fact as one knows it: its version, and whether it was removed.
type Known = Option<(FactVersion, bool)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Host {
    clock: i64,
    known: Known,
    /// Its version is not known to be in the store.
    is_queued: bool,
    /// The version that was put, and the newest change then.
    put: Option<(FactVersion, NumberedChange)>,
    place: NumberedChange,
    is_behind: bool,
    /// A comparison under way: the newest change before it, and what the store had.
    looked: Option<(NumberedChange, Known)>,
}

/// The store is the log since it was empty: what it has is what the last change says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Installation {
    hosts: [Host; HOSTS],
    log: Vec<(FactVersion, bool)>,
    greatest: Known,
    /// A change did not beat what its host had seen.
    ignored: bool,
    changes: u8,
    losses: u8,
    lost_answers: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Change(usize),
    Put(usize),
    PutUnanswered(usize),
    Read(usize),
    Look(usize),
    Fill(usize),
    /// The newest writes are lost, or all.
    FailOver(usize),
}

fn fact((version, is_gone): (FactVersion, bool)) -> SharedFact {
    SharedFact { name: "s".into(), version, content: (!is_gone).then(String::new) }
}

fn beats(new: (FactVersion, bool), known: Known) -> bool {
    fact(new).beats(known.map(|(version, _)| version))
}

fn number_of(place: usize, log: &[(FactVersion, bool)]) -> NumberedChange {
    match place {
        0 => (0, 0),
        _ => (place as u64, (log[place - 1].0.rank as u64) << 8 | u64::from(log[place - 1].0.host)),
    }
}

impl Installation {
    fn newest(&self) -> NumberedChange {
        number_of(self.log.len(), &self.log)
    }

    fn put(&mut self, new: (FactVersion, bool)) {
        if beats(new, self.log.last().copied()) {
            self.log.push(new);
        }
    }

    fn take(host: &mut Host, new: (FactVersion, bool)) {
        if beats(new, host.known) {
            (host.known, host.is_queued) = (Some(new), false);
        } else if host.known.is_some_and(|(version, _)| version > new.0) {
            host.is_queued = true;
        }
        host.clock = host.clock.max(new.0.rank);
    }

    fn change(&mut self, number: usize, rule: Sharing) {
        let now = 100 + AHEAD[number];
        let host = &mut self.hosts[number];
        let rank = if rule == Sharing::RanksByTime { now } else { now.max(host.clock + 1) };
        let new =
            (FactVersion { rank, host: number as u32 + 1 }, host.known.is_some_and(|(_, is_gone)| !is_gone));
        self.ignored |= !beats(new, host.known);
        (host.clock, host.known, host.is_queued) = (host.clock.max(rank), Some(new), true);
        if beats(new, self.greatest) {
            self.greatest = Some(new);
        }
    }

    fn read(&mut self, number: usize, rule: Sharing) {
        let (host, log) = (&mut self.hosts[number], &self.log);
        let from = (host.place.0.max(1) as usize).min(log.len() + 1);
        let mut changes: Vec<NumberedChange> =
            (from..=log.len()).map(|place| number_of(place, log)).collect();
        if rule == Sharing::KnowsByNumber
            && let Some(first) = changes.first_mut()
            && first.0 == host.place.0
        {
            first.1 = host.place.1;
        }
        let put = host.put.take();
        let Continuation::Known(known) = continuation(host.place, &changes) else {
            host.is_behind = true;
            return;
        };
        if let Some((version, newest)) = put
            && has_read(newest, host.place, &changes)
            && host.known.is_some_and(|(known, _)| known == version)
        {
            host.is_queued = false;
        }
        for (place, _) in &changes[known..] {
            Installation::take(host, log[*place as usize - 1]);
        }
        host.place = changes.last().copied().unwrap_or(host.place);
    }

    fn look(&mut self, number: usize) {
        let (newest, there) = (self.newest(), self.log.last().copied());
        let host = &mut self.hosts[number];
        host.looked = Some((newest, there));
        there.into_iter().for_each(|there| Installation::take(host, there));
    }

    fn fill(&mut self, number: usize, rule: Sharing) {
        let Some((newest, there)) = self.hosts[number].looked.take() else { return };
        let missing = self.hosts[number].known.filter(|known| there.is_none() && beats(*known, there));
        missing.into_iter().for_each(|known| self.put(known));
        if missing.is_none() || rule == Sharing::FillsOnce {
            (self.hosts[number].place, self.hosts[number].is_behind) = (newest, false);
        }
    }

    /// What becomes of it without further faults: each host exchanges, and all do so again.
    fn settled(&self, rule: Sharing) -> Installation {
        let mut state = self.clone();
        for number in (0..HOSTS).cycle().take(4 * HOSTS) {
            if state.hosts[number].is_queued
                && let Some(known) = state.hosts[number].known
            {
                state.put(known);
                state.hosts[number].put = Some((known.0, state.newest()));
            }
            if !state.hosts[number].is_behind {
                state.read(number, rule);
            }
            while state.hosts[number].is_behind {
                state.look(number);
                state.fill(number, rule);
            }
        }
        state
    }
}

/// A rule, and how much happens.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    rule: Sharing,
    changes: u8,
    losses: u8,
    lost_answers: u8,
}

impl Model for Course {
    type State = Installation;
    type Action = Step;

    fn init_states(&self) -> Vec<Installation> {
        vec![Installation {
            hosts: [Host::default(); HOSTS],
            log: Vec::new(),
            greatest: None,
            ignored: false,
            changes: self.changes,
            losses: self.losses,
            lost_answers: self.lost_answers,
        }]
    }

    fn actions(&self, state: &Installation, steps: &mut Vec<Step>) {
        for (number, host) in state.hosts.iter().enumerate() {
            if state.changes > 0 {
                steps.push(Step::Change(number));
            }
            if host.is_queued && host.put.is_none() {
                steps.push(Step::Put(number));
                if state.lost_answers > 0 {
                    steps.push(Step::PutUnanswered(number));
                }
            }
            match (host.is_behind, host.looked) {
                (false, _) => steps.push(Step::Read(number)),
                (true, None) => steps.push(Step::Look(number)),
                (true, Some(_)) => steps.push(Step::Fill(number)),
            }
        }
        if state.losses > 0 && !state.log.is_empty() {
            steps.extend((1..=state.log.len()).map(Step::FailOver));
        }
    }

    fn next_state(&self, last: &Installation, step: Step) -> Option<Installation> {
        let mut state = last.clone();
        match step {
            Step::Change(number) => {
                state.changes -= 1;
                state.change(number, self.rule);
            }
            Step::Put(number) => {
                let known = state.hosts[number].known?;
                state.put(known);
                let newest = state.newest();
                let host = &mut state.hosts[number];
                match self.rule {
                    Sharing::TrustsTheAnswer => host.is_queued = false,
                    _ => host.put = Some((known.0, newest)),
                }
            }
            Step::PutUnanswered(number) => {
                state.lost_answers -= 1;
                let known = state.hosts[number].known?;
                state.put(known);
            }
            Step::Read(number) => state.read(number, self.rule),
            Step::Look(number) => state.look(number),
            Step::Fill(number) => state.fill(number, self.rule),
            Step::FailOver(lost) => {
                state.losses -= 1;
                let kept = state.log.len() - lost;
                state.log.truncate(kept);
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Course>> {
        vec![
            Property::always("a change stands against what its host had seen", |_, state: &Installation| {
                !state.ignored
            }),
            Property::always("all end with the greatest version", |course: &Course, state: &Installation| {
                let settled = state.settled(course.rule);
                settled.hosts.iter().all(|host| host.known == state.greatest && !host.is_queued)
                    && (state.greatest.is_none() || settled.log.last().copied() == state.greatest)
            }),
        ]
    }
}

/// The properties that a rule breaks.
#[must_use]
pub fn refuted(rule: Sharing, [changes, losses, lost_answers]: [u8; 3]) -> Vec<&'static str> {
    let course = Course { rule, changes, losses, lost_answers };
    let checker = course.checker().finish_when(HasDiscoveries::All).spawn_bfs().join();
    let broken = checker.discoveries().into_keys().collect();
    println!("{course:?}: {} states, broken: {broken:?}", checker.unique_state_count());
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_hosts_end_with_the_same_state_in_any_interleaving() {
        for course in [[3, 0, 0], [2, 1, 1], [1, 2, 0]] {
            assert!(refuted(Sharing::Sound, course).is_empty(), "{course:?}");
        }
    }

    #[test]
    fn each_fault_of_sharing_is_found() {
        let lost = "all end with the greatest version";
        for (rule, course, broken) in [
            (Sharing::TrustsTheAnswer, [1, 1, 0], lost),
            (Sharing::KnowsByNumber, [2, 1, 0], lost),
            (Sharing::FillsOnce, [1, 2, 0], lost),
            (Sharing::RanksByTime, [2, 0, 0], "a change stands against what its host had seen"),
        ] {
            assert!(refuted(rule, course).contains(&broken), "{rule:?}: {broken}");
        }
    }
}
