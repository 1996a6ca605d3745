//! TORTURE, `make torture`: what kills, full disks, locks, crowds and damage do to the real binary, in a table that says what was
//! lost, doubled, hung and over budget. It takes minutes (`MINUTES=3`), or as long as you like.
//!
//! Not here: interleavings that no process shows (`tests/model`), and what a single test shows (`docs/guarantees.md`).
//! Invariant: it ends in time, and with exit code 1 if a guarantee was broken; a seed makes its choices again.

mod crowd;
mod each_call;
mod random_kills;
mod remains;
mod tally;
mod trouble;

use std::time::{Duration, Instant};
use tally::Tally;

/// Writers side by side, and how long 99 in 100 of their messages may take.
const WRITERS: usize = 64;
const BUDGET: Duration = Duration::from_millis(500);

/// What fills a row in the time that it has.
type Trial = fn(&str, Duration) -> Tally;

/// Each row: its name, its share of the time in percent (0: it takes what it takes), and what fills it.
const ROWS: [(&str, u64, Trial); 13] = [
    ("each call: pipe, no effects", 9, each_call::without_effects),
    ("each call: pipe with a bounce", 9, each_call::with_a_bounce),
    ("each call: pipe, kept copy", 9, each_call::with_a_kept_copy),
    ("each call: pipe, notification", 9, each_call::with_a_notification),
    ("each call: relay, kept copy", 9, each_call::relay_with_a_kept_copy),
    ("each call: tick, log failure", 9, each_call::tick),
    ("random: pipe, relay, cron", 12, random_kills::random_kills),
    ("full disk", 0, trouble::full_disk),
    ("locks of 1 s and 14 s", 0, trouble::locks),
    ("300,000 recipients in the log", 0, trouble::very_many_recipients),
    ("bit flips of the compiled policy", 8, trouble::flips),
    ("a power cut at every sync of a relay", 0, power_cut),
    ("64 writers, relay, cron, readers", 18, side_by_side),
];

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

#[test]
#[ignore = "takes minutes: make torture"]
fn torture() {
    let number = |name| variable(name)?.parse::<u64>().ok();
    let minutes = number("CAROM_MINUTES").unwrap_or(3).clamp(1, 24 * 60);
    let seed = number("CAROM_SEED").unwrap_or_else(|| fastrand::u64(..100_000));
    let wanted = variable("CAROM_ROWS").unwrap_or_default();
    fastrand::seed(seed);
    println!("about {minutes} minutes, seed {seed}");
    let began = Instant::now();
    let rows: Vec<_> = ROWS.iter().filter(|(name, ..)| name.contains(&wanted)).collect();
    // Some rows alone have the time of all.
    let shares = match wanted.as_str() {
        "" => 100,
        _ => rows.iter().map(|(_, share, _)| share).sum::<u64>().max(1),
    };
    let share = |percent: u64| Duration::from_millis(minutes * 60_000 * percent / shares);
    let rows: Vec<Tally> =
        rows.into_iter().map(|(name, percent, fill)| fill(name, share(*percent))).collect();
    tally::show(&rows, seed, began);
    if rows.is_empty() || rows.iter().any(Tally::broken) {
        std::process::exit(1);
    }
}

/// What a power cut may leave at every sync of a run.
fn power_cut(name: &str, _: Duration) -> Tally {
    let mut tally = Tally::new(name);
    match std::panic::catch_unwind(|| crate::power_cut::cut_at(|_, _| true)) {
        Ok(cuts) => tally.tries = cuts,
        Err(_) => tally.lost = 1,
    }
    tally
}

/// Writers that never pause. On processors that are busy all the time a message waits for them: then nobody waits much longer
/// than others do.
fn side_by_side(name: &str, budget: Duration) -> Tally {
    let mut tally = Tally::new(name);
    let lasts = budget.min(Duration::from_secs(60));
    let crowd = crowd::crowd(WRITERS, lasts);
    tally.tries = crowd.took.len();
    tally.took(crowd.percentile(100), Duration::from_secs(10));
    let (p50, p99) = (crowd.percentile(50), crowd.percentile(99));
    let usual = lasts.mul_f64(WRITERS as f64 / crowd.took.len().max(1) as f64);
    tally.over_budget = usize::from(p99 > BUDGET.max(usual * 4));
    let expected = crowd.bounces + crowd.relayed as usize;
    tally.lost = expected.saturating_sub(crowd.arrived) + crowd.refused.len();
    tally.doubled = crowd.arrived.saturating_sub(expected);
    let messages = (crowd.took.len() - crowd.refused.len()) as u64 + 1 + crowd.relayed;
    tally.lost += messages.saturating_sub(crowd.counted) as usize;
    tally.doubled += crowd.counted.saturating_sub(messages) as usize;
    tally.notes.push(format!(
        "p50 {p50:.0?}, p99 {p99:.0?}, longest {:.1?}; processors busy {:.0} %",
        crowd.percentile(100),
        crowd.cpu * 100.0
    ));
    tally.notes.extend(crowd.refused.first().cloned());
    tally
}
