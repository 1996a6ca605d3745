//! The policy: a WebAssembly component that decides what becomes of a message, which return paths may be answered,
//! and what a delivery failure means. It decides, and does nothing.
//!
//! Not here: doing what was decided (`action`). Invariant: a policy that fails, in whatever way, is a `Failure` that
//! names the policy, its hash and the cause; the next message gets a fresh instance.

/// What a policy may know.
pub(crate) mod message_facts;
pub(crate) mod recipient_facts;
/// What a component is made of, before any of it runs.
pub(crate) mod anatomy;
mod failure;
mod engine;
mod cache;
mod source;
mod host;
mod answers;
mod wasi;
mod prepare;
/// The WIT package as text.
pub(crate) mod wit;
/// Installing, listing, rolling back.
pub(crate) mod life;

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "policy",
        imports: {
            "carom:policy/actions": trappable,
        },
    });
}

#[cfg(test)]
mod tests;

pub(crate) use failure::{Failure, FailureKind};
pub(crate) use source::shipped;

use crate::class::{BATCH, Class, DeliveryFailure, Severity};
use crate::clock;
use crate::config::{self, Config, OnTrap};
use crate::error::{Context, Error, Result};
use crate::plan::Plan;
use bindings::PolicyPre;
use bindings::exports::carom::policy::classification;
use cache::{LoadFailure, Loaded};
use engine::{Flavor, Purpose};
use failure::status_line;
use host::Host;
use recipient_facts::RecipientFacts;
use serde::Serialize;
use source::ComponentSource;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

/// A policy ready to decide. Shared by all threads of a relay; each decision gets an instance of its own.
pub(crate) struct Policy {
    /// The name it was asked for by.
    pub(crate) name: Arc<str>,
    /// SHA-256 of the component, hexadecimal.
    pub(crate) hash: String,
    /// What becomes of a message when the policy fails.
    pub(crate) on_trap: OnTrap,
    /// How it was made ready, and how long that took.
    pub(crate) readied: Readied,
    settings: Arc<str>,
    limits: config::LimitsTable,
    engine: Engine,
    instance: PolicyPre<Host>,
    source: ComponentSource,
    measured: bool,
}

/// How a policy was made ready.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Readied {
    /// It runs as Pulley bytecode, because this process may not run machine code.
    pub(crate) interpreted: bool,
    /// It had to be compiled.
    pub(crate) compiled: bool,
    /// Starting the engine and mapping, or compiling, the code.
    pub(crate) load: Duration,
    /// Linking it with what carom offers.
    pub(crate) link: Duration,
}

/// What a policy is loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// A few decisions.
    One,
    /// Many decisions in so many threads.
    Many(usize),
    /// Decisions whose instructions are counted; it is compiled for that, every time.
    Measured,
    /// Decisions as Pulley bytecode, as a process decides that may not run machine code.
    Interpreted,
}

/// Which policy is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    /// Its name; its settings and its `on_trap` stand in `[policy.NAME]`.
    pub(crate) name: &'a str,
    /// A component file, or the directory of a release, instead of what the name stands for.
    pub(crate) file: Option<&'a Path>,
    /// Settings (JSON text of one object) instead of those in the config.
    pub(crate) settings: Option<String>,
}

/// The answer to "may this return path be answered, and where".
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mapping {
    /// Hosts that may be connected to, in order.
    pub(crate) hosts: Vec<String>,
    /// Where complaints go.
    pub(crate) feedback_address: Option<String>,
}

/// A decision with what it cost.
pub(crate) struct Decision {
    /// What is to be done.
    pub(crate) plan: Plan,
    /// What the policy called, in order, and how long carom took to answer.
    pub(crate) asked: Vec<(&'static str, Duration)>,
    /// Time used by the policy itself.
    pub(crate) used: Duration,
    /// The most memory it had, in bytes.
    pub(crate) memory: usize,
    /// Instructions it ran; `None` unless it was loaded to be measured.
    pub(crate) fuel: Option<u64>,
}

/// How often a release that was pruned under our eyes is looked for anew.
const LOOKS: usize = 5;

/// Removes compiled policies that nobody has used for long.
pub(crate) fn expire_compiled(config: &Config) {
    cache::expire(&config.compiled_dir(), clock::now());
}

impl Policy {
    /// Loads the policy `name` as the config describes it: compiled code is mapped; where there is none the component
    /// is compiled, and kept for the next process. `threads` is how many will decide at once.
    pub(crate) fn load(name: &str, config: &Config, threads: usize) -> Result<Policy> {
        let usage = if threads > 1 { Use::Many(threads) } else { Use::One };
        Policy::open(&Wanted { name, file: None, settings: None }, config, usage)
    }

    /// Loads a policy for `usage`.
    pub(crate) fn open(wanted: &Wanted<'_>, config: &Config, usage: Use) -> Result<Policy> {
        for look in 1.. {
            let source = match wanted.file {
                Some(path) if path.is_dir() => ComponentSource::release(path),
                Some(path) => ComponentSource::file(path),
                None => ComponentSource::find(wanted.name, config),
            }?;
            match Policy::ready(wanted, source.clone(), config, usage) {
                // Ten policies were installed since we looked.
                Err(_) if look < LOOKS && source.is_gone() => {}
                readied => {
                    return readied.map_err(|error| {
                        let file =
                            wanted.file.map(|path| format!(" ({})", path.display())).unwrap_or_default();
                        error.within(format_args!("policy {}{file}", wanted.name))
                    });
                }
            }
        }
        unreachable!("the last look returns")
    }

    fn ready(wanted: &Wanted<'_>, source: ComponentSource, config: &Config, usage: Use) -> Result<Policy> {
        let described = config.policy.get(wanted.name);
        let (purpose, flavor) = match usage {
            Use::One => (Purpose::Run, Flavor::Native),
            Use::Many(threads) => (Purpose::RunMany(threads), Flavor::Native),
            Use::Measured => (Purpose::Measure, Flavor::Native),
            Use::Interpreted => (Purpose::Run, Flavor::Pulley),
        };
        let (engine, instance, readied) = match prepare(&source, config, flavor, purpose) {
            Err(LoadFailure::NoExecutableMemory) => prepare(&source, config, Flavor::Pulley, purpose),
            other => other,
        }
        .map_err(|failure| match failure {
            LoadFailure::Other(error) => error,
            LoadFailure::NoExecutableMemory => Error::new("this process may not run compiled code"),
        })?;
        let settings = match (&wanted.settings, described) {
            (Some(settings), _) => settings.clone(),
            (None, Some(policy)) if !policy.settings.is_empty() => serde_json::to_string(&policy.settings)
                .context(format_args!("policy.{}.settings", wanted.name))?,
            _ => "{}".to_owned(),
        };
        Ok(Policy {
            name: wanted.name.into(),
            hash: source.hash.clone(),
            on_trap: described.and_then(|policy| policy.on_trap).unwrap_or(config.limits.on_trap),
            readied,
            settings: settings.into(),
            limits: config.limits.clone(),
            engine,
            instance,
            source,
            measured: usage == Use::Measured,
        })
    }

    /// The first digits of its hash, as logs show it.
    pub(crate) fn short_hash(&self) -> &str {
        &self.hash[..self.hash.len().min(12)]
    }

    /// The component itself.
    pub(crate) fn component(&self) -> Result<Vec<u8>> {
        self.source.wasm()
    }

    /// Whether loading it now would give the same policy: nothing was installed, rolled back or rebuilt since.
    pub(crate) fn is_current(&self, config: &Config) -> bool {
        self.source.is_current(&self.name, config)
    }

    /// Advances the clock that measures the policy's time. If nothing advances it, a policy that loops is
    /// never stopped. It may be called in a signal handler, and keeps the engine alive.
    pub(crate) fn ticker(&self) -> impl Fn() + Send + Sync + use<> {
        let engine = self.engine.clone();
        move || engine.increment_epoch()
    }

    /// Starts a thread that does so as long as the policy is used.
    pub(crate) fn start_clock(&self) -> Result<()> {
        engine::start_clock(&self.engine)
    }

    /// Asks the policy about a message. `seed` decides every chance, `now_ms` is the time it is told.
    pub(crate) fn decide(
        &self,
        facts: &Rc<RecipientFacts>,
        seed: u64,
        now_ms: u64,
    ) -> Result<Decision, Failure> {
        let mut store = self.store(facts, seed, now_ms);
        let decided = self.instance.instantiate(&mut store).and_then(|policy| {
            let decision = policy.carom_policy_decision();
            decision.call_decide(&mut store)
        });
        match decided {
            Ok(Ok(())) => {
                let used = store.data().used();
                let fuel = store.get_fuel().ok().map(|left| u64::MAX - left);
                let host = store.into_data();
                Ok(Decision { plan: host.plan, asked: host.asked, used, memory: host.meter.peak, fuel })
            }
            Ok(Err(refusal)) => Err(self.failure(FailureKind::Refused, &status_line(&refusal))),
            Err(error) => Err(self.explain(&error, store.data())),
        }
    }

    /// Asks the policy what each of these failures means, in order. There is no message: `facts` are of none.
    pub(crate) fn classify(
        &self,
        facts: &Rc<RecipientFacts>,
        failures: &[DeliveryFailure],
    ) -> Result<Vec<Class>, Failure> {
        let mut classes = Vec::with_capacity(failures.len());
        let mut left: Vec<&[DeliveryFailure]> = failures.chunks(BATCH).rev().collect();
        while let Some(batch) = left.pop() {
            match self.classify_batch(facts, batch) {
                Ok(told) => classes.extend(told),
                // Many together may be too much where each alone is not.
                Err(Failure { kind: FailureKind::TooSlow | FailureKind::TooBig, .. }) if batch.len() > 1 => {
                    let (first, second) = batch.split_at(batch.len() / 2);
                    left.extend([second, first]);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(classes)
    }

    fn classify_batch(
        &self,
        facts: &Rc<RecipientFacts>,
        batch: &[DeliveryFailure],
    ) -> Result<impl Iterator<Item = Class> + use<>, Failure> {
        let asked: Vec<classification::Failure> = batch.iter().map(Into::into).collect();
        let mut store = self.store(facts, 0, 0);
        let told = self
            .instance
            .instantiate(&mut store)
            .and_then(|policy| policy.carom_policy_classification().call_classify(&mut store, &asked));
        let told = told.map_err(|error| self.explain(&error, store.data()))?;
        if told.len() != batch.len() {
            let cause = format!("gave {} classes for {} failures", told.len(), batch.len());
            return Err(self.failure(FailureKind::Refused, &cause));
        }
        Ok(told.into_iter().map(Class::from))
    }

    /// Asks the policy whether `return_path` may be answered; `hosts` are its mail exchangers.
    pub(crate) fn map(
        &self,
        facts: &Rc<RecipientFacts>,
        return_path: &str,
        hosts: &[String],
    ) -> Result<Option<Mapping>, Failure> {
        let mut store = self.store(facts, 0, 0);
        let mapped = self
            .instance
            .instantiate(&mut store)
            .and_then(|policy| policy.carom_policy_mapping().call_may_answer(&mut store, return_path, hosts));
        match mapped {
            Ok(route) => {
                Ok(route
                    .map(|route| Mapping { hosts: route.hosts, feedback_address: route.feedback_address }))
            }
            Err(error) => Err(self.explain(&error, store.data())),
        }
    }

    /// What the policy finds wrong with its settings.
    pub(crate) fn validate_settings(&self, facts: &Rc<RecipientFacts>) -> Result<Vec<String>, Failure> {
        let mut store = self.store(facts, 0, 0);
        let validated = self
            .instance
            .instantiate(&mut store)
            .and_then(|policy| policy.carom_policy_settings().call_validate(&mut store, &self.settings));
        validated.map_err(|error| self.explain(&error, store.data()))
    }

    fn store(&self, facts: &Rc<RecipientFacts>, seed: u64, now_ms: u64) -> Store<Host> {
        self.store_with(facts, seed, now_ms, Duration::from_millis(self.limits.time))
    }

    fn store_with(&self, facts: &Rc<RecipientFacts>, seed: u64, now_ms: u64, limit: Duration) -> Store<Host> {
        let (policy, settings) = (self.name.clone(), self.settings.clone());
        let host = Host::new(facts.clone(), policy, settings, self.limits.clone(), seed, now_ms);
        let mut store = Store::new(&self.engine, host);
        store.limiter(|host| &mut host.meter);
        if self.measured {
            // It cannot fail: the engine counts.
            let _ = store.set_fuel(u64::MAX);
        }
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |mut context| {
            if context.data().used() < limit {
                return Ok(UpdateDeadline::Continue(1));
            }
            let cause = format!("used more than {} ms", limit.as_millis());
            context.data_mut().stopped = Some((FailureKind::TooSlow, cause));
            Ok(UpdateDeadline::Interrupt)
        });
        store
    }

    fn failure(&self, kind: FailureKind, cause: &str) -> Failure {
        Failure { kind, text: format!("policy {} ({}): {cause}", self.name, self.short_hash()) }
    }

    fn explain(&self, error: &wasmtime::Error, host: &Host) -> Failure {
        match &host.stopped {
            Some((kind, cause)) => self.failure(*kind, cause),
            None if host.meter.exceeded => {
                let cause = format!("wanted more than {} bytes of memory", self.limits.memory);
                self.failure(FailureKind::TooBig, &cause)
            }
            None => {
                let trap = error.downcast_ref::<Trap>().map(|trap| trap.to_string());
                let cause = trap.unwrap_or_else(|| error.root_cause().to_string());
                self.failure(FailureKind::Trapped, &status_line(&cause))
            }
        }
    }
}

impl From<&DeliveryFailure> for classification::Failure {
    fn from(failure: &DeliveryFailure) -> classification::Failure {
        classification::Failure {
            text: failure.text.clone(),
            status: failure.status.clone(),
            code: failure.code,
            stage: failure.stage.clone(),
            remote_mta: failure.remote_mta.clone(),
        }
    }
}

impl From<classification::Class> for Class {
    fn from(class: classification::Class) -> Class {
        let severity = match class.severity {
            classification::Severity::Hard => Severity::Hard,
            classification::Severity::Soft => Severity::Soft,
            classification::Severity::None => Severity::None,
            classification::Severity::Unknown => Severity::Unknown,
        };
        let (reason, category, rule) =
            (status_line(&class.reason), status_line(&class.category), status_line(&class.rule));
        Class { reason, category, severity, rule }
    }
}

/// Loads and links a component.
fn prepare(
    source: &ComponentSource,
    config: &Config,
    flavor: Flavor,
    purpose: Purpose,
) -> std::result::Result<(Engine, PolicyPre<Host>, Readied), LoadFailure> {
    let began = Instant::now();
    let places = source.compiled(config, flavor);
    let Loaded { engine, component, fresh } =
        cache::load(flavor, purpose, &config.limits, &places, || source.wasm())?;
    let load = began.elapsed();
    let mut linker = Linker::new(&engine);
    bindings::Policy::add_to_linker::<_, HasSelf<Host>>(&mut linker, |host| host)
        .context("cannot offer the imports of carom:policy")?;
    wasi::add_to_linker(&mut linker, &engine, &component).context("cannot offer an empty WASI")?;
    let instance = linker.instantiate_pre(&component).and_then(PolicyPre::new).map_err(|error| {
        let offered = anatomy::OFFERED;
        Error::new(format_args!(
            "this carom offers carom:policy@{offered}, and the component wants something else: {}",
            status_line(&format!("{error:#}"))
        ))
        .remedy(format_args!("build it for {offered} as `carom policy wit` prints it"))
    })?;
    let link = began.elapsed() - load;
    Ok((engine, instance, Readied { interpreted: flavor == Flavor::Pulley, compiled: fresh, load, link }))
}
