//! One dialogue with one host: connect, STARTTLS, hand over the letter.
//!
//! Not here: which host, and how long a session is waited for (`pool`). Invariant: nothing but a
//! valid address gets into a command.

use super::letter::{Letter, SendFailure};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::text::{bounded, one_line};
use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::client::{CertificateStore, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::sync::Arc;

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

impl From<SmtpError> for Broken {
    fn from(error: SmtpError) -> Broken {
        Broken::Failed(SendFailure { temporary: !error.is_permanent(), text: describe(&error) })
    }
}

/// What a session needs. It owns it, because its thread may be abandoned.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) deadline: Deadline,
    starttls: bool,
    hello: String,
    host: String,
    sender: Option<Address>,
    recipient: Address,
    data: Arc<Vec<u8>>,
}

impl Session {
    /// A session that has no addresses yet.
    pub(super) fn new(
        host: &str,
        letter: &Letter,
        config: &Config,
        deadline: Deadline,
    ) -> Result<Session, Broken> {
        Ok(Session {
            addresses: Vec::new(),
            starttls: config.send.starttls,
            deadline,
            hello: config.hostname(),
            host: host.to_owned(),
            sender: letter.from.as_deref().map(address).transpose().map_err(Broken::Failed)?,
            recipient: address(&letter.to).map_err(Broken::Failed)?,
            data: letter.data.clone(),
        })
    }

    /// The same without STARTTLS.
    pub(super) fn in_clear(self) -> Session {
        Session { starttls: false, ..self }
    }

    /// Talks to the host over the connection that was kept for it, or a new one. Returns the
    /// result, and the connection if it is good for another letter.
    pub(super) fn talk(self, kept: Option<SmtpConnection>) -> (Result<(), Broken>, Option<SmtpConnection>) {
        let opened = match kept {
            Some(mut kept) => match self.say(&mut kept, Rset) {
                Ok(()) => Ok(kept),
                Err(error) => Err(Broken::Closed(describe(&error))),
            },
            None => self.connect(),
        };
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(broken) => return (Err(broken), None),
        };
        let international = self.is_international();
        if international && !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            let failure = SendFailure::permanent("the host does not know SMTPUTF8 (RFC 6531)");
            return (Err(Broken::Failed(failure)), Some(connection));
        }
        match self.hand_over(&mut connection, international) {
            Ok(()) => (Ok(()), Some(connection)),
            Err(error) => {
                // After a refusal, the host is ready for the next letter; 421 means that it closes
                // (RFC 5321 section 3.8).
                let ready = error.status().is_some_and(|code| u16::from(code) != 421);
                (Err(error.into()), ready.then_some(connection))
            }
        }
    }

    fn hand_over(&self, connection: &mut SmtpConnection, international: bool) -> Result<(), SmtpError> {
        let mut parameters = Vec::new();
        // Bytes beyond ASCII go to a host without 8BITMIME too: they are the original's, and hosts
        // have taken them for decades.
        if !self.data.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if international {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        self.say(connection, Mail::new(self.sender.clone(), parameters))?;
        self.say(connection, Rcpt::new(self.recipient.clone(), Vec::new()))?;
        self.say(connection, Data)?;
        // The end of the data is written again below.
        let data = self.data.strip_suffix(b"\r\n").unwrap_or(&self.data);
        match std::str::from_utf8(data) {
            Ok(text) => self.say(connection, Content(text)),
            Err(_) => {
                let _ = connection.set_timeout(Some(self.deadline.left()));
                connection.message(data).map(drop)
            }
        }
    }

    /// One command, within the time that is left.
    fn say(&self, connection: &mut SmtpConnection, command: impl Display) -> Result<(), SmtpError> {
        let _ = connection.set_timeout(Some(self.deadline.left()));
        connection.command(command).map(drop)
    }

    /// Whether an address or a header field has characters beyond ASCII.
    fn is_international(&self) -> bool {
        let ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
        let header = self.data.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(self.data.len());
        !(ascii(&self.recipient) && self.sender.as_ref().is_none_or(ascii) && self.data[..header].is_ascii())
    }

    fn connect(&self) -> Result<SmtpConnection, Broken> {
        let hello = ClientId::Domain(self.hello.clone());
        let mut greeted = Err(SendFailure::temporary("no address"));
        for (tried, address) in self.addresses.iter().enumerate() {
            // The time is shared among the remaining addresses, so that a silent one leaves some.
            let share = self.deadline.left() / u32::try_from(self.addresses.len() - tried).unwrap_or(1);
            match SmtpConnection::connect(address, Some(share), &hello, None, None) {
                Ok(connection) => {
                    greeted = Ok(connection);
                    break;
                }
                // Whatever its greeting says, it has not refused the letter: others may take it.
                Err(error) => greeted = Err(SendFailure::temporary(describe(&error))),
            }
        }
        let mut connection = greeted.map_err(Broken::Failed)?;
        if self.starttls && connection.can_starttls() {
            // Opportunistic (RFC 7435): without TLS the mail would go in clear, so any certificate
            // will do.
            let parameters = TlsParameters::builder(self.host.clone())
                .certificate_store(CertificateStore::None)
                .dangerous_accept_invalid_certs(true)
                .dangerous_accept_invalid_hostnames(true)
                .build()
                .map_err(|error| Broken::Tls(describe(&error)))?;
            let _ = connection.set_timeout(Some(self.deadline.left() / 2));
            connection.starttls(&parameters, &hello).map_err(|error| Broken::Tls(describe(&error)))?;
        }
        Ok(connection)
    }
}

/// The content of a letter with dots doubled and the end of the data (RFC 5321 section 4.5.2), to
/// be sent in one piece. lettre writes the end separately: it then waits for the acknowledgement of
/// the rest, which hosts delay by 40 ms (RFC 1122 section 4.2.3.2). Only UTF-8 can go this way.
struct Content<'a>(&'a str);

impl Display for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.0.split("\r\n") {
            let dot = if line.starts_with('.') { "." } else { "" };
            write!(f, "{dot}{line}\r\n")?;
        }
        f.write_str(".\r\n")
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

/// The error and what caused it, in one line.
fn describe(error: &SmtpError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    one_line(bounded(&text, 400))
}
