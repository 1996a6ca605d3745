//! A process that serves until it is stopped: after SIGHUP with what the config says then, and
//! without a signal with rules that were installed, or with another store if that was replaced.
//!
//! The next one serves as soon as the one before accepts no more connections: what that one has
//! begun ends beside it, and holds up nobody. Not here: serving (`listen`), and policies, which
//! servers take up by themselves. Invariant: what serves is replaced only by something that can
//! serve; two are there at the same time at most.

use super::terminal;
use crate::config::{Config, ConfigState};
use crate::error::{Context, Error, Exit, Result};
use crate::listen::{Doorway, ListenAddress, ServerSignals, Succession};
use crate::shared::LiveExchange;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

/// Time between two tries that nobody asked for.
const AGAIN: Duration = Duration::from_secs(5);

/// Reads the config again.
pub(super) type Reread<'r> = &'r (dyn Fn() -> Result<Arc<Config>> + Sync);

/// What serves with one config.
pub(super) trait Renewable: Sized + Send + Sync {
    /// Makes it ready; an error if it cannot serve with this config.
    fn open(&self, config: Arc<Config>) -> Result<Self>;

    /// Whether it writes into a file that has lost its name.
    fn has_lost_its_store(&self) -> bool;

    /// Serves until it is stopped, or replaced.
    fn serve(&self, doorway: &Doorway, signals: &ServerSignals, succession: &dyn Succession) -> Result<()>;

    /// It has served.
    fn close(&self);
}

/// Serves at these addresses, one after the other.
pub(super) fn serve<S: Renewable>(
    first: S,
    config: &Arc<Config>,
    listen: &[ListenAddress],
    signals: &ServerSignals,
    reread: Reread<'_>,
) -> Result<Exit> {
    let doorway = Doorway::open(listen, terminal::client)?;
    let (serving, failed) = (AtomicUsize::new(0), Mutex::default());
    let all = AllThatServe { doorway: &doorway, signals, reread, serving, failed };
    let first = all.ready(first, config, config.current_state())?;
    std::thread::scope(|scope| all.serve(scope, first));
    all.failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(Exit::Ok), Err)
}

/// What those have in common that serve one after the other.
struct AllThatServe<'r> {
    doorway: &'r Doorway,
    signals: &'r ServerSignals,
    reread: Reread<'r>,
    /// How many serve, or have not ended yet.
    serving: AtomicUsize,
    /// The first error.
    failed: Mutex<Option<Error>>,
}

/// One that can serve.
struct ReadyService<S> {
    service: S,
    state: ConfigState,
    /// As long as it accepts connections.
    exchange: Mutex<Option<LiveExchange>>,
}

impl AllThatServe<'_> {
    fn ready<S>(&self, service: S, config: &Arc<Config>, state: ConfigState) -> Result<ReadyService<S>> {
        // A process with sockets lives, and exchanges with other hosts.
        let exchanges = matches!(self.doorway, Doorway::Sockets(_));
        let exchange = exchanges.then(|| LiveExchange::begin(config)).transpose()?;
        Ok(ReadyService { service, state, exchange: Mutex::new(exchange) })
    }

    fn serve<'scope, S: Renewable + 'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        own: ReadyService<S>,
    ) {
        self.serving.fetch_add(1, SeqCst);
        let (asked, turn, tried) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
        let renewal = Renewal { all: self, scope, own: &own, asked, turn, tried };
        let served = own.service.serve(self.doorway, self.signals, &renewal);
        drop(renewal);
        own.service.close();
        drop(own);
        if let Err(error) = served {
            lock(&self.failed).get_or_insert(error);
        }
        self.serving.fetch_sub(1, SeqCst);
    }

    /// Has the next one wait for its turn, in a thread for itself. It goes if it gets none.
    fn line_up<'scope, S: Renewable + 'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        next: ReadyService<S>,
    ) -> Result<Sender<()>> {
        let (turn, comes) = channel();
        let wait = move || {
            if comes.recv().is_ok() {
                self.serve(scope, next);
            }
        };
        let started = Builder::new().name("next".into()).spawn_scoped(scope, wait);
        started.map(|_| turn).context("cannot start a thread")
    }
}

/// Watches for a reason to be replaced.
struct Renewal<'scope, 'env, 'o, S> {
    all: &'scope AllThatServe<'scope>,
    scope: &'scope Scope<'scope, 'env>,
    own: &'o ReadyService<S>,
    /// SIGHUP came while the one before had not ended.
    asked: AtomicBool,
    /// What the next one waits for.
    turn: Mutex<Option<Sender<()>>>,
    tried: Mutex<Option<Instant>>,
}

impl<'scope, S: Renewable + 'scope> Succession for Renewal<'scope, '_, '_, S> {
    fn is_replaced(&self, asked: bool) -> bool {
        let asked = self.asked.swap(false, SeqCst) || asked;
        if self.all.serving.load(SeqCst) > 1 {
            self.asked.store(asked, SeqCst);
            return false;
        }
        match self.next(asked) {
            Ok(None) => false,
            Ok(Some(turn)) => {
                *lock(&self.turn) = Some(turn);
                true
            }
            Err(error) => {
                tracing::error!(%error, "going on with the config that was read before");
                false
            }
        }
    }

    fn give_way(&self) {
        let turn = lock(&self.turn).take();
        if let Some(turn) = turn.filter(|_| !self.all.signals.stop.load(SeqCst)) {
            drop(lock(&self.own.exchange).take());
            // An error: it has failed, and says so.
            let _ = turn.send(());
        }
    }
}

impl<'scope, S: Renewable + 'scope> Renewal<'scope, '_, '_, S> {
    /// The next one, if there is a reason for it.
    fn next(&self, asked: bool) -> Result<Option<Sender<()>>> {
        let ReadyService { service, state, .. } = self.own;
        let has_lost_its_store = service.has_lost_its_store();
        let has_other_rules = state.has_other_rules();
        if !(asked || (has_lost_its_store || has_other_rules) && self.is_time()) {
            return Ok(None);
        }
        let config = (self.all.reread)()?;
        let new_state = config.current_state();
        if !has_lost_its_store && new_state == *state {
            return Ok(None);
        }
        let next = self.all.ready(service.open(config.clone())?, &config, new_state)?;
        let turn = self.all.line_up(self.scope, next)?;
        let why = match (has_lost_its_store, has_other_rules) {
            (true, _) => "the store was replaced",
            (false, true) => "other rules are installed",
            (false, false) => "the config has changed",
        };
        tracing::info!("{why}: serving with what there is now");
        Ok(Some(turn))
    }

    fn is_time(&self) -> bool {
        let mut tried = lock(&self.tried);
        let is_time = tried.is_none_or(|at| at.elapsed() >= AGAIN);
        if is_time {
            *tried = Some(Instant::now());
        }
        is_time
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
