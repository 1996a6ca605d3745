//! A FACT that hosts share, and which of two versions of it is kept. Pure: no clock, no database,
//! so that `tests/model` drives these very functions through all interleavings.
//!
//! A fact has a name and either a content or, once removed, none. The version with the greater rank
//! is kept, then the one of the greater host: a total order, so merging is associative, commutative
//! and idempotent, and replays change nothing. Ranks of entries are hybrid logical times: later
//! than all that the host had seen, so that a release is not lost to a clock that runs ahead. Ranks
//! of claims fall with time: the first claim of a report is kept until it is removed. The triggers
//! of the store (`sqlite/shared_changes.sql`) give ranks to changes. Not here: what facts mean
//! (`sqlite/shared_facts`). Invariant: two versions with the same rank and host are the same.

/// Bits of a rank below the milliseconds of a hybrid logical time.
const COUNTER_BITS: u32 = 20;
/// Bits of a rank below the generation of a claim.
const CLAIM_BITS: u32 = 54;
/// Bits of a claim's rank below its milliseconds.
const CLAIM_COUNTER_BITS: u32 = 12;

/// One version of a fact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SharedFact {
    /// Its kind (one letter) and what it is about, separated by line feeds.
    pub(crate) name: String,
    pub(crate) version: FactVersion,
    /// `None`: it was removed.
    pub(crate) content: Option<String>,
}

/// How versions of a fact are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FactVersion {
    pub(crate) rank: i64,
    /// The number of the host that made it; 0: it is older than sharing.
    pub(crate) host: u32,
}

impl SharedFact {
    /// Whether it is kept, where the other version is known; `None`: no version is.
    pub(crate) fn beats(&self, known: Option<FactVersion>) -> bool {
        known.is_none_or(|known| self.version > known)
    }
}

/// Facts about time.
impl SharedFact {
    /// When its content has no meaning any more, if it says so.
    pub(crate) fn ends_ms(&self) -> Option<i64> {
        let field = match self.name.as_bytes().first()? {
            b's' => 2,
            b'r' | b't' => 0,
            _ => return None,
        };
        let text = self.content.as_deref()?.split('\n').nth(field)?;
        i64::from_str_radix(text, 16).ok()
    }

    /// When this version was made, if it says so: a claim that was removed does not.
    pub(crate) fn made_ms(&self) -> Option<i64> {
        let rank = self.version.rank;
        let made_ms = match self.name.as_bytes().first()? {
            b'r' => ((1 << CLAIM_BITS) - 2 - (rank & ((1 << CLAIM_BITS) - 1))) >> CLAIM_COUNTER_BITS,
            _ => rank >> COUNTER_BITS,
        };
        Some(made_ms).filter(|made_ms| *made_ms > 0)
    }

    /// When it was removed. Of reports that is not known.
    pub(crate) fn removed_ms(&self) -> Option<i64> {
        let is_removed = self.content.is_none() && !self.name.starts_with('r');
        is_removed.then_some(self.version.rank >> COUNTER_BITS)
    }
}

/// The rank of an entry that is older than sharing.
pub(crate) fn rank_of_time(at_ms: i64) -> i64 {
    at_ms.clamp(0, (1 << 42) - 1) << COUNTER_BITS
}

/// The rank of the first claim of a report: the earlier, the greater.
pub(crate) fn rank_of_claim(at_ms: i64) -> i64 {
    let time = at_ms.clamp(0, (1 << 42) - 1) << CLAIM_COUNTER_BITS;
    (1 << CLAIM_BITS) - 2 - time
}
