//! The wire to one host: commands out, replies in, in clear or through TLS. Every wait ends with
//! the deadline, however slowly the host drips: it holds for each read(2) and write(2), not for a
//! reply as a whole. So no thread is left to a host that stalls.
//!
//! Not here: what is said (`dialogue`). Invariant: nothing is read beyond a limit, and nothing that
//! came in clear is taken for what came through TLS.

use super::opportunistic_tls;
use crate::deadline::Deadline;
use crate::text::{bounded, one_line};
use rustls::{ClientConnection, StreamOwned};
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Bytes of one reply at most.
const LONGEST_REPLY: usize = 64 << 10;

/// What a host said to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostReply {
    pub(super) code: u16,
    /// The text of each line.
    pub(super) lines: Vec<String>,
}

/// Why a command was not accepted.
#[derive(Debug)]
pub(super) enum Fault {
    Refused(HostReply),
    /// The connection is of no more use.
    Broken(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Broken(match error.kind() {
            // A read that waited for as long as it may: the kernel says it in two ways.
            ErrorKind::WouldBlock | ErrorKind::TimedOut => "did not answer in time".into(),
            ErrorKind::UnexpectedEof => "closed the connection".into(),
            _ => one_line(bounded(&error.to_string(), 400)),
        })
    }
}

impl fmt::Display for HostReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{} {}", self.code, self.lines.join(" "));
        f.write_str(&one_line(bounded(text.trim_end(), 400)))
    }
}

/// A connection to a host.
pub(super) struct Wire {
    stream: Stream,
    /// What was read and not taken yet.
    unread: Vec<u8>,
}

enum Stream {
    Clear(TimedStream),
    Tls(Box<StreamOwned<ClientConnection, TimedStream>>),
}

/// A stream whose every read and write ends with the deadline.
struct TimedStream {
    tcp: TcpStream,
    until: Deadline,
}

impl Wire {
    pub(super) fn connect(address: &SocketAddr, until: Deadline) -> Result<Wire, Fault> {
        let tcp = TcpStream::connect_timeout(address, until.left())?;
        tcp.set_nodelay(true)?;
        Ok(Wire { stream: Stream::Clear(TimedStream { tcp, until }), unread: Vec::new() })
    }

    /// From now on every wait ends with this deadline.
    pub(super) fn set_deadline(&mut self, until: Deadline) {
        match &mut self.stream {
            Stream::Clear(timed) => timed.until = until,
            Stream::Tls(tls) => tls.sock.until = until,
        }
    }

    /// The same connection through TLS, after the host has agreed to it.
    pub(super) fn secured(self, host: &str) -> Result<Wire, Fault> {
        let Stream::Clear(mut timed) = self.stream else { return Ok(self) };
        if !self.unread.is_empty() {
            return Err(Fault::Broken("sent more than a reply before TLS".into()));
        }
        let mut connection = opportunistic_tls::connection(host).map_err(Fault::Broken)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut timed)?;
        }
        Ok(Wire { stream: Stream::Tls(Box::new(StreamOwned::new(connection, timed))), unread: Vec::new() })
    }

    pub(super) fn is_secured(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Sends a command and waits for its reply.
    pub(super) fn say(&mut self, command: &str) -> Result<HostReply, Fault> {
        self.send(format!("{command}\r\n").as_bytes())?;
        self.accepted()
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match &mut self.stream {
            Stream::Clear(timed) => timed.write_all(bytes)?,
            Stream::Tls(tls) => {
                tls.write_all(bytes)?;
                tls.flush()?;
            }
        }
        Ok(())
    }

    /// The next reply, if it accepts.
    pub(super) fn accepted(&mut self) -> Result<HostReply, Fault> {
        let reply = self.reply()?;
        if reply.code < 400 { Ok(reply) } else { Err(Fault::Refused(reply)) }
    }

    /// The next reply.
    pub(super) fn reply(&mut self) -> Result<HostReply, Fault> {
        let (mut lines, mut left) = (Vec::new(), LONGEST_REPLY);
        loop {
            let line = self.line(left)?;
            left -= line.len().min(left);
            let text = String::from_utf8_lossy(&line);
            let code = text.get(..3).and_then(|code| code.parse::<u16>().ok());
            let Some(code) = code.filter(|code| (200..600).contains(code)) else {
                let shown = one_line(bounded(text.trim_end(), 100));
                return Err(Fault::Broken(format!("said what is not a reply of SMTP: {shown}")));
            };
            lines.push(text.get(4..).unwrap_or_default().trim_end().to_owned());
            if text.as_bytes().get(3) != Some(&b'-') {
                return Ok(HostReply { code, lines });
            }
        }
    }

    /// The next line, with its end.
    fn line(&mut self, longest: usize) -> Result<Vec<u8>, Fault> {
        let mut searched = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.unread[searched..]) {
                let rest = self.unread.split_off(searched + end + 1);
                return Ok(std::mem::replace(&mut self.unread, rest));
            }
            searched = self.unread.len();
            if searched >= longest {
                return Err(Fault::Broken("said too much".into()));
            }
            let mut some = [0; 2048];
            let read = match &mut self.stream {
                Stream::Clear(timed) => timed.read(&mut some)?,
                Stream::Tls(tls) => tls.read(&mut some)?,
            };
            if read == 0 {
                return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
            }
            self.unread.extend_from_slice(&some[..read]);
        }
    }
}

impl TimedStream {
    /// How long the next wait may take.
    fn left(&self) -> io::Result<Option<std::time::Duration>> {
        match self.until.passed() {
            true => Err(ErrorKind::TimedOut.into()),
            false => Ok(Some(self.until.left())),
        }
    }
}

impl Read for TimedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(self.left()?)?;
        self.tcp.read(buffer)
    }
}

impl Write for TimedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(self.left()?)?;
        self.tcp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
