//! THE PLACES of sessions: how many there may be, in all and of each client.
//!
//! Not here: who serves them. Invariant: a session has its place from its admission until its
//! connection is dropped, wherever that happens.

use super::client_count::ClientCount;
use super::peer::Peer;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many sessions there may be, and how long a stop waits for those in a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionLimits {
    pub(crate) sessions: usize,
    /// From one address.
    pub(crate) per_client: usize,
    pub(crate) grace: Duration,
}

pub(super) struct SessionPlaces {
    limits: SessionLimits,
    count: Mutex<ClientCount>,
    left: Condvar,
}

/// The place of one session, until it is dropped.
pub(super) struct SessionPlace {
    places: Arc<SessionPlaces>,
    peer: Peer,
}

impl SessionPlaces {
    pub(super) fn new(limits: SessionLimits) -> Arc<SessionPlaces> {
        Arc::new(SessionPlaces { limits, count: Mutex::default(), left: Condvar::new() })
    }

    /// `None`: it would be one too many.
    pub(super) fn take(self: &Arc<Self>, peer: Peer) -> Option<SessionPlace> {
        let SessionLimits { sessions, per_client, .. } = self.limits;
        let admitted = self.count().admit(peer, sessions, per_client);
        admitted.then(|| SessionPlace { places: self.clone(), peer })
    }

    /// Waits until no session is under way, no longer than `limit`. Returns whether that is so.
    pub(super) fn are_free_within(&self, limit: Duration) -> bool {
        let busy = |count: &mut ClientCount| count.sessions() > 0;
        let waited = self.left.wait_timeout_while(self.count(), limit, busy);
        waited.unwrap_or_else(PoisonError::into_inner).0.sessions() == 0
    }

    fn count(&self) -> MutexGuard<'_, ClientCount> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SessionPlace {
    fn drop(&mut self) {
        self.places.count().leave(self.peer);
        self.places.left.notify_all();
    }
}
