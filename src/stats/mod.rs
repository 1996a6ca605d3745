//! What was counted: the sink's counters, and statistics of deliveries in every form.
//!
//! The renderers are pure functions of `Figures`. Not here: counting, which `ingest` and the store
//! do. Invariant: text from mail reaches a terminal, a page, a spreadsheet or an exposition only as
//! plain text.

/// bouncy-sink's counters and series, for its dashboards and for people.
pub(crate) mod sink_counters;
/// Times in JSON.
mod rfc3339;
/// What became of deliveries, by status.
pub(crate) mod outcomes;
/// Which period figures are about.
pub(crate) mod period;
/// Outcomes over time.
pub(crate) mod series;
/// The figures of a period as plain data.
pub(crate) mod figures;
/// The biggest groups, and the rest as one.
pub(crate) mod top;
/// TLS by destination.
pub(crate) mod tls;
/// Deliveries that still wait.
mod waiting;
/// How long deliveries took.
mod delays;
/// Deliveries by a name that they have in common.
mod groups;
/// The recipient domains, read beside the rest.
mod domains_beside;
/// Figures counted from deliveries.
pub(crate) mod of_deliveries;
/// What changed against the same hour last week.
pub(crate) mod hour_change;
/// The figures of a period, out of the index.
pub(crate) mod gather;
/// Figures in each form: terminal, HTML, CSV, JSON, Prometheus.
pub(crate) mod render;
/// Files for others to read.
pub(crate) mod export;
#[cfg(test)]
mod fixture;

pub(crate) use figures::Figures;
