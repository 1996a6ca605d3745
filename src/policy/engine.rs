//! The WebAssembly engine: its limits, its clock, and the two ways of running compiled code.
//!
//! Nothing here knows what a policy is asked. Invariant: whatever a guest does, it ends within its time and memory.

use crate::config::Limits;
use crate::error::{Context, Result};
use std::time::Duration;
use wasmtime::{Config, Engine, StoreLimits, StoreLimitsBuilder};

/// How often the clock of guests is to tick.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// How compiled policies are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavor {
    /// Machine code of this processor.
    Native,
    /// Pulley bytecode, interpreted: for processes that may not map executable memory (systemd's
    /// MemoryDenyWriteExecute, under which Debian 13 runs Postfix).
    Pulley,
}

impl Flavor {
    /// The part of a compiled file's name that says how it is run.
    pub(super) fn name(self) -> &'static str {
        match self {
            Flavor::Native => std::env::consts::ARCH,
            Flavor::Pulley => "pulley64",
        }
    }
}

/// Makes an engine. Its settings are part of what compiled code must agree with, so they depend on nothing but `flavor`. One that
/// only runs what is compiled starts in half the time.
pub(super) fn engine(flavor: Flavor, compiles: bool) -> Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.enable_compiler(compiles);
    if flavor == Flavor::Pulley {
        config.target("pulley64").context("pulley64")?;
    }
    Engine::new(&config).context("cannot start the WebAssembly engine")
}

/// Memory, tables and instances of one decision. Growing past them is a trap, so that the cause can be named.
pub(super) fn store_limits(limits: &Limits) -> StoreLimits {
    StoreLimitsBuilder::new()
        .memory_size(limits.memory)
        .table_elements(100_000)
        .instances(64)
        .tables(64)
        .memories(16)
        .trap_on_grow_failure(true)
        .build()
}

/// Whether this process may turn memory executable: `PR_GET_MDWE` as `/proc` does not show it, so it is tried out by
/// loading; see `cache`. The message of the kernel's refusal, as wasmtime passes it on.
pub(super) fn refused_executable_memory(error: &str) -> bool {
    error.contains("memory executable") || error.contains("Permission denied")
}
