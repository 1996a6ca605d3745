//! The ways a message comes in.

pub mod envelope;
