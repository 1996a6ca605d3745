//! The policy.

pub mod plan;
