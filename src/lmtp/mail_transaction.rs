//! One mail transaction: sender, recipients, and what the client may say about its own client.
//!
//! Not here: the commands (`verbs`) and their order (`conversation`). Invariant: what XFORWARD says
//! counts for one transaction, and only from a client that is trusted.

use super::verbs::{ForwardedFact, MailFrom, RcptTo};
use crate::envelope::Envelope;
use std::net::IpAddr;

/// What the client said about its client. Attributes that it left out are unknown to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forwarded {
    address: Option<IpAddr>,
    helo: Option<String>,
    queue_id: Option<String>,
}

impl Forwarded {
    pub(crate) fn note(&mut self, facts: Vec<ForwardedFact>) {
        for fact in facts {
            match fact {
                ForwardedFact::Address(address) => self.address = address,
                ForwardedFact::Helo(helo) => self.helo = helo,
                ForwardedFact::QueueId(queue_id) => self.queue_id = queue_id,
                ForwardedFact::Other => {}
            }
        }
    }
}

/// Sender and recipients so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct MailTransaction {
    pub(crate) mail: MailFrom,
    pub(crate) recipients: Vec<RcptTo>,
}

impl MailTransaction {
    /// That of the last recipient.
    pub(crate) fn last_envelope(
        &self,
        forwarded: Option<Forwarded>,
        peer: Option<IpAddr>,
        helo: &str,
    ) -> Option<Envelope> {
        let recipients = self.recipients.last().cloned().into_iter().collect();
        let alone = MailTransaction { mail: self.mail.clone(), recipients };
        alone.envelopes(forwarded, peer, helo).pop()
    }

    /// One envelope for each recipient. Without `forwarded` the client is the one that is connected
    /// (`peer`, `helo`).
    pub(crate) fn envelopes(
        self,
        forwarded: Option<Forwarded>,
        peer: Option<IpAddr>,
        helo: &str,
    ) -> Vec<Envelope> {
        let client = forwarded.unwrap_or_else(|| Forwarded {
            address: peer,
            helo: peer.map(|_| helo.to_owned()),
            queue_id: None,
        });
        let MailFrom { sender, envid, header_only, .. } = self.mail;
        let of_recipient = |RcptTo { recipient, original, notify }: RcptTo| Envelope {
            sender: sender.clone(),
            recipient,
            original_recipient: original,
            notify,
            header_only,
            client_address: client.address,
            client_helo: client.helo.clone(),
            queue_id: client.queue_id.clone(),
            envid: envid.clone(),
        };
        self.recipients.into_iter().map(of_recipient).collect()
    }
}
