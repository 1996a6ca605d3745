//! What all requests share: the config, who may ask, the files, and the store that actions change.
//!
//! Invariant: the store that is written is opened when it is first needed, so that a page can be
//! read where it cannot be written.

use super::gate::Gate;
use super::view::Readers;
use crate::config::{Config, ServeTable};
use crate::deadline::Deadline;
use crate::error::Result;
use crate::index::Index;
use crate::message_log::MessageLog;
use crate::store::Store;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Records that are new to the store are taken this often at most.
const FRESH: Duration = Duration::from_secs(1);
/// Time for taking them.
const FOLDING: Duration = Duration::from_secs(2);

pub(crate) struct ServeDesk {
    pub(crate) config: Arc<Config>,
    pub(crate) limits: ServeTable,
    /// No action is carried out.
    pub(crate) read_only: bool,
    pub(super) gate: Gate,
    pub(super) readers: Readers,
    /// When the process began to serve.
    pub(crate) started_ms: i64,
    written: Arc<Store>,
    folded: Mutex<Option<Instant>>,
}

impl ServeDesk {
    pub(super) fn new(config: Arc<Config>, read_only: bool, started_ms: i64) -> Result<ServeDesk> {
        let rules = config.serve.get()?;
        Ok(ServeDesk {
            limits: rules.table.clone(),
            read_only: read_only || rules.table.read_only,
            gate: Gate::new(rules),
            readers: Readers::new(&config),
            started_ms,
            written: Arc::new(Store::lazy(&config.store_path())),
            folded: Mutex::default(),
            config,
        })
    }

    /// Files of an earlier release become those of this one, which readers need.
    pub(super) fn migrate(&self) {
        let store = if self.written.exists() { self.written.versions().map(drop) } else { Ok(()) };
        let index = Index::look(&self.config.index_path()).map(drop);
        for error in [store, index].into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "cannot be brought up to date");
        }
    }

    /// The store that actions change.
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.written
    }

    /// The newest messages are counted, before counters or steps are read.
    pub(crate) fn fold(&self) {
        let mut folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        if folded.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        let log = MessageLog::open(&self.config);
        // Where no message was handled, whoever reads makes no store.
        let done = if log.is_begun() { log.fold(&self.written, Deadline::after(FOLDING)) } else { Ok(()) };
        if let Err(error) = done {
            tracing::debug!(%error, "the next tick takes new records");
        }
        *folded = Some(Instant::now());
    }
}
