//! The WebAssembly engine: its limits, its clock, and the two ways to run compiled code.
//!
//! Not here: what a policy is asked (`questions`). Invariant: no guest can exceed its time or its
//! memory.

use crate::config::LimitsTable;
use crate::error::{Context, Error, Result};
use rustix::process::{Resource, getrlimit};
use std::num::NonZeroUsize;
use std::time::Duration;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, ResourceLimiter,
    StoreLimits, StoreLimitsBuilder,
};

/// Time between two ticks of the guests' clock.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// How compiled policies run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// Machine code for this processor.
    Native,
    /// Pulley bytecode, interpreted: for processes that may not map executable memory (systemd's
    /// MemoryDenyWriteExecute, under which Debian 13 runs Postfix).
    Pulley,
}

impl Flavor {
    /// The flavor's part of the name of a compiled file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Flavor::Native => std::env::consts::ARCH,
            Flavor::Pulley => "pulley64",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Compiling. The engine can also run what it compiled.
    Compile,
    /// Running a few decisions. Without the compiler, an engine starts in half the time.
    Run,
    /// The same, leaving nothing on disk: neither compiled code nor notes about it.
    Look,
    /// Running many decisions in this number of threads. Memory stays mapped between decisions.
    RunMany(usize),
    /// Counting every instruction. The engine runs only the code that it compiled itself, and no
    /// other engine can use that code.
    Measure,
}

/// The purpose of the engine that compiles code for `purpose`.
pub(crate) fn compiler_for(purpose: Purpose) -> Purpose {
    match purpose {
        Purpose::Measure => Purpose::Measure,
        _ => Purpose::Compile,
    }
}

/// Starts a thread that advances the guests' clock until the engine is dropped.
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

/// Calls of a guest that is stopped that are looked at.
const FRAMES: usize = 64;
/// Bytes of the stack on which a guest's calls are. What a guest keeps in its memory for that, its
/// own stack, was given when it was linked.
pub(crate) const STACK: usize = 512 << 10;

/// Bytes that a pooled instance clears in place instead of returning them to the kernel: about what
/// a typical decision dirties.
const KEPT_RESIDENT: usize = 1 << 20;

/// Except for `Purpose::Measure`, only `flavor` decides which compiled code an engine can run.
pub(crate) fn engine(flavor: Flavor, purpose: Purpose, limits: &LimitsTable) -> Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // An error names the functions of the guest, which come with its component, and not the lines:
    // every start would have to read the tables that locate them.
    config.generate_address_map(false);
    config.wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES));
    config.max_wasm_stack(STACK);
    config.native_unwind_info(false);
    config.enable_compiler(matches!(purpose, Purpose::Compile | Purpose::Measure));
    config.consume_fuel(purpose == Purpose::Measure);
    if let Purpose::RunMany(threads) = purpose {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(threads, limits)));
    }
    if flavor == Flavor::Pulley {
        config.target("pulley64").context("pulley64")?;
    }
    Engine::new(&config).map_err(|error| {
        let text = format!("{error:#}");
        Error::new(address_space(&text).unwrap_or(text)).within("cannot start the WebAssembly engine")
    })
}

/// What an error says about memory that could not be mapped, if this process has a limit of address
/// space. A policy has little memory and much address space, so that its accesses need no checks.
pub(crate) fn address_space(error: &str) -> Option<String> {
    let is_short = ["os error 12", "Cannot allocate memory"].iter().any(|sign| error.contains(sign));
    let most = getrlimit(Resource::As).current.filter(|_| is_short)?;
    Some(format!(
        "this process may have {} MiB of address space, and a policy needs more: raise the limit (ulimit -v unlimited, \
         LimitAS=infinity in the service)",
        most >> 20
    ))
}

/// Has room for an instance in every thread, even if a component consists of several modules, as
/// those from JavaScript and Python do.
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

/// Most elements of one table.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;

/// Limits the memory, tables and instances of one decision. Growth past a limit traps, so that the
/// error can name the cause.
pub(crate) struct Meter {
    limits: StoreLimits,
    /// The largest memory so far, in bytes.
    pub(crate) peak: usize,
    /// The limit that the guest ran into when it last asked for more.
    pub(crate) exceeded: Option<Exceeded>,
    most: usize,
}

/// Why something in a guest could not grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// `[limits] memory`.
    Memory,
    /// The memory's own maximum, in bytes, with which it was linked.
    OwnMemory(usize),
    /// The elements of a table.
    Table,
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
        Meter { limits: builder.build(), peak: 0, exceeded: None, most: limits.memory }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        wanted: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.exceeded = match maximum {
            _ if wanted > self.most => Some(Exceeded::Memory),
            Some(own) if wanted > own => Some(Exceeded::OwnMemory(own)),
            _ => None,
        };
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
        self.exceeded = (wanted > TABLE_ELEMENTS).then_some(Exceeded::Table);
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

/// Whether wasmtime reports that the kernel refused to make memory executable, as a seccomp filter
/// makes it do.
pub(crate) fn refused_executable_memory(error: &str) -> bool {
    ["memory executable", "Permission denied", "Operation not permitted"]
        .iter()
        .any(|sign| error.contains(sign))
}
