//! One dialogue with one host: connect, STARTTLS, hand over the letter.
//!
//! Commands, replies and what a host offers are lettre's; commands go together where the host takes
//! them together (PIPELINING, RFC 2920). Not here: which host (`pool`), and how lines travel
//! (`wire`). Invariant: nothing but a valid address gets into a command; a dialogue ends with its
//! deadline.

use super::letter::{Letter, SendFailure};
use super::wire::{Fault, Wire, shown};
use crate::config::Config;
use crate::deadline::Deadline;
use lettre::Address;
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Quit, Rcpt, Rset, Starttls};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo};
use lettre::transport::smtp::response::{Response, Severity};
use memchr::memmem;
use std::net::SocketAddr;
use std::sync::Arc;

/// The host closes the connection (RFC 5321 section 3.8).
const CLOSING: u16 = 421;

/// Why one host did not take a letter.
pub(super) enum Broken {
    /// No mail can go to this host; another may take it.
    NoHost(String),
    /// The kept connection had been closed. That says nothing about a new one.
    Closed(String),
    /// TLS could not be set up.
    Tls(String),
    /// The dialogue failed, or the host refused.
    Failed(SendFailure),
}

impl From<Fault> for SendFailure {
    fn from(fault: Fault) -> SendFailure {
        match fault {
            Fault::Refused(reply) => SendFailure {
                temporary: reply.code().severity != Severity::PermanentNegativeCompletion,
                text: shown(&reply),
            },
            Fault::Broken(text) => SendFailure::temporary(text),
        }
    }
}

/// A connection that has greeted, and what the host offers.
pub(super) struct Connection {
    wire: Wire,
    offer: ServerInfo,
    pipelining: bool,
    /// A letter was begun and not taken: the host is to forget it before the next.
    unfinished: bool,
}

/// What is to be handed over.
pub(super) struct Session<'a> {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) deadline: Deadline,
    pub(super) starttls: bool,
    hello: String,
    host: &'a str,
    sender: Option<Address>,
    recipient: Address,
    data: Arc<Vec<u8>>,
}

impl<'a> Session<'a> {
    /// A session that has no addresses yet.
    pub(super) fn new(
        host: &'a str,
        letter: &Letter,
        config: &Config,
        deadline: Deadline,
    ) -> Result<Session<'a>, Broken> {
        Ok(Session {
            addresses: Vec::new(),
            starttls: config.send.starttls,
            deadline,
            hello: config.hostname(),
            host,
            sender: letter.from.as_deref().map(address).transpose().map_err(Broken::Failed)?,
            recipient: address(&letter.to).map_err(Broken::Failed)?,
            data: letter.data.clone(),
        })
    }

    /// Talks to the host over the connection that was kept for it, or a new one. Returns the
    /// result, and the connection if it is good for another letter.
    pub(super) fn talk(&self, kept: Option<Connection>) -> (Result<(), Broken>, Option<Connection>) {
        let was_kept = kept.is_some();
        let mut connection = match kept.map_or_else(|| self.connect(), Ok) {
            Ok(connection) => connection,
            Err(broken) => return (Err(broken), None),
        };
        connection.wire.set_deadline(self.deadline);
        let international = self.is_international();
        if international && !connection.offer.supports_feature(Extension::SmtpUtfEight) {
            let failure = SendFailure::permanent("the host does not know SMTPUTF8 (RFC 6531)");
            return (Err(Broken::Failed(failure)), Some(connection));
        }
        let begun = self.begin(&mut connection, international);
        let ended = match begun {
            // Nothing of the letter has been sent.
            Err(Fault::Broken(text)) if was_kept => return (Err(Broken::Closed(text)), None),
            Err(Fault::Refused(reply)) if was_kept && reply.has_code(CLOSING) => {
                return (Err(Broken::Closed(shown(&reply))), None);
            }
            begun => begun.and_then(|()| self.finish(&mut connection)),
        };
        match ended {
            Ok(()) => (Ok(()), Some(connection)),
            Err(fault) => {
                // After a refusal, the host is ready for the next letter.
                let ready = matches!(&fault, Fault::Refused(reply) if !reply.has_code(CLOSING));
                (Err(Broken::Failed(fault.into())), ready.then_some(connection))
            }
        }
    }

    /// The envelope, up to the host's word that it waits for the letter.
    fn begin(&self, connection: &mut Connection, international: bool) -> Result<(), Fault> {
        let mut parameters = Vec::new();
        // Bytes beyond ASCII go to a host without 8BITMIME too: they are the original's, and hosts
        // have taken them for decades.
        if !self.data.is_ascii() && connection.offer.supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if international {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let reset = connection.unfinished.then(|| Rset.to_string());
        let envelope = [
            Mail::new(self.sender.clone(), parameters).to_string(),
            Rcpt::new(self.recipient.clone(), Vec::new()).to_string(),
            Data.to_string(),
        ];
        let commands: Vec<String> = reset.into_iter().chain(envelope).collect();
        connection.unfinished = true;
        if connection.pipelining {
            return pipelined(&mut connection.wire, &commands);
        }
        commands.iter().try_for_each(|command| connection.wire.say(command).map(drop))
    }

    /// The letter, with dots doubled and its end (RFC 5321 section 4.5.2), in one piece: a host may
    /// delay its acknowledgment of a part by 40 ms (RFC 1122 section 4.2.3.2).
    fn finish(&self, connection: &mut Connection) -> Result<(), Fault> {
        let data = self.data.strip_suffix(b"\r\n").unwrap_or(&self.data);
        let mut sent = Vec::with_capacity(data.len() + data.len() / 64 + 8);
        let mut done = 0;
        let first = data.starts_with(b".").then_some(0);
        for dot in first.into_iter().chain(memmem::find_iter(data, b"\n.").map(|end| end + 1)) {
            sent.extend_from_slice(&data[done..=dot]);
            done = dot;
        }
        sent.extend_from_slice(&data[done..]);
        sent.extend_from_slice(b"\r\n.\r\n");
        connection.wire.send(&sent)?;
        connection.wire.accepted()?;
        connection.unfinished = false;
        Ok(())
    }

    /// Whether an address or a header field has characters beyond ASCII.
    fn is_international(&self) -> bool {
        let ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
        let header = memmem::find(&self.data, b"\r\n\r\n").unwrap_or(self.data.len());
        !(ascii(&self.recipient) && self.sender.as_ref().is_none_or(ascii) && self.data[..header].is_ascii())
    }

    fn connect(&self) -> Result<Connection, Broken> {
        let mut greeted = Err(SendFailure::temporary("no address"));
        for (tried, address) in self.addresses.iter().enumerate() {
            // The time is shared among the remaining addresses, so that a silent one leaves some.
            let share = self.deadline.left() / u32::try_from(self.addresses.len() - tried).unwrap_or(1);
            let greet = || -> Result<Connection, Fault> {
                let mut wire = Wire::connect(address, self.deadline.within(share))?;
                wire.accepted()?;
                self.introduced(wire)
            };
            match greet() {
                Ok(connection) => {
                    greeted = Ok(connection);
                    break;
                }
                // Whatever its greeting says, it has not refused the letter: others may take it.
                Err(fault) => greeted = Err(SendFailure { temporary: true, ..fault.into() }),
            }
        }
        let connection = greeted.map_err(Broken::Failed)?;
        if !(self.starttls && connection.offer.supports_feature(Extension::StartTls)) {
            return Ok(connection);
        }
        let tls = |fault: Fault| Broken::Tls(SendFailure::from(fault).text);
        let mut wire = connection.wire;
        wire.set_deadline(self.deadline.within(self.deadline.left() / 2));
        wire.say(Starttls).map_err(tls)?;
        self.introduced(wire.secured(self.host).map_err(tls)?).map_err(tls)
    }

    /// Says EHLO and hears what the host offers.
    fn introduced(&self, mut wire: Wire) -> Result<Connection, Fault> {
        let said = wire.say(Ehlo::new(ClientId::Domain(self.hello.clone())))?;
        let offer = ServerInfo::from_response(&said).unwrap_or_default();
        let has = |line: &str| line.trim().eq_ignore_ascii_case("PIPELINING");
        Ok(Connection { offer, pipelining: said.message().any(has), unfinished: false, wire })
    }
}

/// Sends commands together, the last of them DATA, and hears their replies in order.
fn pipelined(wire: &mut Wire, commands: &[String]) -> Result<(), Fault> {
    wire.send(commands.concat().as_bytes())?;
    let mut refused: Option<Response> = None;
    let mut waits_for_data = false;
    for _ in commands {
        let reply = wire.reply()?;
        waits_for_data = reply.is_positive();
        if !waits_for_data {
            refused.get_or_insert(reply);
        }
    }
    let Some(refused) = refused else { return Ok(()) };
    if waits_for_data {
        // The host waits for a letter to nobody (RFC 2920 section 3.1).
        wire.send(b".\r\n")?;
        wire.reply()?;
    }
    Err(Fault::Refused(refused))
}

impl Connection {
    /// Says goodbye (RFC 5321 section 4.1.1.10).
    pub(super) fn quit(&mut self, deadline: Deadline) {
        self.wire.set_deadline(deadline);
        let _ = self.wire.send(Quit.to_string().as_bytes());
    }

    /// Hears the goodbye of a host, so that it is not cut short.
    pub(super) fn closed(&mut self) {
        let _ = self.wire.reply();
    }
}

/// An envelope address that fits between angle brackets.
fn address(text: &str) -> Result<Address, SendFailure> {
    let unsafe_in_smtp = |c: char| c.is_control() || c.is_whitespace() || c == '<' || c == '>';
    if text.len() > 320 || text.contains(unsafe_in_smtp) {
        return Err(SendFailure::permanent("not an address that mail can be sent to"));
    }
    text.parse().map_err(|error| SendFailure::permanent(format_args!("{text}: {error}")))
}
