//! The wire to one host: commands out, replies in, in clear or through TLS. Every wait ends with
//! the deadline, however slowly the host drips (`timed_stream`). The time limit of lettre's own
//! connection is for each read and write alone, so that a thread would be left to a host that
//! stalls. What is said and heard is lettre's.
//!
//! Not here: the order of commands (`dialogue`). Invariant: nothing is read beyond a limit, and
//! nothing that came in clear is taken for what came through TLS.

use super::opportunistic_tls;
use crate::deadline::Deadline;
use crate::deadline::timed_stream::TimedStream;
use crate::text::{bounded, one_line};
use lettre::transport::smtp::response::Response;
use rustls::{ClientConnection, StreamOwned};
use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

/// Bytes of one reply at most.
const LONGEST_REPLY: usize = 64 << 10;

/// Why a command was not accepted.
#[derive(Debug)]
pub(super) enum Fault {
    Refused(Response),
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

/// A reply in one line.
pub(super) fn shown(reply: &Response) -> String {
    let text = format!("{} {}", reply.code(), reply.message().collect::<Vec<_>>().join(" "));
    one_line(bounded(text.trim_end(), 400))
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

impl Wire {
    pub(super) fn connect(address: &SocketAddr, until: Deadline) -> Result<Wire, Fault> {
        let stream = Stream::Clear(TimedStream::connect(address, until)?);
        Ok(Wire { stream, unread: Vec::new() })
    }

    /// From now on every wait ends with this deadline.
    pub(super) fn set_deadline(&mut self, until: Deadline) {
        match &mut self.stream {
            Stream::Clear(timed) => timed.set_deadline(until),
            Stream::Tls(tls) => tls.sock.set_deadline(until),
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

    /// Sends a command and waits for its reply.
    pub(super) fn say(&mut self, command: impl Display) -> Result<Response, Fault> {
        self.send(command.to_string().as_bytes())?;
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
    pub(super) fn accepted(&mut self) -> Result<Response, Fault> {
        let reply = self.reply()?;
        if reply.is_positive() { Ok(reply) } else { Err(Fault::Refused(reply)) }
    }

    /// The next reply. Line feeds may come alone, and a code without text.
    pub(super) fn reply(&mut self) -> Result<Response, Fault> {
        let (mut texts, mut left) = (Vec::new(), LONGEST_REPLY);
        loop {
            let line = self.line(left)?;
            left -= line.len().min(left);
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            let code = line.get(..3).unwrap_or_default();
            texts.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                let last = texts.len() - 1;
                let mark = |number: usize| if number < last { '-' } else { ' ' };
                let whole = texts.iter().enumerate();
                let whole = whole.map(|(number, text)| format!("{code}{}{text}\r\n", mark(number)));
                let shown = || one_line(bounded(line, 100));
                return whole
                    .collect::<String>()
                    .parse()
                    .map_err(|_| Fault::Broken(format!("said what is not a reply of SMTP: {}", shown())));
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
