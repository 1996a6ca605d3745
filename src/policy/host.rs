//! What one decision needs and what it has built so far, and the imports for chance, time, log and
//! settings.
//!
//! A `Host` serves one question and is thrown away, also where an instance is asked several times.
//! Not here: the imports that build the plan (`plan_builder`) and those that answer questions
//! (`answers`). Invariant: a guest changes nothing outside its `Host`; one that fails leaves no
//! plan.

use super::bindings::carom::policy::host;
use super::chance::Chance;
use super::engine::{Meter, TICK};
use super::failure::FailureKind;
use super::guest_text::line;
use super::last_words::LastWords;
use super::proof::Trust;
use super::recipient_facts::RecipientFacts;
use crate::config::LimitsTable;
use crate::deadline::cpu_time;
use crate::deadline::watchdog::PolicyRun;
use crate::plan::Plan;
use crate::text::bounded;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of a line that a policy logs.
const LONGEST_LINE: usize = 4096;
/// Bytes before the text of a line in the log, beside the policy's name: they count too, so that
/// many short lines take no more of the log than a few long ones.
const LINE_START: usize = 64;

pub(crate) struct Host {
    pub(crate) facts: Rc<RecipientFacts>,
    pub(crate) plan: Plan,
    /// The imports that the guest called, in order, and how long carom took to answer; `carom
    /// policy run` shows it.
    pub(crate) asked: Vec<(&'static str, Duration)>,
    pub(crate) meter: Meter,
    /// Under a watchdog, its timer steps the clock while this exists.
    pub(crate) run: Option<PolicyRun>,
    pub(crate) limits: LimitsTable,
    /// Why the guest was stopped, if the host stopped it: the kind of failure and the cause.
    pub(crate) stopped: Option<(FailureKind, String)>,
    settings: Arc<str>,
    /// What proves a report to this policy.
    pub(crate) trust: Trust,
    policy: Arc<str>,
    started: Instant,
    /// The processor time of this thread, then. To ask for it is a system call, which most
    /// questions end without: a clock that always ticks asks at the first tick.
    started_at: Option<Duration>,
    /// Time that carom took to answer: waiting for DNS is not the policy's fault.
    waited: Duration,
    chance: Chance,
    random: Chance,
    now_ms: u64,
    /// Bytes of the log that its lines take.
    logged: usize,
    /// What explains a failure.
    pub(crate) last_words: LastWords,
}

impl Host {
    /// `seed` determines all randomness, `now_ms` the time that the guest sees.
    pub(crate) fn new(
        facts: Rc<RecipientFacts>,
        policy: Arc<str>,
        (settings, trust): (Arc<str>, Trust),
        limits: LimitsTable,
        seed: u64,
        now_ms: u64,
    ) -> Host {
        let run = PolicyRun::begin(Duration::from_millis(limits.time));
        let started_at = run.is_watched.then(cpu_time::of_this_thread);
        Host {
            facts,
            plan: Plan::default(),
            asked: Vec::new(),
            meter: Meter::new(&limits),
            run: Some(run),
            limits,
            stopped: None,
            settings,
            trust,
            policy,
            started: Instant::now(),
            started_at,
            waited: Duration::ZERO,
            chance: Chance(seed),
            // A second sequence: what a language's runtime draws does not shift what the policy
            // draws.
            random: Chance(seed ^ 0x5741_5349),
            now_ms,
            logged: 0,
            last_words: LastWords::default(),
        }
    }

    /// Time that the guest itself has used: on a busy machine that is less than has passed.
    pub(crate) fn used(&self) -> Duration {
        let passed = self.started.elapsed();
        let worked = self.started_at.map(|began| cpu_time::of_this_thread().saturating_sub(began));
        worked.map_or(passed, |worked| passed.min(worked)).saturating_sub(self.waited)
    }

    /// The same at a tick of the clock. Until the first one, it can have used no more than a step.
    pub(crate) fn used_at_tick(&mut self) -> Duration {
        let so_far = self.started.elapsed().min(TICK);
        self.started_at.get_or_insert_with(|| cpu_time::of_this_thread().saturating_sub(so_far));
        self.used()
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

    /// Records a call that takes no time.
    pub(crate) fn called(&mut self, function: &'static str) {
        self.asked.push((function, Duration::ZERO));
    }

    /// Ends the decision: `cause` explains the trap that follows.
    pub(crate) fn stop(&mut self, kind: FailureKind, cause: String) -> wasmtime::Error {
        let error = wasmtime::Error::msg(cause.clone());
        self.stopped = Some((kind, cause));
        error
    }

    /// Ends the instance: DNS is asked without it, and then the next one is asked the same.
    pub(crate) fn wait_for_dns(&mut self) -> wasmtime::Error {
        self.facts.later().iter().for_each(|later| later.logged.set(self.logged));
        wasmtime::Error::msg("DNS is asked first")
    }

    /// What the guest printed, as its language does; it goes to the log.
    pub(crate) fn printed(&mut self, bytes: &[u8]) {
        self.called("print");
        self.last_words.hear(&String::from_utf8_lossy(bytes));
        for line in String::from_utf8_lossy(bytes).lines() {
            self.write(host::Level::Info, line);
        }
    }

    /// Random bits for a language's runtime.
    pub(crate) fn random(&mut self) -> u64 {
        self.random.bits()
    }

    /// The time that the guest sees.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn write(&mut self, level: host::Level, text: &str) {
        if self.logged > self.limits.log {
            return;
        }
        let (policy, text) = (&*self.policy, line(text, LONGEST_LINE));
        self.logged += text.len() + policy.len() + LINE_START;
        if self.facts.later().is_some_and(|later| self.logged <= later.logged.get()) {
            return;
        }
        if self.logged > self.limits.log {
            tracing::warn!(policy, "the policy logs too much; the rest is dropped");
            return;
        }
        match level {
            host::Level::Debug => tracing::debug!(policy, "{text}"),
            host::Level::Info => tracing::info!(policy, "{text}"),
            host::Level::Warn => tracing::warn!(policy, "{text}"),
            host::Level::Error => tracing::error!(policy, "{text}"),
        }
    }
}

impl host::Host for Host {
    fn log(&mut self, level: host::Level, text: String) {
        self.called("log");
        if matches!(level, host::Level::Error) {
            self.last_words.hear_line(bounded(&text, LONGEST_LINE));
        }
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
