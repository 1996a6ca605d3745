//! A message that the policy accepts without an effect is not gone: it is kept, forwarded or
//! refused, as `[unproven]` says, and the reason is in its line, and counted.
//!
//! Not here: the reason (`policy/why_unproven`) and the files (`archive/kept_by_reason`). A policy
//! that never asks what a message reports is a sink: what it accepts is meant to go. Invariants:
//! nothing is refused unless the refusal reaches who sent the message; what is neither refused nor
//! forwarded is kept before it is on record.

use crate::archive::kept_by_reason;
use crate::auth::AuthResult;
use crate::config::UnprovenMail;
use crate::error::Result;
use crate::house::House;
use crate::mail::Mail;
use crate::plan::{Action, Condition, Forwarding, Plan, Step, StepEnd, Unproven, UnprovenCopy, Verdict};
use crate::policy::Decision;
use crate::policy::proof::Trust;
use crate::policy::recipient_facts::RecipientFacts;
use crate::smtp_reply::{EnhancedStatus, SmtpReply};
use crate::store::{Ended, Performed, Tally};

/// What a policy asks if it handles reports.
const ASKED: &str = "report-kind";

/// Why nothing follows from a message, and what is left to do with it.
pub(super) struct UnprovenMessage {
    pub(super) reason: Unproven,
    /// It is to be kept, and can be found by these.
    copy: Option<UnprovenCopy>,
}

impl UnprovenMessage {
    /// Of a decision; changes the plan if the message is forwarded or refused. `None`: something
    /// follows from the message, or nothing is meant to.
    pub(super) fn of(
        decision: &Decision,
        plan: &mut Plan,
        facts: &RecipientFacts,
        trust: Trust,
        tally: &mut Tally,
    ) -> Option<UnprovenMessage> {
        let handles_reports = || decision.asked.iter().any(|(question, _)| *question == ASKED);
        if plan.verdict != Verdict::Accept || plan.has_proven_step() || !handles_reports() {
            return None;
        }
        let applications = &facts.message.config.applications;
        let has_effect = plan.has_effect(|one| applications.of(&one.sender_domain).is_some());
        let reason = facts.why_unproven(trust);
        if has_effect && !reason.is_doubt() {
            return None;
        }
        tally.add(&reason.counter());
        let copy = if has_effect { None } else { handled(reason, plan, facts, tally) };
        Some(UnprovenMessage { reason, copy })
    }

    /// Of a message whose policy failed, and that is accepted all the same.
    pub(super) fn of_failure(plan: &mut Plan, facts: &RecipientFacts, tally: &mut Tally) -> UnprovenMessage {
        let reason = Unproven::PolicyFailed;
        tally.add(&reason.counter());
        UnprovenMessage { reason, copy: handled(reason, plan, facts, tally) }
    }

    /// Keeps the message, if that is what is left to do; returns how that ended, as a step after
    /// those of the plan.
    pub(super) fn keep(&self, house: &House, mail: &Mail, steps: usize) -> Result<Vec<Ended>> {
        let Some(copy) = &self.copy else { return Ok(Vec::new()) };
        kept_by_reason::keep(&house.config, copy.reason, mail, &copy.about)?;
        let done = Performed::new(StepEnd::Succeeded, "", format!("kept: {}", copy.reason.text()));
        Ok(vec![Ended { step: steps, action: Action::KeepUnproven(copy.clone()).name().into(), done }])
    }
}

/// Adds the steps that forward the message, or the verdict that refuses it; else returns the copy
/// that is to be kept.
fn handled(
    reason: Unproven,
    plan: &mut Plan,
    facts: &RecipientFacts,
    tally: &mut Tally,
) -> Option<UnprovenCopy> {
    let unproven: &UnprovenMail = &facts.message.config.unproven;
    let copy = UnprovenCopy { reason, about: facts.about() };
    match unproven.forwarded_to().filter(|_| reason.is_for_people()) {
        Some(to) => {
            let forward = Action::Forward(Forwarding { to: to.to_owned(), reason });
            let sent = plan.steps.len();
            plan.steps.push(Step { after: None, delay: 0, action: forward });
            let after = Some((sent, Condition::Failed));
            plan.steps.push(Step { after, delay: 0, action: Action::KeepUnproven(copy) });
            None
        }
        None if unproven.may_refuse() && is_refused(reason, facts) => {
            plan.verdict = Verdict::Reject(SmtpReply {
                code: 550,
                enhanced: EnhancedStatus::new(5, 7, 1),
                text: "this address takes only reports about mail, and nobody reads it".into(),
            });
            tally.add("unproven_refused");
            None
        }
        None => {
            tally.add("unproven_kept");
            Some(copy)
        }
    }
}

/// The mail server writes a bounce about what is refused here. It must hear the answer, and the
/// return path must be that of whoever sent the message, as SPF shows of the client it names. The
/// return path of a report is empty: a refusal would be the end of it.
fn is_refused(reason: Unproven, facts: &RecipientFacts) -> bool {
    let envelope = facts.envelope();
    reason == Unproven::NoReport
        && envelope.queue_id.is_some()
        && envelope.client_address.is_some()
        && !envelope.sender.is_empty()
        && facts.spf() == AuthResult::Pass
}
