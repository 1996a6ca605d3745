//! The memory of a process: what messages in work may take of it, and how it goes back.

/// How much messages in work may take together.
mod budget;
/// Large blocks go back to the kernel.
mod heap;

pub(crate) use budget::{MemoryBudget, Room};
pub(crate) use heap::{give_large_blocks_back, give_small_blocks_back};
