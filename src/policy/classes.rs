//! What delivery failures mean, asked of the policy in batches.
//!
//! Not here: the classes themselves (`class`). Invariant: there is one class for each failure, in
//! the same order; whatever the policy says, only what is about the recipient or its domain is
//! hard.

use super::bindings::exports::carom::policy::classification;
use super::bindings::optional::exports::carom::policy::diagnosis;
use super::failure::{Failure, FailureKind, as_status_line};
use super::questions::FIXED;
use super::ready::Policy;
use super::recipient_facts::RecipientFacts;
use crate::class::{About, BATCH, Class, DeliveryFailure, Severity};
use std::rc::Rc;

impl Policy {
    /// What each of these failures means. There is no message: `facts` are of none.
    pub(crate) fn classify(
        &self,
        facts: &Rc<RecipientFacts>,
        failures: &[DeliveryFailure],
    ) -> Result<Vec<Class>, Failure> {
        let mut classes = Vec::with_capacity(failures.len());
        let mut left: Vec<&[DeliveryFailure]> = failures.chunks(BATCH).rev().collect();
        while let Some(batch) = left.pop() {
            match self.classify_batch(facts, batch) {
                Ok(found) => classes.extend(found),
                // Many together may be too much where each alone is not.
                Err(Failure { kind: FailureKind::TooSlow | FailureKind::TooBig, .. }) if batch.len() > 1 => {
                    let (first, second) = batch.split_at(batch.len() / 2);
                    left.extend([second, first]);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(classes)
    }

    /// Asks `diagnosis` if the policy has it, else `classification`.
    fn classify_batch(
        &self,
        facts: &Rc<RecipientFacts>,
        batch: &[DeliveryFailure],
    ) -> Result<Vec<Class>, Failure> {
        let (classes, _) = self.ask(facts, FIXED, |guest, store| match &guest.diagnosis {
            Some(guest) => {
                let failures: Vec<diagnosis::Failure<'_>> = batch.iter().map(Into::into).collect();
                let classes = guest.carom_policy_diagnosis().call_diagnose(store, &failures)?;
                Ok(classes.into_iter().map(Class::from).collect::<Vec<_>>())
            }
            None => {
                let failures: Vec<classification::Failure> = batch.iter().map(Into::into).collect();
                let classes = guest.policy.carom_policy_classification().call_classify(store, &failures)?;
                Ok(classes.into_iter().map(Class::from).collect())
            }
        })?;
        if classes.len() != batch.len() {
            let cause = format!("gave {} classes for {} failures", classes.len(), batch.len());
            return Err(self.failure(FailureKind::Refused, &cause));
        }
        Ok(classes)
    }
}

impl From<&DeliveryFailure> for classification::Failure {
    fn from(failure: &DeliveryFailure) -> classification::Failure {
        classification::Failure {
            text: failure.text.clone(),
            status: failure.status.clone(),
            code: failure.code,
            stage: failure.stage.clone(),
            remote_mta: failure.remote_mta.clone(),
        }
    }
}

impl<'a> From<&'a DeliveryFailure> for diagnosis::Failure<'a> {
    fn from(failure: &'a DeliveryFailure) -> diagnosis::Failure<'a> {
        diagnosis::Failure {
            text: &failure.text,
            status: &failure.status,
            code: failure.code,
            stage: &failure.stage,
            remote_mta: &failure.remote_mta,
            sender: failure.sender.as_deref(),
            recipient: failure.recipient.as_deref(),
        }
    }
}

impl From<classification::Class> for Class {
    fn from(class: classification::Class) -> Class {
        let severity = match class.severity {
            classification::Severity::Hard => Severity::Hard,
            classification::Severity::Soft => Severity::Soft,
            classification::Severity::None => Severity::None,
            classification::Severity::Unknown => Severity::Unknown,
        };
        let (reason, category, rule) =
            (as_status_line(class.reason), as_status_line(class.category), as_status_line(class.rule));
        let (about, evidence) = (About::usual(&reason, severity), String::new());
        Class { reason, category, severity, about, rule, evidence }.restrained()
    }
}

impl From<diagnosis::Class> for Class {
    fn from(class: diagnosis::Class) -> Class {
        let severity = match class.severity {
            diagnosis::Severity::Hard => Severity::Hard,
            diagnosis::Severity::Soft => Severity::Soft,
            diagnosis::Severity::None => Severity::None,
            diagnosis::Severity::Unknown => Severity::Unknown,
        };
        let (reason, category, rule) =
            (as_status_line(class.reason), as_status_line(class.category), as_status_line(class.rule));
        let about = class.about.map_or_else(|| About::usual(&reason, severity), About::from);
        let evidence = class.evidence.map(as_status_line).unwrap_or_default();
        Class { reason, category, severity, about, rule, evidence }.restrained()
    }
}

impl From<diagnosis::About> for About {
    fn from(about: diagnosis::About) -> About {
        match about {
            diagnosis::About::Recipient => About::Recipient,
            diagnosis::About::RecipientDomain => About::RecipientDomain,
            diagnosis::About::Sender => About::Sender,
            diagnosis::About::SendingHost => About::SendingHost,
            diagnosis::About::Message => About::Message,
            diagnosis::About::Relay => About::Relay,
            diagnosis::About::Network => About::Network,
            diagnosis::About::Nobody => About::Nobody,
        }
    }
}
