//! A static zone file (RFC 1035 section 5) that answers every question: for tests, trials and closed networks.
//!
//! Not a name server: no wildcards, no `$INCLUDE`, no transfer; an SOA is not needed, TTLs are read and ignored, and
//! one file may hold any number of domains. Invariant: what the file does not name does not exist, and a line that is
//! not understood is an error with file, line and remedy, never a record left out in silence.

/// Text to entries.
mod zone_entry;

use self::zone_entry::{ZoneEntry, ZoneFault, ZoneLexer, ZoneResult, fault, parsed, show};
use super::name;
use crate::error::{Context, Error, Result};
use std::borrow::{Borrow, Cow};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// How many CNAME records are followed from one name.
const MAX_ALIASES: usize = 8;

/// Record types that may stand in a zone file and that nobody here asks for.
const SKIPPED: [&str; 14] = [
    "SOA", "NS", "SRV", "CAA", "SPF", "HINFO", "NAPTR", "TLSA", "SSHFP", "DS", "DNSKEY", "RRSIG", "NSEC",
    "NSEC3",
];

/// Every record of a zone file, by name.
#[derive(Debug, Default)]
pub(crate) struct Zone {
    /// Keys are absolute and lower case, `example.com.`.
    names: HashMap<Box<str>, Node>,
    /// PTR records by the address that their owner in `in-addr.arpa` or `ip6.arpa` stands for.
    pointers: HashMap<IpAddr, Vec<Box<str>>>,
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
    alias: Option<Box<str>>,
}

impl Zone {
    /// Reads a zone file.
    pub(crate) fn load(path: &Path) -> Result<Zone> {
        let text = std::fs::read_to_string(path)
            .context(path.display())
            .map_err(|error| error.remedy("name a readable zone file in [dns] zone, or remove the key"))?;
        Zone::parse(&text).map_err(|(line, error)| {
            let at = Error::new(format_args!("{}, line {line}: {}", path.display(), error.what));
            at.remedy(error.remedy)
        })
    }

    /// Parses the text of a zone file; an error comes with its line, from 1.
    fn parse(text: &str) -> Result<Zone, (usize, ZoneFault)> {
        let mut zone = Zone::default();
        let mut origin: Box<str> = ".".into();
        let mut owner: Option<Box<str>> = None;
        let mut lexer = ZoneLexer::new(text);
        loop {
            match lexer.entry() {
                Ok(Some(entry)) => {
                    zone.take(&entry, &mut origin, &mut owner).map_err(|fault| (entry.line, fault))?;
                }
                Ok(None) => return Ok(zone),
                Err(fault) => return Err((lexer.line, fault)),
            }
        }
    }

    /// The name as the zone writes it and its records, CNAMEs followed; `None` when the zone does not have it.
    pub(crate) fn find<Q>(&self, name: &Q) -> Option<(&str, &Node)>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (owner, node) = self.names.get_key_value(name)?;
        self.behind_aliases(node).map(|node| (&**owner, node))
    }

    fn behind_aliases<'a>(&'a self, mut node: &'a Node) -> Option<&'a Node> {
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

    /// Takes one entry into the zone.
    fn take(
        &mut self,
        entry: &ZoneEntry<'_>,
        origin: &mut Box<str>,
        owner: &mut Option<Box<str>>,
    ) -> ZoneResult {
        let mut fields = entry.fields.iter().map(|field| &**field);
        if !entry.indented {
            match fields.next().unwrap_or_default() {
                b"$ORIGIN" => {
                    *origin = target(fields.next(), origin)?;
                    return at_end(fields.next());
                }
                b"$TTL" => return Ok(()),
                control if control.starts_with(b"$") => {
                    return fault(
                        format_args!("{} is not known here", show(control)),
                        "use $ORIGIN and $TTL only",
                    );
                }
                name => *owner = Some(full_name(name, origin)?),
            }
        }
        let Some(owner) = owner.clone() else {
            return fault("a record without a name", "start the line with the name, in the first column");
        };
        let mut kind = fields.next();
        while let Some(field) = kind {
            match field {
                b"IN" | b"in" => {}
                _ if field.first().is_some_and(u8::is_ascii_digit) => {}
                _ => break,
            }
            kind = fields.next();
        }
        let kind = String::from_utf8_lossy(kind.unwrap_or_default()).to_ascii_uppercase();
        if SKIPPED.contains(&kind.as_str()) {
            return Ok(());
        }
        let node = self.names.entry(owner.clone()).or_default();
        match kind.as_str() {
            "A" => node.v4.push(parsed(fields.next(), "an IPv4 address")?),
            "AAAA" => node.v6.push(parsed(fields.next(), "an IPv6 address")?),
            "MX" => node.mx.push((parsed(fields.next(), "a preference")?, target(fields.next(), origin)?)),
            "CNAME" => node.alias = Some(target(fields.next(), origin)?),
            "TXT" => {
                let strings: Vec<&[u8]> = fields.by_ref().collect();
                node.txt.push(strings.concat().into());
            }
            "PTR" => {
                let Some(address) = pointed_address(&owner) else {
                    return fault("PTR of no address", "put it below in-addr.arpa. or ip6.arpa.");
                };
                self.pointers.entry(address).or_default().push(target(fields.next(), origin)?);
            }
            "" => {
                return fault(
                    "a name without a record",
                    "add type and value, as in `example.com. A 192.0.2.1`",
                );
            }
            other => {
                let what = format_args!("{} is not a record type known here", show(other.as_bytes()));
                return fault(
                    what,
                    "use A, AAAA, MX, TXT, CNAME or PTR; or quote a value with a space or semicolon",
                );
            }
        }
        at_end(fields.next())
    }
}

fn at_end(field: Option<&[u8]>) -> ZoneResult {
    match field {
        Some(field) => {
            fault(format_args!("{} is too much", show(field)), "remove it, or put a `;` before a comment")
        }
        None => Ok(()),
    }
}

/// A name in the data of a record, where the root is allowed.
fn target(field: Option<&[u8]>, origin: &str) -> ZoneResult<Box<str>> {
    match field {
        Some(b".") => Ok(".".into()),
        field => full_name(field.unwrap_or_default(), origin),
    }
}

/// A name made absolute by the origin.
fn full_name(field: &[u8], origin: &str) -> ZoneResult<Box<str>> {
    let text = std::str::from_utf8(field).unwrap_or_default();
    let full = match text {
        "@" => Cow::Borrowed(origin),
        _ if text.ends_with('.') || origin == "." => Cow::Borrowed(text),
        _ => Cow::Owned(format!("{text}.{origin}")),
    };
    match name::absolute(&full) {
        Some(name) => Ok(name.into()),
        None => fault(
            format_args!("{} is not a domain name", show(field)),
            "write names with letters, digits, `-` and `_`, wildcards are not supported",
        ),
    }
}

/// The address that a name in `in-addr.arpa.` (RFC 1035 section 3.5) or `ip6.arpa.` (RFC 3596 section 2.5) stands for.
fn pointed_address(name: &str) -> Option<IpAddr> {
    if let Some(reversed) = name.strip_suffix(".in-addr.arpa.") {
        let octets: Vec<&str> = reversed.rsplit('.').collect();
        return octets.join(".").parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    }
    let nibbles: Vec<&str> = name.strip_suffix(".ip6.arpa.")?.rsplit('.').collect();
    if nibbles.len() != 32 || nibbles.iter().any(|nibble| nibble.len() != 1) {
        return None;
    }
    let bits = u128::from_str_radix(&nibbles.concat(), 16).ok()?;
    Some(IpAddr::V6(Ipv6Addr::from(bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = r#"
$TTL 1h30m
; two domains in one file, no SOA
$ORIGIN example.com.
@           IN SOA ns.example.com. root ( 1 2 3
                4 5 ) ; five numbers
            3600 IN MX 10 mail
            MX 5 Backup.Example.NET.
mail        A 192.0.2.1
            IN 60 AAAA 2001:db8::1
s1._domainkey TXT ( "v=DKIM1; k=rsa; "
                  "p=abc\"\059" )
www         CNAME mail
$ORIGIN net.
example     mx 0 .
1.2.0.192.in-addr.arpa. PTR mail.example.com.
"#;

    fn node<'a>(zone: &'a Zone, name: &str) -> &'a Node {
        zone.find(name).unwrap().1
    }

    #[test]
    fn a_zone_of_several_origins_is_read() {
        let zone = Zone::parse(ZONE).unwrap();
        let mx = vec![(10, "mail.example.com.".into()), (5, "backup.example.net.".into())];
        assert_eq!(node(&zone, "example.com.").mx, mx);
        assert_eq!(node(&zone, "www.example.com.").v4, ["192.0.2.1".parse::<Ipv4Addr>().unwrap()]);
        assert_eq!(node(&zone, "mail.example.com.").v6.len(), 1);
        assert_eq!(&*node(&zone, "s1._domainkey.example.com.").txt[0], b"v=DKIM1; k=rsa; p=abc\";");
        assert_eq!(node(&zone, "example.net.").mx, [(0, ".".into())]);
        assert_eq!(&*zone.pointers(&"192.0.2.1".parse::<IpAddr>().unwrap())[0], "mail.example.com.");
        assert!(zone.find("nobody.example.com.").is_none());
    }

    #[test]
    fn errors_name_the_line() {
        let at = |text: &str| {
            Zone::parse(text).map(|_| ()).map_err(|(line, fault)| (line, fault.what)).unwrap_err()
        };
        assert_eq!(at("a A 192.0.2.1\nb A 300.0.2.1\n"), (2, "`300.0.2.1` is not an IPv4 address".into()));
        assert_eq!(at("\n\na TXT \"open\n"), (3, "a quoted string is not closed".into()));
        assert_eq!(at("a MX 10 b c\n").0, 1);
        assert_eq!(at("\n*.a A 192.0.2.1\n").0, 2);
        assert_eq!(at("a TXT ( x\n\n").0, 1);
        assert_eq!(at("a AAA ::1\n").1, "`AAA` is not a record type known here");
        assert_eq!(at(" A 192.0.2.1\n").1, "a record without a name");
        assert_eq!(at("$INCLUDE x\n").1, "`$INCLUDE` is not known here");
        assert_eq!(at("a TXT \\").1, "`\\` at the end of a line");
    }

    #[test]
    fn aliases_that_go_in_circles_end() {
        assert!(Zone::parse("a CNAME b\nb CNAME a\n").unwrap().find("a.").is_none());
    }
}
