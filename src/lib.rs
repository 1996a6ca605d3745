//! carom handles what rebounds in e-mail: bounces, complaints, auto-replies and the test traffic of a bounce sink.
//!
//! The modules stand in reading order, from what a message needs first to the commands that people type. Each uses
//! only modules that stand above it; `tests/tidy.rs` holds them to it.

#![warn(clippy::print_stdout, clippy::print_stderr)]

/// What went wrong, and what the mail server is told.
pub mod error;
/// The time of day.
pub mod clock;
/// Whose files are: what root makes belongs to the mail user.
pub mod owner;
/// A point in time by which something must be over.
pub mod deadline;
/// Files that are whole or not there.
pub mod publish;
/// `carom.toml` → `Config`.
pub mod config;
/// Reports that are kept, by the address they are about.
pub mod kept;
/// Who sent a message to whom, as the mail server says it.
pub mod envelope;
/// 2 read: header, addresses, links. It never fails; it lists defects.
pub mod message;
/// 1 take: the ways a message comes in.
pub mod intake;
/// 3 check: DKIM, SPF, DMARC, and the DNS they ask.
pub mod auth;
/// 4 ask: the WebAssembly policy and the plan it makes.
pub mod policy;
/// What mail logs say became of every message: files, lines, deliveries.
pub mod logs;
/// Counters, journal, outbox.
pub mod store;
/// 6 run: doing one step of a plan.
pub mod action;
/// 5 promise: plans kept through crashes, retries and delays.
pub mod journal;
/// 7 add: one line for each message, and carom's own log.
pub mod log;
/// 4 ask, whole: the policy's plan, and where the answers in it may go.
pub mod decide;
/// Policies that only look on.
pub mod monitor;
/// THE SEVEN STEPS of a message, on one page.
pub mod deliver;
/// Deliveries that failed, as our own mail log has it, acted upon.
pub mod bounced;
/// Every message of a relay directory, many at once.
pub mod relay;
/// What was counted, as people, spreadsheets and monitors read it.
pub mod stats;
/// What mail logs say, taken into the index.
pub mod ingest;
/// Another program, run with a deadline.
pub mod command;
/// The suppression list as files.
pub mod suppression;
/// Values that change by the day of the week, written for the mail server.
pub mod cycle;
/// Telling operators that something is not as it should be, and that it is again.
pub mod alert;
/// THE TICK, on one page.
pub mod cron;
/// Where policies are made: scaffolded, built, checked, tried, tested, measured.
pub mod workshop;
/// What messages report, and what that means.
pub mod classify;
/// Is everything there that a message will need?
pub mod check;
/// Moving from bouncy-sink.
pub mod sink;
/// Rules of Postfix-Deliverability-Analytics as ours.
pub mod rules_import;
/// The front door.
pub mod cli;
