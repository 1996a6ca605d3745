//! Whether a host is a tracker: the policy says so, or the host itself.
//!
//! Invariant: a host is asked once in a step, and not again while the process or the store
//! remembers.

use super::fetcher::Fetcher;
use crate::action::doors::Doors;
use crate::clock;
use crate::deadline::Deadline;
use crate::plan::Visit;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use url::Url;

/// The name of SparkPost's trackers, and where they are asked (bouncy-sink's check).
pub(super) const TRACKER_SERVER: &str = "msys-http";
pub(super) const TRACKER_PROBE: &str = "/f/a";
/// Time to ask one.
const PROBE_TIME: Duration = Duration::from_secs(10);

/// Why a host is not known to be a tracker.
#[derive(Clone, Debug)]
pub(super) struct NoTracker {
    pub(super) why: String,
    /// It could not be asked.
    pub(super) failed: bool,
}

impl NoTracker {
    fn answered(why: String) -> NoTracker {
        NoTracker { why, failed: false }
    }

    fn not_asked(why: String) -> NoTracker {
        NoTracker { why, failed: true }
    }
}

/// Whether an origin is a tracker, or why that is not known; set once.
type ProbeResult = Arc<OnceLock<Result<bool, NoTracker>>>;

pub(super) struct TrackerCheck<'a> {
    visit: &'a Visit,
    fetcher: &'a Fetcher<'a>,
    /// By origin: whoever meets it first asks.
    asked: Mutex<HashMap<String, ProbeResult>>,
}

impl<'a> TrackerCheck<'a> {
    pub(super) fn new(visit: &'a Visit, fetcher: &'a Fetcher<'a>) -> TrackerCheck<'a> {
        TrackerCheck { visit, fetcher, asked: Mutex::default() }
    }

    /// Whether the policy names the host of a link.
    pub(super) fn is_listed(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}")).unwrap_or_default();
        let listed = |tracker: &String| {
            tracker.eq_ignore_ascii_case(host) && url.port().is_none()
                || tracker.eq_ignore_ascii_case(&with_port)
        };
        self.visit.trackers.iter().any(listed)
    }

    /// Whether a link may be fetched: its host is on the list, or says that it is a tracker. The
    /// error is why this is not known.
    pub(super) fn is_tracker(&self, url: &Url, deadline: Deadline) -> Result<bool, NoTracker> {
        if self.is_listed(url) {
            return Ok(true);
        }
        if !self.visit.probe {
            return Ok(false);
        }
        let origin = url.origin().ascii_serialization();
        let asked = self
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(origin.clone())
            .or_default()
            .clone();
        asked.get_or_init(|| self.ask(&origin, deadline)).clone()
    }

    /// Asks a host whether it is a tracker, unless the process or the store knows.
    fn ask(&self, origin: &str, deadline: Deadline) -> Result<bool, NoTracker> {
        let Doors { config, store, trackers, .. } = self.fetcher.doors;
        let now_ms = clock::now_ms();
        let blocked = || NoTracker::answered(format!("Tracking domain {origin} blocked"));
        if let Some(known) = trackers.known(origin, now_ms) {
            return if known { Ok(true) } else { Err(blocked()) };
        }
        if let Ok(Some(known)) = store.remembered(origin, now_ms) {
            trackers.learn(origin, known, now_ms + 60_000);
            return if known { Ok(true) } else { Err(blocked()) };
        }
        let probe = Url::parse(&format!("{origin}{TRACKER_PROBE}"))
            .map_err(|error| NoTracker::answered(format!("{origin}: {error}")))?;
        let answered = self
            .fetcher
            .get(&probe, deadline.within(PROBE_TIME))
            .map_err(|text| NoTracker::not_asked(format!("{origin}: {text}")))?;
        let is = answered.server.as_deref() == Some(TRACKER_SERVER);
        let expires_ms = now_ms + i64::from(config.visit.probe_expiry) * 1000;
        trackers.learn(origin, is, expires_ms);
        if let Err(error) = store.remember(origin, is, expires_ms) {
            tracing::warn!(%error, "the answer of a tracker check is not remembered");
        }
        match is {
            true => Ok(true),
            false => Err(NoTracker::answered(format!("{origin},status_code {}", answered.status))),
        }
    }
}
