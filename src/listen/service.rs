//! What is done with connections.

use super::client_connection::ClientConnection;
use super::peer::Peer;

/// What is done with connections.
pub(crate) trait Service: Sync {
    /// Serves a connection to its end. It has the thread for itself.
    fn serve(&self, connection: ClientConnection);

    /// Takes a connection that needs no thread for itself, or gives it back.
    fn take(&self, connection: ClientConnection) -> Option<ClientConnection> {
        Some(connection)
    }

    /// What a client is told that may not connect, and takes no place among sessions. `None`: it
    /// may.
    fn turned_away(&self, _peer: Peer) -> Option<&'static [u8]> {
        None
    }

    /// What a connection beyond the limits is told.
    fn refusal(&self) -> &'static [u8];

    /// Called about each second, and after SIGHUP, in a thread for itself.
    fn look_around(&self);
}
