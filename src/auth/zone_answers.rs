//! The static zone as `mail_auth` asks for it: a cache that already has every answer.
//!
//! Not here: a real cache; the resolver has one. Invariant: with a zone every question is answered
//! here, also with "no such record", so that no question leaves the process; without a zone nothing
//! is.

use super::asked_names::{AskedKind, AskedNames};
use super::zone::Zone;
use hickory_resolver::proto::op::ResponseCode;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::dkim::{Atps, DomainKeyReport};
use mail_auth::dmarc::Dmarc;
use mail_auth::spf::{Mechanism, Spf};
use mail_auth::{DnsError, DnssecStatus, Error, MX, Parameters, RecordSet, ResolverCache, Txt};
use std::borrow::Borrow;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

/// The answers of a zone, and what was asked for.
#[derive(Default)]
pub(crate) struct ZoneAnswers<'a> {
    /// `None`: questions go to servers.
    pub(crate) zone: Option<&'a Zone>,
    pub(super) asked: AskedNames,
}

/// `mail_auth`'s parameters with these answers in place of all its caches.
pub(crate) type Asking<'x, P> =
    Parameters<'x, P, ZoneAnswers<'x>, ZoneAnswers<'x>, ZoneAnswers<'x>, ZoneAnswers<'x>, ZoneAnswers<'x>>;

impl<'a> ZoneAnswers<'a> {
    /// The parameters of a verification that asks here first.
    pub(crate) fn ask<P>(&'a self, params: P) -> Asking<'a, P> {
        Parameters {
            params,
            cache_txt: Some(self),
            cache_mx: Some(self),
            cache_ptr: Some(self),
            cache_ipv4: Some(self),
            cache_ipv6: Some(self),
        }
    }
}

fn not_found() -> Txt {
    Txt::Error(Error::Dns(DnsError::RecordNotFound(ResponseCode::NXDomain)))
}

fn record_set<T>(records: impl IntoIterator<Item = T>) -> RecordSet<T> {
    RecordSet { rrset: records.into_iter().collect(), dnssec_status: DnssecStatus::Indeterminate }
}

/// The first text that can be parsed, or what is wrong with the last.
fn read<T: TxtRecordParser>(texts: &[Box<[u8]>]) -> mail_auth::Result<T> {
    let mut result = Err(Error::Dns(DnsError::InvalidRecordType));
    for text in texts {
        result = T::parse(text);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// The name of a TXT record says what it is for.
fn read_as_named(name: &str, texts: &[Box<[u8]>]) -> Txt {
    if name.starts_with("_report._domainkey.") {
        read::<DomainKeyReport>(texts).into()
    } else if name.contains("._domainkey.") {
        read::<DomainKey>(texts).into()
    } else if name.starts_with("_dmarc.") || name.contains("._report._dmarc.") {
        read::<Dmarc>(texts).into()
    } else if name.contains("._atps.") {
        read::<Atps>(texts).into()
    } else {
        read::<Spf>(texts).map(exists_as_address).into()
    }
}

/// `exists:NAME` means "NAME has any address", and so does `a:NAME/0//0`. Only the second can be
/// answered from a record set, because a name without a record looks like one with an empty set.
fn exists_as_address(mut spf: Spf) -> Spf {
    for directive in &mut spf.directives {
        if let Mechanism::Exists { macro_string } = &directive.mechanism {
            let macro_string = macro_string.clone();
            directive.mechanism = Mechanism::A { macro_string, ip4_mask: 0, ip6_mask: 0 };
        }
    }
    spf
}

impl ResolverCache<Box<str>, Txt> for ZoneAnswers<'_> {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let found = self.zone?.find(name);
        Some(match found {
            Some((name, node)) if !node.txt.is_empty() => {
                self.asked.note_text(name);
                read_as_named(name, &node.txt)
            }
            _ => not_found(),
        })
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, name: Box<str>, _: Txt, _: Instant) {
        self.asked.note_text(&name);
    }
}

/// The record sets of a name differ only in the part of the node that they come from, and in the
/// host that a record names.
macro_rules! record_sets {
    ($kind:ident, $key:ty, $record:ty, |$zone:ident, $name:ident| $records:expr, $hosts:expr) => {
        impl ResolverCache<$key, RecordSet<$record>> for ZoneAnswers<'_> {
            fn get<Q>(&self, $name: &Q) -> Option<RecordSet<$record>>
            where
                $key: Borrow<Q>,
                Q: Hash + Eq + ?Sized,
            {
                let found = self.zone.map(|$zone| record_set($records));
                let has_none = found.as_ref().is_none_or(|set| set.rrset.is_empty());
                self.asked.note(AskedKind::$kind, $name, has_none);
                found.iter().flat_map(|set| set.rrset.iter()).for_each(|one| $hosts(&self.asked, one));
                found
            }

            fn remove<Q>(&self, _: &Q) -> Option<RecordSet<$record>>
            where
                $key: Borrow<Q>,
                Q: Hash + Eq + ?Sized,
            {
                None
            }

            fn insert(&self, name: $key, set: RecordSet<$record>, _: Instant) {
                if !set.rrset.is_empty() {
                    self.asked.note_answer(AskedKind::$kind, &name);
                }
                set.rrset.iter().for_each(|one| $hosts(&self.asked, one));
            }
        }
    };
}

fn no_hosts<T>(_: &AskedNames, _: &T) {}

fn exchangers(asked: &AskedNames, record: &MX) {
    record.exchanges.iter().for_each(|host| asked.note_host(host));
}

record_sets!(
    V4,
    Box<str>,
    Ipv4Addr,
    |zone, name| zone.find(name).into_iter().flat_map(|(_, node)| node.v4.clone()),
    no_hosts
);
record_sets!(
    V6,
    Box<str>,
    Ipv6Addr,
    |zone, name| zone.find(name).into_iter().flat_map(|(_, node)| node.v6.clone()),
    no_hosts
);
record_sets!(
    Exchanger,
    Box<str>,
    MX,
    |zone, name| {
        let records = zone.find(name).into_iter().flat_map(|(_, node)| node.mx.clone());
        records.map(|(preference, host)| MX { preference, exchanges: [host].into() })
    },
    exchangers
);
record_sets!(
    Pointer,
    IpAddr,
    Box<str>,
    |zone, address| zone.pointers(address).iter().cloned(),
    AskedNames::note_host
);
