//! Which addresses are on the suppression list, in ten bits each, for a process that looks up very
//! much: a Bloom filter, whose bits of one address are in one line of the processor's cache.
//!
//! Not here: reading the list (`remembered_list`), and how new addresses are learned
//! (`sqlite/new_suppressions`). Invariant: an address that was added is never missed; about one in
//! fifty that are not on the list is looked up all the same.

use foldhash::fast::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Bits for each address that there is room for, and how many of them are set for it.
const BITS: usize = 9;
const SET: u32 = 5;
/// Words of a cache line.
const LINE: usize = 8;
/// What a list may grow by, besides an eighth of it, before it is read again.
const ROOM: usize = 10_000;

pub(crate) struct ListedAddresses {
    lines: Vec<[AtomicU64; LINE]>,
    /// Strangers do not know it, so that they cannot choose addresses that need a look-up.
    hasher: RandomState,
    /// How many more there is room for.
    room: AtomicI64,
    /// The number of the newest one that was added.
    newest: AtomicI64,
}

impl ListedAddresses {
    /// Room for a list of this length. Addresses up to this number come from reading the list.
    pub(crate) fn for_list(length: usize, newest: i64) -> ListedAddresses {
        let room = length + length / 8 + ROOM;
        let lines = (room * BITS).div_ceil(LINE * 64);
        ListedAddresses {
            lines: std::iter::repeat_with(Default::default).take(lines).collect(),
            hasher: RandomState::default(),
            room: AtomicI64::new(i64::try_from(room).unwrap_or(i64::MAX)),
            newest: AtomicI64::new(newest),
        }
    }

    /// An address, as it is on the list.
    pub(crate) fn add(&self, address: &str) {
        let (line, bits) = self.places(address);
        let mut is_new = false;
        for (word, bit) in bits {
            is_new |= line[word].fetch_or(bit, Ordering::Relaxed) & bit == 0;
        }
        if is_new {
            self.room.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn may_have(&self, address: &str) -> bool {
        let (line, mut bits) = self.places(address);
        bits.all(|(word, bit)| line[word].load(Ordering::Relaxed) & bit != 0)
    }

    /// The line of an address, and its bits there: the word and the bit in it.
    fn places(&self, address: &str) -> (&[AtomicU64; LINE], impl Iterator<Item = (usize, u64)> + use<>) {
        let hash = self.hasher.hash_one(address);
        // The upper half chooses the line; of what is mixed, nine bits choose a bit in it.
        let line = (((hash >> 32) * self.lines.len() as u64) >> 32) as usize;
        let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
        let bits = (0..SET).map(move |number| {
            let place = (mixed >> (9 * number)) as usize % (LINE * 64);
            (place / 64, 1 << (place % 64))
        });
        (&self.lines[line], bits)
    }

    /// Whether it has more addresses than it has room for: more and more others need a look-up.
    pub(crate) fn is_full(&self) -> bool {
        self.room.load(Ordering::Relaxed) < 0
    }

    pub(crate) fn newest(&self) -> i64 {
        self.newest.load(Ordering::Acquire)
    }

    /// All up to this number were added.
    pub(crate) fn has_all_up_to(&self, newest: i64) {
        self.newest.fetch_max(newest, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_was_told_of_is_found_and_little_else() {
        let listed = ListedAddresses::for_list(50_000, 7);
        let address = |number: usize| format!("user{number}@d{}.example", number % 70);
        (0..50_000).for_each(|number| listed.add(&address(number)));
        assert!((0..50_000).all(|number| listed.may_have(&address(number))));
        let in_vain = (50_000..150_000).filter(|number| listed.may_have(&address(*number))).count();
        assert!(in_vain < 3_000, "{in_vain}");
        assert!(!listed.is_full());
        (50_000..100_000).for_each(|number| listed.add(&address(number)));
        assert!(listed.is_full());
        listed.has_all_up_to(9);
        listed.has_all_up_to(8);
        assert_eq!(listed.newest(), 9);
    }
}
