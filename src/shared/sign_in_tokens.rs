//! Whether a state directory is a copy: a host signs in with another token each time, and keeps it.
//!
//! Who finds a token that it has not written is a copy, or was restored from a backup, or somebody
//! else is a copy of it. A host that was restored finds so once; of two that live on, each finds so
//! again and again, and one of them stops. Not here: the shared store (`host_registry`).
//! Invariants: a host that is alone signs in, whatever it was restored from and whatever the shared
//! store has lost; of two that live on with one number, only one signs in.

use crate::digest;
use crate::error::Result;
use crate::store::Store;
use serde::{Deserialize, Serialize};

/// The name of the mark.
const MARK: &str = "shared-sign-in";
/// Tokens that are remembered: a shared store that lost its last writes has an earlier one.
const KEPT: usize = 20;
/// Sign-ins in a row after which a restore is over.
const SETTLED: u32 = 20;
/// Ticks after which the other one has gone, if it has not signed in since.
const GONE: u32 = 5;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SignInTokens {
    /// Of this host, the newest last.
    own: Vec<String>,
    /// It has gone on from the token of another.
    has_taken_over: bool,
    /// Sign-ins since then.
    since: u32,
    /// The token of the other one, and at how many ticks it was there.
    other: Option<(String, u32)>,
}

impl SignInTokens {
    pub(super) fn read(store: &Store) -> Result<SignInTokens> {
        Ok(store.marked(MARK)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    pub(super) fn write(&self, store: &Store) -> Result<()> {
        store.mark(MARK, &serde_json::to_string(self).unwrap_or_default())
    }

    /// Whether this host may sign in where this token is.
    pub(super) fn may_sign_in(&mut self, there: Option<&str>) -> bool {
        let known = there.and_then(|there| self.own.iter().position(|own| own == there));
        // What comes after it has not arrived, or was lost.
        known.into_iter().for_each(|known| self.own.truncate(known + 1));
        let Some(there) = there.filter(|_| known.is_none()) else {
            self.since = self.since.saturating_add(1);
            self.has_taken_over &= self.since < SETTLED;
            self.other = None;
            return true;
        };
        let seen = self.other.take().filter(|(other, _)| other == there).map_or(1, |(_, seen)| seen + 1);
        if self.has_taken_over && seen < GONE {
            self.other = Some((there.to_owned(), seen));
            return false;
        }
        (self.has_taken_over, self.since) = (true, 0);
        true
    }

    /// Another token, for this sign-in.
    pub(super) fn renew(&mut self) {
        self.own.push(digest::random_token(8));
        let over = self.own.len().saturating_sub(KEPT);
        self.own.drain(..over);
    }

    pub(super) fn newest(&self) -> Option<String> {
        self.own.last().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signs in, if it may.
    fn sign_in(host: &mut SignInTokens, there: &mut Option<String>) -> bool {
        let may = host.may_sign_in(there.as_deref());
        if may {
            host.renew();
            *there = host.newest();
        }
        may
    }

    #[test]
    fn a_host_that_was_restored_signs_in_and_one_whose_writes_were_lost() {
        let (mut host, mut there) = (SignInTokens::default(), None);
        for _ in 0..5 {
            assert!(sign_in(&mut host, &mut there));
        }
        let (backup, lost) = (host.clone(), there.clone());
        for _ in 0..5 {
            assert!(sign_in(&mut host, &mut there));
        }
        there = lost;
        assert!(sign_in(&mut host, &mut there), "a fail-over lost the last sign-ins");
        assert!(!host.has_taken_over);
        host = backup;
        for _ in 0..30 {
            assert!(sign_in(&mut host, &mut there), "from a backup");
        }
        assert!(!host.has_taken_over);
        there = None;
        assert!(sign_in(&mut host, &mut there));
    }

    #[test]
    fn of_two_with_one_number_one_signs_in_until_it_has_gone() {
        let (mut one, mut there) = (SignInTokens::default(), None);
        assert!(sign_in(&mut one, &mut there));
        let mut two = one.clone();
        let mut refused = [0, 0];
        for _ in 0..20 {
            refused[0] += usize::from(!sign_in(&mut one, &mut there));
            refused[1] += usize::from(!sign_in(&mut two, &mut there));
        }
        assert!(refused[0] == 0 && refused[1] > 15 || refused[1] == 0 && refused[0] > 15, "{refused:?}");
        let left = if refused[0] > 0 { &mut one } else { &mut two };
        let taken = (0..GONE).filter(|_| sign_in(left, &mut there)).count();
        assert!(taken > 0, "the other one has gone");
    }
}
