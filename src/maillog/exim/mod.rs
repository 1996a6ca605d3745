//! What one line of Exim's main log says, in the events of `postfix`: one line tells of a whole
//! arrival or attempt.
//!
//! Not here: what several lines say together (`correlate`); the reject log and the panic log.
//! Invariant: Exim's own flags and fields come before any text that a stranger chose, and are read
//! in order; a text is never searched for a flag.

mod exim_fields;
mod exim_attempt;
mod exim_arrival;
mod exim_refusal;
mod exim_event;
mod exim_lines;

pub(crate) use exim_lines::EximLines;
