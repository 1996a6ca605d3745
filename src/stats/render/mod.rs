//! The forms of a report: pure functions of `Figures`.
//!
//! Not here: where the output goes (`export`). Invariant: nothing that comes from mail reaches a terminal, a page, a
//! spreadsheet or an exposition except as plain text.

/// How numbers, durations and untrusted text are written.
pub(crate) mod wording;
/// Columns on a terminal.
pub(crate) mod columns;
/// A period on a terminal.
pub(crate) mod terminal;
/// The text format of Prometheus.
pub(crate) mod prometheus;
/// JSON, and JSON Lines.
pub(crate) mod json;
/// Comma-separated values.
pub(crate) mod csv;
/// A single, self-contained page.
pub(crate) mod html;
