//! The imports of a policy that build its plan: each adds a step and returns the step's number.
//!
//! Not here: doing the steps (`action`). Invariant: a step that makes no sense ends the decision as
//! a `BadStep`; a plan that gets here is within its limits, and its text is clean.

use super::bindings::carom::policy::actions;
use super::failure::FailureKind;
use super::guest_text::{line, shortened};
use super::host::Host;
use crate::feedback_type::FeedbackType;
use crate::mailbox_syntax::{normal_domain, split_address};
use crate::plan::{self, Action, Condition, Step, Verdict};
use crate::smtp_reply::{EnhancedStatus, SmtpReply};
use crate::text::counted;
use std::fmt::Display;
use wasmtime::Result;

/// Bytes of what a classifier should make of a bounce.
const LONGEST_EXPECTATION: usize = 300;

impl Host {
    fn add(&mut self, action: Action, when: actions::Schedule) -> Result<u32> {
        let index = self.plan.steps.len();
        if index >= self.limits.steps {
            let cause = format!("made more than {}", counted(self.limits.steps as u64, "step"));
            return Err(self.stop(FailureKind::TooManySteps, cause));
        }
        self.called(action.name());
        let after = match when.after {
            Some((step, _)) if step as usize >= index => {
                return Err(self
                    .bad_step(format_args!("step {index} depends on step {step}, which is not before it")));
            }
            Some((step, outcome)) => Some((step as usize, outcome.into())),
            None => None,
        };
        self.plan.steps.push(Step { after, delay: when.delay, action });
        Ok(index as u32)
    }

    fn reply(&mut self, reply: actions::Reply) -> Result<SmtpReply> {
        let enhanced: Option<EnhancedStatus> = reply.enhanced.parse().ok();
        let same_class = |enhanced: &EnhancedStatus| u16::from(enhanced.class) == reply.code / 100;
        let Some(enhanced) = enhanced.filter(same_class).filter(|_| (400..=599).contains(&reply.code)) else {
            let (code, enhanced) = (reply.code, line(&reply.enhanced, 40));
            return Err(self.bad_step(format_args!(
                "{code} {enhanced}: not a reply of class 4 or 5 (RFC 5321, RFC 3463)"
            )));
        };
        Ok(SmtpReply { code: reply.code, enhanced, text: line(&reply.text, 400) })
    }

    fn visit(&mut self, visit: actions::Visit, urls: Vec<String>) -> plan::Visit {
        plan::Visit {
            trackers: visit.trackers.into_iter().take(1000).collect(),
            probe: visit.probe,
            user_agent: line(&visit.user_agent.unwrap_or_default(), 400),
            timeout: visit.timeout.clamp(1, 600),
            urls,
        }
    }

    /// Whether the policy may act on what is said of an address. Whatever it thinks itself, it is
    /// held to this.
    fn is_proven(&self, address: &str) -> bool {
        self.facts.proof(address, self.trust).is_some()
    }

    /// Whether a plan is for everybody's mail only because nobody is named: neither the author of
    /// the message that came back nor the address that the report came to has a domain.
    fn names_no_sender(&self, sender_domain: &str) -> bool {
        let has_domain = |address: &str| split_address(address).is_some();
        sender_domain.is_empty()
            && !self.facts.message.report().original.from.as_deref().is_some_and(has_domain)
            && !has_domain(&self.facts.envelope().recipient)
    }

    /// A valid address, in lower case.
    fn address(&mut self, text: &str) -> Result<String> {
        let address = line(text, 320).to_lowercase();
        if split_address(&address).is_none() {
            return Err(self.bad_step(format_args!("invalid address `{address}`")));
        }
        Ok(address)
    }

    /// A verdict is a step that succeeds and does nothing, so that other steps can depend on it.
    fn verdict(&mut self, verdict: Verdict) -> Result<u32> {
        self.plan.verdict = verdict;
        self.add(Action::Verdict, actions::Schedule { after: None, delay: 0 })
    }

    fn bad_step(&mut self, why: impl Display) -> wasmtime::Error {
        self.stop(FailureKind::BadStep, format!("asked for a step that makes no sense: {why}"))
    }
}

impl From<actions::Outcome> for Condition {
    fn from(outcome: actions::Outcome) -> Condition {
        match outcome {
            actions::Outcome::Succeeded => Condition::Succeeded,
            actions::Outcome::Failed => Condition::Failed,
            actions::Outcome::Finished => Condition::Finished,
        }
    }
}

impl actions::Host for Host {
    fn accept(&mut self) -> Result<u32> {
        self.verdict(Verdict::Accept)
    }

    fn reject(&mut self, reply: actions::Reply) -> Result<u32> {
        let reply = self.reply(reply)?;
        if reply.code < 500 {
            return Err(self.bad_step(format_args!("reject with {}, which says try again", reply.code)));
        }
        self.verdict(Verdict::Reject(reply))
    }

    fn defer(&mut self, reply: actions::Reply) -> Result<u32> {
        let reply = self.reply(reply)?;
        if reply.code >= 500 {
            return Err(self.bad_step(format_args!("defer with {}, which says never", reply.code)));
        }
        self.verdict(Verdict::Defer(reply))
    }

    fn open(&mut self, visit: actions::Visit, when: actions::Schedule) -> Result<u32> {
        let urls = self.ask("images", |facts| facts.message.images().to_vec());
        let visit = self.visit(visit, urls);
        self.add(Action::Open(visit), when)
    }

    fn click(&mut self, visit: actions::Visit, when: actions::Schedule) -> Result<u32> {
        let urls = self.ask("links", |facts| facts.message.followed_links());
        let visit = self.visit(visit, urls);
        self.add(Action::Click(visit), when)
    }

    fn one_click(&mut self, visit: actions::Visit, when: actions::Schedule) -> Result<u32> {
        let url = self.ask("one-click", |facts| facts.message.one_click());
        let visit = self.visit(visit, url.into_iter().collect());
        self.add(Action::OneClick(visit), when)
    }

    fn bounce(&mut self, bounce: actions::DeliveryReport, when: actions::Schedule) -> Result<u32> {
        let reply = self.reply(bounce.reply)?;
        let sender = bounce.sender.map(|sender| line(&sender, 320));
        self.add(
            Action::Bounce(plan::Bounce { reply, sender, route: plan::Route::default(), expect: None }),
            when,
        )
    }

    fn complain(&mut self, complaint: actions::FeedbackReport, when: actions::Schedule) -> Result<u32> {
        let sender = complaint.sender.map(|sender| line(&sender, 320));
        let feedback_type = FeedbackType::named(&line(&complaint.feedback_type, 40));
        self.add(
            Action::Complain(plan::Complaint { feedback_type, sender, route: plan::Route::default() }),
            when,
        )
    }

    fn auto_reply(&mut self, reply: actions::Response, when: actions::Schedule) -> Result<u32> {
        let (subject, text) = (line(&reply.subject, 400), shortened(reply.text));
        self.add(Action::AutoReply(plan::AutoReply { subject, text, route: plan::Route::default() }), when)
    }

    fn keep(&mut self, when: actions::Schedule) -> Result<u32> {
        self.add(Action::Keep, when)
    }

    fn keep_for(&mut self, address: String, when: actions::Schedule) -> Result<u32> {
        let address = self.address(&address)?;
        self.add(Action::KeepFor { address }, when)
    }

    fn keep_unmatched(&mut self, when: actions::Schedule) -> Result<u32> {
        let unmatched = self.facts.unmatched();
        self.add(Action::KeepUnmatched(unmatched), when)
    }

    fn expect(&mut self, text: String) -> Result<()> {
        self.called("expect");
        self.plan.expect = Some(line(&text, LONGEST_EXPECTATION)).filter(|text| !text.is_empty());
        Ok(())
    }

    fn strike(&mut self, strike: actions::SoftBounce, when: actions::Schedule) -> Result<u32> {
        let address = self.address(&strike.address)?;
        let sender_domain = normal_domain(&line(&strike.sender_domain, 255));
        let (threshold, window) = (strike.threshold.max(1), strike.window.clamp(1, 3650));
        // What the path of one message did says nothing about the address.
        let report = self.facts.message.report();
        let is_loop = report.recipients.iter().any(|one| one.names(&address) && one.is_about_a_loop());
        let is_known = !is_loop && !self.names_no_sender(&sender_domain);
        let proven = strike.proven && is_known && self.is_proven(&address);
        let bounce = self.facts.message.bounced(&address);
        let strike = plan::Strike { address, sender_domain, threshold, window, proven, bounce };
        self.add(Action::Strike(strike), when)
    }

    fn suppress(&mut self, suppression: actions::Suppression, when: actions::Schedule) -> Result<u32> {
        let address = self.address(&suppression.address)?;
        let sender_domain = normal_domain(&line(&suppression.sender_domain, 255));
        let reason = line(&suppression.reason, 100);
        let (days, grounds) = (suppression.days, plan::Grounds::default());
        let unproven = !self.is_proven(&address) || self.names_no_sender(&sender_domain);
        let suppression = plan::Suppression { address, sender_domain, reason, days, unproven, grounds };
        self.add(Action::Suppress(suppression), when)
    }

    fn notify(&mut self, notification: actions::Notification, when: actions::Schedule) -> Result<u32> {
        let field = |(name, value): (String, String)| (line(&name, 100), line(&value, 4000));
        let notification = plan::Notification {
            event: line(&notification.event, 100),
            address: line(&notification.address, 320),
            sender_domain: normal_domain(&line(&notification.sender_domain, 255)),
            fields: notification.fields.into_iter().take(100).map(field).collect(),
            bounce: self.facts.message.bounced(&notification.address),
            has_application: false,
            happened_ms: None,
        };
        self.add(Action::Notify(notification), when)
    }

    fn count(&mut self, name: String, when: actions::Schedule) -> Result<u32> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            let name = line(&name, 80);
            return Err(self
                .bad_step(format_args!("invalid counter `{name}`: use lower-case letters, digits and `_`")));
        }
        self.add(Action::Count { name }, when)
    }
}
