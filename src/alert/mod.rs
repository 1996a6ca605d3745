//! Alerts: operators hear that a value crossed its limit, and that it is back, once per change.
//!
//! `readings` says what the values are, `state` what they change, `announcement` what is said about
//! it; these are pure. `desk` brings them together with the store and the index. An announcement is
//! a step of the journal like any other: retried, recorded, and done once. Invariant: no alert is
//! about alerts, neither about the mail that carries one nor about a step that failed to announce
//! one.

mod announcement;
mod desk;
mod listing;
mod readings;
mod lookups;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use desk::{Change, Desk, Evaluation};
pub(crate) use listing::RuleState;
