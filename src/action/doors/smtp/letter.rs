//! What is sent and where, and why it could not be sent.
//!
//! Invariant: only the server that the operator has named may be a private one.

use crate::config::{Config, MailServer};
use std::fmt::Display;
use std::sync::Arc;

/// A letter, ready to send.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    /// Envelope sender; `None` is the null sender.
    pub(crate) from: Option<String>,
    /// Envelope recipient.
    pub(crate) to: String,
    /// The message, with CRLF line ends.
    pub(crate) data: Arc<Vec<u8>>,
}

/// Where a letter goes.
#[derive(Clone, Debug)]
pub(crate) struct SmtpTarget {
    /// In the order in which they are tried.
    pub(super) hosts: Vec<String>,
    pub(super) port: u16,
    pub(super) may_be_private: bool,
}

impl SmtpTarget {
    /// Mail exchangers, whose names come from DNS or a policy.
    pub(crate) fn exchangers(hosts: Vec<String>, config: &Config) -> SmtpTarget {
        SmtpTarget { hosts, port: config.network.smtp_port, may_be_private: false }
    }

    /// A server that the operator has named in the config.
    pub(crate) fn named(server: &MailServer) -> SmtpTarget {
        SmtpTarget { hosts: vec![server.host.clone()], port: server.port, may_be_private: true }
    }
}

/// A letter could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SendFailure {
    /// Whether it is worth another try.
    pub(crate) temporary: bool,
    /// The host's reply, or what went wrong.
    pub(crate) text: String,
}

impl SendFailure {
    pub(crate) fn temporary(text: impl Display) -> SendFailure {
        SendFailure { temporary: true, text: text.to_string() }
    }

    pub(crate) fn permanent(text: impl Display) -> SendFailure {
        SendFailure { temporary: false, text: text.to_string() }
    }

    /// The same, with the name of the host that it is about.
    pub(super) fn of_host(self, host: &str) -> SendFailure {
        match self.text.contains(host) {
            true => self,
            false => SendFailure { text: format!("{host}: {}", self.text), ..self },
        }
    }
}
