//! The doors out of the process: mail (`smtp`) and the web (`http`), and what guards them.
//!
//! Not here: what is sent (the files of `action`). Invariant: nothing connects to an address that
//! `guard` did not allow.

/// How long an answer may be on its connection.
mod bounded_answers;
/// Which addresses may be connected to.
pub(super) mod guard;
/// Links, notifications and documents.
pub(crate) mod http;
/// Which hosts are trackers.
mod known_trackers;
/// When a step is tried again.
pub(crate) mod retry_time;
/// Mail.
pub(crate) mod smtp;

pub(crate) use guard::{TargetHost, Unreachable, is_allowed, resolve};

use super::lanes::Lanes;
use crate::auth::Dns;
use crate::config::Config;
use crate::memory::MemoryBudget;
use crate::store::Store;
use known_trackers::KnownTrackers;
use std::sync::Arc;

/// What actions need of the process: config, DNS, store, and the doors out. Nothing connects before
/// it is needed.
pub(crate) struct Doors {
    pub(crate) config: Arc<Config>,
    pub(crate) dns: Arc<Dns>,
    pub(crate) store: Arc<Store>,
    pub(super) smtp: smtp::Pool,
    pub(crate) http: http::Client,
    pub(super) trackers: KnownTrackers,
    pub(crate) lanes: Lanes,
    /// For the messages whose steps are done.
    pub(crate) memory: MemoryBudget,
}

impl Doors {
    /// For messages that are handled in this many threads.
    pub(crate) fn new(config: Arc<Config>, dns: Arc<Dns>, store: Arc<Store>, threads: usize) -> Doors {
        let http = http::Client::new(config.clone(), dns.clone());
        let (smtp, trackers) = (smtp::Pool::default(), KnownTrackers::default());
        let memory = MemoryBudget::of_process(config.message.memory);
        Doors { config, dns, store, smtp, http, trackers, lanes: Lanes::new(threads), memory }
    }
}
