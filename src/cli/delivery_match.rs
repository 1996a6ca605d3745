//! What `carom deliveries` looks for delivery by delivery: the names that statistics count by.
//!
//! Not here: whether a delivery fits (`index`).

use crate::index::DeliveryMatch;
use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct MatchArgs {
    /// Only deliveries of this envelope sender; '<>' for the null sender
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// Only deliveries with this reason: user-unknown, mailbox-full, …
    #[arg(long)]
    reason: Option<String>,
    /// Only deliveries to this provider: google, microsoft, …, or the domain of the mail server
    #[arg(long)]
    provider: Option<String>,
    /// Only deliveries to this domain: the registrable one, as in reports
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Only deliveries from this domain; '<>' for the null sender
    #[arg(long, value_name = "DOMAIN")]
    sender_domain: Option<String>,
    /// Only deliveries to this mail server
    #[arg(long, value_name = "HOST")]
    relay: Option<String>,
    /// Only deliveries with a reply of this shape, as --unclassified shows it
    #[arg(long)]
    shape: Option<String>,
}

impl MatchArgs {
    /// The reason, by which rows are picked.
    pub(crate) fn reason(&self) -> Option<String> {
        self.reason.clone()
    }

    /// `unclassified`: only failures that no rule classifies.
    pub(crate) fn wanted(&self, unclassified: bool) -> DeliveryMatch {
        DeliveryMatch {
            sender: self.sender.clone(),
            reason: self.reason.clone(),
            provider: self.provider.clone(),
            domain: self.domain.clone(),
            sender_domain: self.sender_domain.clone(),
            relay: self.relay.clone(),
            shape: self.shape.clone(),
            unclassified,
        }
    }
}
