//! The entries of a list in the order of the table that they go into: very many of them write each
//! of its pages once, and not whenever another one belongs there.
//!
//! Not here: sorting (`files::sorted_pile`). Invariant: entries of one address and sender domain
//! come in the order of the list.

use crate::error::{Error, Result};
use crate::files::sorted_pile::{Pile, PiledRecord, SortedPile};
use crate::mailbox_syntax::without_needless_quotes;
use crate::plan::Grounds;
use crate::store::{Store, Suppressed};

/// Between the address and the sender domain: less than any octet of an address.
const SEPARATOR: u8 = 0;

pub(super) struct EntryPile {
    pile: Pile,
    many: u64,
}

impl EntryPile {
    /// With files beside the store, if the list is longer than the memory for it.
    pub(super) fn new(store: &Store) -> EntryPile {
        let path = store.file_beside(&format!(".import-{}", std::process::id()));
        EntryPile { pile: Pile::new(path), many: 0 }
    }

    /// How many were added.
    pub(super) fn len(&self) -> u64 {
        self.many
    }

    pub(super) fn add(&mut self, entry: &Suppressed) -> Result<()> {
        let entry = entry.as_listed();
        let (address, value) = (without_needless_quotes(&entry.address), pack(&entry));
        let key = [address.as_bytes(), &[SEPARATOR], entry.sender_domain.as_bytes()].concat();
        self.many += 1;
        self.pile.add(&key, &[&value])
    }

    /// All of them, in the order of the table.
    pub(super) fn sorted(self) -> Result<SortedEntries> {
        self.pile.sorted().map(SortedEntries)
    }
}

/// Entries, the least address first.
pub(super) struct SortedEntries(SortedPile);

impl Iterator for SortedEntries {
    type Item = Result<Suppressed>;

    fn next(&mut self) -> Option<Result<Suppressed>> {
        let entry = |record| unpack(record).ok_or_else(|| Error::new("a file of an import is damaged"));
        Some(self.0.next()?.and_then(entry))
    }
}

/// An entry without address and sender domain: its numbers, and its texts with their lengths.
fn pack(entry: &Suppressed) -> Vec<u8> {
    let Suppressed { reason, source, added_ms, expires_ms, grounds, .. } = entry;
    let Grounds { rule, provider, status, soft_bounces, key, bounce } = grounds;
    let (has_term, ends_ms) = (i64::from(expires_ms.is_some()), expires_ms.unwrap_or(0));
    let mut octets = Vec::with_capacity(128);
    for number in [*added_ms, has_term, ends_ms, i64::from(*soft_bounces)] {
        octets.extend(number.to_le_bytes());
    }
    for text in [reason, source, rule, provider, status, key, bounce] {
        octets.extend((text.len() as u32).to_le_bytes());
        octets.extend(text.as_bytes());
    }
    octets
}

fn unpack(record: PiledRecord) -> Option<Suppressed> {
    let PiledRecord { key, value } = record;
    let whose = String::from_utf8(key).ok()?;
    let (address, sender_domain) = whose.split_once(SEPARATOR as char)?;
    let mut octets = &*value;
    let mut number = || {
        let (number, rest) = octets.split_first_chunk()?;
        octets = rest;
        Some(i64::from_le_bytes(*number))
    };
    let (added_ms, has_term, ends_ms, soft_bounces) = (number()?, number()? != 0, number()?, number()?);
    let mut text = || {
        let (length, rest) = octets.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        octets = rest;
        Some(std::str::from_utf8(text).ok()?.to_owned())
    };
    let (reason, source) = (text()?, text()?);
    let (rule, provider, status, key, bounce) = (text()?, text()?, text()?, text()?, text()?);
    let soft_bounces = u32::try_from(soft_bounces).ok()?;
    Some(Suppressed {
        address: address.to_owned(),
        sender_domain: sender_domain.to_owned(),
        reason,
        source,
        added_ms,
        expires_ms: has_term.then_some(ends_ms),
        grounds: Grounds { rule, provider, status, soft_bounces, key, bounce },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_unpacked_as_it_was() {
        let grounds = Grounds { rule: "r".into(), soft_bounces: 7, key: "\0".into(), ..Grounds::default() };
        let entry = Suppressed {
            reason: "ü, said \"no\"".into(),
            source: "import".into(),
            added_ms: -5,
            expires_ms: Some(i64::MAX),
            grounds,
            ..Suppressed::default()
        };
        for (address, sender_domain) in [("a@b.example", ""), ("\"a b\"@c.example", "shop.example")] {
            let entry =
                Suppressed { address: address.into(), sender_domain: sender_domain.into(), ..entry.clone() };
            let key = format!("{address}\0{sender_domain}").into_bytes();
            assert_eq!(unpack(PiledRecord { key, value: pack(&entry) }), Some(entry));
        }
    }
}
