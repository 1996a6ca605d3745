//! A socket whose every read and write ends with a deadline, however slowly the peer drips: no
//! read(2), write(2) or connect(2) begins after it, and none waits for longer.
//!
//! Not here: what is said, and TLS. Invariant: a peer that stalls keeps no thread.

use super::Deadline;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

pub(crate) struct TimedStream {
    end: End,
    until: Deadline,
}

/// This end of a connection.
enum End {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl TimedStream {
    pub(crate) fn connect(address: &SocketAddr, until: Deadline) -> io::Result<TimedStream> {
        let tcp = TcpStream::connect_timeout(address, until.left())?;
        tcp.set_nodelay(true)?;
        Ok(TimedStream { end: End::Tcp(tcp), until })
    }

    pub(crate) fn connect_unix(path: &Path, until: Deadline) -> io::Result<TimedStream> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // A server that accepts nobody lets a client wait that long.
        socket.set_write_timeout(Some(until.left()))?;
        socket.connect(&SockAddr::unix(path)?)?;
        Ok(TimedStream { end: End::Unix(OwnedFd::from(socket).into()), until })
    }

    /// From now on every wait ends with this deadline.
    pub(crate) fn set_deadline(&mut self, until: Deadline) {
        self.until = until;
    }

    /// How long the next wait may take.
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.until.passed() {
            true => Err(ErrorKind::TimedOut.into()),
            false => Ok(Some(self.until.left())),
        }
    }

    /// Transfers bytes. A signal interrupts a wait that has a time limit, whatever its handler asks
    /// for: then the rest of the time is waited.
    fn transfer(
        &mut self,
        mut wait: impl FnMut(&mut End, Option<Duration>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let left = self.left()?;
            match wait(&mut self.end, left) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

impl Read for TimedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.transfer(|end, left| match end {
            End::Tcp(tcp) => tcp.set_read_timeout(left).and_then(|()| tcp.read(buffer)),
            End::Unix(unix) => unix.set_read_timeout(left).and_then(|()| unix.read(buffer)),
        })
    }
}

impl Write for TimedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.transfer(|end, left| match end {
            End::Tcp(tcp) => tcp.set_write_timeout(left).and_then(|()| tcp.write(bytes)),
            End::Unix(unix) => unix.set_write_timeout(left).and_then(|()| unix.write(bytes)),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
