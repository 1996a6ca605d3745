//! Sessions under way, and how many of them each client has.
//!
//! Invariant: a session is counted from its admission until it has ended.

use super::peer::Peer;
use std::collections::HashMap;
use std::net::IpAddr;

#[derive(Default)]
pub(crate) struct ClientCount {
    sessions: usize,
    clients: HashMap<IpAddr, usize>,
}

impl ClientCount {
    /// Counts a session, unless it is one too many.
    pub(crate) fn admit(&mut self, peer: Peer, sessions: usize, per_client: usize) -> bool {
        if self.sessions >= sessions {
            return false;
        }
        if let Peer::Address(address) = peer {
            let own = self.clients.entry(address).or_default();
            if *own >= per_client {
                return false;
            }
            *own += 1;
        }
        self.sessions += 1;
        true
    }

    pub(crate) fn leave(&mut self, peer: Peer) {
        self.sessions -= 1;
        if let Peer::Address(address) = peer
            && let Some(own) = self.clients.get_mut(&address)
        {
            *own -= 1;
            if *own == 0 {
                self.clients.remove(&address);
            }
        }
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_and_all_together_have_a_limit() {
        let (one, two) = (Peer::Address([127, 0, 0, 1].into()), Peer::Address([127, 0, 0, 2].into()));
        let mut count = ClientCount::default();
        let admit = |count: &mut ClientCount, peer: Peer| count.admit(peer, 3, 2);
        assert!(admit(&mut count, one) && admit(&mut count, one) && !admit(&mut count, one));
        assert!(admit(&mut count, two) && !admit(&mut count, Peer::Local));
        count.leave(one);
        assert!(admit(&mut count, Peer::Local));
        [one, two, Peer::Local].into_iter().for_each(|peer| count.leave(peer));
        assert!(count.sessions() == 0 && count.clients.is_empty());
    }
}
