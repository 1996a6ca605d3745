//! How much of the memory for messages each client has: no more than its share, so that the large
//! and slow messages of one leave room for those of others.
//!
//! Not here: the memory of all (`crate::memory`). Invariants: a client's only message may be larger
//! than its share; processes of this host have no share, because a mail server brings the messages
//! of everybody.

use crate::deadline::Deadline;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

pub(super) struct ClientShares {
    /// Bytes of one client.
    most: u64,
    held: Mutex<HashMap<IpAddr, u64>>,
    given_back: Condvar,
}

/// What one message has of its client's share, until it is dropped.
pub(super) struct HeldShare {
    shares: Arc<ClientShares>,
    client: Option<IpAddr>,
    bytes: u64,
}

impl ClientShares {
    pub(super) fn new(most: u64) -> Arc<ClientShares> {
        Arc::new(ClientShares { most, held: Mutex::default(), given_back: Condvar::new() })
    }

    /// Nothing yet, for a message of this client.
    pub(super) fn of(self: &Arc<Self>, client: Option<IpAddr>) -> HeldShare {
        HeldShare { shares: self.clone(), client, bytes: 0 }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<IpAddr, u64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message that has `own` bytes of this client's may have `bytes` of them.
    fn may_have(&self, held: &HashMap<IpAddr, u64>, client: IpAddr, own: u64, bytes: u64) -> bool {
        let others = held.get(&client).copied().unwrap_or_default().saturating_sub(own);
        others == 0 || others.saturating_add(bytes) <= self.most
    }
}

impl HeldShare {
    /// Makes it at least this large; waits for that no longer than until `deadline`.
    pub(super) fn grow_until(&mut self, bytes: u64, deadline: Deadline) -> bool {
        let Some(client) = self.client.filter(|_| bytes > self.bytes) else { return true };
        let (shares, own) = (&self.shares, self.bytes);
        let is_full = |held: &mut HashMap<IpAddr, u64>| !shares.may_have(held, client, own, bytes);
        let mut held = shares.held();
        if is_full(&mut held) {
            let waited = shares.given_back.wait_timeout_while(held, deadline.left(), is_full);
            let (waited, ended) = waited.unwrap_or_else(PoisonError::into_inner);
            if ended.timed_out() {
                return false;
            }
            held = waited;
        }
        *held.entry(client).or_default() += bytes - own;
        drop(held);
        self.bytes = bytes;
        true
    }
}

impl Drop for HeldShare {
    fn drop(&mut self) {
        let Some(client) = self.client.filter(|_| self.bytes > 0) else { return };
        let mut held = self.shares.held();
        if let Some(all) = held.get_mut(&client) {
            *all -= self.bytes;
            if *all == 0 {
                held.remove(&client);
            }
        }
        drop(held);
        self.shares.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_client_has_its_share_and_others_have_theirs() {
        let (shares, now) = (ClientShares::new(10), Deadline::after(Duration::ZERO));
        let of = |last: u8| shares.of(Some([192, 0, 2, last].into()));
        let (mut first, mut second, mut other) = (of(1), of(1), of(2));
        assert!(first.grow_until(8, now) && second.grow_until(2, now) && !second.grow_until(3, now));
        assert!(other.grow_until(100, now), "alone, a message may be larger");
        assert!(shares.of(None).grow_until(1000, now));
        std::thread::scope(|scope| {
            let grows = scope.spawn(|| second.grow_until(9, Deadline::after(Duration::from_secs(600))));
            drop(first);
            assert!(grows.join().unwrap());
        });
        assert!(second.grow_until(5, now), "it has more already");
        drop((second, other));
        assert!(shares.held().is_empty());
    }
}
