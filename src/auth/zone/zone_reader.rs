//! Reads a zone file into records.
//!
//! Not here: lines, quotes and escapes (`zone_entry`). Invariant: a line that cannot be parsed is
//! an error with file, line and remedy, never a record left out in silence.

use super::zone_data::Zone;
use super::zone_entry::{ZoneEntry, ZoneFault, ZoneLexer, ZoneResult, fault, parsed, show};
use crate::auth::name;
use crate::error::{Context, Error, Result};
use crate::files::command::shell_word;
use crate::files::{probe, regular};
use std::borrow::Cow;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Record types that a zone file may have and that carom never asks for.
const SKIPPED: [&str; 14] = [
    "SOA", "NS", "SRV", "CAA", "SPF", "HINFO", "NAPTR", "TLSA", "SSHFP", "DS", "DNSKEY", "RRSIG", "NSEC",
    "NSEC3",
];

/// A longer zone file is a mistake.
const LONGEST: u64 = 64 << 20;

impl Zone {
    pub(crate) fn load(path: &Path) -> Result<Zone> {
        // Without any DNS.
        if path == Path::new("/dev/null") {
            return Ok(Zone::default());
        }
        let read = regular::read_text(path, LONGEST);
        let is_closed = read.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
        let text =
            read.context(path.display()).map_err(|error| match (is_closed, probe::barred_by(path)) {
                (true, Some(bar)) => {
                    error.remedy(format_args!("let carom's user reach it: chmod a+x {}", shell_word(bar)))
                }
                (true, None) => {
                    error.remedy(format_args!("let carom's user read it: chmod 644 {}", shell_word(path)))
                }
                _ => error.remedy("name a readable zone file in [dns] zone, or remove the key"),
            })?;
        Zone::parse(&text).map_err(|(line, fault)| {
            let at = Error::new(format_args!("{}, line {line}: {}", path.display(), fault.what));
            at.remedy(fault.remedy)
        })
    }

    /// Error: what is wrong, and its line, from 1.
    fn parse(text: &str) -> Result<Zone, (usize, ZoneFault)> {
        let mut reader = ZoneReader { zone: Zone::default(), origin: ".".into(), owner: None };
        let mut lexer = ZoneLexer::new(text);
        loop {
            match lexer.entry() {
                Ok(Some(entry)) => reader.take(&entry).map_err(|fault| (entry.line, fault))?,
                Ok(None) => return Ok(reader.zone),
                Err(fault) => return Err((lexer.line, fault)),
            }
        }
    }
}

struct ZoneReader {
    zone: Zone,
    origin: Box<str>,
    /// The name of the last record.
    owner: Option<Box<str>>,
}

impl ZoneReader {
    fn take(&mut self, entry: &ZoneEntry<'_>) -> ZoneResult {
        let mut fields = entry.fields.iter().map(|field| &**field);
        if !entry.indented {
            match fields.next().unwrap_or_default() {
                b"$ORIGIN" => {
                    self.origin = target(fields.next(), &self.origin)?;
                    return at_end(fields.next());
                }
                b"$TTL" => return Ok(()),
                control if control.starts_with(b"$") => {
                    let what = format_args!("unknown control entry {}", show(control));
                    return fault(what, "use $ORIGIN and $TTL only");
                }
                name => self.owner = Some(full_name(name, &self.origin)?),
            }
        }
        let Some(owner) = self.owner.clone() else {
            return fault("a record without a name", "start the line with the name, in the first column");
        };
        let is_type = |field: &&[u8]| !matches!(*field, b"IN" | b"in") && !starts_with_digit(field);
        let kind = fields.find(is_type).unwrap_or_default();
        let kind = String::from_utf8_lossy(kind).to_ascii_uppercase();
        if SKIPPED.contains(&kind.as_str()) {
            return Ok(());
        }
        self.record(owner, &kind, fields)
    }

    fn record<'f>(
        &mut self,
        owner: Box<str>,
        kind: &str,
        mut fields: impl Iterator<Item = &'f [u8]>,
    ) -> ZoneResult {
        let origin = &self.origin;
        let node = self.zone.names.entry(owner.clone()).or_default();
        match kind {
            "A" => node.v4.push(parsed(fields.next(), "an IPv4 address")?),
            "AAAA" => node.v6.push(parsed(fields.next(), "an IPv6 address")?),
            "MX" => node.mx.push((parsed(fields.next(), "a preference")?, target(fields.next(), origin)?)),
            "CNAME" => node.alias = Some(target(fields.next(), origin)?),
            "TXT" => node.txt.push(fields.by_ref().collect::<Vec<&[u8]>>().concat().into()),
            "PTR" => {
                let Some(address) = pointed_address(&owner) else {
                    return fault("PTR of no address", "put it below in-addr.arpa. or ip6.arpa.");
                };
                self.zone.pointers.entry(address).or_default().push(target(fields.next(), origin)?);
            }
            "" => {
                let remedy = "add type and value, as in `example.com. A 192.0.2.1`";
                return fault("a name without a record", remedy);
            }
            other => {
                let what = format_args!("unknown record type {}", show(other.as_bytes()));
                return fault(
                    what,
                    "use A, AAAA, MX, TXT, CNAME or PTR; or quote a value with a space or semicolon",
                );
            }
        }
        at_end(fields.next())
    }
}

/// A TTL.
fn starts_with_digit(field: &[u8]) -> bool {
    field.first().is_some_and(u8::is_ascii_digit)
}

fn at_end(field: Option<&[u8]>) -> ZoneResult {
    match field {
        Some(field) => {
            fault(format_args!("unexpected {}", show(field)), "remove it, or put a `;` before a comment")
        }
        None => Ok(()),
    }
}

/// A name in the data of a record; may be the root.
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

/// The address that a name in `in-addr.arpa.` (RFC 1035 section 3.5) or `ip6.arpa.` (RFC 3596
/// section 2.5) means.
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
    use super::super::zone_data::Node;
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
        assert_eq!(at("a AAA ::1\n").1, "unknown record type `AAA`");
        assert_eq!(at(" A 192.0.2.1\n").1, "a record without a name");
        assert_eq!(at("$INCLUDE x\n").1, "unknown control entry `$INCLUDE`");
        assert_eq!(at("a TXT \\").1, "`\\` at the end of a line");
    }

    #[test]
    fn aliases_that_go_in_circles_end() {
        assert!(Zone::parse("a CNAME b\nb CNAME a\n").unwrap().find("a.").is_none());
    }
}
