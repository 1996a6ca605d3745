//! What a policy costs: its cold start in a process for one message, and a decision in a warm
//! process.
//!
//! Not here: the cost of carom around it (`benches/`). Invariant: every figure is a median, with
//! the number of runs.

use super::Bench;
use super::trial::micros;
use crate::class::DeliveryFailure;
use crate::error::{Error, Result};
use crate::policy::{Policy, Use, Wanted};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Times in microseconds, each the median of its runs.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Costs {
    /// Engine and load, link, instantiate and first decision, in a fresh process.
    pub(crate) cold: Cold,
    /// How many processes.
    pub(crate) cold_runs: usize,
    /// A decision in a warm process, with a fresh instance.
    pub(crate) warm_us: f64,
    /// The slowest of a hundred.
    pub(crate) warm_p99_us: f64,
    /// How many decisions.
    pub(crate) warm_runs: usize,
    /// An answer in the SMTP dialogue, likewise; `None`: the policy gives none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer_us: Option<f64>,
    /// The slowest of a hundred of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer_p99_us: Option<f64>,
    /// Failures classified per second, in batches, on one core.
    pub(crate) classified_per_second: f64,
    /// The first classification of a process, including its cold start.
    pub(crate) first_class_us: f64,
    /// The same in a process that may not run machine code.
    pub(crate) first_class_interpreted_us: f64,
    /// The cold start in a process that may not run machine code.
    pub(crate) cold_interpreted_us: f64,
}

/// The cold start, in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cold {
    /// Starting the engine and mapping the code.
    pub(crate) load_us: f64,
    /// Linking.
    pub(crate) link_us: f64,
    /// Instantiating and the first decision.
    pub(crate) first_us: f64,
}

impl Cold {
    pub(crate) fn total_us(&self) -> f64 {
        self.load_us + self.link_us + self.first_us
    }
}

/// One cold start, in this process, which must not have used policies before.
pub(crate) fn cold(bench: &Bench, wanted: &Wanted<'_>, usage: Use) -> Result<Cold> {
    let facts = bench.facts();
    facts.message.message(|message| message.subject());
    let policy = Policy::open(wanted, &bench.config, usage)?;
    let began = Instant::now();
    bench.question().ask(&policy, &facts).map_err(Error::new)?;
    let first_us = micros(began.elapsed());
    let (load_us, link_us) = (micros(policy.readied.load), micros(policy.readied.link));
    Ok(Cold { load_us, link_us, first_us })
}

/// One first classification, in microseconds; see [`cold`].
pub(crate) fn first_class(bench: &Bench, wanted: &Wanted<'_>, usage: Use) -> Result<f64> {
    let facts = bench.facts();
    let began = Instant::now();
    let policy = Policy::open(wanted, &bench.config, usage)?;
    policy.classify(&facts, &failures(1)).map_err(Error::new)?;
    Ok(micros(began.elapsed()))
}

/// Fills in the figures of a warm process.
pub(crate) fn warm(bench: &Bench, wanted: &Wanted<'_>, runs: usize, costs: &mut Costs) -> Result<()> {
    // A slow language may need longer for a batch than a message may take.
    let mut config = (*bench.config).clone();
    config.limits.time = config.limits.time.max(10_000);
    let policy = Policy::open(wanted, &config, Use::Many(2))?;
    policy.start_clock()?;
    let facts = bench.facts();
    (costs.warm_us, costs.warm_p99_us) =
        median_and_p99(runs, |seed| policy.decide(&facts, seed, 0).map(drop).map_err(Error::new))?;
    costs.warm_runs = runs;
    if policy.receives() {
        let asked = Bench::with_small_request(&bench.config)?.facts();
        let answers =
            median_and_p99(runs, |seed| policy.receive(&asked, seed, 0).map(drop).map_err(Error::new))?;
        (costs.answer_us, costs.answer_p99_us) = (Some(answers.0), Some(answers.1));
    }
    let failures = failures(10_000);
    policy.classify(&facts, &failures).map_err(Error::new)?;
    let mut rates = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        policy.classify(&facts, &failures).map_err(Error::new)?;
        rates.push(failures.len() as f64 / began.elapsed().as_secs_f64());
    }
    costs.classified_per_second = median(&mut rates);
    Ok(())
}

/// The median of `runs` and the slowest of a hundred, in microseconds.
fn median_and_p99(runs: usize, mut run: impl FnMut(u64) -> Result<()>) -> Result<(f64, f64)> {
    let mut times = Vec::with_capacity(runs);
    for seed in 0..runs as u64 {
        let began = Instant::now();
        run(seed)?;
        times.push(micros(began.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    let at = |place: usize| times.get(place).copied().unwrap_or_default();
    Ok((at(runs / 2), at(runs * 99 / 100)))
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Failures as on a busy day: some differ in the address, some in a session id, some are identical.
fn failures(many: usize) -> Vec<DeliveryFailure> {
    const TEXTS: [(&str, u16, &str); 8] = [
        (
            "550 5.1.1 <someone@mail.example>: Recipient address rejected: User unknown in virtual mailbox table",
            550,
            "5.1.1",
        ),
        (
            "452 4.2.2 The email account that you tried to reach is over quota. Please direct the recipient to ID",
            452,
            "4.2.2",
        ),
        (
            "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using list.example; see the page",
            554,
            "5.7.1",
        ),
        (
            "421 4.7.0 [TSS04] Messages from 192.0.2.9 temporarily deferred due to unexpected volume",
            421,
            "4.7.0",
        ),
        (
            "550 5.7.26 This mail is unauthenticated, which poses a security risk to the sender and users",
            550,
            "5.7.26",
        ),
        (
            "host mx.mail.example[192.0.2.1] refused to talk to me: 450 too many connections from your address",
            450,
            "4.3.2",
        ),
        ("connect to mx.mail.example[192.0.2.1]:25: Connection timed out", 0, "4.4.1"),
        ("552 5.3.4 Message size exceeds fixed maximum message size", 552, "5.3.4"),
    ];
    (0..many)
        .map(|number| {
            let (text, code, status) = TEXTS[number % TEXTS.len()];
            DeliveryFailure {
                text: text
                    .replace("someone", &format!("someone{number}"))
                    .replace("ID", &format!("{number:x}-{number}")),
                status: status.into(),
                code,
                stage: "RCPT".into(),
                remote_mta: "mx.mail.example".into(),
                ..DeliveryFailure::default()
            }
        })
        .collect()
}
