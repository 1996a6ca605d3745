//! What a refusal is about, and the words for it.
//!
//! Not here: how it is decided (`classify`). Invariant: only what is about the recipient or its
//! domain can say that an address is dead.

/// What a refusal is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum About {
    Recipient,
    RecipientDomain,
    /// The envelope sender, the author, or the domain of one of them.
    Sender,
    /// The host that sent: its address, its name, its reputation, its pace.
    SendingHost,
    Message,
    /// A mail system on the way, the one that delivers included.
    Relay,
    Network,
    /// Nothing says it, or nothing was refused.
    #[default]
    Nobody,
}

const NAMES: [(About, &str); 8] = [
    (About::Recipient, "recipient"),
    (About::RecipientDomain, "recipient-domain"),
    (About::Sender, "sender"),
    (About::SendingHost, "sending-host"),
    (About::Message, "message"),
    (About::Relay, "relay"),
    (About::Network, "network"),
    (About::Nobody, "nobody"),
];

impl About {
    pub fn name(self) -> &'static str {
        NAMES[self as usize].1
    }

    pub fn names() -> [&'static str; 8] {
        NAMES.map(|(_, name)| name)
    }

    /// Whether it can say that an address is dead.
    pub fn is_recipients(self) -> bool {
        matches!(self, About::Recipient | About::RecipientDomain)
    }

    pub fn named(name: &str) -> Option<About> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(about, _)| *about)
    }
}
