//! What the mail server asks while a client waits: Postfix's policy delegation
//! (SMTPD_POLICY_README) and its socketmap_table(5).
//!
//! `access_desk` answers policy requests, `lookup_maps` look-ups; both look the suppression list up
//! as `carom suppress check` does. Not here: connections (`listen`), and what the answers are by
//! the config (`config`). Invariant: what fails is counted and logged, and a policy request that
//! cannot be decided is answered with DUNNO: carom stops no mail because of its own faults.

/// What answers a mail server.
mod answering_desk;
/// A connection's bytes, as they come.
mod incoming;
/// Postfix's requests.
pub(crate) mod policy_request;
/// What is answered to them.
pub(crate) mod access_answer;
/// The form of an address that is looked up.
mod asked_address;
/// How often each answer was given.
mod answer_counts;
/// A policy that answers in the SMTP dialogue.
mod receiving_policy;
/// Policy delegation.
mod access_desk;
/// Netstrings.
pub(crate) mod netstring;
/// Look-ups, answered.
mod lookup_maps;
/// socketmap_table(5).
mod lookup_desk;

pub(crate) use access_answer::answer_text;
pub(crate) use access_desk::AccessDesk;
pub(crate) use answering_desk::AnsweringDesk;
pub(crate) use lookup_desk::{LONGEST as LONGEST_LOOKUP, LookupDesk};
pub(crate) use policy_request::written_request;
