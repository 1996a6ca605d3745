//! Exchanging while a process serves: `lmtp`, `access`, `socketmap` and `serve` ship what changes
//! on this host, and take what others have changed, about twice a second.
//!
//! It has a thread and a connection of its own. Not here: the exchange. Invariants: nothing that a
//! client waits for waits for it; it ends with the config that it was begun with, and a store that
//! was replaced is left.

use super::exchange::ReadFrom;
use super::first_fault::FirstFault;
use super::server_link::ServerLink;
use super::state_mark::{ExchangeBy, StateMark};
use super::{exchange, take_part, wrong_clock};
use crate::clock;
use crate::config::{Config, ConfigSection, SharedStore};
use crate::deadline::{Deadline, stopping};
use crate::error::{Error, Result};
use crate::store::Store;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Between two exchanges.
const PAUSE: Duration = Duration::from_millis(400);
/// After failures, twice as long each time, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Time for one.
const TIME: Duration = Duration::from_secs(20);
/// How often it is noted that exchanges go well.
const NOTED: Duration = Duration::from_secs(60);

/// The exchange of a process with one config, until it is dropped.
pub(crate) struct LiveExchange {
    over: Arc<AtomicBool>,
}

impl LiveExchange {
    /// Exchanges in a thread from now on, if the config shares anything.
    pub(crate) fn begin(config: &Arc<Config>) -> Result<LiveExchange> {
        let over = Arc::new(AtomicBool::new(false));
        if config.shared.get()?.is_used() {
            let (config, over) = (config.clone(), over.clone());
            let work = move || {
                keep_exchanging(&config.shared, &config.store_path(), &over);
            };
            std::thread::Builder::new().name("shared".into()).spawn(work).map_err(Error::new)?;
        }
        Ok(LiveExchange { over })
    }
}

/// When it was noted, and what time it was.
#[derive(Clone, Copy)]
struct Noted {
    at: Instant,
    at_ms: i64,
}

impl Noted {
    /// Whether it is to be noted again: after a while, or if the clock has jumped.
    fn is_over(self) -> bool {
        let most = i64::try_from(NOTED.as_millis()).unwrap_or(i64::MAX);
        self.at.elapsed() >= NOTED || (clock::now_ms() - self.at_ms).abs() > most
    }
}

impl Drop for LiveExchange {
    /// Its thread ends after the exchange in hand: nobody waits for it.
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
    }
}

/// A store that was replaced is left: a backup that was restored is what this host has now.
fn keep_exchanging(shared: &ConfigSection<SharedStore>, path: &Path, over: &AtomicBool) {
    while !is_over(over) {
        let store = Store::lazy(path);
        exchange_with(shared, &store, over);
        // Whoever restores it may not be done.
        while !is_over(over) && !store.exists() {
            std::thread::sleep(PAUSE);
        }
    }
}

fn is_over(over: &AtomicBool) -> bool {
    stopping::asked() || over.load(Relaxed)
}

/// Until it is over, or the store was replaced.
fn exchange_with(shared: &ConfigSection<SharedStore>, store: &Store, over: &AtomicBool) {
    let (mut link, mut pause, mut noted): (Option<ServerLink>, _, Option<Noted>) = (None, PAUSE, None);
    let mut turn = 0_u32;
    while !is_over(over) && !store.is_replaced() {
        turn = turn.wrapping_add(1);
        match exchange_once(shared, store, &mut link, turn) {
            Ok(()) if noted.is_none_or(|noted| noted.is_over()) => {
                let _ = StateMark::note(store, None, ExchangeBy::LivingProcess);
                (noted, pause) = (Some(Noted { at: Instant::now(), at_ms: clock::now_ms() }), PAUSE);
            }
            Ok(()) => pause = PAUSE,
            Err(error) => {
                if noted.is_some() || pause == PAUSE {
                    tracing::warn!(%error, "cannot exchange with other hosts; trying again");
                }
                let _ = StateMark::note(store, Some(&error), ExchangeBy::LivingProcess);
                (link, noted, pause) = (None, None, (pause * 2).min(LONGEST_PAUSE));
            }
        }
        std::thread::sleep(pause);
    }
}

fn exchange_once(
    section: &ConfigSection<SharedStore>,
    store: &Store,
    link: &mut Option<ServerLink>,
    turn: u32,
) -> Result<()> {
    let shared = section.get()?;
    take_part(store)?;
    // Another process of this host exchanges now.
    let Some(_alone) = store.lock_sharing()? else { return Ok(()) };
    wrong_clock::compare_if_right_again(store)?;
    if link.is_none() {
        *link = Some(ServerLink::open(section)?);
    }
    match link {
        Some(link) => {
            let (from, until) = (ReadFrom::AfterLast { turn }, Deadline::after(TIME));
            let mut faults = FirstFault::default();
            let exchanged = exchange::run(store, link, shared, from, until, &mut faults);
            wrong_clock::note_ahead(store, link)?;
            exchanged?;
            faults.end()
        }
        None => Ok(()),
    }
}
