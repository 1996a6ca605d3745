//! A policy ready to decide: found, compiled or mapped, and linked with what carom offers.
//!
//! Not here: asking it (`questions`, `classes`), and where its component comes from (`source`).
//! Invariant: what is ready can be linked; a release that is pruned while it is being loaded is
//! looked up again.

use super::cache::{self, LoadFailure, Loaded};
use super::component_source::ComponentSource;
use super::engine::{self, Flavor, Purpose};
use super::failure::status_line;
use super::linked::{self, Linked};
use super::proof::Trust;
use super::settings_in_force::SettingsInForce;
use super::{anatomy, wasi};
use crate::config::{AddedRules, Config, LimitsTable, OnTrap};
use crate::error::{Context, Error, Result};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::Engine;
use wasmtime::component::Linker;

/// How often a release that was pruned meanwhile is looked up again.
const LOOKS: usize = 5;

/// Shared by all threads of a relay; each question gets an instance for itself.
pub(crate) struct Policy {
    pub(crate) name: Arc<str>,
    /// SHA-256 of the component, hexadecimal.
    pub(crate) hash: String,
    /// What happens to a message when the policy fails.
    pub(crate) on_trap: OnTrap,
    pub(crate) readied: Readied,
    pub(super) settings: SettingsInForce,
    /// What proves a report, by the settings.
    pub(crate) trust: Trust,
    pub(crate) limits: LimitsTable,
    pub(crate) engine: Engine,
    pub(crate) linked: Linked,
    /// Whether its instructions are counted.
    pub(crate) measured: bool,
    source: ComponentSource,
}

/// How a policy was made ready.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Readied {
    /// It runs as Pulley bytecode, because this process may not run machine code.
    pub(crate) interpreted: bool,
    /// It had to be compiled.
    pub(crate) compiled: bool,
    /// Time to start the engine and to map or compile the code.
    pub(crate) load: Duration,
    /// Time to link it with what carom offers.
    pub(crate) link: Duration,
}

/// What a policy is loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// A few decisions.
    One,
    /// Many decisions, in this many threads.
    Many(usize),
    /// Decisions whose instructions are counted. The component is compiled for that, every time.
    Measured,
    /// A few decisions that leave nothing on disk.
    Look,
    /// Decisions as Pulley bytecode, as in a process that may not run machine code.
    Interpreted,
    /// A few such decisions that leave nothing on disk.
    LookInterpreted,
}

#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    /// Its name; its settings and its `on_trap` are in `[policy.NAME]`.
    pub(crate) name: &'a str,
    /// A component file, or the directory of a release, instead of what the name stands for.
    pub(crate) file: Option<&'a Path>,
    /// Settings (JSON text of one object) instead of those in the config.
    pub(crate) settings: Option<String>,
}

impl Wanted<'_> {
    fn source(&self, config: &Config) -> Result<ComponentSource> {
        match self.file {
            Some(path) if path.is_dir() => ComponentSource::release(path),
            Some(path) => ComponentSource::file(path),
            None => ComponentSource::find(self.name, config),
        }
    }

    /// The settings as JSON text.
    fn settings(&self, config: &Config) -> Result<String> {
        match (&self.settings, config.policy.get(self.name)) {
            (Some(settings), _) => Ok(settings.clone()),
            (None, Some(policy)) if !policy.settings.is_empty() => {
                serde_json::to_string(&policy.settings).context(format_args!("policy.{}.settings", self.name))
            }
            _ => Ok("{}".to_owned()),
        }
    }

    /// The rules among them that were installed beside the config.
    fn added_rules(&self, config: &Config) -> Option<AddedRules> {
        config.rules_added_to(self.name).filter(|_| self.settings.is_none())
    }

    fn is_not_ready(&self, error: Error) -> Error {
        let file = self.file.map(|path| format!(" ({})", path.display())).unwrap_or_default();
        error.within(format_args!("policy {}{file}", self.name))
    }
}

impl Policy {
    /// Loads the policy `name` as the config describes it, for decisions in this many threads.
    pub(crate) fn load(name: &str, config: &Config, threads: usize) -> Result<Policy> {
        let usage = if threads > 1 { Use::Many(threads) } else { Use::One };
        Policy::open(&Wanted { name, file: None, settings: None }, config, usage)
    }

    /// Maps the compiled code, or compiles the component and keeps the code for the next process.
    pub(crate) fn open(wanted: &Wanted<'_>, config: &Config, usage: Use) -> Result<Policy> {
        let mut looks = 1;
        loop {
            let source = wanted.source(config)?;
            match Policy::ready(wanted, source.clone(), config, usage) {
                // Others were installed since `source` was found, and it was pruned.
                Err(_) if looks < LOOKS && source.is_gone() => looks += 1,
                readied => return readied.map_err(|error| wanted.is_not_ready(error)),
            }
        }
    }

    fn ready(wanted: &Wanted<'_>, source: ComponentSource, config: &Config, usage: Use) -> Result<Policy> {
        let (purpose, flavor) = match usage {
            Use::One => (Purpose::Run, runnable()),
            Use::Look => (Purpose::Look, runnable()),
            Use::Many(threads) => (Purpose::RunMany(threads), runnable()),
            Use::Measured => (Purpose::Measure, Flavor::Native),
            Use::Interpreted => (Purpose::Run, Flavor::Pulley),
            Use::LookInterpreted => (Purpose::Look, Flavor::Pulley),
        };
        let loaded = match load_and_link(&source, config, flavor, purpose) {
            Err(LoadFailure::NoExecutableMemory) => load_and_link(&source, config, Flavor::Pulley, purpose),
            loaded => loaded,
        };
        let (engine, linked, readied) = loaded.map_err(|failure| match failure {
            LoadFailure::Other(error) => error,
            LoadFailure::NoExecutableMemory => Error::new("this process may not run compiled code"),
        })?;
        let settings = wanted.settings(config)?;
        let on_trap = config.policy.get(wanted.name).and_then(|policy| policy.on_trap);
        Ok(Policy {
            name: wanted.name.into(),
            hash: source.hash.clone(),
            on_trap: on_trap.unwrap_or(config.limits.on_trap),
            readied,
            trust: Trust::of_settings(&settings),
            settings: SettingsInForce::new(settings, wanted.added_rules(config)),
            limits: config.limits.clone(),
            engine,
            linked,
            measured: usage == Use::Measured,
            source,
        })
    }

    /// The first digits of its hash, as logs show it.
    pub(crate) fn short_hash(&self) -> &str {
        &self.hash[..self.hash.len().min(12)]
    }

    /// The bytes of the component.
    pub(crate) fn component(&self) -> Result<Vec<u8>> {
        self.source.wasm()
    }

    /// Whether loading it now would give the same policy: nothing was installed, rolled back or
    /// rebuilt since.
    pub(crate) fn is_current(&self, config: &Config) -> bool {
        self.source.is_current(&self.name, config)
    }

    /// Each call is one step of the clock that the limit of time is measured with; without steps, a
    /// policy that loops never ends. It may be called in a signal handler, and keeps the engine
    /// alive.
    pub(crate) fn ticker(&self) -> impl Fn() + Send + Sync + use<> {
        let engine = self.engine.clone();
        move || engine.increment_epoch()
    }

    /// Starts a thread that steps the clock as long as the policy exists.
    pub(crate) fn start_clock(&self) -> Result<()> {
        engine::start_clock(&self.engine)
    }
}

/// The flavor that this process can run, unless trying shows something else.
fn runnable() -> Flavor {
    if cache::executable_memory_is_refused() { Flavor::Pulley } else { Flavor::Native }
}

fn load_and_link(
    source: &ComponentSource,
    config: &Config,
    flavor: Flavor,
    purpose: Purpose,
) -> Result<(Engine, Linked, Readied), LoadFailure> {
    let began = Instant::now();
    let places = source.compiled(config, flavor);
    let Loaded { engine, component, fresh } =
        cache::load(flavor, purpose, &config.limits, &places, || source.wasm())?;
    let load = began.elapsed();
    let mut linker = Linker::new(&engine);
    linked::offer(&mut linker, &engine, &component).context("cannot offer the imports of carom:policy")?;
    wasi::add_to_linker(&mut linker, &engine, &component).context("cannot offer an empty WASI")?;
    let linked = linker.instantiate_pre(&component).and_then(Linked::new).map_err(|error| {
        let offered = anatomy::OFFERED;
        Error::new(format_args!(
            "this carom offers carom:policy@{offered}, and the component wants something else: {}",
            status_line(&format!("{error:#}"))
        ))
        .remedy(format_args!("build it for {} as `carom policy wit` prints it", anatomy::NEWEST))
    })?;
    let link = began.elapsed() - load;
    Ok((engine, linked, Readied { interpreted: flavor == Flavor::Pulley, compiled: fresh, load, link }))
}
