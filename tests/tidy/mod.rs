//! The laws of the house, each held by a test.

mod crates;
mod layers;
mod names;
mod shipped;
mod sizes;
mod sources;
mod words;
