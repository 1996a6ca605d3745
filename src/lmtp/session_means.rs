//! What all sessions use: the desk, the rules of the conversation, times, TLS; and what is kept of
//! refusals that no policy has decided.

use super::chaos::Chaos;
use super::client_shares::ClientShares;
use super::conversation::{ConversationRules, OwnRefusal};
use super::delivery_desk::DeliveryDesk;
use super::recipient_desk::RecipientDesk;
use super::session_counts::SessionCounts;
use crate::house::House;
use crate::intake::unanswered_slots::UnansweredSlots;
use crate::listen::TlsIdentity;
use crate::memory::MemoryBudget;
use crate::plan::Verdict;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct SessionMeans<'h> {
    pub(super) house: &'h House,
    pub(super) desk: DeliveryDesk<'h>,
    pub(super) recipients: RecipientDesk<'h>,
    pub(super) rules: ConversationRules,
    pub(super) times: SessionTimes,
    pub(super) shares: Arc<ClientShares>,
    pub(super) unanswered: &'h UnansweredSlots,
    pub(super) tls: Option<&'h TlsIdentity>,
    pub(super) counts: SessionCounts,
    pub(super) chaos: Option<Chaos>,
    /// Makes the choices of a message repeatable.
    pub(super) seed: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct SessionTimes {
    /// For the next command.
    pub(super) idle: Duration,
    /// For the text of a message.
    pub(super) transfer: Duration,
    pub(super) session: Duration,
}

impl<'h> SessionMeans<'h> {
    pub(super) fn memory(&self) -> &'h MemoryBudget {
        &self.house.doors.memory
    }

    /// Counts a refusal. One for good is in the message log, because a mail server returns the
    /// message; what comes again is there in the end.
    pub(super) fn note(&self, refusal: &OwnRefusal) {
        let OwnRefusal { verdict, envelopes, is_of_message } = refusal;
        if *is_of_message {
            self.counts.add("lmtp_messages");
        }
        (0..envelopes.len().max(1)).for_each(|_| self.counts.refused(verdict));
        if matches!(verdict, Verdict::Reject(_)) {
            self.house.log.append_undecided(envelopes, verdict);
        }
    }
}
