//! The WebAssembly engine: its limits, its clock, and the two ways of running compiled code.
//!
//! Not here: what a policy is asked (`questions`). Invariant: whatever a guest does, it ends within
//! its time and memory.

use crate::config::LimitsTable;
use crate::error::{Context, Result};
use std::time::Duration;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, ResourceLimiter,
    StoreLimits, StoreLimitsBuilder,
};

/// Time between two steps of the clock of guests.
const TICK: Duration = Duration::from_millis(10);

/// How compiled policies are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// Machine code of this processor.
    Native,
    /// Pulley bytecode, interpreted: for processes that may not map executable memory (systemd's
    /// MemoryDenyWriteExecute, under which Debian 13 runs Postfix).
    Pulley,
}

impl Flavor {
    /// The part of a compiled file's name that says how it is run.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Flavor::Native => std::env::consts::ARCH,
            Flavor::Pulley => "pulley64",
        }
    }
}

/// What an engine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Compiling; it can run what it compiled, too.
    Compile,
    /// Running a few decisions. Without the compiler an engine starts in half the time.
    Run,
    /// Running many decisions in so many threads: memory is kept mapped from one decision to the
    /// next.
    RunMany(usize),
    /// Running what this very engine compiles, with every instruction counted. Its code is of no
    /// use to another.
    Measure,
}

/// The purpose of the engine that compiles what is then used for `purpose`.
pub(crate) fn compiler_for(purpose: Purpose) -> Purpose {
    match purpose {
        Purpose::Measure => Purpose::Measure,
        _ => Purpose::Compile,
    }
}

/// Starts a thread that moves the clock of guests on as long as the engine is used.
pub(crate) fn start_clock(engine: &Engine) -> Result<()> {
    let engine = engine.weak();
    let forever = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    let thread = std::thread::Builder::new().name("policy-clock".into()).stack_size(64 << 10);
    thread.spawn(forever).context("cannot start the clock of policies").map(drop)
}

/// Memory that a pooled instance clears by hand rather than by giving it back to the kernel: what a
/// usual decision dirties.
const KEPT_RESIDENT: usize = 1 << 20;

/// Makes an engine. What compiled code must agree with depends on nothing but `flavor`.
pub(crate) fn engine(flavor: Flavor, purpose: Purpose, limits: &LimitsTable) -> Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // A trap is told by its kind; where in the guest it happened is not, and what would tell is
    // read at every start.
    config.generate_address_map(false);
    config.wasm_backtrace_max_frames(None);
    config.native_unwind_info(false);
    config.enable_compiler(matches!(purpose, Purpose::Compile | Purpose::Measure));
    config.consume_fuel(purpose == Purpose::Measure);
    if let Purpose::RunMany(threads) = purpose {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(threads, limits)));
    }
    if flavor == Flavor::Pulley {
        config.target("pulley64").context("pulley64")?;
    }
    Engine::new(&config).context("cannot start the WebAssembly engine")
}

/// Room for every thread's instance, also for components of several modules, as JavaScript and
/// Python make them.
fn pool(threads: usize, limits: &LimitsTable) -> PoolingAllocationConfig {
    let threads = u32::try_from(threads).unwrap_or(u32::MAX).clamp(1, 256);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(threads * 2)
        .total_core_instances(threads * 32)
        .total_memories(threads * 4)
        .total_tables(threads * 32)
        .max_memory_size(limits.memory)
        .max_core_instance_size(1 << 20)
        .max_component_instance_size(1 << 20)
        .max_core_instances_per_component(64)
        .max_memories_per_component(16)
        .max_tables_per_component(64)
        .table_elements(TABLE_ELEMENTS)
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(KEPT_RESIDENT)
        .table_keep_resident(KEPT_RESIDENT);
    pool
}

/// Elements of one table.
const TABLE_ELEMENTS: usize = 100_000;

/// Memory, tables and instances of one decision. Growing past them is a trap, so that the cause can
/// be named.
pub(crate) struct Meter {
    limits: StoreLimits,
    /// The most memory it has had, in bytes.
    pub(crate) peak: usize,
    /// It wanted more memory than it may have.
    pub(crate) exceeded: bool,
    most: usize,
}

impl Meter {
    pub(crate) fn new(limits: &LimitsTable) -> Meter {
        let builder = StoreLimitsBuilder::new()
            .memory_size(limits.memory)
            .table_elements(TABLE_ELEMENTS)
            .instances(64)
            .tables(64)
            .memories(16)
            .trap_on_grow_failure(true);
        Meter { limits: builder.build(), peak: 0, exceeded: false, most: limits.memory }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        wanted: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.exceeded |= wanted > self.most;
        let grown = self.limits.memory_growing(current, wanted, maximum);
        if matches!(grown, Ok(true)) {
            self.peak = self.peak.max(wanted);
        }
        grown
    }

    fn table_growing(
        &mut self,
        current: usize,
        wanted: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.limits.table_growing(current, wanted, maximum)
    }

    fn instances(&self) -> usize {
        self.limits.instances()
    }

    fn tables(&self) -> usize {
        self.limits.tables()
    }

    fn memories(&self) -> usize {
        self.limits.memories()
    }
}

/// Whether this is the kernel's refusal to turn memory executable, as wasmtime passes it on. There
/// is no better way to know than to try: `prctl(PR_GET_MDWE)` knows nothing of the seccomp filter
/// that older systemds use for the same.
pub(crate) fn refused_executable_memory(error: &str) -> bool {
    ["memory executable", "Permission denied", "Operation not permitted"]
        .iter()
        .any(|sign| error.contains(sign))
}
