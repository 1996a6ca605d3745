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

/// The longest wait without a look at the deadline. The socket's own limits are set to it once, and
/// again only near the deadline.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) struct TimedStream {
    end: End,
    until: Deadline,
    /// What the socket's limits for reading and for writing are.
    limits: [Option<Duration>; 2],
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
        Ok(TimedStream { end: End::Tcp(tcp), until, limits: [None; 2] })
    }

    pub(crate) fn connect_unix(path: &Path, until: Deadline) -> io::Result<TimedStream> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // A server that accepts nobody lets a client wait that long.
        socket.set_write_timeout(Some(until.left()))?;
        socket.connect(&SockAddr::unix(path)?)?;
        Ok(TimedStream { end: End::Unix(OwnedFd::from(socket).into()), until, limits: [None; 2] })
    }

    /// From now on every wait ends with this deadline.
    pub(crate) fn set_deadline(&mut self, until: Deadline) {
        self.until = until;
    }

    /// How long the next wait may take.
    fn limit(&self) -> io::Result<Duration> {
        match self.until.passed() {
            true => Err(ErrorKind::TimedOut.into()),
            false => Ok(self.until.left().min(LOOK)),
        }
    }

    /// Transfers bytes. A wait that ends before the deadline goes on: a signal interrupts one that
    /// has a time limit, whatever its handler asks for.
    fn transfer(
        &mut self,
        way: Way,
        mut wait: impl FnMut(&mut End) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let limit = Some(self.limit()?);
            let known = &mut self.limits[way as usize];
            if *known != limit {
                self.end.set_limit(way, limit)?;
                *known = limit;
            }
            match wait(&mut self.end) {
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                done => return done,
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

impl End {
    fn set_limit(&self, way: Way, limit: Option<Duration>) -> io::Result<()> {
        match (self, way) {
            (End::Tcp(tcp), Way::In) => tcp.set_read_timeout(limit),
            (End::Tcp(tcp), Way::Out) => tcp.set_write_timeout(limit),
            (End::Unix(unix), Way::In) => unix.set_read_timeout(limit),
            (End::Unix(unix), Way::Out) => unix.set_write_timeout(limit),
        }
    }
}

impl Read for TimedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.transfer(Way::In, |end| match end {
            End::Tcp(tcp) => tcp.read(buffer),
            End::Unix(unix) => unix.read(buffer),
        })
    }
}

impl Write for TimedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.transfer(Way::Out, |end| match end {
            End::Tcp(tcp) => tcp.write(bytes),
            End::Unix(unix) => unix.write(bytes),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
