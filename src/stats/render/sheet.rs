//! Which sheets there are: a file of comma-separated values for each list of the figures.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sheet {
    /// Outcomes over time.
    Series,
    /// Why deliveries failed or were deferred.
    Reasons,
    /// Why mail was refused in the session.
    Rejects,
    RecipientDomains,
    Providers,
    SenderDomains,
    Clients,
    Relays,
    Sources,
    /// Sent deliveries by destination and TLS level.
    Tls,
    ProviderReasons,
    /// Replies that no rule knows.
    Unknown,
}

impl Sheet {
    pub(crate) const ALL: [Sheet; 12] = [
        Sheet::Series,
        Sheet::Reasons,
        Sheet::Rejects,
        Sheet::RecipientDomains,
        Sheet::Providers,
        Sheet::SenderDomains,
        Sheet::Clients,
        Sheet::Relays,
        Sheet::Sources,
        Sheet::Tls,
        Sheet::ProviderReasons,
        Sheet::Unknown,
    ];

    /// Those that are counted for a customer.
    pub(crate) const OF_SOME_MAIL: [Sheet; 4] =
        [Sheet::Series, Sheet::Reasons, Sheet::RecipientDomains, Sheet::Providers];

    /// The name on the command line and of its file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Sheet::Series => "series",
            Sheet::Reasons => "reasons",
            Sheet::Rejects => "rejects",
            Sheet::RecipientDomains => "recipient-domains",
            Sheet::Providers => "providers",
            Sheet::SenderDomains => "sender-domains",
            Sheet::Clients => "clients",
            Sheet::Relays => "relays",
            Sheet::Sources => "sources",
            Sheet::Tls => "tls",
            Sheet::ProviderReasons => "provider-reasons",
            Sheet::Unknown => "unknown",
        }
    }
}
