//! What was counted: the sink's counters, and statistics of deliveries in every form they are read in.
//!
//! The renderers are pure functions of `Figures`. Not here: counting, which the store does. Invariant: nothing
//! that comes from mail reaches a terminal, a page, a spreadsheet or an exposition otherwise than as plain text.

/// bouncy-sink's counters and series, for its dashboards and for people.
pub(crate) mod sink_counters;
/// Deliveries of a period as plain data.
pub(crate) mod figures;
/// Which period figures are about.
pub(crate) mod period;
/// The figures of a period, out of the index.
pub(crate) mod gather;
/// Figures in each form: terminal, HTML, CSV, JSON, Prometheus.
pub(crate) mod render;
/// Files for others to read.
pub(crate) mod export;
#[cfg(test)]
mod fixture;

pub(crate) use figures::Figures;
