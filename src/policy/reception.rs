//! What a policy answers in the SMTP dialogue, if it exports `reception`.
//!
//! Not here: how the answer is written for the mail server (`crate::access`). Invariant: an answer
//! that no mail server could give is a `Failure` that names what is wrong with it.

use super::bindings::receiving::exports::carom::policy::reception;
use super::failure::{Failure, FailureKind, status_line};
use super::instance_places::InstancePlaces;
use super::questions::Decision;
use super::ready::Policy;
use super::recipient_facts::RecipientFacts;
use crate::smtp_reply::{EnhancedStatus, SmtpReply};
use crate::text::bounded;
use std::rc::Rc;

/// Bytes of a value that a policy puts into a header field.
const LONGEST_VALUE: usize = 900;
/// Bytes of a reply's text that are given.
const LONGEST_TEXT: usize = 900;

/// What a policy wants to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PolicyAnswer {
    /// What carom answers by itself.
    Usual,
    Dunno,
    /// 4xx or 5xx.
    Refuse(SmtpReply),
    Hold(String),
    Discard(String),
    /// Name and value of a header field.
    Prepend(String, String),
    /// `transport:destination`.
    Filter(String),
}

/// An answer, and what it cost.
pub(crate) struct ReceivedAnswer {
    pub(crate) answer: PolicyAnswer,
    /// Its plan has no steps: only what a classifier should make of a refusal.
    pub(crate) decision: Decision,
}

impl Policy {
    /// Whether it answers in the SMTP dialogue.
    pub(crate) fn receives(&self) -> bool {
        self.linked.receives()
    }

    /// What to answer, asked in one of these places: `None` if none is free in time. While DNS is
    /// asked, no place is taken.
    pub(crate) fn receive_in(
        &self,
        places: &InstancePlaces,
        facts: &Rc<RecipientFacts>,
        seed: u64,
        now_ms: u64,
    ) -> Option<Result<ReceivedAnswer, Failure>> {
        loop {
            let place = places.take()?;
            let received = self.receive(facts, seed, now_ms);
            drop(place);
            if !facts.ask_dns() {
                return Some(received);
            }
        }
    }

    /// What to answer. A policy that does not receive leaves it to carom.
    pub(crate) fn receive(
        &self,
        facts: &Rc<RecipientFacts>,
        seed: u64,
        now_ms: u64,
    ) -> Result<ReceivedAnswer, Failure> {
        let (answer, mut store) = self.ask(facts, (seed, now_ms), |guest, store| match &guest.reception {
            Some(guest) => guest.carom_policy_reception().call_receive(store),
            None => Ok(Ok(reception::Answer::Usual)),
        })?;
        let answer = answer.map_err(|text| self.refused(&text))?;
        let bad_step = |what: String| self.failure(FailureKind::BadStep, &status_line(&what));
        let answer = checked(answer).map_err(bad_step)?;
        Ok(ReceivedAnswer { answer, decision: Decision::of(&mut store) })
    }
}

/// The answer, if a mail server can give it.
fn checked(answer: reception::Answer) -> Result<PolicyAnswer, String> {
    match answer {
        reception::Answer::Usual => Ok(PolicyAnswer::Usual),
        reception::Answer::Dunno => Ok(PolicyAnswer::Dunno),
        reception::Answer::Reject(reply) => refusal(reply, 5).map(PolicyAnswer::Refuse),
        reception::Answer::Defer(reply) => refusal(reply, 4).map(PolicyAnswer::Refuse),
        reception::Answer::Hold(why) => Ok(PolicyAnswer::Hold(why)),
        reception::Answer::Discard(why) => Ok(PolicyAnswer::Discard(why)),
        reception::Answer::Prepend(reception::Field { name, value }) => {
            let is_name =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
            match is_name && name.len() < 70 && value.len() <= LONGEST_VALUE {
                true => Ok(PolicyAnswer::Prepend(name, value)),
                false => Err(format!("prepends {name:?}, which is no header field, or has too long a value")),
            }
        }
        reception::Answer::Filter(filter) => {
            let is_plain = filter.bytes().all(|byte| byte.is_ascii_graphic());
            match is_plain && filter.split_once(':').is_some_and(|(transport, _)| !transport.is_empty()) {
                true => Ok(PolicyAnswer::Filter(filter)),
                false => Err(format!("names the filter {filter:?}, which is not transport:destination")),
            }
        }
    }
}

/// A reply of this class.
fn refusal(reply: reception::Reply, class: u8) -> Result<SmtpReply, String> {
    let reception::Reply { code, enhanced, text } = reply;
    let wrong = || format!("replies {code} {enhanced}, which is not a reply of class {class}");
    let status: EnhancedStatus = enhanced.parse().map_err(|_| wrong())?;
    match code / 100 == u16::from(class) && status.class == class {
        true => Ok(SmtpReply { code, enhanced: status, text: bounded(&text, LONGEST_TEXT).to_owned() }),
        false => Err(wrong()),
    }
}
