//! The line to a client: the connection, in the clear or with TLS.
//!
//! Not here: what is said. Invariant: TLS moves no deadline; after its begin nothing goes in the
//! clear.

use crate::deadline::Deadline;
use crate::listen::{ClientConnection, Heard, Pause};
use rustls::{ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

/// Time for a client to close its side.
const CLOSING: Duration = Duration::from_secs(2);
/// Reads in that time.
const UNHEARD: usize = 256;

pub(super) struct ClientLine<'c> {
    connection: &'c mut ClientConnection,
    tls: Option<Box<ServerConnection>>,
}

impl<'c> ClientLine<'c> {
    pub(super) fn new(connection: &'c mut ClientConnection) -> ClientLine<'c> {
        ClientLine { connection, tls: None }
    }

    pub(super) fn read(&mut self, into: &mut [u8], until: Deadline, at: Pause) -> Heard {
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

    pub(super) fn write(&mut self, bytes: &[u8], until: Deadline) -> bool {
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

    /// Nothing more is written. What the client has sent meanwhile is read, because a connection
    /// that is closed with bytes unread takes the last reply with it.
    pub(super) fn close(&mut self) {
        let until = Deadline::after(CLOSING);
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            self.give_out(until);
        }
        self.connection.finish();
        let mut unheard = [0; 4096];
        for _ in 0..UNHEARD {
            if !matches!(self.connection.read(&mut unheard, until, Pause::Between), Heard::Bytes(_)) {
                return;
            }
        }
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
