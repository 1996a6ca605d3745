//! The memory that the message of a session takes: of what the process has, and of the share of its
//! client.
//!
//! Not here: reading the message (`client_session`). Invariants: what is read was taken before;
//! every wait for memory ends, and then the message is refused and gives back what it had; of two
//! that would wait for each other, one is refused immediately.

use super::client_shares::{ClientShares, HeldShare};
use crate::deadline::Deadline;
use crate::memory::{MemoryBudget, Room};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How soon a wait notices that the session must end.
const SLICE: Duration = Duration::from_secs(1);

pub(super) struct MessageRoom<'h> {
    budget: &'h MemoryBudget,
    shares: Arc<ClientShares>,
    client: Option<IpAddr>,
    held: Option<HeldRoom<'h>>,
}

/// What a message has, until it is dropped.
pub(super) struct HeldRoom<'h> {
    room: Room<'h>,
    share: HeldShare,
}

impl<'h> MessageRoom<'h> {
    pub(super) fn new(
        budget: &'h MemoryBudget,
        shares: &Arc<ClientShares>,
        client: Option<IpAddr>,
    ) -> MessageRoom<'h> {
        MessageRoom { budget, shares: shares.clone(), client, held: None }
    }

    /// Takes room for a message of this size, and at first for what it is announced to be, so that
    /// it waits before it holds any. Waits no longer than until `until`, or until the session
    /// `must_end`. Returns whether it has that.
    pub(super) fn hold(
        &mut self,
        size: u64,
        announced: u64,
        until: Deadline,
        mut must_end: impl FnMut() -> bool,
    ) -> bool {
        let needed = MemoryBudget::needed_by(size);
        if self.grow(needed) {
            return true;
        }
        while !self.has(needed) && !until.passed() && !must_end() {
            let first = MemoryBudget::needed_by(announced.max(size));
            if !self.wait(needed, first, until.within(SLICE)) {
                return false;
            }
        }
        self.has(needed)
    }

    /// The same without a wait.
    pub(super) fn hold_now(&mut self, size: u64, announced: u64) -> bool {
        let needed = MemoryBudget::needed_by(size);
        if !self.grow(needed) && self.held.is_none() {
            let first = MemoryBudget::needed_by(announced.max(size));
            self.wait(needed, first, Deadline::after(Duration::ZERO));
        }
        self.has(needed)
    }

    fn has(&self, needed: u64) -> bool {
        self.held.as_ref().is_some_and(|held| held.room.bytes() >= needed)
    }

    /// Makes what it has large enough without a wait.
    fn grow(&mut self, needed: u64) -> bool {
        let has = self.has(needed);
        // Twice as much, so that a long message asks seldom.
        has || self.held.as_mut().is_some_and(|held| held.grow(needed * 2) || held.grow(needed))
    }

    /// Waits a moment. Returns whether there is something to wait for.
    fn wait(&mut self, needed: u64, first: u64, slice: Deadline) -> bool {
        match &mut self.held {
            Some(held) => {
                let may_wait = held.may_share(needed) && held.room.may_wait();
                if may_wait {
                    held.room.grow_until(needed, slice);
                }
                may_wait
            }
            None => {
                let mut share = self.shares.of(self.client);
                if share.grow_until(counted(first), slice) {
                    let room = self.budget.take_until(first, slice);
                    self.held = room.map(|room| HeldRoom { room, share });
                }
                true
            }
        }
    }

    /// Gives it back.
    pub(super) fn give_back(&mut self) {
        self.held = None;
    }

    /// For whoever keeps the message now.
    pub(super) fn take(&mut self) -> Option<HeldRoom<'h>> {
        self.held.take()
    }
}

impl HeldRoom<'_> {
    /// Makes it this large without a wait.
    fn grow(&mut self, bytes: u64) -> bool {
        self.may_share(bytes) && self.room.grow_to(bytes)
    }

    /// Takes so much of the share of the client, without a wait: who has some waits for no other
    /// message of the same client.
    fn may_share(&mut self, bytes: u64) -> bool {
        self.share.grow_until(counted(bytes), Deadline::after(Duration::ZERO))
    }
}

/// What counts for the share of a client: small messages do not.
fn counted(bytes: u64) -> u64 {
    if MemoryBudget::is_small(bytes) { 0 } else { bytes }
}
