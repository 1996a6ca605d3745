//! Recipients of a message to very many that are in memory no longer: what is left of each is its
//! number and the state that was reported last, found by a hash of its addresses.
//!
//! Not here: when recipients fade (`queued_message`). Invariant: a recipient that a line names
//! again goes on from its last state, as the delivery that it was.

use crate::maillog::delivery::ReportedState;
use crate::maillog::stable_id::stable_id;
use serde::{Deserialize, Serialize};

/// What is left of a recipient.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct FadedRecipient {
    addresses: u64,
    /// Its place among all recipients of the message.
    pub(crate) number: u32,
    /// A non-delivery notification was sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) notified: bool,
    #[serde(flatten)]
    pub(crate) state: ReportedState,
}

/// In the order of their addresses' hashes.
#[derive(Clone, Debug, Default)]
pub(crate) struct FadedRecipients(Vec<FadedRecipient>);

impl FadedRecipient {
    /// The recipient with these addresses and this number.
    pub(crate) fn new(
        (address, original): (&str, Option<&str>),
        number: u32,
        notified: bool,
        state: ReportedState,
    ) -> FadedRecipient {
        FadedRecipient { addresses: hash(address, original), number, notified, state }
    }
}

impl FadedRecipients {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The recipient with exactly these addresses.
    pub(crate) fn find(&self, address: &str, original: Option<&str>) -> Option<FadedRecipient> {
        if self.is_empty() {
            return None;
        }
        let wanted = hash(address, original);
        let at = self.0.binary_search_by_key(&wanted, |recipient| recipient.addresses).ok()?;
        Some(self.0[at])
    }

    /// Takes in recipients, whose states are later than those of the same ones before. With more
    /// than `most` bytes, the ones with the lowest numbers are forgotten.
    pub(crate) fn add(&mut self, recipients: impl IntoIterator<Item = FadedRecipient>, most: usize) {
        let FadedRecipients(all) = self;
        all.extend(recipients);
        let room = most / size_of::<FadedRecipient>();
        // Of one recipient, the latest state comes last.
        all.sort_unstable_by_key(|recipient| {
            (recipient.addresses, recipient.state.attempts, recipient.state.last_seen)
        });
        all.dedup_by(|later, kept| {
            let is_same = later.addresses == kept.addresses;
            if is_same {
                *kept = *later;
            }
            is_same
        });
        if all.len() > room {
            let mut numbers: Vec<u32> = all.iter().map(|recipient| recipient.number).collect();
            let too_many = numbers.len() - room;
            let (_, &mut first, _) = numbers.select_nth_unstable(too_many);
            all.retain(|recipient| recipient.number >= first);
        }
        all.shrink_to_fit();
    }

    /// Takes all out, to be added again.
    pub(crate) fn take(&mut self) -> Vec<FadedRecipient> {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    /// Bytes of memory.
    pub(crate) fn weight(&self) -> usize {
        self.0.capacity() * size_of::<FadedRecipient>()
    }
}

fn hash(address: &str, original: Option<&str>) -> u64 {
    stable_id(&[address.as_bytes(), original.unwrap_or_default().as_bytes()])
}
