//! The records of a static zone, by name and by address.
//!
//! Not here: reading them from a file (`zone_reader`). Invariant: names are absolute and lower
//! case; a chain of aliases ends.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// CNAME records to follow from one name.
const MAX_ALIASES: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Zone {
    /// By `example.com.`.
    pub(crate) names: HashMap<Box<str>, Node>,
    /// PTR records, by the address that their name in `in-addr.arpa` or `ip6.arpa` means.
    pub(crate) pointers: HashMap<IpAddr, Vec<Box<str>>>,
}

/// The records of one name.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) v4: Vec<Ipv4Addr>,
    pub(crate) v6: Vec<Ipv6Addr>,
    /// Preference and absolute name; the null MX (RFC 7505) is `.`.
    pub(crate) mx: Vec<(u16, Box<str>)>,
    /// The strings of each TXT record, joined.
    pub(crate) txt: Vec<Box<[u8]>>,
    pub(crate) alias: Option<Box<str>>,
}

impl Zone {
    /// The name as the zone writes it and its records, CNAMEs followed; `None` when the zone does
    /// not have it.
    pub(crate) fn find<Q>(&self, name: &Q) -> Option<(&str, &Node)>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (owner, node) = self.names.get_key_value(name)?;
        self.after_aliases(node).map(|node| (&**owner, node))
    }

    fn after_aliases<'a>(&'a self, mut node: &'a Node) -> Option<&'a Node> {
        for _ in 0..MAX_ALIASES {
            match &node.alias {
                Some(alias) => node = self.names.get(alias)?,
                None => return Some(node),
            }
        }
        None
    }

    /// The names that an address points to.
    pub(crate) fn pointers<Q>(&self, address: &Q) -> &[Box<str>]
    where
        IpAddr: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.pointers.get(address).map_or(&[], Vec::as_slice)
    }
}
