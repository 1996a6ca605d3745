//! The policy: a WebAssembly component that decides what becomes of a message, which return paths may be answered,
//! and what a delivery failure means. It decides, and does nothing.
//!
//! Not here: doing what was decided (`action`). Invariant: a policy that fails, in whatever way, is a `Failure` that
//! names the policy, its hash and the cause; the next message gets a fresh instance.

/// What was decided, as data.
pub mod plan;
/// What a policy may know.
pub mod facts;
mod engine;
mod cache;
mod host;

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "policy",
        imports: {
            "carom:policy/actions": trappable,
        },
    });
}

use crate::config::{self, Config, OnTrap};
use crate::error::{Context, Error, Result};
use bindings::PolicyPre;
use cache::{LoadFailure, Loaded};
use engine::{Flavor, Purpose};
use facts::Facts;
use host::{Host, Stopped};
use plan::Plan;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

/// A policy that comes with carom, inside the binary.
struct Shipped {
    name: &'static str,
    wasm: &'static [u8],
    /// SHA-256 of `wasm`, made when the policy was built, so that no process has to.
    hash: &'static str,
}

const SHIPPED: &[Shipped] = &[Shipped {
    name: "sink",
    wasm: include_bytes!("../../policies/dist/sink.wasm"),
    hash: include_str!("../../policies/dist/sink.sha256"),
}];

/// A policy ready to decide. Shared by all threads of a relay; each decision gets an instance of its own.
pub struct Policy {
    /// The name it was asked for by.
    pub name: Arc<str>,
    /// SHA-256 of the component, hexadecimal.
    pub hash: String,
    /// What becomes of a message when the policy fails.
    pub on_trap: OnTrap,
    settings: Arc<str>,
    limits: config::Limits,
    engine: Engine,
    instance: PolicyPre<Host>,
}

/// A policy failed. It is a value: the message it was asked about goes where `on_trap` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure, for the counter `policy_…`.
    pub kind: FailureKind,
    /// The policy, its hash, and the cause, in one line.
    pub text: String,
}

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// It used more time than it may.
    TooSlow,
    /// It wanted more memory than it may have.
    TooBig,
    /// It made more steps than a plan may have.
    TooManySteps,
    /// It asked for a step that makes no sense: a wrong reply code, a step hanging on a later one.
    BadStep,
    /// It trapped.
    Trapped,
    /// It returned an error: it refused to decide.
    Refused,
}

impl FailureKind {
    /// The counter of such failures.
    pub fn counter(self) -> &'static str {
        match self {
            FailureKind::TooSlow => "policy_too_slow",
            FailureKind::TooBig => "policy_too_big",
            FailureKind::TooManySteps => "policy_too_many_steps",
            FailureKind::BadStep => "policy_bad_step",
            FailureKind::Trapped => "policy_trapped",
            FailureKind::Refused => "policy_refused",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The answer to "may this return path be answered, and where".
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mapping {
    /// Hosts that may be connected to, in order.
    pub hosts: Vec<String>,
    /// Where complaints go.
    pub feedback_address: Option<String>,
}

/// A decision with what it cost.
pub struct Decision {
    /// What is to be done.
    pub plan: Plan,
    /// What the policy asked for, in order.
    pub asked: Vec<&'static str>,
    /// Time used by the policy itself.
    pub used: Duration,
}

impl Policy {
    /// How often the clock of policies is to be moved on.
    pub const TICK: Duration = engine::TICK;

    /// Loads the policy `name` as the config describes it: compiled code is mapped; where there is none the component
    /// is compiled, and kept for the next process. `threads` is how many will decide at once.
    pub fn load(name: &str, config: &Config, threads: usize) -> Result<Policy> {
        let purpose = if threads > 1 { Purpose::RunMany(threads) } else { Purpose::Run };
        let described = config.policy.get(name);
        let source = Source::find(name, described.and_then(|policy| policy.path.as_deref()))?;
        let (engine, instance) = match source.prepare(config, Flavor::Native, purpose) {
            Err(LoadFailure::NoExecutableMemory) => source.prepare(config, Flavor::Pulley, purpose),
            other => other,
        }
        .map_err(|failure| match failure {
            LoadFailure::Other(error) => Error::new(format_args!("policy {name}: {error}")),
            LoadFailure::NoExecutableMemory => {
                Error::new(format_args!("policy {name}: this process may not run compiled code"))
            }
        })?;
        let settings = match described {
            Some(policy) if !policy.settings.is_empty() => {
                serde_json::to_string(&policy.settings).context(format_args!("policy.{name}.settings"))?
            }
            _ => "{}".to_owned(),
        };
        Ok(Policy {
            name: name.into(),
            hash: source.hash,
            on_trap: described.and_then(|policy| policy.on_trap).unwrap_or(config.limits.on_trap),
            settings: settings.into(),
            limits: config.limits.clone(),
            engine,
            instance,
        })
    }

    /// Moves the clock on by which the policy's time is measured. Without somebody who calls this every [`Policy::TICK`], a
    /// policy that loops is never stopped.
    pub fn ticker(&self) -> impl Fn() + Send + 'static {
        let engine = self.engine.weak();
        move || {
            if let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
            }
        }
    }

    /// Starts a thread that does so as long as the process lives.
    pub fn start_clock(&self) -> Result<()> {
        let tick = self.ticker();
        let forever = move || {
            loop {
                std::thread::sleep(Policy::TICK);
                tick();
            }
        };
        let thread = std::thread::Builder::new().name("policy-clock".into()).stack_size(64 << 10);
        thread.spawn(forever).context("cannot start the clock of policies").map(drop)
    }

    /// Asks the policy about a message. `seed` decides every chance, `now_ms` is the time it is told.
    pub fn decide(&self, facts: &Rc<Facts>, seed: u64, now_ms: u64) -> Result<Decision, Failure> {
        let mut store = self.store(facts, seed, now_ms);
        let decided = self.instance.instantiate(&mut store).and_then(|policy| {
            let decision = policy.carom_policy_decision();
            decision.call_decide(&mut store)
        });
        match decided {
            Ok(Ok(())) => {
                let used = store.data().used();
                let host = store.into_data();
                Ok(Decision { plan: host.plan, asked: host.asked, used })
            }
            Ok(Err(refusal)) => Err(self.failure(FailureKind::Refused, &one_line(&refusal))),
            Err(error) => Err(self.explain(&error, store.data())),
        }
    }

    /// Asks the policy whether `return_path` may be answered; `hosts` are its mail exchangers.
    pub fn map(
        &self,
        facts: &Rc<Facts>,
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
    pub fn validate_settings(&self, facts: &Rc<Facts>) -> Result<Vec<String>, Failure> {
        let mut store = self.store(facts, 0, 0);
        let validated = self
            .instance
            .instantiate(&mut store)
            .and_then(|policy| policy.carom_policy_settings().call_validate(&mut store, &self.settings));
        validated.map_err(|error| self.explain(&error, store.data()))
    }

    fn store(&self, facts: &Rc<Facts>, seed: u64, now_ms: u64) -> Store<Host> {
        let (policy, settings) = (self.name.clone(), self.settings.clone());
        let host = Host::new(facts.clone(), policy, settings, self.limits.clone(), seed, now_ms);
        let mut store = Store::new(&self.engine, host);
        store.limiter(|host| &mut host.store_limits);
        store.set_epoch_deadline(1);
        let limit = Duration::from_millis(self.limits.time);
        store.epoch_deadline_callback(move |mut context| {
            if context.data().used() < limit {
                return Ok(UpdateDeadline::Continue(1));
            }
            context.data_mut().stopped = Some(Stopped::TooSlow);
            Ok(UpdateDeadline::Interrupt)
        });
        store
    }

    fn failure(&self, kind: FailureKind, cause: &str) -> Failure {
        let hash = &self.hash[..self.hash.len().min(12)];
        Failure { kind, text: format!("policy {} ({hash}): {cause}", self.name) }
    }

    fn explain(&self, error: &wasmtime::Error, host: &Host) -> Failure {
        let told = format!("{error:#}");
        match host.stopped {
            Some(Stopped::TooSlow) => {
                self.failure(FailureKind::TooSlow, &format!("used more than {} ms", self.limits.time))
            }
            Some(Stopped::TooManySteps) => {
                let cause = format!("made more than {} steps", self.limits.steps);
                self.failure(FailureKind::TooManySteps, &cause)
            }
            Some(Stopped::BadStep) => {
                self.failure(FailureKind::BadStep, "asked for a step that makes no sense")
            }
            None if told.contains("forcing trap when growing") => {
                let cause = format!("wanted more than {} bytes of memory", self.limits.memory);
                self.failure(FailureKind::TooBig, &cause)
            }
            None => {
                let trap = error.downcast_ref::<Trap>().map(|trap| trap.to_string());
                self.failure(FailureKind::Trapped, &one_line(&trap.unwrap_or(told)))
            }
        }
    }
}

/// Guests choose the text of their errors; it ends up in a status line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

/// Where a policy's component comes from.
struct Source {
    wasm: Wasm,
    hash: String,
}

enum Wasm {
    Shipped(&'static [u8]),
    File(PathBuf),
}

impl Source {
    fn find(name: &str, path: Option<&Path>) -> Result<Source> {
        if let Some(path) = path {
            return Source::file(path);
        }
        let shipped = SHIPPED.iter().find(|shipped| shipped.name == name).ok_or_else(|| {
            let names: Vec<&str> = SHIPPED.iter().map(|shipped| shipped.name).collect();
            Error::new(format_args!("there is no policy `{name}`")).remedy(format_args!(
                "use one of those shipped ({}) or give its component in [policy.{name}] path",
                names.join(", ")
            ))
        })?;
        Ok(Source { wasm: Wasm::Shipped(shipped.wasm), hash: shipped.hash.trim().to_owned() })
    }

    fn file(path: &Path) -> Result<Source> {
        let wasm = std::fs::read(path)
            .context(path.display())
            .map_err(|error| error.remedy("name a component file in [policy.NAME] path"))?;
        let digest = ring::digest::digest(&ring::digest::SHA256, &wasm);
        let hash = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Source { wasm: Wasm::File(path.to_owned()), hash })
    }

    fn prepare(
        &self,
        config: &Config,
        flavor: Flavor,
        purpose: Purpose,
    ) -> std::result::Result<(Engine, PolicyPre<Host>), LoadFailure> {
        let path = cache::compiled_path(&config.compiled_dir(), &self.hash, flavor);
        let wasm = || match &self.wasm {
            Wasm::Shipped(wasm) => Ok(wasm.to_vec()),
            Wasm::File(path) => std::fs::read(path).context(path.display()),
        };
        let Loaded { engine, component, fresh } = cache::load(flavor, purpose, &config.limits, &path, wasm)?;
        if fresh {
            tracing::info!(path = %path.display(), "compiled a policy");
        }
        let mut linker = Linker::new(&engine);
        bindings::Policy::add_to_linker::<_, HasSelf<Host>>(&mut linker, |host| host)
            .context("cannot offer the imports of carom:policy")?;
        let instance = linker.instantiate_pre(&component).and_then(PolicyPre::new).map_err(|error| {
            Error::new(format_args!(
                "this carom offers carom:policy@1.0.0, and the component wants something else: {error:#}"
            ))
            .remedy("build it for the WIT in wit/, or install a newer carom")
        })?;
        Ok((engine, instance))
    }
}
