//! The dimensions that deliveries are counted by, and the names in each.
//!
//! Not here: counting (`ingest`) and the sums (`index`).

/// The domain that a host name belongs to.
pub(crate) mod domain;
/// The names under which a delivery counts.
pub(crate) mod names;
/// Who runs a mail server.
pub(crate) mod provider;

/// What the deliveries under one name have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dimension {
    /// Nothing: all deliveries, under the empty name.
    All,
    /// The registrable domain of the recipient.
    RecipientDomain,
    /// Who runs the recipient's mail server.
    Provider,
    /// The registrable domain of the envelope sender.
    SenderDomain,
    /// The client id.
    Client,
    /// The name of the next hop.
    Relay,
    /// The streams that a delivery was sent in: `vmta/mta1`, `campaign/spring`. It counts under
    /// each.
    Source,
    /// What is not our own mail: that of others, and what was handed to carom. It counts nowhere
    /// else.
    Whose,
}

impl Dimension {
    /// Those that have names, in the order of [`names::Parties::names`] and, last, the sources.
    pub(crate) const NAMED: [Dimension; 6] = [
        Dimension::RecipientDomain,
        Dimension::Provider,
        Dimension::SenderDomain,
        Dimension::Client,
        Dimension::Relay,
        Dimension::Source,
    ];

    /// Whether delays and TLS levels are counted by it.
    pub(crate) fn is_destination(self) -> bool {
        matches!(self, Dimension::RecipientDomain | Dimension::Provider)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Dimension::All => "all",
            Dimension::RecipientDomain => "recipient-domain",
            Dimension::Provider => "provider",
            Dimension::SenderDomain => "sender-domain",
            Dimension::Client => "client",
            Dimension::Relay => "relay",
            Dimension::Source => "source",
            Dimension::Whose => "whose",
        }
    }
}
