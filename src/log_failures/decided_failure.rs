//! A failure and what the policy has decided about it.
//!
//! Not here: doing it (`acted_failure`). Invariant: the same failure, policy and settings give the
//! same plan.

use super::failed_delivery::FailedDelivery;
use crate::deadline::Deadline;
use crate::decide::{Undecided, report_grounds};
use crate::envelope::Envelope;
use crate::house::House;
use crate::mail::{Content, Mail};
use crate::message_log::DecidedBy;
use crate::plan::Plan;
use crate::policy::DecisionSequence;
use crate::policy::recipient_facts::RecipientFacts;
use crate::store::Tally;
use std::rc::Rc;
use std::sync::Arc;

pub(super) struct DecidedFailure {
    pub(super) mail: Mail,
    /// That of the message that failed.
    pub(super) message_id: Option<String>,
    /// Without its bookkeeping.
    pub(super) plan: Plan,
    /// What the plan counts unconditionally.
    pub(super) counted: Tally,
    /// The digest of the whole plan, for the message log; empty if there is no line about it.
    pub(super) digest: String,
    /// Addresses that mail has reached before it failed, and when: soft bounces from before that
    /// time do not count.
    pub(super) reached: Vec<(String, i64)>,
}

impl DecidedFailure {
    /// Asks the policy, after the earlier failures of the same sender domain. `nothing` is the
    /// content of a message that is not there.
    pub(super) fn decide(
        house: &House,
        sequence: &mut DecisionSequence<'_>,
        failed: &FailedDelivery,
        nothing: &Arc<Content>,
        (now_ms, deadline): (i64, Deadline),
    ) -> Result<DecidedFailure, Undecided> {
        let mail = Mail {
            content: nothing.clone(),
            envelope: Envelope {
                recipient: failed.sender.clone(),
                queue_id: failed.queue_id.clone(),
                ..Envelope::default()
            },
            key: failed.key(),
            seed: failed.id,
            at_ms: failed.at_ms.min(now_ms),
            keep: None,
            file: None,
        };
        let message = house.message_facts(&mail, deadline).of_log_line(failed.report());
        // A policy decides about a report, which has no queue id.
        let envelope = Envelope { queue_id: None, ..mail.envelope.clone() };
        let facts = Rc::new(RecipientFacts::new(Rc::new(message), envelope));
        let decided = house.question(mail.seed, now_ms, deadline).ask_next(sequence, &facts)?;
        let digest = if decided.plan.only_counts() { String::new() } else { decided.digest() };
        let (mut plan, mut counted) = (decided.plan, Tally::default());
        report_grounds::note(&mut plan, &facts.message);
        let applications = &house.config.applications;
        plan.note_time(mail.at_ms);
        plan.note_applications(|one| applications.of(&one.sender_domain).is_some());
        plan.take_bookkeeping().iter().for_each(|name| counted.add(name));
        let reached = failed.reached.clone();
        let message_id = failed.message_id.clone();
        Ok(DecidedFailure { mail, message_id, plan, counted, digest, reached })
    }

    /// Who decided, for the message log.
    pub(super) fn decided_by<'a>(&self, (name, hash): (&'a str, &'a str)) -> DecidedBy<'a> {
        DecidedBy { name, hash, plan: self.digest.clone() }
    }
}
