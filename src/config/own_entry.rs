//! An entry of `[[logs]] own`: whose mail is ours.
//!
//! Not here: what is ours without entries (`own_mail`). Invariant: an entry says by its form what
//! it is; what could be read in two ways is refused.

use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

/// The kinds of streams that an entry may name, as `carom deliveries --source` does.
pub(crate) const STREAMS: [&str; 6] = ["vmta", "pool", "ip", "transport", "instance", "campaign"];

/// An entry of `own`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OwnEntry {
    /// Submitted on the host itself, with sendmail(1).
    Local,
    /// From a client that authenticated.
    Authenticated,
    Network(IpNet),
    /// From a sender in this domain.
    Domain(String),
    /// From a sender in a domain below this one.
    Below(String),
    /// Sent in this stream: `transport/smtp-out`.
    Stream {
        kind: String,
        name: String,
    },
}

impl OwnEntry {
    /// The entry that is written so; the error says what is wrong.
    pub(super) fn read(written: &str) -> Result<OwnEntry, String> {
        let domain = written.strip_prefix('@').unwrap_or(written);
        Ok(match written {
            "local" => OwnEntry::Local,
            "authenticated" => OwnEntry::Authenticated,
            _ if network(written).is_some() => OwnEntry::Network(network(written).unwrap_or_default()),
            _ if written.contains('/') => stream(written)?,
            _ => match domain.strip_prefix("*.") {
                Some(domain) if is_domain(domain) => OwnEntry::Below(domain.to_owned()),
                None if is_domain(domain) => OwnEntry::Domain(domain.to_owned()),
                _ => return Err(format!("{written:?} is not an entry")),
            },
        })
    }

    /// The domain of senders that it names.
    pub(crate) fn domain(&self) -> Option<&str> {
        match self {
            OwnEntry::Domain(domain) | OwnEntry::Below(domain) => Some(domain),
            _ => None,
        }
    }
}

impl fmt::Display for OwnEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OwnEntry::Local => f.write_str("local"),
            OwnEntry::Authenticated => f.write_str("authenticated"),
            OwnEntry::Network(network) => network.fmt(f),
            OwnEntry::Domain(domain) => f.write_str(domain),
            OwnEntry::Below(domain) => write!(f, "*.{domain}"),
            OwnEntry::Stream { kind, name } => write!(f, "{kind}/{name}"),
        }
    }
}

fn network(written: &str) -> Option<IpNet> {
    let bare = written.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(written);
    bare.parse::<IpNet>().ok().or_else(|| bare.parse::<IpAddr>().ok().map(IpNet::from))
}

fn stream(written: &str) -> Result<OwnEntry, String> {
    let parts = written.split_once('/').filter(|(kind, name)| STREAMS.contains(kind) && !name.is_empty());
    let Some((kind, name)) = parts else {
        return Err(format!("{written:?} is neither a network nor a stream like transport/smtp-out"));
    };
    Ok(OwnEntry::Stream { kind: kind.to_owned(), name: name.to_owned() })
}

/// A dot tells a domain from a misspelled word.
fn is_domain(text: &str) -> bool {
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "@*/<>[],;:".contains(c);
    text.contains('.') && !text.starts_with('.') && !text.contains(is_odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_by_its_form_what_it_is() {
        let domain = |text: &str| OwnEntry::Domain(text.into());
        for (written, entry) in [
            ("local", OwnEntry::Local),
            ("authenticated", OwnEntry::Authenticated),
            ("192.0.2.7", OwnEntry::Network("192.0.2.7/32".parse().unwrap())),
            ("192.0.2.0/24", OwnEntry::Network("192.0.2.0/24".parse().unwrap())),
            ("[2001:db8::1]", OwnEntry::Network("2001:db8::1/128".parse().unwrap())),
            ("example.com", domain("example.com")),
            ("@example.com", domain("example.com")),
            ("*.example.com", OwnEntry::Below("example.com".into())),
            ("transport/smtp-out", OwnEntry::Stream { kind: "transport".into(), name: "smtp-out".into() }),
        ] {
            assert_eq!(OwnEntry::read(written), Ok(entry), "{written}");
        }
        for odd in ["", "lokal", "192.0.2.0/33", "smtp/out", "vmta/", "a@example.com", "*", ".example.com"] {
            assert!(OwnEntry::read(odd).is_err(), "{odd}");
        }
    }
}
