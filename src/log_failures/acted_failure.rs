//! Acting on failures that are decided: all that changes nothing but the store is done in one
//! transaction, and what leaves the process is promised in it.
//!
//! Not here: deciding (`decided_failure`) and doing what was promised (`outside`). Invariant: a
//! failure whose key is on record changes nothing.

use super::decided_failure::DecidedFailure;
use super::watermark::Watermark;
use crate::action;
use crate::clock;
use crate::config::Config;
use crate::error::Result;
use crate::house::House;
use crate::journal::{LEASE_MS, Underway};
use crate::message_log::MessageLine;
use crate::plan::StepEnd;
use crate::policy::Policy;
use crate::store::{Begun, Ended, StepState, Tally, Transaction};
use std::sync::Arc;

/// A failure that was new, and what was done about it.
pub(super) struct ActedFailure {
    pub(super) failure: DecidedFailure,
    /// The steps that were done.
    pub(super) results: Vec<Ended>,
    /// The steps that can be done now, and leave the process.
    pub(super) ready: Vec<usize>,
    /// The line of the message log without those steps, as it was noted.
    pub(super) noted: String,
}

impl ActedFailure {
    pub(super) fn key(&self) -> &str {
        self.failure.mail.key.text()
    }

    /// What is left to do.
    pub(super) fn underway(&self) -> Underway<'_> {
        Underway::begun(&self.failure.mail, &self.failure.plan, self.ready.clone())
    }

    /// The line of the message log; `more` are the steps that were done since.
    pub(super) fn line<'a>(&'a self, policy: (&'a str, &'a str), more: Vec<Ended>) -> MessageLine<'a> {
        let DecidedFailure { mail, plan, counted, .. } = &self.failure;
        let decided_by = self.failure.decided_by(policy);
        let line = MessageLine::new(clock::now_ms(), &mail.envelope, decided_by, &plan.verdict, mail.seed);
        let results = [&self.results[..], &more].concat();
        let line = line.counting(counted.clone()).with_results(results).of_message(self.key());
        line.named(self.failure.message_id.clone()).of_log_failure()
    }
}

/// Acts on these failures, and notes their lines of the message log; those up to the batch
/// `written` are there. Returns those that were not on record and have steps, and the number of
/// the batch.
pub(super) fn act_together(
    house: &House,
    policy: &Policy,
    failures: Vec<DecidedFailure>,
    watermark: &Watermark,
    written: u64,
) -> Result<(Vec<ActedFailure>, u64)> {
    let (config, watermark) = (house.config.clone(), watermark.clone());
    let (policy, hash) = (policy.name.clone(), policy.short_hash().to_owned());
    house.store.transaction(move |store| {
        let (now_ms, counted) = (clock::now_ms(), Tally::default());
        let mut batch = Batch { store, config, policy, hash, now_ms, counted };
        let mut acted = Vec::with_capacity(failures.len());
        for failure in failures {
            acted.extend(batch.act(failure)?);
        }
        store.count(&batch.counted, batch.now_ms)?;
        let number = watermark.advance(store)?;
        let lines: String = acted.iter().flat_map(|one| [one.noted.as_str(), "\n"]).collect();
        store.note_lines(number, &lines, written)?;
        Ok((acted, number))
    })
}

struct Batch<'t> {
    store: &'t Transaction<'t>,
    config: Arc<Config>,
    policy: Arc<str>,
    /// The first digits of the SHA-256 of its component.
    hash: String,
    now_ms: i64,
    counted: Tally,
}

impl Batch<'_> {
    /// `None`: it is on record already, or nothing but counting was to be done.
    fn act(&mut self, failure: DecidedFailure) -> Result<Option<ActedFailure>> {
        let key = failure.mail.key.text();
        if self.store.is_on_record(key)? {
            return Ok(None);
        }
        if failure.plan.steps.is_empty() {
            self.counted.add_all(&failure.counted);
            self.store.put_finished(key, self.now_ms)?;
            return Ok(None);
        }
        for (address, at_ms) in &failure.reached {
            self.store.forgive(address, *at_ms)?;
        }
        let (steps, results) = self.run(&failure)?;
        let DecidedFailure { mail, plan, .. } = &failure;
        let begun = Begun {
            key,
            policy: &self.policy,
            seed: mail.seed,
            envelope: &mail.envelope,
            plan,
            steps: &steps,
            at_ms: self.now_ms,
        };
        let counted = self.store.counted_once(&begun, &failure.counted)?;
        self.counted.add_all(&counted);
        self.store.put_begun(&begun, LEASE_MS)?;
        let is_ready =
            |(number, step): (usize, &StepState)| matches!(step, StepState::Ready).then_some(number);
        let ready = steps.iter().enumerate().filter_map(is_ready).collect();
        let failure = DecidedFailure { counted, ..failure };
        let mut acted = ActedFailure { failure, results, ready, noted: String::new() };
        acted.noted = acted.line((&self.policy, &self.hash), Vec::new()).json();
        Ok(Some(acted))
    }

    /// Does the steps that change nothing but the store, and finds out what becomes of the others.
    fn run(&mut self, failure: &DecidedFailure) -> Result<(Vec<StepState>, Vec<Ended>)> {
        let DecidedFailure { mail, plan, .. } = failure;
        let (mut states, mut results) = (Vec::with_capacity(plan.steps.len()), Vec::new());
        for (number, step) in plan.steps.iter().enumerate() {
            let starts = match step.after {
                None => Start::Now,
                Some((earlier, condition)) => match &states[earlier] {
                    StepState::Ended(done) if condition.is_met(done.end == StepEnd::Succeeded) => Start::Now,
                    StepState::Ended(_) | StepState::Skipped => Start::Never,
                    StepState::Ready | StepState::Waiting => Start::Later,
                },
            };
            states.push(match starts {
                Start::Never => StepState::Skipped,
                Start::Now if step.delay == 0 => {
                    let (key, at_ms) = (mail.key.text(), mail.at_ms);
                    match action::perform_within(self.store, &step.action, &self.config, key, at_ms)? {
                        None => StepState::Ready,
                        Some(done) => {
                            self.counted.add_all(&done.tally);
                            results.push(Ended {
                                step: number,
                                action: step.action.name().into(),
                                done: done.clone(),
                            });
                            StepState::Ended(done)
                        }
                    }
                }
                Start::Now | Start::Later => StepState::Waiting,
            });
        }
        Ok((states, results))
    }
}

/// When a step starts.
enum Start {
    Now,
    Later,
    Never,
}
