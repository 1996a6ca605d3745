//! A process that serves until it is stopped: after SIGHUP with what the config says then, and
//! without a signal with rules that were installed, or with another store if that was replaced.
//!
//! Not here: serving (`listen`), and policies, which servers take up by themselves. Invariant: what
//! serves is replaced only by something that can serve; clients that connect meanwhile wait.

use super::terminal;
use crate::config::{Config, ConfigState};
use crate::error::{Exit, Result};
use crate::listen::{Doorway, IsReplaced, ListenAddress, ServerSignals};
use crate::shared::LiveExchange;
use std::sync::{Arc, Mutex, PoisonError};
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
    fn serve(&self, doorway: &Doorway, signals: &ServerSignals, is_replaced: IsReplaced<'_>) -> Result<()>;

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
    // A process with sockets lives, and exchanges with other hosts.
    let exchanges = matches!(doorway, Doorway::Sockets(_));
    let (mut serving, mut config, mut state) = (first, config.clone(), config.current_state());
    loop {
        let exchange = exchanges.then(|| LiveExchange::begin(&config)).transpose()?;
        let renewal =
            Renewal { serving: &serving, state, reread, next: Mutex::default(), tried: Mutex::default() };
        let served = serving.serve(&doorway, signals, &|asked| renewal.look(asked));
        let next = renewal.next.into_inner().unwrap_or_else(PoisonError::into_inner);
        drop(exchange);
        serving.close();
        served?;
        match next {
            Some(next) => (serving, config, state) = next,
            None => return Ok(Exit::Ok),
        }
    }
}

/// Watches for a reason to be replaced.
struct Renewal<'r, S> {
    serving: &'r S,
    state: ConfigState,
    reread: Reread<'r>,
    next: Mutex<Option<(S, Arc<Config>, ConfigState)>>,
    tried: Mutex<Option<Instant>>,
}

impl<S: Renewable> Renewal<'_, S> {
    /// Whether what serves is replaced from now on.
    fn look(&self, asked: bool) -> bool {
        let has_lost_its_store = self.serving.has_lost_its_store();
        let has_other_rules = self.state.has_other_rules();
        if !(asked || (has_lost_its_store || has_other_rules) && self.is_time()) {
            return false;
        }
        let next = (self.reread)().and_then(|config| {
            config.shared.get()?;
            let state = config.current_state();
            let is_new = has_lost_its_store || state != self.state;
            is_new.then(|| self.serving.open(config.clone()).map(|next| (next, config, state))).transpose()
        });
        match next {
            Ok(None) => false,
            Ok(Some(next)) => {
                let why = match (has_lost_its_store, has_other_rules) {
                    (true, _) => "the store was replaced",
                    (false, true) => "other rules are installed",
                    (false, false) => "the config has changed",
                };
                tracing::info!("{why}: serving with what there is now");
                *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
                true
            }
            Err(error) => {
                tracing::error!(%error, "going on with the config that was read before");
                false
            }
        }
    }

    fn is_time(&self) -> bool {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = tried.is_none_or(|at| at.elapsed() >= AGAIN);
        if is_time {
            *tried = Some(Instant::now());
        }
        is_time
    }
}
