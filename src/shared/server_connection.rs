//! A connection to one server of the shared store: commands out, answers in, in clear, through TLS
//! or a unix socket. What answers say is read by the parser of the redis crate.
//!
//! The crate's own connection waits for each read alone, and makes room for whatever a server
//! announces. Not here: which server (`server_link`), and what is asked. Invariants: all answers to
//! what was asked have one deadline; no more is read than an honest server says; a connection that
//! failed once is not used again.

use super::server_access::{ServerAccess, ServerAddress};
use super::server_fault::{accepted, broken, closed_in_clear, foreign, too_much};
use crate::deadline::Deadline;
use crate::deadline::timed_stream::TimedStream;
use crate::error::Result;
use redis::{Cmd, Parser, Value};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::ToSocketAddrs;
use std::time::Duration;

/// What the answers to one question may take in memory.
const ROOM: usize = 128 << 20;
/// The same until it has answered as Redis does.
const FIRST_ROOM: usize = 1 << 20;
/// What a line takes that has no text: a value of the parser.
const OF_A_LINE: usize = 64;

pub(super) struct ServerConnection {
    stream: Stream,
    parser: Parser,
    /// What the answers that are still to come may take.
    room: usize,
    timeout: Duration,
    /// It has answered as Redis does.
    is_redis: bool,
    /// What it says now may be the answer to another question.
    has_failed: bool,
}

enum Stream {
    Clear(TimedStream),
    Tls(Box<StreamOwned<ClientConnection, TimedStream>>),
}

impl ServerConnection {
    /// Connects, and says who asks.
    pub(super) fn open(
        address: &ServerAddress,
        access: &ServerAccess,
        until: Deadline,
    ) -> Result<ServerConnection> {
        let timeout = access.timeout;
        let stream =
            connect(address, access, until).map_err(|error| broken(&error, timeout).within(address))?;
        let mut connection = ServerConnection {
            stream,
            parser: Parser::new(),
            room: 0,
            timeout,
            is_redis: false,
            has_failed: false,
        };
        let mut login = Vec::new();
        if access.user.is_some() || access.password.is_some() {
            // A user with `nopass` takes any password: AUTH has to have one.
            let password = access.password.as_deref().unwrap_or_default();
            login.push(redis::cmd("AUTH").arg(access.user.as_deref()).arg(password).to_owned());
        }
        login.extend(access.database.map(|number| redis::cmd("SELECT").arg(number).to_owned()));
        for answer in connection.ask(&login, until).map_err(|error| error.within(address))? {
            accepted(answer)?;
        }
        Ok(connection)
    }

    /// Asks all, and waits for all answers. What the server refuses is one of them.
    pub(super) fn ask(&mut self, commands: &[Cmd], until: Deadline) -> Result<Vec<Value>> {
        self.send(commands, until)?;
        commands.iter().map(|_| self.answer()).collect()
    }

    /// Sends commands whose answers are to come until then.
    pub(super) fn send(&mut self, commands: &[Cmd], until: Deadline) -> Result<()> {
        if self.has_failed {
            return Err(broken(&ErrorKind::UnexpectedEof.into(), self.timeout));
        }
        self.room = if self.is_redis { ROOM } else { FIRST_ROOM };
        let mut octets = Vec::new();
        commands.iter().for_each(|command| command.write_packed_command(&mut octets));
        let sent = match &mut self.stream {
            Stream::Clear(timed) => {
                timed.set_deadline(until);
                timed.write_all(&octets)
            }
            Stream::Tls(tls) => {
                tls.sock.set_deadline(until);
                tls.write_all(&octets).and_then(|()| tls.flush())
            }
        };
        self.has_failed = sent.is_err();
        sent.map_err(|error| broken(&error, self.timeout))
    }

    fn is_in_clear(&self) -> bool {
        matches!(self.stream, Stream::Clear(_))
    }

    /// The next answer.
    pub(super) fn answer(&mut self) -> Result<Value> {
        let mut reader = Bounded { stream: &mut self.stream, room: &mut self.room, fault: None };
        match self.parser.parse_value(&mut reader) {
            Ok(answer) => {
                self.is_redis = true;
                Ok(answer)
            }
            Err(_) => {
                let fault = reader.fault;
                self.has_failed = true;
                Err(match (fault, self.room) {
                    (None, _) => foreign(),
                    (Some(_), 0) if !self.is_redis => foreign(),
                    (Some(_), 0) => too_much(ROOM >> 20),
                    (Some(error), _) if !self.is_redis && self.is_in_clear() && is_end(&error) => {
                        closed_in_clear()
                    }
                    (Some(error), _) => broken(&error, self.timeout),
                })
            }
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)
}

fn connect(address: &ServerAddress, access: &ServerAccess, until: Deadline) -> io::Result<Stream> {
    let (host, port) = match address {
        ServerAddress::Unix(path) => return TimedStream::connect_unix(path, until).map(Stream::Clear),
        ServerAddress::Tcp { host, port } => (host.as_str(), *port),
    };
    let mut connected = Err(io::Error::from(ErrorKind::AddrNotAvailable));
    for address in (host, port).to_socket_addrs()? {
        connected = TimedStream::connect(&address, until);
        if connected.is_ok() {
            break;
        }
    }
    let mut timed = connected?;
    let Some(tls) = &access.tls else { return Ok(Stream::Clear(timed)) };
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut session = ClientConnection::new(tls.clone(), name).map_err(io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut timed).map_err(no_handshake)?;
    }
    Ok(Stream::Tls(Box::new(StreamOwned::new(session, timed))))
}

/// A server in clear answers with something else than TLS, or waits for the end of a line. What TLS
/// itself has to say, as of a certificate, stays as it is.
fn no_handshake(error: io::Error) -> io::Error {
    let text = error.to_string();
    let is_said_by_tls = error.kind() == ErrorKind::InvalidData && !text.contains("corrupt message");
    if is_said_by_tls {
        return error;
    }
    let what = match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "no answer in time".to_owned(),
        _ => text,
    };
    io::Error::new(ErrorKind::Unsupported, format!("TLS does not begin: {what}"))
}

/// What a server says, until it says too much.
struct Bounded<'a> {
    stream: &'a mut Stream,
    room: &'a mut usize,
    /// Why there is no more.
    fault: Option<io::Error>,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.stream {
            Stream::Clear(timed) => timed.read(buffer),
            Stream::Tls(tls) => tls.read(buffer),
        };
        let read = read.and_then(|many| {
            let lines = memchr::memchr_iter(b'\n', &buffer[..many]).count();
            *self.room = self.room.saturating_sub(many + lines * OF_A_LINE);
            match (many, *self.room) {
                (0, _) => Err(ErrorKind::UnexpectedEof.into()),
                (_, 0) => Err(ErrorKind::FileTooLarge.into()),
                (many, _) => Ok(many),
            }
        });
        read.map_err(|error| {
            let kind = error.kind();
            self.fault = Some(error);
            kind.into()
        })
    }
}
