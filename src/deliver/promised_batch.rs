//! Messages that come together, from the promise to their line in the message log.
//!
//! Not here: the order of the steps (`deliver`), and doing them (`journal`). Invariant: what one
//! message comes to changes nothing for the others.

use super::{Asked, Carried, DecidedPlan, Outcome};
use crate::archive::UNMATCHED_TEXT;
use crate::deadline::watchdog::LastLine;
use crate::error::Error;
use crate::halt::{Halt, Halted};
use crate::house::House;
use crate::journal::{self, RunEnd, StepsDone, Underway};
use crate::mail::Mail;
use crate::message_log::{DecidedBy, LaterLine, MessageLine};
use crate::plan::{Action, Verdict};
use crate::policy::{Policy, recipient_facts::RecipientFacts};
use crate::smtp_reply::SmtpReply;
use crate::store::{DueSteps, Ended, OnRecord, Promise, PromisedLine, Standing, Tally};
use crate::{redelivery, release};
use std::rc::Rc;

/// What became of a message at the promise.
pub(super) enum Fate {
    /// Its line in the message log is its record: nothing is left to do.
    Recorded,
    /// Its plan is on record.
    Promised,
    /// An earlier delivery was on record. What can be done now of its steps, and whether the
    /// message is needed no more for the others.
    Before(Option<Box<DueSteps>>, bool),
    /// Nothing is promised.
    Halted,
}

/// A message of a batch.
pub(super) struct Destined {
    mail: Mail,
    facts: Rc<RecipientFacts>,
    decided: Option<DecidedPlan>,
    pub(super) verdict: Verdict,
    pub(super) fate: Fate,
    /// What was counted for it, besides its steps.
    counted: Tally,
    /// The copy that is kept of it, if nothing else follows from it.
    kept: Vec<Ended>,
    /// What the line of an earlier delivery says, if that was on record.
    line_before: PromisedLine,
    /// It could not be written down.
    fault: bool,
}

pub(super) struct PromisedBatch<'a> {
    policy: &'a Policy,
    pub(super) messages: Vec<Destined>,
}

impl Destined {
    /// The steps that are to be done now; `None`: there are none.
    pub(super) fn underway(&self) -> Option<Underway<'_>> {
        match (&self.fate, &self.decided) {
            (Fate::Promised, Some(DecidedPlan { plan, .. })) if !plan.steps.is_empty() => {
                Some(Underway::promised(&self.mail, plan))
            }
            (Fate::Before(due, _), _) => due.as_deref().map(Underway::claimed),
            _ => None,
        }
    }

    /// Whether its source is needed no more, if no step is to be done now.
    pub(super) fn is_on_record(&self) -> bool {
        !matches!(self.fate, Fate::Before(_, false))
    }

    /// Whether it changes nothing but counters: its plan has no steps, it releases nobody, and it
    /// is no redelivery of one that had steps, as far as a store shows that was asked already.
    fn has_no_effects(&self, house: &House) -> bool {
        let was_promised = || house.store.is_open() && redelivery::is_promised(&house.store, &self.mail);
        self.is_without_steps()
            && !release::may_release(&house.store, &house.config, &self.facts)
            && !was_promised()
    }

    fn is_without_steps(&self) -> bool {
        self.decided.as_ref().is_some_and(|decided| decided.plan.steps.is_empty())
    }

    /// What is to be promised about it.
    fn promise<'p>(&'p self, policy: &'p str) -> Option<(&'p Mail, Promise<'p>)> {
        let DecidedPlan { plan, tally, addresses, .. } = self.decided.as_ref()?;
        let at_ms = self.mail.at_ms;
        let about = self.facts.message.reported_on();
        Some((&self.mail, Promise { plan, policy, at_ms, tally, about, addresses }))
    }

    /// Its line in the message log with this verdict.
    fn line<'l>(&'l self, policy: &'l Policy, verdict: &'l Verdict) -> Option<MessageLine<'l>> {
        let DecidedPlan { plan, digest, tally, reason, unproven, addresses } = self.decided.as_ref()?;
        let line = MessageLine::of_mail(&self.mail, DecidedBy::of(policy, digest.clone()), verdict);
        let is_unmatched = || plan.steps.iter().any(|step| matches!(step.action, Action::KeepUnmatched(_)));
        let matches_nobody = || (unproven.is_none() && is_unmatched()).then(|| UNMATCHED_TEXT.to_owned());
        let line = line.because(reason.clone().or_else(matches_nobody));
        let line = line.without_effect(unproven.as_ref().map(|one| one.reason));
        let line =
            line.expecting(plan.expect.clone()).named(self.mail.message_id()).of_file(self.mail.file_name());
        let line = line.about(self.facts.message.reported_on().map(str::to_owned)).naming(addresses);
        Some(line.counting(tally.clone()).with_results(self.kept.clone()))
    }

    /// The line of another delivery of a message that is on record.
    fn line_again<'l>(&'l self, ended: &'l [Ended]) -> LaterLine<'l> {
        let done = StepsDone { mail: &self.mail, ended };
        LaterLine::redelivery(done, &self.verdict, &self.line_before)
    }

    /// An answer without a decision; `None`: an earlier delivery has one.
    fn halt(&mut self, house: &House, policy: &Policy, halt: Halt) -> Option<Halted> {
        let deadline = self.facts.message.deadline;
        match redelivery::earlier(&house.log, &house.store, &self.mail, deadline) {
            Some(earlier) => {
                self.was_before(house, earlier, Verdict::Defer(halt.reply()));
                None
            }
            None => Some(Halted::new(policy, &self.mail, halt)),
        }
    }

    fn is_decided(&mut self, house: &House, policy: &Policy, decided: DecidedPlan) {
        self.verdict = decided.plan.verdict.clone();
        self.decided = Some(decided);
        self.fate = if self.has_no_effects(house) { Fate::Recorded } else { Fate::Promised };
        self.keep(house, policy);
    }

    /// What was accepted without an effect is kept before it is on record.
    fn keep(&mut self, house: &House, policy: &Policy) {
        let decided = self.decided.as_ref();
        let unproven = decided.and_then(|one| Some((one.unproven.as_ref()?, one.plan.steps.len())));
        match unproven.map_or(Ok(Vec::new()), |(unproven, steps)| unproven.keep(house, &self.mail, steps)) {
            Ok(kept) => self.kept = kept,
            Err(error) => {
                self.fate = Fate::Halted;
                self.failed(house, policy, &error);
            }
        }
    }

    /// It could not be written down.
    fn failed(&mut self, house: &House, policy: &Policy, error: &Error) {
        let (reply, deadline) = (SmtpReply::try_again_later(error), self.facts.message.deadline);
        self.decided = None;
        match redelivery::earlier(&house.log, &house.store, &self.mail, deadline) {
            Some(earlier) => self.was_before(house, earlier, Verdict::Defer(reply)),
            None => {
                self.fault = true;
                house.log.append(&[Halted::by_fault(error).line(policy, &self.mail)]);
                self.verdict = Verdict::Defer(reply);
            }
        }
    }

    /// An earlier delivery was on record.
    fn was_before(&mut self, house: &House, earlier: OnRecord, now: Verdict) {
        let due = redelivery::resume(&house.doors, &self.mail, &earlier);
        let released = due.is_some() || redelivery::needs_no_source(&house.store, &self.mail, &earlier);
        self.verdict = earlier.verdict.unwrap_or(now);
        // An earlier build has promised no line. What the message is about, it says itself.
        self.line_before = earlier.line.unwrap_or_else(|| {
            let about = self.facts.message.reported_on().map(str::to_owned);
            PromisedLine { about, ..PromisedLine::default() }
        });
        self.fate = Fate::Before(due.map(Box::new), released);
    }
}

impl<'a> PromisedBatch<'a> {
    /// 5 promise: what was decided is on record when it returns, with one write to the message log
    /// for what is done with that, and one transaction for the rest.
    pub(super) fn promise(house: &House, policy: &'a Policy, asked: Vec<Asked>) -> PromisedBatch<'a> {
        let mut halted = Vec::new();
        let mut messages = Vec::with_capacity(asked.len());
        for (index, Asked { mail, facts, outcome }) in asked.into_iter().enumerate() {
            let (decided, verdict, fate) = (None, Verdict::Accept, Fate::Halted);
            let (counted, kept, fault) = (Tally::default(), Vec::new(), false);
            let line_before = PromisedLine::default();
            let mut one = Destined { mail, facts, decided, verdict, fate, counted, kept, line_before, fault };
            match (house.log.verdict_of(one.mail.key.text()), outcome) {
                (Some(verdict), _) => (one.verdict, one.fate) = (verdict, Fate::Before(None, true)),
                (None, Outcome::Before(earlier)) => one.was_before(house, earlier, Verdict::Accept),
                (None, Outcome::Halted(halt)) => match one.halt(house, policy, halt) {
                    Some(accepted) if accepted.verdict == Verdict::Accept => {
                        let decided = DecidedPlan::of_failure(accepted, &one.facts);
                        one.is_decided(house, policy, decided);
                    }
                    Some(deferred) => halted.push((index, deferred)),
                    None => {}
                },
                (None, Outcome::Decided(decided)) => one.is_decided(house, policy, decided),
            }
            messages.push(one);
        }
        let mut batch = PromisedBatch { policy, messages };
        batch.record(house, halted);
        batch.write_down(house);
        batch
    }

    /// Records what needs no promise.
    fn record(&mut self, house: &House, halted: Vec<(usize, Halted)>) {
        let policy = self.policy;
        let recorded = self.messages.iter().filter(|one| matches!(one.fate, Fate::Recorded));
        let recorded = recorded.filter_map(|one| Some((one, one.line(policy, &one.verdict)?)));
        let recorded = recorded.map(|(one, line)| line.on_record(one.mail.key.text().to_owned()));
        let halts = halted.iter().map(|(index, one)| one.line(policy, &self.messages[*index].mail));
        let lines: Vec<MessageLine<'_>> = recorded.chain(halts).collect();
        let many = lines.len() - halted.len();
        let unrecorded = house.log.record(&lines, &house.store).err();
        let failed = |line: usize| unrecorded.as_ref().filter(|one| line >= one.from).map(|one| &one.error);
        for (number, (index, halted)) in halted.into_iter().enumerate() {
            let one = &mut self.messages[index];
            match failed(many + number) {
                Some(error) => {
                    one.fault = true;
                    one.verdict = halted.unrecorded(error);
                }
                None => (one.verdict, one.counted) = (halted.verdict, halted.tally),
            }
        }
        let recorded = self.messages.iter_mut().filter(|one| matches!(one.fate, Fate::Recorded));
        for (number, one) in recorded.enumerate() {
            match (failed(number), &one.decided) {
                (Some(error), _) => {
                    one.fate = Fate::Halted;
                    one.failed(house, policy, error);
                }
                (None, Some(decided)) => one.counted = decided.tally.clone(),
                (None, None) => {}
            }
        }
    }

    /// Promises the rest.
    fn write_down(&mut self, house: &House) {
        let policy = self.policy;
        let mut promised: Vec<&mut Destined> =
            self.messages.iter_mut().filter(|one| matches!(one.fate, Fate::Promised)).collect();
        let promises: Vec<_> = promised.iter().filter_map(|one| one.promise(&policy.name)).collect();
        let found = journal::promise_all(&house.store, &promises);
        drop(promises);
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                for one in promised {
                    one.fate = Fate::Halted;
                    one.failed(house, policy, &error);
                }
                return;
            }
        };
        for (one, found) in promised.iter_mut().zip(found) {
            if found.standing != Standing::New {
                let now = one.verdict.clone();
                one.was_before(house, found, now);
            } else if let (Some(decided), Some(counted)) = (&mut one.decided, found.counted) {
                decided.tally = counted;
            }
        }
    }

    /// The line of a promised message, if the process ends before its steps do.
    pub(super) fn last_line(&self, house: &House, one: &Destined) -> Option<LastLine> {
        let decided = one.decided.as_ref().filter(|_| one.underway().is_some())?;
        let line = one.line(self.policy, &one.verdict)?.counting(decided.tally.clone());
        let why = "ended before its steps; the tick does the rest".to_owned();
        house.log.last_line(&line.of_message(one.mail.key.text()).because(Some(why)))
    }

    /// 7 add: the lines in the message log, and what else follows from messages that have come to
    /// their end.
    pub(super) fn add(&self, house: &House, ends: Vec<RunEnd>) -> Vec<Carried> {
        let (mut lines, mut again) = (Vec::new(), Vec::new());
        let mut carried = Vec::with_capacity(ends.len());
        for RunEnd { index, ended, on_record } in ends {
            let one = &self.messages[index];
            let mut all_counted = one.counted.clone();
            ended.iter().for_each(|end| all_counted.add_all(&end.done.tally));
            match (&one.fate, &one.decided) {
                (Fate::Promised, Some(decided)) => {
                    let released = release_author(house, one);
                    let line = one.line(self.policy, &one.verdict);
                    let mut counted = decided.tally.clone();
                    counted.add_many("released", released);
                    all_counted.add_all(&counted);
                    lines.extend(line.map(|line| {
                        let results = [&one.kept[..], &ended[..]].concat();
                        line.counting(counted).with_results(results).of_message(one.mail.key.text())
                    }));
                }
                (Fate::Before(..), _) => again.push((one, ended)),
                _ => {}
            }
            let (verdict, counted, fault) = (one.verdict.clone(), all_counted, one.fault);
            carried.push(Carried { index, verdict, on_record, counted, fault });
        }
        house.log.append(&lines);
        let line = again.iter().map(|(one, ended)| one.line_again(ended));
        house.log.append_later(&line.collect::<Vec<_>>());
        carried
    }
}

/// An address that soft bounces suppressed is alive if it writes to us itself. Returns how many
/// entries left the list.
fn release_author(house: &House, one: &Destined) -> u64 {
    let notices = release::by_message(&house.store, &house.config, &one.mail, &one.facts);
    let released = notices.len() as u64;
    for key in notices.into_iter().flatten() {
        let deadline = one.facts.message.deadline;
        if let Err(error) =
            journal::run_one(&house.doors, &key, deadline, &|done| house.log.append_steps(done))
        {
            tracing::warn!(%error, "the next tick notifies the application");
        }
    }
    released
}
