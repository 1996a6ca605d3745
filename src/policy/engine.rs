//! The WebAssembly engine: its limits, its clock, and the two ways of running compiled code.
//!
//! Nothing here knows what a policy is asked. Invariant: whatever a guest does, it ends within its time and memory.

use crate::config::Limits;
use crate::error::{Context, Result};
use std::time::Duration;
use wasmtime::{Config, Engine, StoreLimits, StoreLimitsBuilder};

/// How often the clock of guests ticks. A process that lives for less never pays for one.
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

/// Makes an engine. Its settings are part of what compiled code must agree with, so they depend on nothing but `flavor`.
pub(super) fn engine(flavor: Flavor) -> Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    if flavor == Flavor::Pulley {
        config.target("pulley64").context("pulley64")?;
    }
    Engine::new(&config).context("cannot start the WebAssembly engine")
}

/// Starts the clock that guests are timed by. It stops with the process, or when the engine is gone.
pub(super) fn start_clock(engine: &Engine) -> Result<()> {
    let engine = engine.weak();
    let tick = move || {
        loop {
            std::thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    };
    let thread = std::thread::Builder::new()
        .name("policy-clock".into())
        .stack_size(64 << 10);
    thread
        .spawn(tick)
        .context("cannot start the clock of policies")
        .map(drop)
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
