//! What was counted: the sink's counters, and statistics of deliveries in every form they are read in.
//!
//! The renderers are pure functions of `Figures`. Not here: counting, which the store does. Invariant: nothing
//! that comes from mail reaches a terminal, a page, a spreadsheet or an exposition otherwise than as plain text.

/// bouncy-sink's counters and series, for its dashboards and for people.
pub mod count;
/// Deliveries of a period as plain data.
pub mod figures;
/// Which domain a host name belongs to.
pub mod domain;
/// Who runs a mail server.
pub mod provider;
/// The names under which a delivery counts.
pub mod names;
/// The figures of a period, out of the index.
pub mod gather;
/// How numbers, durations and strange texts are written.
mod wording;
/// Files for others to read.
pub mod export;
/// Columns on a terminal.
mod table;
/// A period on a terminal.
pub mod report;
/// The text format of Prometheus.
pub mod prometheus;
/// JSON, and JSON Lines.
pub mod json;
/// Comma-separated values.
pub mod csv;
/// One page that needs nothing else.
pub mod html;
#[cfg(test)]
mod fixture;

pub use figures::Figures;
