//! Where carom may connect to. Anyone can put a link into a message or a host into an MX record,
//! but nobody can make carom talk to this machine or its neighbors that way.
//!
//! Not here: connecting (`smtp`, `http`). Invariant: the address that was judged is the address
//! that is connected to.

use crate::auth::{Dns, DnsFailure};
use crate::config::NetworkTable;
use crate::deadline::Deadline;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Addresses of a host at most.
const MAX_ADDRESSES: usize = 8;

/// A host to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetHost {
    pub(crate) name: String,
    pub(crate) port: u16,
    /// The operator has named it: its address may be private.
    pub(crate) may_be_private: bool,
}

/// Why a host cannot be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreachable {
    NoAddress,
    /// It has none that may be connected to; this is the first.
    Private(IpAddr),
    /// Its address is not known now.
    Temporary(String),
}

impl Unreachable {
    /// Why, about the host of this name.
    pub(crate) fn text(&self, host: &str) -> String {
        match self {
            Unreachable::NoAddress => format!("{host} has no address"),
            Unreachable::Private(address) => format!(
                "{host} has the private address {address}; list it in [network] allow_private to allow it"
            ),
            Unreachable::Temporary(text) => text.clone(),
        }
    }
}

/// The addresses of `host` that may be connected to.
pub(crate) fn resolve(
    dns: &Dns,
    host: &TargetHost,
    network: &NetworkTable,
    deadline: Deadline,
) -> Result<Vec<SocketAddr>, Unreachable> {
    let TargetHost { name, port, may_be_private } = host;
    let found = dns.addresses(name, deadline).map_err(|failure| match failure {
        DnsFailure::Temporary(text) => Unreachable::Temporary(text),
        DnsFailure::NotFound | DnsFailure::NoMail => Unreachable::NoAddress,
    })?;
    let allowed = found.iter().filter(|address| *may_be_private || is_allowed(**address, network));
    let addresses: Vec<SocketAddr> =
        allowed.take(MAX_ADDRESSES).map(|address| SocketAddr::new(*address, *port)).collect();
    match (addresses.is_empty(), found.first()) {
        (false, _) => Ok(addresses),
        (true, Some(address)) => Err(Unreachable::Private(*address)),
        (true, None) => Err(Unreachable::NoAddress),
    }
}

/// Whether an address may be connected to: it is globally reachable (RFC 6890 and its registries),
/// or in `allow_private`.
pub(crate) fn is_allowed(address: IpAddr, network: &NetworkTable) -> bool {
    let bare = match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    is_global(bare) || network.allow_private.iter().any(|net| net.contains(&bare) || net.contains(&address))
}

fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_global_v4(v4),
        IpAddr::V6(v6) => is_global_v6(v6),
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, ..] = address.segments();
    // Only 2000::/3 is assigned, except Teredo, documentation, benchmarking and ORCHID. 6to4 hides
    // a v4 address.
    let given_out = a & 0xe000 == 0x2000;
    let special = (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || a == 0x3fff;
    let six_to_four = a == 0x2002 && !is_global_v4(Ipv4Addr::from((u32::from(b) << 16) | u32::from(c)));
    given_out && !special && !six_to_four
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b28_private_addresses_are_refused_in_every_form() {
        let none = NetworkTable::default();
        for refused in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            let address = refused.parse().unwrap();
            assert!(!is_allowed(address, &none), "{refused}");
        }
        for allowed in ["8.8.8.8", "193.0.0.1", "2a00:1450::1", "2606:4700::1111"] {
            assert!(is_allowed(allowed.parse().unwrap(), &none), "{allowed}");
        }
        let test = NetworkTable { allow_private: vec!["127.0.0.0/8".parse().unwrap()], ..none };
        assert!(is_allowed("127.0.0.2".parse().unwrap(), &test));
        assert!(is_allowed("::ffff:127.0.0.2".parse().unwrap(), &test));
        assert!(!is_allowed("10.0.0.1".parse().unwrap(), &test));
    }
}
