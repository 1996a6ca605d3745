//! THE SEVEN STEPS of a message, on one page: take, read, check, ask, promise, run, add.
//!
//! Not here: taking (`intake`), halts before the promise (`halt`), the wording of answers.
//! Invariant: until the promise a failure is "try again" (`on_trap` may accept); after it the
//! message is ours.

use crate::decide::{Decided, report_grounds};
use crate::halt::{Halt, HaltRecord};
use crate::message_log::{DecidedBy, MessageLine};
use crate::plan::{Plan, Verdict};
use crate::policy::{Policy, recipient_facts::RecipientFacts};
use crate::store::{OnRecord, Promise, Standing, Tally};
use crate::{deadline::Deadline, house::House, journal, mail::Mail, redelivery, release};
use std::rc::Rc;

/// What differs between a message and a failure in the mail log on the same road.
pub(crate) struct Road<'a> {
    /// It counts as a message, observing policies see it, and somebody waits for its verdict.
    pub(crate) is_message: bool,
    /// When it is decided, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// Hears the verdict once it is durable.
    pub(crate) promised: &'a dyn Fn(&Verdict),
}

/// Where the road ended.
pub(crate) enum Carried {
    /// The plan, without its bookkeeping, is on record, and what could be done now is done.
    Done(Plan),
    /// An earlier delivery was on record. The verdict is what the policy decided this time.
    Before(OnRecord, Verdict),
}

/// Takes one message down the road; returns the answer for the mail server.
pub(crate) fn deliver(
    house: &House,
    mail: &mut Mail,
    deadline: Deadline,
    promised: &dyn Fn(&Verdict),
) -> Verdict {
    let policy = house.policy();
    let message = Rc::new(house.message_facts(mail, deadline));
    let facts = Rc::new(house.recipient_facts(message, mail));
    let road = Road { is_message: true, at_ms: mail.at_ms, promised };
    let (earlier, now) = match carry(house, &policy, mail, &facts, &road) {
        Ok(Carried::Done(plan)) => return plan.verdict,
        Ok(Carried::Before(earlier, now)) => (earlier, now),
        Err(halt) => match redelivery::earlier(&house.log, &house.store, mail, deadline) {
            Some(earlier) => (earlier, Verdict::Defer(halt.reply())),
            None => {
                let (log, store, policy) = (&house.log, &*house.store, &*policy);
                return HaltRecord { log, store, policy, mail }.answer(halt);
            }
        },
    };
    redelivery::answer(&house.doors, mail, earlier, now, deadline, promised)
}

/// Steps 2 to 7, the same for messages and for failures in the mail log.
pub(crate) fn carry(
    house: &House,
    policy: &Policy,
    mail: &mut Mail,
    facts: &Rc<RecipientFacts>,
    road: &Road<'_>,
) -> Result<Carried, Halt> {
    // 2 read, 3 check, 4 ask: the facts read and check what the policy asks for.
    let (decided, mut tally) = ask(house, policy, mail, facts, road)?;
    let decided_by = DecidedBy { name: &policy.name, hash: policy.short_hash(), plan: decided.digest() };
    let mut plan = decided.plan;
    report_grounds::note(&mut plan, &facts.message);
    count(&mut plan, road, &mut tally);
    if road.is_message && has_no_effects(house, mail, facts, &plan) {
        // 5 promise and 7 add: nothing is left to do, and the line is the record.
        let line = MessageLine::new(road.at_ms, &mail.envelope, decided_by, &plan.verdict, mail.seed);
        let line = line.counting(tally).on_record(mail.key.of_record());
        house.log.record(&[line], &house.store).map_err(Halt::Store)?;
        (road.promised)(&plan.verdict);
        return Ok(Carried::Done(plan));
    }
    // 5 promise
    let (at_ms, arrived) = (road.at_ms, road.is_message);
    let promise = Promise { plan: &plan, policy: &policy.name, at_ms, tally: &tally, arrived };
    let earlier = journal::promise(&house.store, mail, &promise).map_err(Halt::Store)?;
    if earlier.standing != Standing::New {
        if arrived && plan.steps.is_empty() {
            // The first delivery may have been killed before its line was written.
            let verdict = earlier.verdict.as_ref().unwrap_or(&plan.verdict);
            let line = MessageLine::new(at_ms, &mail.envelope, decided_by, verdict, mail.seed);
            house.log.append(&line.counting(tally));
        }
        return Ok(Carried::Before(earlier, plan.verdict));
    }
    (road.promised)(&plan.verdict);
    // 6 run
    let results = journal::run(&house.doors, mail, &plan, facts.message.deadline);
    if road.is_message {
        release_author(house, mail, facts, &mut tally);
    }
    // 7 add
    if road.is_message || !plan.steps.is_empty() {
        let entry = MessageLine::new(road.at_ms, &mail.envelope, decided_by, &plan.verdict, mail.seed);
        house.log.append(&entry.counting(tally).with_results(results));
    }
    Ok(Carried::Done(plan))
}

/// Whether the message changes nothing but counters: its plan has no steps, it releases nobody, and
/// it is no redelivery of one that had steps, as far as a store shows that was asked already.
fn has_no_effects(house: &House, mail: &Mail, facts: &RecipientFacts, plan: &Plan) -> bool {
    let was_promised = || house.store.is_open() && redelivery::is_promised(&house.store, mail);
    plan.steps.is_empty() && !release::may_release(&house.store, &house.config, facts) && !was_promised()
}

/// An address that soft bounces suppressed is alive if it writes to us itself.
fn release_author(house: &House, mail: &Mail, facts: &RecipientFacts, tally: &mut Tally) {
    for notice in release::by_message(&house.store, &house.config, mail, facts) {
        tally.add("released");
        if let Some(Err(error)) =
            notice.map(|key| journal::run_one(&house.doors, &key, facts.message.deadline))
        {
            tracing::warn!(%error, "the next tick notifies the application");
        }
    }
}

/// The policy's plan. A message that it defers goes no further.
fn ask(
    house: &House,
    policy: &Policy,
    mail: &Mail,
    facts: &Rc<RecipientFacts>,
    road: &Road<'_>,
) -> Result<(Decided, Tally), Halt> {
    let mut tally = Tally::default();
    let question = house.question(mail.seed, road.at_ms, facts.message.deadline);
    let decided = question.ask(policy, facts).map_err(Halt::Undecided)?;
    if road.is_message {
        house.monitor.compare(&question, facts, policy, &decided, &house.store, &mut tally);
        if let Verdict::Defer(reply) = &decided.plan.verdict {
            return Err(Halt::Deferred(reply.clone(), tally));
        }
    }
    Ok((decided, tally))
}

/// Counts the message, and what the plan counts unconditionally.
fn count(plan: &mut Plan, road: &Road<'_>, tally: &mut Tally) {
    if road.is_message {
        tally.add("total_messages");
        if let Verdict::Reject(_) = plan.verdict {
            tally.add("rejected");
        }
    }
    plan.take_bookkeeping().iter().for_each(|name| tally.add(name));
}
