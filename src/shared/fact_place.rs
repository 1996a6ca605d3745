//! Where a fact is in the shared store, and its octets there.
//!
//! A digest of its name says the group, the bucket and the field. Octets: rank, host, how many
//! chunks there are, the name and, unless it was removed, a separator and the content. Redis packs
//! a hash as long as its values have 64 octets, so longer ones are cut into chunks. Not here: the
//! keys (`server_keys`). Invariant: what was packed is unpacked as it was.

use crate::digest;
use crate::store::{FactVersion, SharedFact};

/// Groups of facts: each has a hash slot and a change log.
pub(super) const GROUPS: u32 = 64;
/// Buckets of a group: with ten million facts, each has about forty.
pub(super) const BUCKETS: u32 = 4096;
/// Octets of a value that Redis packs (`hash-max-listpack-value`).
const CHUNK: usize = 64;
/// Octets of a field.
const FIELD: usize = 10;
/// Octets before the name.
const HEADER: usize = 13;
/// Between name and content.
const SEPARATOR: u8 = 0x1f;
/// Octets of a fact, so that a byte counts its chunks.
const LONGEST: usize = CHUNK * 255;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FactPlace {
    pub(super) group: u32,
    pub(super) bucket: u32,
    pub(super) field: [u8; FIELD],
}

pub(super) fn place_of(name: &str) -> FactPlace {
    let digest = digest::sha256(&[name.as_bytes()]);
    let mut field = [0; FIELD];
    field.copy_from_slice(&digest[4..4 + FIELD]);
    let bucket = u32::from(digest[1]) << 8 | u32::from(digest[2]);
    FactPlace { group: u32::from(digest[0]) % GROUPS, bucket: bucket % BUCKETS, field }
}

/// How many octets a fact has; `None`: it is too long to be shared.
pub(super) fn length(fact: &SharedFact) -> Option<usize> {
    let content = fact.content.as_ref().map_or(0, |content| 1 + content.len());
    Some(HEADER + fact.name.len() + content).filter(|length| *length <= LONGEST)
}

/// The octets of a fact; `None`: it is too long to be shared.
pub(super) fn pack(fact: &SharedFact) -> Option<Vec<u8>> {
    let (length, content) = (length(fact)?, fact.content.as_deref());
    let mut octets = Vec::with_capacity(length);
    octets.extend(fact.version.rank.to_be_bytes());
    octets.extend(fact.version.host.to_be_bytes());
    octets.push(u8::try_from(length.div_ceil(CHUNK)).ok()?);
    octets.extend(fact.name.as_bytes());
    if let Some(content) = content {
        octets.push(SEPARATOR);
        octets.extend(content.as_bytes());
    }
    Some(octets)
}

/// The fact of these octets; `None`: they are none.
pub(super) fn unpack(octets: &[u8]) -> Option<SharedFact> {
    let (header, rest) = octets.split_at_checked(HEADER)?;
    let rank = i64::from_be_bytes(*header.first_chunk()?);
    let host = u32::from_be_bytes(*header[8..].first_chunk()?);
    let text = std::str::from_utf8(rest).ok()?;
    let (name, content) = match text.split_once(SEPARATOR as char) {
        Some((name, content)) => (name, Some(content.to_owned())),
        None => (text, None),
    };
    let is_known = rank >= 0 && !name.is_empty();
    is_known.then(|| SharedFact { name: name.to_owned(), version: FactVersion { rank, host }, content })
}

/// The values of the fields of a fact, in order.
pub(super) fn chunks(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    octets.chunks(CHUNK)
}

/// The facts of the fields and values of a bucket. What is not whole is left out.
pub(super) fn facts_of(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<([u8; FIELD], SharedFact)> {
    let whole = fields.iter().enumerate().filter_map(|(at, (name, value))| {
        let field = <[u8; FIELD]>::try_from(name.as_slice()).ok()?;
        let chunks = *value.get(HEADER - 1)?;
        if chunks <= 1 {
            return Some((field, unpack(value)?));
        }
        // Mostly they come one after the other.
        let mut others = fields.iter().cycle().skip(at + 1);
        let mut octets = value.clone();
        for number in 2..=chunks {
            let is_next =
                |(name, _): &&(Vec<u8>, Vec<u8>)| name.strip_prefix(&field[..]) == Some(&[number][..]);
            octets.extend(&others.by_ref().take(fields.len()).find(is_next)?.1);
        }
        Some((field, unpack(&octets)?))
    });
    whole.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_comes_back_from_its_chunks_as_it_was() {
        for (length, content) in [(0, None), (0, Some("")), (30, Some("x")), (900, Some("reason\nmore"))] {
            let name = format!("s{}@example.com\n\nreport\nkey", "a".repeat(length));
            let version = FactVersion { rank: i64::MAX - 5, host: u32::MAX };
            let fact = SharedFact { name, version, content: content.map(str::to_owned) };
            let (octets, place) = (pack(&fact).unwrap(), place_of(&fact.name));
            let mut fields = Vec::new();
            for (number, chunk) in chunks(&octets).enumerate() {
                let mut field = place.field.to_vec();
                field.extend((number > 0).then_some(number as u8 + 1));
                fields.push((field, chunk.to_vec()));
                assert!(chunk.len() <= CHUNK);
            }
            fields.reverse();
            assert_eq!(facts_of(&fields), [(place.field, fact)]);
            fields.pop();
            assert!(facts_of(&fields).is_empty());
        }
    }

    #[test]
    fn what_is_too_long_is_not_packed() {
        let version = FactVersion { rank: 1, host: 1 };
        let fact = SharedFact { name: "s".repeat(20_000), version, content: None };
        assert!(pack(&fact).is_none() && unpack(b"short").is_none());
    }
}
