//! One connection: bytes in, bytes out, and who is at the other end.
//!
//! Not here: what the bytes mean. Invariant: no read or write outlasts its deadline by more than a
//! second, and a stop of the process ends them too.

use super::peer::Peer;
use super::session_places::SessionPlace;
use crate::deadline::{Deadline, readiness};
use crate::error::{Context, Result};
use rustix::net::{self, RecvFlags, SendFlags};
use socket2::{Domain, Socket, Type};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// How long a system call waits before deadline and stop are looked at.
const SLICE: Duration = Duration::from_secs(1);

/// Where a session is while it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Between two requests: a stop ends the reading.
    Between,
    /// Within a request: a stop leaves it some time.
    Within,
}

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Bytes(usize),
    /// The client has closed the connection, or it broke.
    End,
    /// Nothing came until the deadline.
    Late,
    /// The process is to end.
    Stop,
}

enum Wire {
    Socket(Socket),
    /// Standard input and output that are no socket.
    Pipe {
        input: File,
        output: File,
    },
}

pub(crate) struct ClientConnection {
    wire: Wire,
    peer: Peer,
    stop: Arc<AtomicBool>,
    grace: Duration,
    /// When a session must be over that was in a request when the process was stopped.
    ends: Option<Deadline>,
    place: Option<SessionPlace>,
}

impl ClientConnection {
    pub(super) fn of_socket(
        socket: Socket,
        stop: Arc<AtomicBool>,
        grace: Duration,
    ) -> io::Result<ClientConnection> {
        let peer = peer_of(&socket)?;
        if let Peer::Address(_) = peer {
            socket.set_tcp_nodelay(true)?;
        }
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(SLICE))?;
        socket.set_write_timeout(Some(SLICE))?;
        Ok(ClientConnection { wire: Wire::Socket(socket), peer, stop, grace, ends: None, place: None })
    }

    /// The client on standard input and output.
    pub(super) fn of_standard(
        input: OwnedFd,
        output: OwnedFd,
        stop: Arc<AtomicBool>,
        grace: Duration,
    ) -> Result<ClientConnection> {
        let socket = Socket::from(input);
        if socket.r#type().is_ok_and(|kind| kind == Type::STREAM) {
            return ClientConnection::of_socket(socket, stop, grace).context("standard input");
        }
        let wire = Wire::Pipe { input: File::from(OwnedFd::from(socket)), output: File::from(output) };
        Ok(ClientConnection { wire, peer: Peer::Local, stop, grace, ends: None, place: None })
    }

    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// From now on it has a place among the sessions.
    pub(super) fn seat(&mut self, place: SessionPlace) {
        self.place = Some(place);
    }

    /// What can be asked whether there is something to read; `None`: standard input that is no
    /// socket.
    pub(crate) fn socket(&self) -> Option<BorrowedFd<'_>> {
        match &self.wire {
            Wire::Socket(socket) => Some(socket.as_fd()),
            Wire::Pipe { .. } => None,
        }
    }

    /// Reads what is there. `None`: there is nothing yet.
    pub(crate) fn read_now(&mut self, into: &mut [u8], until: Deadline, at: Pause) -> Option<Heard> {
        if self.is_over(at) {
            return Some(Heard::Stop);
        }
        // Before what there is to read: bytes that drip gain no time.
        if until.passed() {
            return Some(Heard::Late);
        }
        match self.wire.read_now(into) {
            Ok(0) => Some(Heard::End),
            Ok(many) => Some(Heard::Bytes(many)),
            Err(error) if !is_nothing_yet(&error) => Some(Heard::End),
            Err(_) => None,
        }
    }

    /// Writes what the connection takes now, and says how much that was. `None`: it is broken.
    pub(crate) fn write_now(&mut self, bytes: &[u8]) -> Option<usize> {
        match self.wire.write_now(bytes) {
            Ok(many) => Some(many),
            Err(error) => is_nothing_yet(&error).then_some(0),
        }
    }

    /// Reads some bytes.
    pub(crate) fn read(&mut self, into: &mut [u8], until: Deadline, at: Pause) -> Heard {
        loop {
            if self.is_over(at) {
                return Heard::Stop;
            }
            // Before what there is to read: bytes that drip gain no time.
            if until.passed() {
                return Heard::Late;
            }
            match self.wire.read(into) {
                Ok(0) => return Heard::End,
                Ok(many) => return Heard::Bytes(many),
                Err(error) if !is_nothing_yet(&error) => return Heard::End,
                Err(_) => {}
            }
        }
    }

    /// Writes all the bytes. Returns whether the connection took them.
    pub(crate) fn write(&mut self, bytes: &[u8], until: Deadline) -> bool {
        let mut rest = bytes;
        loop {
            match self.wire.write(rest) {
                Ok(0) => return rest.is_empty(),
                Ok(many) => rest = &rest[many..],
                Err(error) if !is_nothing_yet(&error) => return false,
                Err(_) => {}
            }
            if rest.is_empty() {
                return true;
            }
            if until.passed() || self.is_over(Pause::Within) {
                return false;
            }
        }
    }

    /// Does nothing for a while. Returns whether the session goes on.
    pub(crate) fn rest(&mut self, until: Deadline) -> bool {
        while !until.passed() {
            if self.is_over(Pause::Between) {
                return false;
            }
            std::thread::sleep(until.left().min(SLICE / 10));
        }
        true
    }

    /// Nothing more is written; the client reads an end.
    pub(crate) fn finish(&mut self) {
        if let Wire::Socket(socket) = &self.wire {
            let _ = socket.shutdown(Shutdown::Write);
        }
    }

    /// When the connection is closed, the client gets a reset (RST).
    pub(crate) fn reset(&mut self) {
        if let Wire::Socket(socket) = &self.wire {
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
    }

    /// Whether a stop of the process leaves no more time, not even within a request.
    pub(crate) fn must_end(&mut self) -> bool {
        self.is_over(Pause::Within)
    }

    /// Whether the client has closed its side of a socket, and nothing is left to read.
    pub(crate) fn has_left(&self) -> bool {
        let Wire::Socket(socket) = &self.wire else { return false };
        let mut byte = [MaybeUninit::uninit()];
        let has_something = readiness::readable(&[socket.as_fd()], Duration::ZERO) == [true];
        has_something && socket.peek(&mut byte).is_ok_and(|many| many == 0)
    }

    /// Whether a stop ends it here.
    fn is_over(&mut self, at: Pause) -> bool {
        if !self.stop.load(Relaxed) {
            return false;
        }
        let grace = self.grace;
        let ends = self.ends.get_or_insert_with(|| Deadline::after(grace));
        at == Pause::Between || ends.passed()
    }
}

impl Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Socket(socket) => socket.read(into),
            Wire::Pipe { input, .. } => match readiness::readable(&[input.as_fd()], SLICE)[..] {
                [true] => input.read(into),
                _ => Err(ErrorKind::WouldBlock.into()),
            },
        }
    }

    fn read_now(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Socket(socket) => Ok(net::recv(socket, into, RecvFlags::DONTWAIT)?.1),
            Wire::Pipe { .. } => Err(ErrorKind::Unsupported.into()),
        }
    }

    fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Socket(socket) => Ok(net::send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?),
            Wire::Pipe { .. } => Err(ErrorKind::Unsupported.into()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Socket(socket) => socket.write(bytes),
            // A write of up to PIPE_BUF bytes never blocks once the pipe takes some.
            Wire::Pipe { output, .. } => match readiness::writable(output.as_fd(), SLICE) {
                true => output.write(&bytes[..bytes.len().min(4096)]),
                false => Err(ErrorKind::WouldBlock.into()),
            },
        }
    }
}

fn peer_of(socket: &Socket) -> io::Result<Peer> {
    if socket.domain()? == Domain::UNIX {
        return Ok(Peer::Local);
    }
    let address = socket.peer_addr()?.as_socket();
    address.map(|address| Peer::Address(address.ip().to_canonical())).ok_or(ErrorKind::Unsupported.into())
}

fn is_nothing_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
