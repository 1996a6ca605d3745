//! The bytes of a connection that are not answered yet, and how long the next may take.
//!
//! Not here: what they mean (`policy_request`, `netstring`). Invariant: what is begun has a
//! deadline that more bytes do not move.

use crate::deadline::Deadline;
use crate::listen::{ClientConnection, Heard, Pause};
use std::time::Duration;

/// A client may be idle for so long between two requests: Postfix closes after 300 s.
const IDLE: Duration = Duration::from_secs(900);
/// A request that has begun ends within this time, and an answer is read within it.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of one read.
const READ: usize = 32 << 10;

#[derive(Default)]
pub(super) struct Incoming {
    /// The first `filled` were read; the rest is room, which is made once.
    room: Vec<u8>,
    filled: usize,
    /// `None`: nothing of a request is here.
    ends: Option<Deadline>,
}

impl Incoming {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.room[..self.filled]
    }

    /// The first bytes are answered.
    pub(super) fn consume(&mut self, answered: usize) {
        if answered > 0 {
            self.room.copy_within(answered..self.filled, 0);
            self.filled -= answered;
            self.ends = None;
        }
    }

    /// Waits for more. Returns whether something came.
    pub(super) fn read(&mut self, connection: &mut ClientConnection) -> bool {
        let (until, at) = match self.filled {
            0 => (Deadline::after(IDLE), Pause::Between),
            _ => (*self.ends.get_or_insert_with(|| Deadline::after(PATIENCE)), Pause::Within),
        };
        if self.room.len() - self.filled < READ {
            self.room.resize(self.filled + READ, 0);
        }
        match connection.read(&mut self.room[self.filled..], until, at) {
            Heard::Bytes(read) => self.filled += read,
            _ => return false,
        }
        true
    }
}
