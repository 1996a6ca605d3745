//! Whose mail there is: our own, that of others, or mail on its way into carom; and who hands it to
//! the mail server.
//!
//! Not here: whose a delivery is (`whose_delivery`). Invariant: a name of JSON and of the index is
//! written here only, and never changes.

use crate::config::OwnMail;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Whose {
    /// We sent it.
    #[default]
    Own,
    /// Others sent it through us.
    Others,
    /// It was handed to carom: bounces, complaints, the traffic of a sink.
    Carom,
}

impl Whose {
    /// Those that figures show apart from our own.
    pub(crate) const APART: [Whose; 2] = [Whose::Others, Whose::Carom];

    pub(crate) fn is_own(&self) -> bool {
        *self == Whose::Own
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Whose::Own => "own",
            Whose::Others => "others",
            Whose::Carom => "carom",
        }
    }

    /// The one with this name.
    pub(crate) fn of_name(name: &str) -> Whose {
        Whose::APART.into_iter().find(|whose| whose.name() == name).unwrap_or_default()
    }
}

/// Who handed a message to the mail server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Submitter {
    /// The log does not say.
    #[default]
    Unknown,
    Ours,
    Stranger,
}

impl Submitter {
    pub(crate) fn is_unknown(&self) -> bool {
        *self == Submitter::Unknown
    }

    pub(crate) fn of(is_ours: bool) -> Submitter {
        if is_ours { Submitter::Ours } else { Submitter::Stranger }
    }

    /// The client `host[address]`, or `[address]:port`.
    pub(crate) fn of_client(own: &OwnMail, client: &[u8], authenticated: bool) -> Submitter {
        let address = address(client);
        match address {
            None if !authenticated => Submitter::Unknown,
            _ => Submitter::of(own.is_client(address, authenticated)),
        }
    }
}

fn address(client: &[u8]) -> Option<IpAddr> {
    let open = client.iter().rposition(|byte| *byte == b'[')?;
    let length = client[open..].iter().position(|byte| *byte == b']')?;
    let text = std::str::from_utf8(&client[open + 1..open + length]).ok()?;
    text.strip_prefix("IPv6:").unwrap_or(text).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_client_is_in_its_brackets() {
        let of = |client: &str| address(client.as_bytes()).map(|address| address.to_string());
        assert_eq!(of("app.example[192.0.2.7]").as_deref(), Some("192.0.2.7"));
        assert_eq!(of("unknown[2001:db8::7]").as_deref(), Some("2001:db8::7"));
        assert_eq!(of("[192.0.2.7]:2525").as_deref(), Some("192.0.2.7"));
        assert_eq!([of("unknown[unknown]"), of("unknown"), of("")], [None, None, None]);
    }

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for whose in [Whose::Own, Whose::Others, Whose::Carom] {
            assert_eq!(Whose::of_name(whose.name()), whose);
            assert_eq!(serde_json::to_value(whose).unwrap(), whose.name());
        }
    }
}
