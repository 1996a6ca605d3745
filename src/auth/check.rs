//! What can be known of a message's origin: each fact is computed when it is first asked for, and kept.
//!
//! Not a judgement: a failed check is a fact like any other. Invariants: a fact that is not asked for costs nothing,
//! no parsing and no DNS; with trusted authserv-ids configured nothing is verified here, and what the trusted server
//! did not say is `None`.

use super::dns::Dns;
use super::trusted::{self, Trusted};
use super::verdict::{self, Signature, Verdict};
use super::verify;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::intake::envelope::Envelope;
use crate::message::Message;
use crate::message::received::{self, Received};
use std::net::IpAddr;
use std::sync::OnceLock;

/// The authentication facts of one message.
pub struct Check<'a> {
    message: &'a Message,
    envelope: &'a Envelope,
    config: &'a Config,
    dns: &'a Dns,
    deadline: Deadline,
    trusted: OnceLock<Option<Trusted>>,
    received: OnceLock<Option<Received>>,
    signatures: OnceLock<Vec<Signature>>,
    spf: OnceLock<Verdict>,
    dmarc: OnceLock<Verdict>,
}

impl<'a> Check<'a> {
    /// Facts to be asked for; nothing is done yet.
    pub fn new(
        message: &'a Message,
        envelope: &'a Envelope,
        config: &'a Config,
        dns: &'a Dns,
        deadline: Deadline,
    ) -> Check<'a> {
        Check {
            message,
            envelope,
            config,
            dns,
            deadline,
            trusted: OnceLock::new(),
            received: OnceLock::new(),
            signatures: OnceLock::new(),
            spf: OnceLock::new(),
            dmarc: OnceLock::new(),
        }
    }

    /// The best verdict of all signatures: pass if any passed, temp-error if none did and one may yet.
    pub fn dkim(&self) -> Verdict {
        verdict::of_all(self.signatures())
    }

    /// Every DKIM signature with its verdict, topmost first; at most ten are verified.
    pub fn signatures(&self) -> &[Signature] {
        if let Some(trusted) = self.trusted() {
            return &trusted.dkim;
        }
        self.signatures.get_or_init(|| {
            if self.message.headers("DKIM-Signature").is_empty() {
                return Vec::new();
            }
            verify::dkim(&verify::wire_form(self.message.raw()), self.dns, self.deadline)
        })
    }

    /// SPF (RFC 7208) of the envelope sender, or of the HELO name for the null sender; `None` when the client's
    /// address is not known.
    pub fn spf(&self) -> Verdict {
        if let Some(trusted) = self.trusted() {
            return trusted.spf.unwrap_or(Verdict::None);
        }
        *self.spf.get_or_init(|| {
            let Some(client) = self.client_address() else {
                return Verdict::None;
            };
            let helo = self.client_helo().unwrap_or_default();
            verify::spf(&self.envelope.sender, helo, client, self.dns, self.deadline)
        })
    }

    /// DMARC (RFC 7489) of the From domain.
    pub fn dmarc(&self) -> Verdict {
        if let Some(trusted) = self.trusted() {
            return trusted.dmarc.unwrap_or(Verdict::None);
        }
        *self.dmarc.get_or_init(|| {
            let helo = self.client_helo().unwrap_or_default();
            let spf = (verify::mail_from_domain(&self.envelope.sender, helo), self.spf());
            verify::dmarc(
                self.message.raw(),
                self.signatures(),
                spf,
                self.dns,
                self.deadline,
            )
        })
    }

    /// The address of the SMTP client: what the mail server says, else what its Received header says.
    pub fn client_address(&self) -> Option<IpAddr> {
        let address = self
            .envelope
            .client_address
            .or_else(|| self.received()?.client_address)?;
        Some(address.to_canonical())
    }

    /// The name the SMTP client gave in HELO or EHLO, from the same sources.
    pub fn client_helo(&self) -> Option<&str> {
        let told = self.envelope.client_helo.as_deref();
        told.or_else(|| self.received()?.from_helo.as_deref())
    }

    /// What the trusted server says; `None` when there is none and we verify for ourselves.
    fn trusted(&self) -> Option<&Trusted> {
        let ids = &self.config.auth.trusted_authserv_ids;
        let read = || {
            (!ids.is_empty()).then(|| {
                trusted::read(
                    &verify::field_values(self.message.raw(), "Authentication-Results"),
                    ids,
                )
            })
        };
        self.trusted.get_or_init(read).as_ref()
    }

    /// The Received header that our own mail server has written.
    fn received(&self) -> Option<&Received> {
        let ours = &self.config.auth.received_by;
        let is_ours = |received: &Received| {
            let by = received.by.as_deref().unwrap_or_default();
            ours.is_empty() || ours.iter().any(|host| host.eq_ignore_ascii_case(by))
        };
        let find = || {
            self.message
                .headers("Received")
                .iter()
                .map(|value| received::parse(value))
                .find(is_ours)
        };
        self.received.get_or_init(find).as_ref()
    }
}
