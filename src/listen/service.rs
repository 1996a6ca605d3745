//! What is done with connections, and how many there may be.

use super::client_connection::{ClientConnection, Peer};
use std::time::Duration;

/// What is done with connections.
pub(crate) trait Service: Sync {
    /// Serves a connection to its end.
    fn serve(&self, connection: &mut ClientConnection);

    /// What a client is told that may not connect, and takes no place among sessions. `None`: it
    /// may.
    fn turned_away(&self, _peer: Peer) -> Option<&'static [u8]> {
        None
    }

    /// What a connection beyond the limits is told.
    fn refusal(&self) -> &'static [u8];

    /// Called about each second, and after SIGHUP, in a thread of its own.
    fn look_around(&self);
}

/// How many sessions there may be, and how long a stop waits for those in a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionLimits {
    pub(crate) sessions: usize,
    /// From one address.
    pub(crate) per_client: usize,
    pub(crate) grace: Duration,
}
