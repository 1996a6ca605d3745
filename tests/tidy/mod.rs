//! The laws of the house, each held by a test.

mod crates;
mod layers;
mod names;
mod shipped;
mod sizes;
pub(crate) mod sources;
mod words;
