//! The verdicts of the latest records of this process, until the store has them.
//!
//! A client that did not hear its answer hands in the message again, often within the second, and
//! the store takes records from the log only each minute. Not here: what the store has on record.
//! Invariant: the memory is bounded; a deferral is not remembered, because it is decided again.

use crate::plan::Verdict;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// Verdicts that are remembered: 5 MB.
const MOST: usize = 1 << 16;

/// What stands for a key: two hashes, so that no two keys have the same.
type KeyDigest = [u64; 2];

#[derive(Default)]
pub(super) struct RecordedVerdicts {
    hashers: [RandomState; 2],
    /// `None` is the usual verdict: accepted.
    verdicts: HashMap<KeyDigest, Option<Box<Verdict>>>,
    /// The oldest first.
    order: VecDeque<KeyDigest>,
}

impl RecordedVerdicts {
    /// The first verdict about a message is the one that was promised.
    pub(super) fn put(&mut self, key: &str, verdict: &Verdict) {
        let refusal = match verdict {
            Verdict::Defer(_) => return,
            Verdict::Accept => None,
            Verdict::Reject(_) => Some(Box::new(verdict.clone())),
        };
        let digest = self.digest(key);
        if self.verdicts.contains_key(&digest) {
            return;
        }
        if self.order.len() == MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.verdicts.remove(&oldest);
        }
        self.verdicts.insert(digest, refusal);
        self.order.push_back(digest);
    }

    pub(super) fn get(&self, key: &str) -> Option<Verdict> {
        let refusal = self.verdicts.get(&self.digest(key))?;
        Some(refusal.as_deref().cloned().unwrap_or(Verdict::Accept))
    }

    fn digest(&self, key: &str) -> KeyDigest {
        self.hashers.each_ref().map(|hasher| hasher.hash_one(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp_reply::SmtpReply;

    #[test]
    fn the_first_verdict_stays_and_a_deferral_is_decided_again() {
        let mut recorded = RecordedVerdicts::default();
        let refused = Verdict::Reject(SmtpReply { code: 550, ..SmtpReply::try_again_later("no") });
        recorded.put("a", &Verdict::Accept);
        recorded.put("a", &refused);
        recorded.put("b", &refused);
        recorded.put("c", &Verdict::Defer(SmtpReply::try_again_later("later")));
        assert_eq!(recorded.get("a"), Some(Verdict::Accept));
        assert_eq!(recorded.get("b"), Some(refused));
        assert_eq!(recorded.get("c"), None);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut recorded = RecordedVerdicts::default();
        (0..=MOST).for_each(|number| recorded.put(&number.to_string(), &Verdict::Accept));
        assert_eq!((recorded.get("0"), recorded.get("1")), (None, Some(Verdict::Accept)));
        assert_eq!((recorded.verdicts.len(), recorded.order.len()), (MOST, MOST));
    }
}
