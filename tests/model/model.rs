//! A MODEL of journal, lease and settle, small enough to read: one message with two steps, two deliveries by the mail server
//! (the second may begin while the first still runs) and one tick, with kills, hangs and a store that is locked for a while.
//!
//! `cargo test` tries every interleaving (`make test` runs it). In carom: promise and claim are `src/journal/mod.rs` and
//! `src/store/sqlite/promise_rows.rs`, `step_rows.rs`; settle and spill are `settling.rs` and `unsettled_steps.rs`; who is dead,
//! `holder.rs`. Each action here is one transaction, one effect or one exit there. Each `Rule` but the first is a fault that
//! carom had or could have, and is refuted.

pub mod sharing;

use stateright::{Checker, HasDiscoveries, Model, Property};

const STEPS: usize = 2;
/// The mail server's deliveries, then the tick.
const PROCESSES: usize = 3;
const TICK: usize = 2;

/// How carom works, or what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    Sound,
    /// The mail server hears "done" before the promise.
    AnswersBeforeThePromise,
    /// What cannot be settled because the store is locked is forgotten.
    ForgetsASettle,
    /// Whoever claims steps does not read how steps ended that wait in files.
    IgnoresTheSpill,
    /// A step is claimed though its owner lives.
    TakesFromTheLiving,
    /// The lease of a dead process is never void.
    WaitsForTheDead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    /// Not running.
    Idle,
    /// It has a message and has promised nothing.
    Asked,
    /// It does the steps that are leased to it. The bits are steps that are done and not on record.
    Working { unsettled: u8 },
    /// It does nothing any more, and its deadline has not ended it yet.
    Hung,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The process whose step it is, and whether that still runs.
    owner: Option<(usize, bool)>,
    on_record: bool,
    /// A file has its end, for the store.
    spilled: bool,
    effects: u8,
    /// Processes that died between the effect and its record.
    deaths: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    with_mail_server: bool,
    promised: bool,
    steps: [Step; STEPS],
    processes: [Process; PROCESSES],
    locked: bool,
    /// What may still go wrong.
    locks: u8,
    kills: u8,
    repeated_on_record: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Start(usize),
    Promise(usize),
    Defer(usize),
    Do(usize, usize),
    Settle(usize),
    Spill(usize),
    Exit(usize),
    Kill(usize),
    Hang(usize),
    LeaseEnds(usize),
    Lock,
    Unlock,
}

impl State {
    /// Steps that a process could claim.
    fn claimable(&self, rule: Rule) -> impl Iterator<Item = usize> {
        let steps = self.steps;
        (0..STEPS).filter(move |step| {
            let Step { owner, on_record, spilled, .. } = steps[*step];
            let is_free = match owner {
                None => true,
                Some((_, true)) => rule == Rule::TakesFromTheLiving,
                Some((_, false)) => rule != Rule::WaitsForTheDead,
            };
            is_free && !on_record && !(spilled && rule != Rule::IgnoresTheSpill)
        })
    }

    /// Which of these steps have their end in memory only.
    fn only_here(&self, unsettled: u8) -> u8 {
        let elsewhere = |step: &Step| u8::from(step.spilled || step.on_record);
        let known = self.steps.iter().enumerate().map(|(number, step)| elsewhere(step) << number).sum::<u8>();
        unsettled & !known
    }

    fn owns(&self, process: usize, step: usize) -> bool {
        self.steps[step].owner == Some((process, true))
    }

    /// Takes in the spill and claims what can be claimed, in one transaction.
    fn claim(&mut self, process: usize, rule: Rule) {
        if rule != Rule::IgnoresTheSpill {
            self.steps.iter_mut().filter(|step| step.spilled).for_each(Step::put_on_record);
        }
        for step in self.claimable(rule).collect::<Vec<_>>() {
            self.steps[step].owner = Some((process, true));
        }
        self.processes[process] = Process::Working { unsettled: 0 };
    }

    /// The process ends without another word.
    fn die(&mut self, process: usize, gone: bool) {
        let unsettled = match self.processes[process] {
            Process::Working { unsettled } => self.only_here(unsettled),
            _ => 0,
        };
        for (number, step) in self.steps.iter_mut().enumerate() {
            step.deaths += (unsettled >> number) & 1;
            if gone && step.owner == Some((process, true)) {
                step.owner = Some((process, false));
            }
        }
        self.processes[process] = if gone { Process::Idle } else { Process::Hung };
    }
}

impl Step {
    fn put_on_record(&mut self) {
        (self.on_record, self.spilled, self.owner) = (true, false, None);
    }
}

impl Model for Rule {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let step = Step { owner: None, on_record: false, spilled: false, effects: 0, deaths: 0 };
        let (steps, processes) = ([step; STEPS], [Process::Idle; PROCESSES]);
        let (with_mail_server, promised, locked, locks, kills) = (true, false, false, 1, 2);
        let repeated_on_record = false;
        vec![State { with_mail_server, promised, steps, processes, locked, locks, kills, repeated_on_record }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for process in 0..PROCESSES {
            let may_start = match process {
                TICK => state.promised && !state.locked && state.has_work(*self),
                _ => state.with_mail_server,
            };
            match state.processes[process] {
                Process::Idle if may_start => actions.push(Action::Start(process)),
                Process::Idle => {}
                Process::Asked if state.locked => actions.push(Action::Defer(process)),
                Process::Asked => actions.push(Action::Promise(process)),
                Process::Working { unsettled } => {
                    let to_do = |step: &usize| state.owns(process, *step) && unsettled >> step & 1 == 0;
                    actions.extend((0..STEPS).filter(to_do).map(|step| Action::Do(process, step)));
                    actions.push(match (state.only_here(unsettled), state.locked) {
                        (0, _) => Action::Exit(process),
                        (_, true) => Action::Spill(process),
                        (_, false) => Action::Settle(process),
                    });
                }
                Process::Hung => actions.push(Action::LeaseEnds(process)),
            }
            let runs = !matches!(state.processes[process], Process::Idle | Process::Hung);
            if state.kills > 0 && runs {
                actions.extend([Action::Kill(process), Action::Hang(process)]);
            }
        }
        match state.locked {
            true => actions.push(Action::Unlock),
            false if state.locks > 0 => actions.push(Action::Lock),
            false => {}
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = *last;
        match action {
            Action::Start(TICK) => state.claim(TICK, *self),
            Action::Start(process) => {
                state.processes[process] = Process::Asked;
                state.with_mail_server = *self != Rule::AnswersBeforeThePromise;
            }
            // A promise leases its steps to its process; a redelivery claims what the dead have left.
            Action::Promise(process) => {
                state.promised = true;
                state.claim(process, *self);
            }
            Action::Defer(process) => state.processes[process] = Process::Idle,
            Action::Do(process, number) => {
                let step = &mut state.steps[number];
                state.repeated_on_record |= step.on_record || step.spilled;
                step.effects += 1;
                if let Process::Working { unsettled } = &mut state.processes[process] {
                    *unsettled |= 1 << number;
                }
            }
            Action::Settle(process) | Action::Spill(process) => {
                let Process::Working { unsettled } = state.processes[process] else { return None };
                for (number, step) in state.steps.iter_mut().enumerate() {
                    match unsettled >> number & 1 {
                        0 => {}
                        _ if matches!(action, Action::Settle(_)) => step.put_on_record(),
                        _ => step.spilled = *self != Rule::ForgetsASettle,
                    }
                }
                if *self == Rule::ForgetsASettle && state.locked {
                    state.leave(process);
                }
            }
            // Its deadline has passed, or nothing is left to do: what is left is for the next tick.
            Action::Exit(process) => {
                state.leave(process);
                state.with_mail_server &= process == TICK;
            }
            Action::Kill(process) => {
                state.kills -= 1;
                state.die(process, true);
            }
            Action::Hang(process) => {
                state.kills -= 1;
                state.die(process, false);
            }
            // The deadline is shorter than the lease: the hung process does nothing after it.
            Action::LeaseEnds(process) => state.die(process, true),
            Action::Lock => (state.locked, state.locks) = (true, state.locks - 1),
            Action::Unlock => state.locked = false,
        }
        Some(state)
    }

    /// A fault may repeat a step without end; twice says enough.
    fn within_boundary(&self, state: &State) -> bool {
        state.steps.iter().all(|step| step.effects <= 2 + step.deaths)
    }

    fn properties(&self) -> Vec<Property<Rule>> {
        vec![
            Property::always("nothing is lost", |_, state: &State| state.with_mail_server || state.promised),
            Property::always("what is on record is not repeated", |_, state: &State| {
                !state.repeated_on_record
            }),
            Property::always("only a death before the record repeats an effect", |_, state: &State| {
                state.steps.iter().all(|step| step.effects <= 1 + step.deaths)
            }),
            Property::eventually("all is done", |_, state: &State| {
                state.steps.iter().all(|step| step.on_record && step.effects > 0)
            }),
        ]
    }
}

impl State {
    /// Whether a tick finds something.
    fn has_work(&self, rule: Rule) -> bool {
        self.claimable(rule).next().is_some() || self.steps.iter().any(|step| step.spilled)
    }

    fn leave(&mut self, process: usize) {
        for step in self.steps.iter_mut().filter(|step| step.owner == Some((process, true))) {
            step.owner = None;
        }
        self.processes[process] = Process::Idle;
    }
}

/// The properties that a rule breaks.
#[must_use]
pub fn refuted(rule: Rule) -> Vec<&'static str> {
    let checker = rule.checker().finish_when(HasDiscoveries::All).spawn_bfs().join();
    let broken = checker.discoveries().into_keys().collect();
    println!("{rule:?}: {} states, broken: {broken:?}", checker.unique_state_count());
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_nothing_on_record_is_repeated_in_any_interleaving() {
        assert!(refuted(Rule::Sound).is_empty());
    }

    #[test]
    fn each_fault_is_found() {
        for (rule, broken) in [
            (Rule::AnswersBeforeThePromise, "nothing is lost"),
            (Rule::ForgetsASettle, "only a death before the record repeats an effect"),
            (Rule::IgnoresTheSpill, "what is on record is not repeated"),
            (Rule::TakesFromTheLiving, "only a death before the record repeats an effect"),
            (Rule::WaitsForTheDead, "all is done"),
        ] {
            assert!(refuted(rule).contains(&broken), "{rule:?}: {broken}");
        }
    }
}
