//! THE SEVEN STEPS of messages, on one page: take, read, check, ask, promise, run, add.
//!
//! Messages that come together go together: each is asked about alone, but they are promised in one
//! transaction, their steps are done side by side, and settled together. A message from a pipe is a
//! batch of one. Not here: taking (`intake`), halts before the promise (`halt`), the wording of
//! answers. Invariant: until the promise a failure is "try again" (`on_trap` may accept); after it
//! the message is ours.

mod promised_batch;
mod unproven_message;

use crate::deadline::Deadline;
use crate::deadline::stopping::InHand;
use crate::deadline::watchdog::LastLine;
use crate::decide::{Decided, report_grounds};
use crate::halt::{Halt, Halted};
use crate::house::House;
use crate::journal::{self, RunEnd};
use crate::mail::Mail;
use crate::plan::{Action, Plan, Unproven, Verdict};
use crate::policy::earlier_deferrals::ASKED;
use crate::policy::{Policy, message_facts::MessageFacts, recipient_facts::RecipientFacts};
use crate::store::{OnRecord, Tally};
use promised_batch::{Fate, PromisedBatch};
use std::rc::Rc;
use unproven_message::UnprovenMessage;

/// Makes the line of a message for the case that its process is ended.
pub(crate) type LastLineOf<'a> = &'a dyn Fn() -> Option<LastLine>;

/// Hears each verdict once it is durable, with the place of the message in the batch.
pub(crate) type OnPromised<'a> = &'a dyn Fn(usize, &Verdict, LastLineOf<'_>);

/// A message on the road, after the policy was asked about it.
pub(crate) struct Asked {
    mail: Mail,
    facts: Rc<RecipientFacts>,
    pub(crate) outcome: Outcome,
}

/// What came of asking.
pub(crate) enum Outcome {
    Decided(DecidedPlan),
    Halted(Halt),
    /// An earlier delivery is on record: the policy was not asked.
    Before(OnRecord),
}

/// What the policy decided, without its bookkeeping, and what that counts for.
pub(crate) struct DecidedPlan {
    pub(crate) plan: Plan,
    digest: String,
    tally: Tally,
    /// Why the verdict is this one, if that is not the policy's decision.
    reason: Option<String>,
    unproven: Option<UnprovenMessage>,
    /// Addresses that the message is about, if no step of it names them.
    addresses: Vec<String>,
}

/// The end of the road for one message.
pub(crate) struct Carried {
    /// Its place in the batch.
    pub(crate) index: usize,
    /// The answer for the mail server.
    pub(crate) verdict: Verdict,
    /// Everything is on record: its source is needed no more.
    pub(crate) on_record: bool,
    /// What was counted for it.
    pub(crate) counted: Tally,
    /// It is deferred because a part of carom failed, not by the policy.
    pub(crate) fault: bool,
}

/// Takes one message down the road; returns the answer for the mail server.
pub(crate) fn deliver(
    house: &House,
    mail: Mail,
    deadline: Deadline,
    promised: &dyn Fn(&Verdict, LastLineOf<'_>),
) -> Verdict {
    let policy = house.policy();
    let asked = ask_about(house, &policy, mail, deadline);
    let mut verdict = Verdict::default();
    let promised = |_, verdict: &Verdict, last_line: LastLineOf<'_>| promised(verdict, last_line);
    carry(house, &policy, vec![asked], &promised, deadline, &mut |carried| verdict = carried.verdict);
    verdict
}

/// 2 read, 3 check, 4 ask: what becomes of a message.
pub(crate) fn ask_about(house: &House, policy: &Policy, mail: Mail, deadline: Deadline) -> Asked {
    let message = Rc::new(house.message_facts(&mail, deadline));
    ask(house, policy, mail, message, deadline)
}

/// The same for the recipients of one message: each is asked about alone, and what the message says
/// and proves is found out once.
pub(crate) fn ask_about_each(
    house: &House,
    policy: &Policy,
    mails: Vec<Mail>,
    deadline: Deadline,
) -> Vec<Asked> {
    let Some(first) = mails.first() else { return Vec::new() };
    let message = Rc::new(house.message_facts(first, deadline));
    mails.into_iter().map(|mail| ask(house, policy, mail, message.clone(), deadline)).collect()
}

fn ask(house: &House, policy: &Policy, mail: Mail, message: Rc<MessageFacts>, deadline: Deadline) -> Asked {
    let facts = Rc::new(house.recipient_facts(message, &mail));
    let mut tally = Tally::default();
    if let Err(error) = house.config.refuse_real_bounce(&policy.name, &mail.envelope.recipient) {
        return Asked { mail, facts, outcome: Outcome::Halted(Halt::Misdirected(error)) };
    }
    let question = house.question(mail.seed, mail.at_ms, deadline);
    let outcome = match question.ask(policy, &facts) {
        Err(undecided) => Outcome::Halted(Halt::Undecided(undecided)),
        Ok(decided) => {
            house.monitor.compare(&question, &facts, policy, &decided, &house.store, &mut tally);
            match &decided.plan.verdict {
                Verdict::Defer(reply) => {
                    note_deferral(house, &decided, &facts, mail.at_ms);
                    let expect = decided.plan.expect.clone();
                    Outcome::Halted(Halt::Deferred(reply.clone(), tally, expect))
                }
                _ => {
                    let mut decided = DecidedPlan::new(decided, policy, &facts, tally);
                    let applications = &house.config.applications;
                    decided.plan.note_applications(|one| applications.of(&one.sender_domain).is_some());
                    Outcome::Decided(decided)
                }
            }
        }
    };
    Asked { mail, facts, outcome }
}

/// Remembers the deferral for a policy that asked about earlier ones.
fn note_deferral(house: &House, decided: &Decided, facts: &RecipientFacts, now_ms: i64) {
    if !decided.decision.asked.iter().any(|(asked, _)| ASKED.contains(asked)) {
        return;
    }
    let names = facts.deferral_names();
    if let Err(error) = house.store.defer(&names.message, &names.triplet, now_ms) {
        tracing::warn!(%error, "a deferral is not remembered");
    }
}

/// Why nothing would follow from a message that this was decided about.
pub(crate) fn why_no_effect(decided: &Decided, policy: &Policy, facts: &RecipientFacts) -> Option<Unproven> {
    let (mut plan, mut tally) = (decided.plan.clone(), Tally::default());
    let found = UnprovenMessage::of(&decided.decision, &mut plan, facts, policy.trust, &mut tally);
    found.map(|unproven| unproven.reason)
}

/// A message of which an earlier delivery is on record. The policy is not asked again.
pub(crate) fn recognized(house: &House, mail: Mail, earlier: OnRecord, deadline: Deadline) -> Asked {
    let message = Rc::new(house.message_facts(&mail, deadline));
    let facts = Rc::new(house.recipient_facts(message, &mail));
    Asked { mail, facts, outcome: Outcome::Before(earlier) }
}

/// 5 promise, 6 run, 7 add, for messages that come together. `report` hears of each once, as soon
/// as it has come to its end.
pub(crate) fn carry(
    house: &House,
    policy: &Policy,
    asked: Vec<Asked>,
    promised: OnPromised<'_>,
    deadline: Deadline,
    report: &mut dyn FnMut(Carried),
) {
    let batch = PromisedBatch::promise(house, policy, asked);
    let _in_hand = InHand::begin();
    let (mut work, mut places, mut nothing_to_do) = (Vec::new(), Vec::new(), Vec::new());
    for (index, one) in batch.messages.iter().enumerate() {
        if !matches!(one.fate, Fate::Halted) {
            promised(index, &one.verdict, &|| batch.last_line(house, one));
        }
        match one.underway() {
            Some(underway) => {
                work.push(underway);
                places.push(index);
            }
            None => nothing_to_do.push(RunEnd { index, ended: Vec::new(), on_record: one.is_on_record() }),
        }
    }
    batch.add(house, nothing_to_do).into_iter().for_each(&mut *report);
    journal::run_all(&house.doors, work, deadline, &mut |ends| {
        let in_batch = |end: RunEnd| RunEnd { index: places[end.index], ..end };
        let ends = ends.into_iter().map(in_batch).collect();
        batch.add(house, ends).into_iter().for_each(&mut *report);
    });
}

impl DecidedPlan {
    fn new(decided: Decided, policy: &Policy, facts: &RecipientFacts, mut tally: Tally) -> DecidedPlan {
        let digest = decided.digest();
        let Decided { mut plan, decision } = decided;
        report_grounds::note(&mut plan, &facts.message);
        tally.add("total_messages");
        let unproven = UnprovenMessage::of(&decision, &mut plan, facts, policy.trust, &mut tally);
        plan.forget_success_if_refused();
        if let Verdict::Reject(_) = plan.verdict {
            tally.add("rejected");
        }
        plan.take_bookkeeping().iter().for_each(|name| tally.add(name));
        let is_unmatched = || plan.steps.iter().any(|step| matches!(step.action, Action::KeepUnmatched(_)));
        let addresses = if unproven.is_some() || is_unmatched() { facts.addresses() } else { Vec::new() };
        DecidedPlan { plan, digest, tally, reason: None, unproven, addresses }
    }

    /// The policy failed, and `on_trap` accepts the message.
    fn of_failure(halted: Halted, facts: &RecipientFacts) -> DecidedPlan {
        let Halted { verdict, reason, mut tally, .. } = halted;
        let mut plan = Plan { verdict, ..Plan::default() };
        let unproven = Some(UnprovenMessage::of_failure(&mut plan, facts, &mut tally));
        let addresses = facts.addresses();
        DecidedPlan { plan, digest: String::new(), tally, reason, unproven, addresses }
    }
}
