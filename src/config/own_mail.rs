//! Which mail in a log is our own, as configured in `[[logs]] own` and `carom_transports`: rules on
//! the client, the sender domain and the stream.
//!
//! Not here: what a log says of a message (`maillog`). Invariant: without `own`, mail is ours
//! unless a stranger has handed it in; with it, mail is ours only if an entry fits.

use super::Config;
use super::mail_logs::MailLog;
use super::own_entry::OwnEntry;
use crate::mailbox_syntax::in_a_labels;
use std::net::IpAddr;

/// Networks whose hosts are ours by default: this host, private and link-local addresses.
const NEAR: [&str; 8] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];
/// The rules of one log.
#[derive(Clone, Debug)]
pub(crate) struct OwnMail {
    entries: Vec<OwnEntry>,
    /// What nothing is known of is ours.
    by_default: bool,
    /// Names of transports that hand mail to carom; one `*` is any text.
    carom_transports: Vec<String>,
}

impl OwnMail {
    pub(crate) fn of(log: &MailLog, config: &Config) -> OwnMail {
        // Records name hosts only.
        let has_transports = !log.kind.has_records();
        let carom_transports = log.carom_transports.iter().filter(|_| has_transports).cloned().collect();
        match &log.own {
            Some(entries) => OwnMail { entries: entries.clone(), by_default: false, carom_transports },
            None => OwnMail { entries: by_default(config), by_default: true, carom_transports },
        }
    }

    /// Whether mail is ours of which the log does not say who handed it in.
    pub(crate) fn is_by_default(&self) -> bool {
        self.by_default
    }

    pub(crate) fn has_local(&self) -> bool {
        self.entries.contains(&OwnEntry::Local)
    }

    /// Whether mail that this client hands in is ours.
    pub(crate) fn is_client(&self, address: Option<IpAddr>, authenticated: bool) -> bool {
        self.entries.iter().any(|entry| match entry {
            OwnEntry::Authenticated => authenticated,
            OwnEntry::Network(network) => address.is_some_and(|address| network.contains(&address)),
            _ => false,
        })
    }

    /// Whether networks decide about what clients hand in: by default, and where one is named.
    pub(crate) fn has_networks(&self) -> bool {
        self.by_default || self.entries.iter().any(|entry| matches!(entry, OwnEntry::Network(_)))
    }

    /// Whether mail of some client in this network, as `mynetworks` of Postfix writes it, is not
    /// ours; `false` for what is not a network.
    pub(crate) fn lacks(&self, network: &str) -> bool {
        let Ok(OwnEntry::Network(network)) = OwnEntry::read(&network.replace(['[', ']'], "")) else {
            return false;
        };
        let bare = |address: IpAddr| match address {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        [network.network(), network.broadcast()]
            .into_iter()
            .any(|end| !self.is_client(Some(bare(end)), false))
    }

    /// The entries, as they are written in the config.
    pub(crate) fn written(&self) -> impl Iterator<Item = String> {
        self.entries.iter().map(OwnEntry::to_string)
    }

    /// Whether mail of this sender is ours.
    pub(crate) fn is_sender(&self, sender: &str) -> bool {
        let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain).trim_end_matches('.');
        let domain = &*in_a_labels(domain);
        !domain.is_empty()
            && self.entries.iter().any(|entry| match entry {
                OwnEntry::Domain(own) => domain.eq_ignore_ascii_case(&in_a_labels(own)),
                OwnEntry::Below(above) => is_below(domain, &in_a_labels(above)),
                _ => false,
            })
    }

    /// Whether mail that is sent in this stream is ours.
    pub(crate) fn is_stream(&self, kind: &str, name: &str) -> bool {
        self.entries.iter().any(|entry| match entry {
            OwnEntry::Stream { kind: own, name: of } => own == kind && of.eq_ignore_ascii_case(name),
            _ => false,
        })
    }

    /// Whether this transport hands mail to carom.
    pub(crate) fn is_into_carom(&self, transport: &str) -> bool {
        self.carom_transports.iter().any(|name| fits(name, transport))
    }
}

impl Default for OwnMail {
    /// Everything is ours, whoever handed it in.
    fn default() -> OwnMail {
        let everywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok());
        let entries = everywhere.map(OwnEntry::Network).chain([OwnEntry::Local]).collect();
        OwnMail { entries, by_default: true, carom_transports: Vec::new() }
    }
}

/// What is ours unless `own` says otherwise: what our own hosts and users have handed in. A sender
/// is what anybody can write.
fn by_default(config: &Config) -> Vec<OwnEntry> {
    let near = NEAR.iter().filter_map(|network| network.parse().ok());
    let servers = config.auth.own_servers.iter().copied();
    let entries = [OwnEntry::Local, OwnEntry::Authenticated].into_iter();
    entries.chain(near.chain(servers).map(OwnEntry::Network)).collect()
}

fn is_below(domain: &str, above: &str) -> bool {
    let Some(at) = domain.len().checked_sub(above.len() + 1).filter(|at| *at > 0) else { return false };
    domain.as_bytes()[at] == b'.' && domain.as_bytes()[at + 1..].eq_ignore_ascii_case(above.as_bytes())
}

/// Whether a name fits a pattern in which one `*` is any text; case does not matter.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((begin, end)) = pattern.split_once('*') else { return pattern.eq_ignore_ascii_case(name) };
    let (begin, end, name) = (begin.as_bytes(), end.as_bytes(), name.as_bytes());
    name.len() >= begin.len() + end.len()
        && name[..begin.len()].eq_ignore_ascii_case(begin)
        && name[name.len() - end.len()..].eq_ignore_ascii_case(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_and_a_transport_fit_whole_names() {
        let entries = ["example.com", "*.example.org"].map(|one| OwnEntry::read(one).unwrap()).to_vec();
        let carom_transports = vec!["carom*".to_owned(), "*-sink".to_owned()];
        let own = OwnMail { entries, by_default: false, carom_transports };
        for (sender, is_own) in [
            ("a@example.com", true),
            ("a@Example.COM.", true),
            ("a@sub.example.com", false),
            ("a@notexample.com", false),
            ("a@example.org", false),
            ("a@x.y.example.org", true),
            ("a@.example.org", false),
            ("", false),
            ("root", false),
        ] {
            assert_eq!(own.is_sender(sender), is_own, "{sender}");
        }
        for (transport, is_carom) in
            [("carom", true), ("Carom-bounce", true), ("a-sink", true), ("smtp", false), ("acarom", false)]
        {
            assert_eq!(own.is_into_carom(transport), is_carom, "{transport}");
        }
    }
}
