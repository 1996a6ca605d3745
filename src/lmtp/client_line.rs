//! The line to a client: the connection, in the clear or with TLS.
//!
//! Not here: what is said. Invariants: TLS moves no deadline; after its begin nothing goes in the
//! clear; a line that does not wait has no TLS.

use crate::deadline::Deadline;
use crate::listen::{ClientConnection, Heard, Pause};
use rustls::{ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

pub(super) struct ClientLine {
    connection: ClientConnection,
    tls: Option<Box<ServerConnection>>,
    /// Whoever reads and writes waits for the client.
    waits: bool,
}

/// What became of bytes that were to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyTaken {
    All,
    /// The client does not take the rest now, and the line does not wait.
    Part,
    Broken,
}

impl ClientLine {
    /// A line that waits.
    pub(super) fn new(connection: ClientConnection) -> ClientLine {
        ClientLine { connection, tls: None, waits: true }
    }

    /// A line that does not wait.
    pub(super) fn without_waits(connection: ClientConnection) -> ClientLine {
        ClientLine { connection, tls: None, waits: false }
    }

    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// From now on it does.
    pub(super) fn wait(&mut self) {
        self.waits = true;
    }

    /// What can be asked whether there is something to read.
    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.connection.socket()
    }

    /// `None`: there is nothing yet, and the line does not wait.
    pub(super) fn read(&mut self, into: &mut [u8], until: Deadline, at: Pause) -> Option<Heard> {
        match self.waits {
            true => Some(self.wait_for(into, until, at)),
            false => self.connection.read_now(into, until, at),
        }
    }

    /// Writes these bytes and takes away those that are written.
    pub(super) fn write(&mut self, bytes: &mut Vec<u8>, until: Deadline) -> ReplyTaken {
        if self.waits {
            let taken = bytes.is_empty() || self.give(bytes, until);
            bytes.clear();
            return if taken { ReplyTaken::All } else { ReplyTaken::Broken };
        }
        while !bytes.is_empty() {
            match self.connection.write_now(bytes) {
                Some(0) => return ReplyTaken::Part,
                Some(many) => drop(bytes.drain(..many)),
                None => {
                    bytes.clear();
                    return ReplyTaken::Broken;
                }
            }
        }
        ReplyTaken::All
    }

    fn wait_for(&mut self, into: &mut [u8], until: Deadline, at: Pause) -> Heard {
        loop {
            let Some(tls) = &mut self.tls else { return self.connection.read(into, until, at) };
            match tls.reader().read(into) {
                Ok(0) => return Heard::End,
                Ok(many) => return Heard::Bytes(many),
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return Heard::End,
                Err(_) => {}
            }
            match self.take_in(until, at) {
                Heard::Bytes(_) => {}
                other => return other,
            }
        }
    }

    fn give(&mut self, bytes: &[u8], until: Deadline) -> bool {
        match &mut self.tls {
            None => self.connection.write(bytes, until),
            Some(tls) => tls.writer().write_all(bytes).is_ok() && self.give_out(until),
        }
    }

    /// Begins TLS. Returns whether the client has agreed.
    pub(super) fn secure(&mut self, config: Option<Arc<ServerConfig>>, until: Deadline) -> bool {
        let Some(Ok(tls)) = config.map(ServerConnection::new) else { return false };
        self.tls = Some(Box::new(tls));
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            if !matches!(self.take_in(until, Pause::Within), Heard::Bytes(_)) {
                return false;
            }
        }
        self.give_out(until)
    }

    /// Does nothing for a while. Returns whether the session goes on.
    pub(super) fn rest(&mut self, until: Deadline) -> bool {
        self.connection.rest(until)
    }

    /// When the line is closed, the client gets a reset.
    pub(super) fn reset(&mut self) {
        self.connection.reset();
    }

    /// Whether a stop of the process leaves no more time.
    pub(super) fn must_end(&mut self) -> bool {
        self.connection.must_end()
    }

    /// Whether the client has closed its side, and everything it sent is heard. Within TLS that is
    /// not seen.
    pub(super) fn has_left(&self) -> bool {
        self.tls.is_none() && self.connection.has_left()
    }

    /// Nothing more is written.
    pub(super) fn finish(&mut self, until: Deadline) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            self.give_out(until);
        }
        self.connection.finish();
    }

    /// Reads bytes that nobody hears any more. Returns whether there may be others; `None`: there
    /// are none yet, and the line does not wait.
    pub(super) fn ignore(&mut self, until: Deadline) -> Option<bool> {
        let mut unheard = [0; 4096];
        let heard = match self.waits {
            true => self.connection.read(&mut unheard, until, Pause::Between),
            false => self.connection.read_now(&mut unheard, until, Pause::Between)?,
        };
        Some(matches!(heard, Heard::Bytes(_)))
    }

    /// Some bytes from the connection to TLS.
    fn take_in(&mut self, until: Deadline, at: Pause) -> Heard {
        let mut raw = [0; 4096];
        let heard = self.connection.read(&mut raw, until, at);
        let (Heard::Bytes(many), Some(tls)) = (heard, &mut self.tls) else { return heard };
        let mut rest = &raw[..many];
        while !rest.is_empty() {
            let taken = tls.read_tls(&mut rest).is_ok_and(|many| many > 0);
            if !taken || tls.process_new_packets().is_err() {
                // The alert says why.
                self.give_out(until);
                return Heard::End;
            }
        }
        if self.give_out(until) { heard } else { Heard::End }
    }

    /// What TLS has to say to the connection.
    fn give_out(&mut self, until: Deadline) -> bool {
        let Some(tls) = &mut self.tls else { return true };
        let mut raw = Vec::new();
        while tls.wants_write() {
            if tls.write_tls(&mut raw).is_err() {
                return false;
            }
        }
        raw.is_empty() || self.connection.write(&raw, until)
    }
}
