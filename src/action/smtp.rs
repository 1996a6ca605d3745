//! The door for mail: a letter to the first of several hosts that takes it.
//!
//! Not here: what the letter says. Connections are kept for the next letter to the same host. Invariant: no host, silent
//! or slow, holds a caller beyond its deadline, and a letter is reported as sent only after the host's 2xx to its end.

use super::network::{self, Unreachable};
use crate::auth::Dns;
use crate::config::Config;
use crate::deadline::Deadline;
use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::client::{SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Idle connections kept for one host, and how long.
const KEPT: usize = 16;
const IDLE: Duration = Duration::from_secs(20);
/// Sessions that outlived their deadline and are still held by a dripping host; beyond that nothing more is started.
const MAX_ABANDONED: usize = 64;

/// A letter, ready to send.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    /// Envelope sender; `None` is the null sender.
    pub from: Option<String>,
    /// Envelope recipient.
    pub to: String,
    /// The message, with CRLF line ends.
    pub data: Vec<u8>,
}

/// A letter could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SendFailure {
    /// Whether it is worth another try.
    pub temporary: bool,
    /// The host's reply, or what went wrong.
    pub text: String,
}

impl SendFailure {
    fn temporary(text: impl ToString) -> SendFailure {
        SendFailure {
            temporary: true,
            text: text.to_string(),
        }
    }

    fn permanent(text: impl ToString) -> SendFailure {
        SendFailure {
            temporary: false,
            text: text.to_string(),
        }
    }
}

/// A connection that waits for the next letter to its host.
struct Idle {
    connection: SmtpConnection,
    since: Instant,
}

/// The connections of a process.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<HashMap<String, Vec<Idle>>>,
    abandoned: Arc<AtomicUsize>,
}

/// What a session needs; owned, because it runs on a thread that may be abandoned.
struct Session {
    addresses: Vec<SocketAddr>,
    hello: String,
    host: String,
    starttls: bool,
    kept: Option<SmtpConnection>,
    timeout: Duration,
    sender: Option<Address>,
    recipient: Address,
    data: Vec<u8>,
}

impl Pool {
    /// Sends the letter to the first of `hosts` that takes it; returns which. A host that cannot be reached or says "not
    /// now" is followed by the next; a host that says "no" has the last word.
    pub(super) fn deliver(
        &self,
        hosts: &[String],
        letter: &Letter,
        config: &Config,
        dns: &Dns,
        deadline: Deadline,
    ) -> Result<String, SendFailure> {
        let mut last = SendFailure::permanent("no host to send to");
        for host in hosts {
            if deadline.passed() {
                return Err(SendFailure::temporary(format!(
                    "not sent in time; last: {}",
                    last.text
                )));
            }
            let share = deadline.within(Duration::from_secs(u64::from(config.send.timeout.max(1))));
            match self.send(host, letter, config, dns, share) {
                Ok(()) => return Ok(host.clone()),
                Err(failure) if failure.temporary => last = failure,
                Err(failure) => return Err(failure),
            }
        }
        Err(last)
    }

    fn send(
        &self,
        host: &str,
        letter: &Letter,
        config: &Config,
        dns: &Dns,
        deadline: Deadline,
    ) -> Result<(), SendFailure> {
        let sender = letter.from.as_deref().map(address).transpose()?;
        let recipient = address(&letter.to)?;
        let kept = self.take(host);
        let reused = kept.is_some();
        let resolve = || {
            network::resolve(dns, host, config.network.smtp_port, &config.network, deadline).map_err(|why| {
                match why {
                    Unreachable::Forbidden(text) | Unreachable::Temporary(text) => {
                        SendFailure::temporary(text)
                    }
                }
            })
        };
        let session = |kept: Option<SmtpConnection>, starttls: bool| -> Result<Session, SendFailure> {
            Ok(Session {
                addresses: if kept.is_some() { Vec::new() } else { resolve()? },
                hello: config.hostname(),
                host: host.to_owned(),
                starttls,
                kept,
                timeout: deadline.left(),
                sender: sender.clone(),
                recipient: recipient.clone(),
                data: letter.data.clone(),
            })
        };
        let mut ended = self.run(session(kept, config.send.starttls)?, deadline);
        if reused && matches!(ended, Err(Broken::Before(_))) {
            // The host had closed the connection that was kept; that says nothing about a new one.
            ended = self.run(session(None, config.send.starttls)?, deadline);
        }
        if matches!(ended, Err(Broken::Tls(_))) {
            ended = self.run(session(None, false)?, deadline);
        }
        match ended {
            Ok(connection) => {
                self.put(host, connection);
                Ok(())
            }
            Err(Broken::Before(failure) | Broken::After(failure)) => Err(failure),
            Err(Broken::Tls(text)) => Err(SendFailure::temporary(text)),
        }
    }

    /// Runs a session on a thread of its own and waits for it until the deadline: lettre's time-outs are for one read,
    /// and a host that drips a byte at a time would pass each of them.
    fn run(&self, session: Session, deadline: Deadline) -> Result<SmtpConnection, Broken> {
        if self.abandoned.load(Ordering::Relaxed) >= MAX_ABANDONED {
            return Err(Broken::After(SendFailure::temporary(
                "too many hosts drip: nothing more is sent to any for now",
            )));
        }
        let (answer, answered) = sync_channel(1);
        let abandoned = self.abandoned.clone();
        let talk = move || {
            if answer.send(session.talk()).is_err() {
                abandoned.fetch_sub(1, Ordering::Relaxed);
            }
        };
        let thread = std::thread::Builder::new()
            .name("smtp".into())
            .stack_size(256 << 10)
            .spawn(talk);
        if let Err(error) = thread {
            return Err(Broken::After(SendFailure::temporary(format!(
                "cannot start a session: {error}"
            ))));
        }
        answered
            .recv_timeout(deadline.left() + Duration::from_millis(50))
            .unwrap_or_else(|_| {
                self.abandoned.fetch_add(1, Ordering::Relaxed);
                Err(Broken::After(SendFailure::temporary("did not finish in time")))
            })
    }

    fn take(&self, host: &str) -> Option<SmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.get_mut(host)?;
        kept.retain(|idle| idle.since.elapsed() < IDLE);
        kept.pop().map(|idle| idle.connection)
    }

    fn put(&self, host: &str, connection: SmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(host.to_owned()).or_default();
        if kept.len() < KEPT {
            kept.push(Idle {
                connection,
                since: Instant::now(),
            });
        }
    }
}

/// How a session broke off.
enum Broken {
    /// Before the host had accepted anything on a connection that was kept.
    Before(SendFailure),
    /// While TLS was set up.
    Tls(String),
    /// Anything else.
    After(SendFailure),
}

impl Session {
    fn talk(self) -> Result<SmtpConnection, Broken> {
        let after = |error: SmtpError| Broken::After(failure(&error));
        let mut connection = match self.kept {
            Some(mut kept) => {
                let _ = kept.set_timeout(Some(self.timeout));
                kept.command(Rset)
                    .map_err(|error| Broken::Before(failure(&error)))?;
                kept
            }
            None => self.connect()?,
        };
        let mut parameters = Vec::new();
        let server = connection.server_info();
        if !self.data.is_ascii() && server.supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let foreign = |address: &Address| !address.to_string().is_ascii();
        if foreign(&self.recipient) || self.sender.as_ref().is_some_and(foreign) {
            if !server.supports_feature(Extension::SmtpUtfEight) {
                return Err(Broken::After(SendFailure::permanent(
                    "the host does not know SMTPUTF8",
                )));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        connection
            .command(Mail::new(self.sender, parameters))
            .map_err(after)?;
        connection
            .command(Rcpt::new(self.recipient, Vec::new()))
            .map_err(after)?;
        connection.command(Data).map_err(after)?;
        // lettre ends the last line by itself.
        let data = self.data.strip_suffix(b"\r\n").unwrap_or(&self.data);
        connection.message(data).map_err(after)?;
        Ok(connection)
    }

    fn connect(&self) -> Result<SmtpConnection, Broken> {
        let hello = ClientId::Domain(self.hello.clone());
        let connected =
            SmtpConnection::connect(self.addresses.as_slice(), Some(self.timeout), &hello, None, None);
        let mut connection = connected.map_err(|error| Broken::After(failure(&error)))?;
        if self.starttls && connection.can_starttls() {
            // Opportunistic (RFC 7435): mail that would go in clear otherwise is not kept back by a certificate.
            let parameters = TlsParameters::builder(self.host.clone())
                .dangerous_accept_invalid_certs(true)
                .build();
            let parameters = parameters.map_err(|error| Broken::Tls(error.to_string()))?;
            connection
                .starttls(&parameters, &hello)
                .map_err(|error| Broken::Tls(error.to_string()))?;
        }
        Ok(connection)
    }
}

/// An envelope address that can stand between angle brackets.
fn address(text: &str) -> Result<Address, SendFailure> {
    let unsafe_in_smtp = |c: char| c.is_control() || c.is_whitespace() || c == '<' || c == '>';
    if text.len() > 320 || text.contains(unsafe_in_smtp) {
        return Err(SendFailure::permanent("not an address that mail can be sent to"));
    }
    text.parse()
        .map_err(|error| SendFailure::permanent(format!("{text}: {error}")))
}

fn failure(error: &SmtpError) -> SendFailure {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(400)
        .collect();
    SendFailure {
        temporary: !error.is_permanent(),
        text,
    }
}
