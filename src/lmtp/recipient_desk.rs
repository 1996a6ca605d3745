//! What a policy that answers in the SMTP dialogue (`reception`) says about a recipient at RCPT,
//! with `[lmtp] ask_at_rcpt`.
//!
//! Not here: what it decides about messages (`delivery_desk`). Invariants: only a refusal counts
//! here; every other answer, and a policy that fails, leave the recipient to the message; one that
//! cannot be asked in time has the client come again.

use super::chaos;
use crate::clock;
use crate::envelope::Envelope;
use crate::house::House;
use crate::mail::{Content, Mail};
use crate::plan::Verdict;
use crate::policy::PolicyAnswer;
use crate::policy::instance_places::InstancePlaces;
use crate::policy::session_facts::{SessionFacts, Stage};
use crate::smtp_reply::SmtpReply;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Questions at one time: each has memory for itself.
pub(super) const SIDE_BY_SIDE: usize = 4;
/// Time for what the policy wants to know of DNS.
const DNS_TIME: Duration = Duration::from_secs(10);

pub(super) struct RecipientDesk<'h> {
    house: &'h House,
    places: InstancePlaces,
    /// Makes the choices of the policy repeatable.
    seed: Option<u64>,
}

impl<'h> RecipientDesk<'h> {
    pub(super) fn new(house: &'h House) -> RecipientDesk<'h> {
        RecipientDesk { house, places: InstancePlaces::new(SIDE_BY_SIDE), seed: house.config.lmtp.seed }
    }

    /// Whether mail from this sender to this recipient is taken so far. A refusal is in the message
    /// log.
    pub(super) fn verdict(&self, envelope: Envelope) -> Verdict {
        let policy = self.house.policy();
        if !policy.receives() {
            return Verdict::Accept;
        }
        let (house, at_ms) = (self.house, clock::now_ms());
        let deadline = house.deadline().within(DNS_TIME);
        let session = session(&envelope);
        let seed = chaos::seed_of(self.seed, &envelope.sender, &envelope.recipient);
        let word = house.config.message.seed.as_deref().filter(|_| seed.is_none());
        let seed = seed.unwrap_or_else(|| fastrand::u64(..));
        let nothing = Content::read(Arc::default());
        let mail = Mail::for_recipient(nothing, envelope, seed, at_ms).seeded_by(word);
        let message = Rc::new(house.message_facts(&mail, deadline));
        let facts = Rc::new(house.recipient_facts(message, &mail).in_session(session).with_dns_later());
        let now_ms = u64::try_from(at_ms).unwrap_or(0);
        let Some(received) = policy.receive_in(&self.places, &facts, mail.seed, now_ms) else {
            return Verdict::Defer(SmtpReply::try_again_later("too many recipients at a time"));
        };
        match received.map(|received| (received.answer, received.decision.plan.expect)) {
            Ok((PolicyAnswer::Refuse(reply), expect)) => {
                let verdict = Verdict::of_refusal(reply);
                house.log.append_refusal(&policy, &mail, &verdict, expect);
                verdict
            }
            Ok(_) => Verdict::Accept,
            Err(failure) => {
                tracing::error!("{failure}: the message will decide about its recipient");
                Verdict::Accept
            }
        }
    }
}

/// What the client has said, in Postfix's words.
fn session(envelope: &Envelope) -> SessionFacts {
    let client = envelope.client_address.map(|address| address.to_string());
    let attributes = [
        ("protocol_state", Some("RCPT".to_owned())),
        ("sender", Some(envelope.sender.clone())),
        ("recipient", Some(envelope.recipient.clone())),
        ("client_address", client),
        ("helo_name", envelope.client_helo.clone()),
        ("queue_id", envelope.queue_id.clone()),
    ];
    let some = attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    SessionFacts { stage: Stage::Rcpt, attributes: some.collect() }
}
