//! The imports of a policy: the action tree it builds, chance, time, log and settings. Facts and reports are in `answers`.
//!
//! One `Host` serves one decision and is thrown away. It does nothing to the world: what it builds is a plan, and a
//! guest that fails leaves none. Text of the guest is cleaned here, before anything else sees it.

use super::bindings::carom::policy::{actions, host};
use super::engine::Meter;
use super::failure::FailureKind;
use super::recipient_facts::RecipientFacts;
use crate::config::LimitsTable;
use crate::deadline::watchdog::PolicyRun;
use crate::envelope::split_address;
use crate::feedback_type::FeedbackType;
use crate::plan::{self, Action, Condition, Plan, Step, Verdict};
use crate::smtp_reply::{EnhancedStatus, SmtpReply};
use crate::text::{bounded, one_line};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest text that crosses the boundary in one piece, in bytes.
pub(crate) const MAX_TEXT: usize = 64 << 10;

/// What one decision needs, and what it has built so far.
pub(crate) struct Host {
    pub(crate) facts: Rc<RecipientFacts>,
    pub(crate) plan: Plan,
    /// What the guest asked for, in order, and how long the answer took; shown by `carom policy run`.
    pub(crate) asked: Vec<(&'static str, Duration)>,
    /// Time spent in carom rather than in the guest: waiting for DNS is not the policy's fault.
    pub(crate) waited: Duration,
    pub(crate) started: Instant,
    /// The processor time of the thread, then.
    started_at: Duration,
    pub(crate) meter: Meter,
    /// Under a watchdog, its timer ticks for this guest.
    _run: PolicyRun,
    pub(crate) limits: LimitsTable,
    /// Why the guest was stopped, if it was the host that stopped it: the kind of failure and the cause.
    pub(crate) stopped: Option<(FailureKind, String)>,
    pub(crate) settings: Arc<str>,
    pub(crate) policy: Arc<str>,
    chance: Chance,
    random: Chance,
    now_ms: u64,
    logged: usize,
}

/// Numbers that look random and are the same for the same seed in every version of carom: SplitMix64 (Steele, Lea,
/// Flood: "Fast splittable pseudorandom number generators", 2014).
struct Chance(u64);

impl Chance {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn next(&mut self) -> f64 {
        // 53 bits fill the mantissa of a double: every value is below 1.
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Processor time that this thread has used.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

impl Host {
    pub(crate) fn new(
        facts: Rc<RecipientFacts>,
        policy: Arc<str>,
        settings: Arc<str>,
        limits: LimitsTable,
        seed: u64,
        now_ms: u64,
    ) -> Host {
        Host {
            facts,
            plan: Plan::default(),
            asked: Vec::new(),
            waited: Duration::ZERO,
            started: Instant::now(),
            started_at: thread_time(),
            meter: Meter::new(&limits),
            _run: PolicyRun::begin(Duration::from_millis(limits.time)),
            limits,
            stopped: None,
            settings,
            policy,
            chance: Chance(seed),
            // A stream of its own: what a language's runtime draws does not shift what the policy draws.
            random: Chance(seed ^ 0x5741_5349),
            now_ms,
            logged: 0,
        }
    }

    /// Time the guest itself has used: on a busy machine that is less than has passed.
    pub(crate) fn used(&self) -> Duration {
        let passed = self.started.elapsed();
        let worked = thread_time().saturating_sub(self.started_at);
        passed.min(worked).saturating_sub(self.waited)
    }

    /// Answers a question about the message; the time it takes is not the guest's.
    pub(crate) fn ask<R>(&mut self, question: &'static str, answer: impl FnOnce(&RecipientFacts) -> R) -> R {
        let began = Instant::now();
        let answered = answer(&self.facts);
        let took = began.elapsed();
        self.asked.push((question, took));
        self.waited += took;
        answered
    }

    /// Ends the decision: the trap that follows is explained by `cause`.
    fn stop(&mut self, kind: FailureKind, cause: String) -> wasmtime::Error {
        let error = wasmtime::Error::msg(cause.clone());
        self.stopped = Some((kind, cause));
        error
    }

    /// The guest asked for a step that makes no sense.
    fn bad_step(&mut self, why: impl std::fmt::Display) -> wasmtime::Error {
        self.stop(FailureKind::BadStep, format!("asked for a step that makes no sense: {why}"))
    }

    /// Notes a call that is no question about the message.
    fn called(&mut self, function: &'static str) {
        self.asked.push((function, Duration::ZERO));
    }

    /// What the guest printed, as its language does; it ends up in the log.
    pub(crate) fn printed(&mut self, bytes: &[u8]) {
        self.called("print");
        for line in String::from_utf8_lossy(bytes).lines() {
            self.write(host::Level::Info, line);
        }
    }

    /// Bits of chance for a language's runtime.
    pub(crate) fn random(&mut self) -> u64 {
        self.random.bits()
    }

    /// The time that the policy is told.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn write(&mut self, level: host::Level, text: &str) {
        self.logged += text.len();
        if self.logged > self.limits.log {
            if self.logged - text.len() <= self.limits.log {
                tracing::warn!(policy = &*self.policy, "the policy logs too much; the rest is dropped");
            }
            return;
        }
        let (policy, text) = (&*self.policy, line(text, 4096));
        match level {
            host::Level::Debug => tracing::debug!(policy, "{text}"),
            host::Level::Info => tracing::info!(policy, "{text}"),
            host::Level::Warn => tracing::warn!(policy, "{text}"),
            host::Level::Error => tracing::error!(policy, "{text}"),
        }
    }

    fn add(&mut self, action: Action, when: actions::Schedule) -> wasmtime::Result<u32> {
        let index = self.plan.steps.len();
        if index >= self.limits.steps {
            let cause = format!("made more than {} steps", self.limits.steps);
            return Err(self.stop(FailureKind::TooManySteps, cause));
        }
        self.called(action.name());
        let after = match when.after {
            Some((step, _)) if step as usize >= index => {
                return Err(
                    self.bad_step(format_args!("step {index} hangs on step {step}, which is not before it"))
                );
            }
            Some((step, outcome)) => Some((step as usize, outcome.into())),
            None => None,
        };
        self.plan.steps.push(Step { after, delay: when.delay, action });
        Ok(index as u32)
    }

    fn reply(&mut self, reply: actions::Reply) -> wasmtime::Result<SmtpReply> {
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
}

/// One line of at most `limit` bytes, as headers and logs need it.
fn line(text: &str, limit: usize) -> String {
    one_line(bounded(text, limit))
}

/// At most [`MAX_TEXT`] bytes, cut at a character.
pub(crate) fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
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
    fn accept(&mut self) -> wasmtime::Result<u32> {
        self.plan.verdict = Verdict::Accept;
        self.nothing()
    }

    fn reject(&mut self, reply: actions::Reply) -> wasmtime::Result<u32> {
        let reply = self.reply(reply)?;
        if reply.code < 500 {
            return Err(self.bad_step(format_args!("reject with {}, which says try again", reply.code)));
        }
        self.plan.verdict = Verdict::Reject(reply);
        self.nothing()
    }

    fn defer(&mut self, reply: actions::Reply) -> wasmtime::Result<u32> {
        let reply = self.reply(reply)?;
        if reply.code >= 500 {
            return Err(self.bad_step(format_args!("defer with {}, which says never", reply.code)));
        }
        self.plan.verdict = Verdict::Defer(reply);
        self.nothing()
    }

    fn open(&mut self, visit: actions::Visit, when: actions::Schedule) -> wasmtime::Result<u32> {
        let urls = self.ask("images", |facts| facts.message.images().to_vec());
        let visit = self.visit(visit, urls);
        self.add(Action::Open(visit), when)
    }

    fn click(&mut self, visit: actions::Visit, when: actions::Schedule) -> wasmtime::Result<u32> {
        let urls = self.ask("links", |facts| facts.message.links().to_vec());
        let visit = self.visit(visit, urls);
        self.add(Action::Click(visit), when)
    }

    fn bounce(&mut self, bounce: actions::DeliveryReport, when: actions::Schedule) -> wasmtime::Result<u32> {
        let reply = self.reply(bounce.reply)?;
        let sender = bounce.sender.map(|sender| line(&sender, 320));
        self.add(Action::Bounce(plan::Bounce { reply, sender, route: plan::Route::default() }), when)
    }

    fn complain(
        &mut self,
        complaint: actions::FeedbackReport,
        when: actions::Schedule,
    ) -> wasmtime::Result<u32> {
        let sender = complaint.sender.map(|sender| line(&sender, 320));
        let feedback_type = FeedbackType::named(&line(&complaint.feedback_type, 40));
        self.add(
            Action::Complain(plan::Complaint { feedback_type, sender, route: plan::Route::default() }),
            when,
        )
    }

    fn auto_reply(&mut self, reply: actions::Response, when: actions::Schedule) -> wasmtime::Result<u32> {
        let (subject, text) = (line(&reply.subject, 400), shortened(reply.text));
        self.add(Action::AutoReply(plan::AutoReply { subject, text, route: plan::Route::default() }), when)
    }

    fn keep(&mut self, when: actions::Schedule) -> wasmtime::Result<u32> {
        self.add(Action::Keep, when)
    }

    fn keep_for(&mut self, address: String, when: actions::Schedule) -> wasmtime::Result<u32> {
        let address = self.address(&address)?;
        self.add(Action::KeepFor { address }, when)
    }

    fn strike(&mut self, strike: actions::SoftBounce, when: actions::Schedule) -> wasmtime::Result<u32> {
        let address = self.address(&strike.address)?;
        let sender_domain = line(&strike.sender_domain, 255).to_lowercase();
        let (threshold, window) = (strike.threshold.max(1), strike.window.clamp(1, 3650));
        let (proven, bounce) = (strike.proven, self.facts.message.bounced(&address));
        let strike = plan::Strike { address, sender_domain, threshold, window, proven, bounce };
        self.add(Action::Strike(strike), when)
    }

    fn suppress(
        &mut self,
        suppression: actions::Suppression,
        when: actions::Schedule,
    ) -> wasmtime::Result<u32> {
        let address = self.address(&suppression.address)?;
        let sender_domain = line(&suppression.sender_domain, 255).to_lowercase();
        let reason = line(&suppression.reason, 100);
        self.add(
            Action::Suppress(plan::Suppression { address, sender_domain, reason, days: suppression.days }),
            when,
        )
    }

    fn notify(
        &mut self,
        notification: actions::Notification,
        when: actions::Schedule,
    ) -> wasmtime::Result<u32> {
        let field = |(name, value): (String, String)| (line(&name, 100), line(&value, 4000));
        let notification = plan::Notification {
            event: line(&notification.event, 100),
            address: line(&notification.address, 320),
            sender_domain: line(&notification.sender_domain, 255).to_lowercase(),
            fields: notification.fields.into_iter().take(100).map(field).collect(),
            bounce: self.facts.message.bounced(&notification.address),
        };
        self.add(Action::Notify(notification), when)
    }

    fn count(&mut self, name: String, when: actions::Schedule) -> wasmtime::Result<u32> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            let name = line(&name, 80);
            return Err(self
                .bad_step(format_args!("`{name}` is no counter: lower-case letters, digits, underscores")));
        }
        self.add(Action::Count { name }, when)
    }
}

impl Host {
    /// An address that something is kept about, lower case.
    fn address(&mut self, text: &str) -> wasmtime::Result<String> {
        let address = line(text, 320).to_lowercase();
        if split_address(&address).is_none() {
            return Err(self.bad_step(format_args!("`{address}` is no address")));
        }
        Ok(address)
    }

    /// A verdict is a step that succeeds and does nothing, so that others can hang on it like on any other.
    fn nothing(&mut self) -> wasmtime::Result<u32> {
        self.add(Action::Verdict, actions::Schedule { after: None, delay: 0 })
    }
}

impl host::Host for Host {
    fn log(&mut self, level: host::Level, text: String) {
        self.called("log");
        self.write(level, &text);
    }

    fn chance(&mut self) -> f64 {
        self.called("chance");
        self.chance.next()
    }

    fn now(&mut self) -> u64 {
        self.called("now");
        self.now_ms
    }

    fn settings(&mut self) -> String {
        self.called("settings");
        self.settings.to_string()
    }

    fn is_suppressed(&mut self, address: String, sender_domain: String) -> bool {
        self.ask("is-suppressed", |facts| facts.is_suppressed(&address, &sender_domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_the_same_for_ever() {
        let mut chance = Chance(42);
        let drawn: Vec<u64> = (0..3).map(|_| (chance.next() * 1e6) as u64).collect();
        assert_eq!(drawn, [741_564, 159_910, 278_601]);
    }

    #[test]
    fn a_line_holds_no_line_break() {
        assert_eq!(line("250 ok\r\nBcc: x\0", 100), "250 ok  Bcc: x ");
        assert_eq!(line("äöü", 3), "ä");
    }
}
