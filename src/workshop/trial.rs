//! One decision with everything that can be seen of it: what the policy asked, what it decided,
//! what it cost. Also the replay of a message from the log, with the same seed, time and envelope.
//!
//! Not here: running the plan. Invariant: the measured decision is never the one with counted
//! instructions.

use super::{Bench, Made, render};
use crate::clock;
use crate::config::Config;
use crate::envelope::Envelope;
use crate::error::{Context, Error, Result};
use crate::message_log::LinesBack;
use crate::policy::{Decision, Policy, Readied, Use, Wanted};
use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::fmt::Write;
use std::time::Duration;

#[derive(Debug, Serialize)]
pub(crate) struct Trial {
    /// The policy's name.
    pub(crate) policy: String,
    /// SHA-256 of its component.
    pub(crate) hash: String,
    pub(crate) seed: u64,
    /// The time that it saw (RFC 3339, UTC).
    pub(crate) now: String,
    /// Of the message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) defects: Vec<String>,
    /// The plan or the answer, or why there is none.
    #[serde(flatten, serialize_with = "made_or_failure")]
    pub(crate) decided: Result<Made, String>,
    /// Equal plans have equal digests; empty for an answer.
    pub(crate) digest: String,
    /// Its calls to carom, in order.
    pub(crate) calls: Vec<Call>,
    /// How it was made ready.
    pub(crate) readied: Readied,
    /// Time that the policy itself used, in microseconds.
    pub(crate) time_us: f64,
    /// Instructions it ran.
    pub(crate) fuel: Option<u64>,
    /// The most memory that it had, in bytes.
    pub(crate) memory: usize,
}

fn made_or_failure<S: Serializer>(decided: &Result<Made, String>, to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(None)?;
    match decided {
        Ok(Made::Plan(plan)) => map.serialize_entry("plan", plan)?,
        Ok(Made::Answer { answer, expect }) => {
            map.serialize_entry("answer", answer)?;
            if let Some(expect) = expect {
                map.serialize_entry("expect", expect)?;
            }
        }
        Err(failure) => map.serialize_entry("failure", failure)?,
    }
    map.end()
}

#[derive(Debug, Serialize)]
pub(crate) struct Call {
    pub(crate) function: String,
    /// Microseconds until carom answered.
    pub(crate) answered_us: f64,
}

/// Decides twice: once as in production, once with instructions counted.
pub(crate) fn run(bench: &Bench, wanted: &Wanted<'_>) -> Result<Trial> {
    let policy = Policy::open(wanted, &bench.config, Use::One)?;
    policy.start_clock()?;
    let facts = bench.facts();
    let first = bench.ask(&policy, &facts);
    let measured = Policy::open(wanted, &bench.config, Use::Measured)?;
    measured.start_clock()?;
    let fuel = bench.ask(&measured, &facts).ok().and_then(|(_, _, decision)| decision.fuel);
    let mut trial = Trial {
        policy: policy.name.to_string(),
        hash: policy.hash.clone(),
        seed: bench.mail.seed,
        now: clock::rfc3339(bench.mail.at_ms),
        defects: bench.mail.message(|message| message.defect_texts()),
        decided: Err(String::new()),
        digest: String::new(),
        calls: Vec::new(),
        readied: policy.readied,
        time_us: 0.0,
        fuel,
        memory: 0,
    };
    match first {
        Ok((made, digest, decision)) => {
            (trial.digest, trial.decided) = (digest, Ok(made));
            trial.cost(&decision);
        }
        Err(why) => trial.decided = Err(why),
    }
    Ok(trial)
}

impl Trial {
    fn cost(&mut self, decision: &Decision) {
        self.time_us = micros(decision.used);
        self.memory = decision.memory;
        let call = |(function, took): &(&str, Duration)| Call {
            function: (*function).to_owned(),
            answered_us: micros(*took),
        };
        self.calls = decision.asked.iter().map(call).collect();
    }

    /// As people read it.
    pub(crate) fn render(&self) -> String {
        let mut text = format!(
            "policy   {} ({})\nseed     {}\ntime     {}\n\n",
            self.policy, self.hash, self.seed, self.now
        );
        if !self.defects.is_empty() {
            let _ = writeln!(text, "defects: {}\n", self.defects.join(", "));
        }
        text.push_str("it called\n");
        for call in &self.calls {
            let _ = writeln!(text, "  {:20} {:>9.1} µs", call.function, call.answered_us);
        }
        let (what, made) = match &self.decided {
            Ok(Made::Plan(plan)) => ("plan", render::tree(plan)),
            Ok(Made::Answer { answer, expect }) => (
                "answer",
                [answer.as_str()].into_iter().chain(expect.as_deref()).collect::<Vec<_>>().join("\n"),
            ),
            Err(failure) => ("plan", format!("none: {failure}")),
        };
        let _ = writeln!(text, "\n{what}");
        made.lines().for_each(|line| text.push_str(&format!("  {line}\n")));
        let how = match (self.readied.interpreted, self.readied.compiled) {
            (true, _) => "interpreted",
            (_, true) => "compiled just now",
            _ => "compiled before",
        };
        let _ = writeln!(
            text,
            "\nload     {:.0} µs ({how})\nlink     {:.0} µs\ndecide   {:.0} µs in the policy\nfuel     {}\nmemory   {} KiB",
            micros(self.readied.load),
            micros(self.readied.link),
            self.time_us,
            self.fuel.map_or("-".into(), |fuel| format!("{fuel} instructions")),
            self.memory >> 10,
        );
        text
    }
}

pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1000.0
}

/// A message from the message log.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) envelope: Envelope,
    pub(crate) seed: u64,
    /// The time of the decision, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// The policy's name and the first digits of its hash.
    pub(crate) policy: (String, String),
    /// The digest of its plan.
    pub(crate) plan: String,
}

/// The last message in the log with this queue id or this seed.
pub(crate) fn logged(config: &Config, key: &str) -> Result<Logged> {
    let mut lines = LinesBack::of(config)?;
    let fits = |line: &[u8]| {
        let line: Value = serde_json::from_slice(line).ok()?;
        let is = line.get("queue_id").and_then(Value::as_str) == Some(key)
            || line.get("seed").and_then(Value::as_u64).is_some_and(|seed| key.parse() == Ok(seed));
        // Other lines are about messages that were decided before.
        (is && line.get("event").is_none()).then_some(line)
    };
    let mut found = None;
    while found.is_none()
        && let Some(line) = lines.next()?
    {
        found = fits(&line);
    }
    let line = found.ok_or_else(|| {
        Error::new(format_args!("no message in the log has the queue id or the seed {key}"))
            .remedy("see `carom log`; logs are kept for [log] keep_days, in JSON")
    })?;
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let time: Timestamp = text("time").parse().context("the time of the log line")?;
    Ok(Logged {
        envelope: serde_json::from_value(line.clone()).context("the envelope of the log line")?,
        seed: line.get("seed").and_then(Value::as_u64).unwrap_or_default(),
        at_ms: time.as_millisecond(),
        policy: (text("policy"), text("policy_hash")),
        plan: text("plan"),
    })
}
