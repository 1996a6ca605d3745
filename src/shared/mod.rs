//! The state that many hosts share through Redis or Valkey: suppressions, soft bounces, reports
//! that took effect, trackers, and totals of counters. `docs/shared.md` is for operators.
//!
//! SQLite stays the durable truth of each host. A fact is a value that merges (`SharedFact`): of
//! two versions the greater is kept, whoever sees them and in which order, so replays, partitions,
//! clock skew and lost writes end in the same state everywhere. Facts are spread over groups, and a
//! group has one hash slot: its facts (in buckets, small hashes that Redis packs), the numbers of
//! used buckets, and a change log, which hosts read from where they were. A host whose place in a
//! log is not there any more compares the whole group, in both directions. Totals are kept for each
//! host, and added up. Not here: rows (`store`). Invariants: no message waits for a network store,
//! and `pipe` and `relay` never open one; a change is queued until it was seen in the log; every
//! wait has a deadline.

mod change_log;
mod cluster_nodes;
mod command_key;
mod comparing;
mod exchange;
mod fact_pile;
mod fact_place;
mod first_fault;
mod foreign_fact;
mod group_reading;
mod host_registry;
mod live;
mod log_upkeep;
mod logged_change;
mod misplaced_key;
mod patrol;
mod probing;
mod put_facts;
mod sentinels;
mod server_access;
mod server_connection;
mod server_fault;
mod server_keys;
mod server_link;
mod shipped_totals;
mod sign_in_tokens;
mod state_mark;
mod wrong_clock;

pub(crate) use comparing::Compared;
pub(crate) use host_registry::KnownHost;
pub(crate) use live::LiveExchange;
pub(crate) use probing::{SET_CLOCK, probe, try_authority};
pub(crate) use state_mark::{ExchangeState, StateMark, clock_difference, waiting};

use crate::clock;
use crate::config::{Config, SharedStore};
use crate::deadline::Deadline;
use crate::digest;
use crate::error::{Error, Result};
use crate::files::lock::LockFile;
use crate::store::Store;
use exchange::ReadFrom;
use fact_place::GROUPS;
use first_fault::FirstFault;
use server_link::ServerLink;
use state_mark::ExchangeBy;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// Time for the exchange of a tick. A group that is being compared when it is over is finished.
const TICK: Duration = Duration::from_secs(20);
/// Time for a comparison of a long list, whose every step has a deadline, and for name servers.
const LAST: Duration = Duration::from_secs(600);
/// Time for another process of this host to end its exchange.
const LOCK: Duration = Duration::from_secs(5);

/// The exchange of a tick. A server that does not answer costs the tick no more than its share.
/// Returns how many facts were shipped and taken over; `None`: nothing is shared, or another
/// process of this host exchanges.
pub(crate) fn tick(config: &Arc<Config>, store: &Arc<Store>) -> Result<Option<(usize, usize)>> {
    if !config.shared.get()?.is_used() {
        if store.this_host()?.is_on {
            store.end_sharing()?;
        }
        return Ok(None);
    }
    let (done, outcome) = sync_channel(1);
    let (config, store) = (config.clone(), store.clone());
    let work = move || {
        let _ = done.send(tick_within(&config, &store, Deadline::after(TICK)));
    };
    std::thread::Builder::new().name("shared".into()).spawn(work).map_err(Error::new)?;
    // The thread ends with the process at the latest.
    let outcome = outcome.recv_timeout(LAST);
    outcome.unwrap_or_else(|_| Err(too_slow()))
}

fn too_slow() -> Error {
    Error::new("the shared store has not answered in time")
        .remedy("see what holds it up: redis-cli --latency")
}

fn tick_within(config: &Config, store: &Store, deadline: Deadline) -> Result<Option<(usize, usize)>> {
    let shared = config.shared.get()?;
    take_part(store)?;
    let Some(_alone) = locked(store, deadline.within(LOCK))? else { return Ok(None) };
    wrong_clock::compare_if_right_again(store)?;
    let mut by = ExchangeBy::Tick;
    let exchanged = ServerLink::open(&config.shared).and_then(|mut link| {
        let mut faults = FirstFault::default();
        let exchanged = exchange::run(store, &mut link, shared, ReadFrom::Last, deadline, &mut faults);
        wrong_clock::note_ahead(store, &mut link)?;
        let exchanged = exchanged?;
        if faults.is_none() {
            by = ExchangeBy::TickAlone;
        }
        wrong_clock::note_difference(store, &mut link)?;
        faults.of(patrol::patrol(store, &mut link, shared));
        if faults.of(host_registry::sign_in(store, &mut link, shared, config.hostname())).is_some() {
            let shipped = shipped_totals::ship(store, &mut link, shared, deadline, &mut faults);
            faults.of(shipped);
        }
        store.forget_removed(clock::now_ms())?;
        faults.end().map(|()| exchanged)
    });
    StateMark::note(store, exchanged.as_ref().err(), by)?;
    exchanged.map(Some)
}

/// Waits until no other process of this host exchanges.
fn locked(store: &Store, deadline: Deadline) -> Result<Option<LockFile>> {
    loop {
        let lock = store.lock_sharing()?;
        if lock.is_some() || deadline.passed() {
            return Ok(lock);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Notes changes from now on, under a number of its own.
fn take_part(store: &Store) -> Result<()> {
    if store.this_host()?.is_on {
        if store.renew_ranks()? {
            tracing::warn!("changes were marked with a time far ahead; they are shipped again");
        }
        return Ok(());
    }
    let number = u32::from_str_radix(&digest::random_token(4), 16).unwrap_or_default().max(1);
    store.begin_sharing(number, GROUPS)
}

/// What the command `carom shared` works with.
pub(crate) struct SharedDesk<'a> {
    shared: &'a SharedStore,
    store: &'a Store,
    link: ServerLink,
}

impl<'a> SharedDesk<'a> {
    pub(crate) fn open(config: &'a Config, store: &'a Store) -> Result<SharedDesk<'a>> {
        let shared = config.shared.get()?;
        if !shared.is_used() {
            return Err(Error::new("nothing is shared").remedy("set [shared] url in the config"));
        }
        take_part(store)?;
        Ok(SharedDesk { shared, store, link: ServerLink::open(&config.shared)? })
    }

    /// The version that the server gives.
    pub(crate) fn server(&self) -> &str {
        self.link.version()
    }

    /// The hosts that have signed in.
    pub(crate) fn hosts(&mut self) -> Result<Vec<KnownHost>> {
        host_registry::hosts(&mut self.link, self.shared)
    }

    /// Exchanges what is new, then compares everything, in both directions.
    pub(crate) fn resync(&mut self, deadline: Deadline) -> Result<Compared> {
        let Some(_alone) = locked(self.store, deadline)? else {
            return Err(Error::new("another process exchanges all the time").remedy("try again"));
        };
        self.store.compare_again(GROUPS)?;
        let (store, link, shared, mut faults) =
            (self.store, &mut self.link, self.shared, FirstFault::default());
        let compared = comparing::compare_all(store, link, shared, deadline, &mut faults)?;
        exchange::run(store, link, shared, ReadFrom::Last, deadline, &mut faults)?;
        let shipped = shipped_totals::ship(store, link, shared, deadline, &mut faults);
        faults.of(shipped);
        let ended = faults.end();
        StateMark::note(store, ended.as_ref().err(), ExchangeBy::TickAlone)?;
        ended.map(|()| compared)
    }

    /// Compares everything and changes nothing.
    pub(crate) fn diff(&mut self) -> Result<Compared> {
        comparing::diff(self.store, &mut self.link, self.shared)
    }
}
