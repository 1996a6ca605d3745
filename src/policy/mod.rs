//! 4 ask: the WebAssembly component that decides about a message, says which return paths may be
//! answered, and what a delivery failure means. It decides, and does nothing.
//!
//! Not here: doing what was decided (`action`). Invariant: a policy that fails, in whatever way, is
//! a `Failure` that names the policy, its hash and the cause; the next message gets a fresh
//! instance.

/// The WIT package as text.
pub(crate) mod wit;
/// The types and traits that wasmtime makes of the WIT package.
mod bindings;
/// A policy that failed.
mod failure;
/// What a component is made of, before any of it runs.
pub(crate) mod anatomy;
/// The WebAssembly engine: limits and clock.
mod engine;
/// Whether compiled code is what was compiled.
mod verified;
/// Compiled components.
mod cache;
/// The policies inside the carom binary.
mod shipped;
/// Where a component comes from: config, installation, or this binary.
mod component_source;
/// What a policy may know about a message.
pub(crate) mod message_facts;
/// What a policy may know about an SMTP session.
pub(crate) mod session_facts;
/// What a policy may know about one recipient.
pub(crate) mod recipient_facts;
/// Addresses that never complain.
mod own_and_lists;
/// Who complains.
mod complaint_facts;
/// What names a message that comes again.
pub(crate) mod earlier_deferrals;
/// WHAT PROVES A REPORT.
pub(crate) mod proof;
/// Why a report is not proven.
mod why_unproven;
/// What makes two reports the same.
pub(crate) mod fingerprint;
/// Numbers that look random.
mod chance;
/// Text that crosses between carom and a guest.
mod guest_text;
/// What one decision needs, and what it has built so far.
mod host;
/// The imports that build a plan.
mod plan_builder;
/// The imports that answer questions.
mod answers;
/// The same about an SMTP session.
mod session_answers;
/// WASI without a world outside.
mod wasi;
/// A component and its exports, linked with what carom offers.
mod linked;
/// A policy ready to decide.
mod ready;
/// The settings that it is asked with.
mod settings_in_force;
/// An instance and what it is asked, within its limits.
mod instance;
/// What each delivery failure means.
mod classes;
/// The questions about a message.
mod questions;
/// Failures of one sender domain, decided one after the other.
mod sequence;
/// What is answered in the SMTP dialogue.
mod reception;
/// How many instances there are at a time.
pub(crate) mod instance_places;
/// What a guest said before it failed.
mod last_words;
/// Why a guest failed.
mod trapped;
/// Running `prepare` once, when a policy is installed.
mod prepare;
/// Who could write a file: asks the system's user database.
mod mail_user;
/// The policies that there are.
pub(crate) mod listed_policy;
/// Installed releases, and rolling back.
pub(crate) mod releases;
/// Making a release.
pub(crate) mod staging;
#[cfg(test)]
mod tests;

pub(crate) use component_source::{is_shipped, read as component, shipped};
pub(crate) use failure::Failure;
pub(crate) use instance::PolicyInstance;
pub(crate) use questions::Decision;
pub(crate) use ready::{Policy, Readied, Use, Wanted};
pub(crate) use reception::PolicyAnswer;
pub(crate) use sequence::DecisionSequence;
pub(crate) use verified::CodeCheck;

use crate::clock;
use crate::config::Config;
use crate::error::Error;
use component_source::ComponentSource;

/// Removes compiled policies that nobody has used for long.
pub(crate) fn expire_compiled(config: &Config) {
    cache::expire(&config.compiled_dir(), clock::now());
}

/// Compares the compiled code of policies with what was compiled, and has damaged code compiled
/// again. Returns what was found.
pub(crate) fn verify_compiled(config: &Config, depth: CodeCheck) -> Vec<Error> {
    let compiled_dir = config.compiled_dir();
    let releases = config.policies_in_use().into_iter().flat_map(|name| {
        let source = ComponentSource::find(name, config).ok();
        source.map(|source| source.compiled_beside()).unwrap_or_default()
    });
    let damaged = releases.filter_map(|code| verified::inspect(&code, &compiled_dir, depth, false));
    damaged.chain(cache::sweep(&compiled_dir, depth)).collect()
}
