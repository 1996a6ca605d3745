//! carom handles what rebounds in e-mail: bounces, complaints, auto-replies and the test traffic of
//! a bounce sink.
//!
//! The modules are in reading order, from what a message needs first to the commands that people
//! type. Each uses only modules above it; `tests/tidy` holds them to it.

#![warn(clippy::print_stdout, clippy::print_stderr)]

// Ground: vocabulary that everybody uses.
/// What went wrong, and the answer to the mail server.
mod error;
/// Text from elsewhere, made fit to show, log or send.
mod text;
/// Digests, signatures, random tokens.
mod digest;
/// The time of day.
mod clock;
/// A point in time by which something must be over.
mod deadline;
/// The memory that messages in work may take.
mod memory;
/// Files: owners, whole files, other programs.
mod files;
/// Return paths that are signed, tagged or rewritten.
mod return_path;
/// Webhooks as data: URL, body, signature.
mod webhook;
/// An address in other text, in all its forms.
mod named_address;
/// Who sent a message to whom, as the mail server says it.
mod envelope;
/// What a mailbox is, by the grammar.
mod mailbox_syntax;
/// Numbers that measure something: sizes and times.
mod measured_number;
/// SMTP replies and their codes.
mod smtp_reply;
/// `carom.toml` → `Config`.
mod config;
/// carom's own log.
mod diagnostics;
/// What a delivery failure means.
mod class;
/// What kind of complaint a feedback report is.
mod feedback_type;
/// What is to be done about a message: a tree of steps.
mod plan;

// A message.
/// 2 read: header, addresses, links. It never fails; it lists defects.
mod message;
/// A message and what names it: one parcel from the entrance to the last step.
mod mail;
/// What a message reports about another message.
mod report;
/// 1 take: the ways a message comes in.
mod intake;
/// 3 check: DKIM, SPF, DMARC, and the DNS they ask.
mod auth;
/// Counters, journal, outbox.
mod store;
/// Reports that are kept, by the address they are about.
mod archive;
/// Mail logs: files, lines, deliveries.
mod maillog;
/// The dimensions that deliveries are counted by.
mod dimension;
/// State that many hosts share through Redis or Valkey.
mod shared;
/// What the mail logs say, in a database of its own.
mod index;
/// 4 ask: the WebAssembly policy and the plan it makes.
mod policy;
/// 6 run: doing one step of a plan.
mod action;
/// 5 promise: plans kept through crashes, retries and delays.
mod journal;
/// 7 add: one line for each message that was decided.
mod message_log;
/// 4 ask, whole: the policy's plan, and where the answers in it may go.
mod decide;
/// Everything that a delivery needs, made once.
mod house;
/// Entries that leave the suppression list because they were wrong.
mod release;
/// A redelivery is answered with the verdict that was promised.
mod redelivery;
/// Messages that come to a halt before the promise.
mod halt;
/// THE SEVEN STEPS of a message, on one page.
mod deliver;
/// Every message of a relay directory, many side by side.
mod relay;
/// Connections: where they come from, and the threads that serve them.
mod listen;
/// Messages that clients hand in by LMTP or SMTP.
mod lmtp;
/// What the mail server asks while a client waits.
mod access;

// The mail logs.
/// Failures in the mail log, acted on as reports are.
mod log_failures;
/// What happened, as JSON, for other systems.
mod events;
/// What people, spreadsheets and monitors read.
mod stats;
/// The path of a log line into the index.
mod ingest;
/// Drafts of rules for replies that no rule knows.
mod suggest;

// What people see.
/// The suppression list as files.
mod suppress;
/// Values that change by the day of the week, written for the mail server.
mod cycle;
/// Telling operators that a value crossed its limit, and that it is back.
mod alert;
/// THE TICK, on one page.
mod cron;
/// Everything known about an address, a Message-ID or a queue id.
mod find;
/// Everything known about an address goes.
mod erase;
/// What a check found, and the fix.
mod finding;
/// How Postfix hands mail to carom.
mod wiring;
/// For policy authors: scaffold, build, check, try, test, measure.
mod workshop;
/// What reports say and mean.
mod classify;
/// Is everything there that a message will need?
mod check;
/// What carom knows, and what support staff press, by HTTP.
mod serve;
/// Moving from bouncy-sink and Postfix-Deliverability-Analytics.
mod import;
/// The readers of hostile bytes, for fuzzing.
#[doc(hidden)]
pub mod fuzz;
/// The command line.
pub mod cli;
