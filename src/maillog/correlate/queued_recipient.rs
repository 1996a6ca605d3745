//! One recipient of a queued message, as the log shows it so far.
//!
//! Plain data, stored between ticks. Not here: which recipient a line is about (`same_recipient`).
//! Invariant: the texts of an attempt or decision are replaced together, so none is left from
//! before.

use super::faded_recipients::FadedRecipient;
use super::packed_texts::PackedTexts;
use crate::maillog::delivery::ReportedState;
use crate::maillog::delivery_route::DeliveryRoute;
use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::postfix::NotificationKind;
use crate::maillog::whose::Whose;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

// The texts, in the order in which they are stored: it must not change.
const ADDRESS: usize = 0;
const ORIGINAL: usize = 1;
const RELAY: usize = 2;
const DSN: usize = 3;
const DELAY: usize = 4;
const DELAYS: usize = 5;
const REPLY: usize = 6;
const NOTIFICATION: usize = 7;
const TLS: usize = 8;
const SYSLOG_NAME: usize = 9;

/// A recipient, or all of a message before anyone was named.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct QueuedRecipient {
    texts: PackedTexts<10>,
    pub(crate) status: LoggedStatus,
    /// Attempts that were logged.
    pub(crate) attempts: u32,
    /// Time of the last line about it, milliseconds since 1970.
    pub(crate) last_ms: i64,
    /// A non-delivery notification was sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) notified: bool,
    /// Its number among all recipients of the message, if it had faded meanwhile; else it follows
    /// from its place in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    /// Its state when it was reported last, under the name by which it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<ReportedState>,
    /// It changed since it was reported.
    #[serde(skip)]
    pub(crate) changed: bool,
}

/// The texts that come with a status; an empty one is absent.
#[derive(Default)]
pub(crate) struct StatusTexts<'a> {
    pub(crate) relay: Cow<'a, str>,
    pub(crate) dsn: Cow<'a, str>,
    pub(crate) delay: Cow<'a, str>,
    pub(crate) delays: Cow<'a, str>,
    pub(crate) reply: Cow<'a, str>,
    pub(crate) tls: Cow<'a, str>,
    /// The name under which the delivery agent logs; empty for the usual one.
    pub(crate) syslog_name: Cow<'a, str>,
}

impl QueuedRecipient {
    /// Starts over with new addresses, in memory whose texts were cleared.
    pub(crate) fn begin(
        &mut self,
        address: Option<&str>,
        original: Option<&str>,
        status: LoggedStatus,
        at_ms: i64,
    ) {
        self.texts.put(ADDRESS, address);
        self.texts.put(ORIGINAL, original);
        (self.status, self.attempts, self.last_ms) = (status, 0, at_ms);
        (self.notified, self.told, self.number, self.changed) = (false, None, None, true);
    }

    /// What is left of the one at this place of the list; `None`: it was never reported.
    pub(crate) fn fade(&self, place: u32) -> Option<FadedRecipient> {
        let addresses = (self.address()?, self.original());
        Some(FadedRecipient::new(addresses, self.number(place), self.notified, self.told?))
    }

    /// Goes on from the state that was reported last.
    pub(crate) fn come_back(&mut self, faded: &FadedRecipient) {
        let state = faded.state;
        (self.status, self.attempts, self.last_ms) = (state.status, state.attempts, state.last_seen);
        (self.notified, self.told, self.number) = (faded.notified, Some(state), Some(faded.number));
        self.changed = false;
    }

    /// Its number among all recipients of the message: `place`, unless it had faded meanwhile.
    pub(crate) fn number(&self, place: u32) -> u32 {
        self.number.unwrap_or(place)
    }

    pub(crate) fn clear_texts(&mut self) {
        self.texts.clear();
    }

    /// Frees memory that its texts do not need.
    pub(crate) fn shrink(&mut self) {
        self.texts.shrink();
    }

    /// The address after aliases; None: all of the message, before anyone was named.
    pub(crate) fn address(&self) -> Option<&str> {
        self.texts.get(ADDRESS)
    }

    /// The address as it came in, if aliases changed it.
    pub(crate) fn original(&self) -> Option<&str> {
        self.texts.get(ORIGINAL)
    }

    pub(crate) fn set_addresses(&mut self, address: &str, original: Option<&str>) {
        self.texts.set(ADDRESS, address);
        self.texts.put(ORIGINAL, original);
    }

    pub(crate) fn relay(&self) -> Option<&str> {
        self.texts.get(RELAY)
    }

    pub(crate) fn dsn(&self) -> Option<&str> {
        self.texts.get(DSN)
    }

    pub(crate) fn delay(&self) -> Option<&str> {
        self.texts.get(DELAY)
    }

    pub(crate) fn delays(&self) -> Option<&str> {
        self.texts.get(DELAYS)
    }

    pub(crate) fn reply(&self) -> Option<&str> {
        self.texts.get(REPLY)
    }

    /// How the last attempt was made; unknown if there was none.
    pub(crate) fn route(&self) -> DeliveryRoute<'_> {
        if self.attempts == 0 {
            return DeliveryRoute::default();
        }
        let route = match self.texts.get(SYSLOG_NAME) {
            Some(syslog_name) => DeliveryRoute::default().with_syslog_name(syslog_name),
            None => DeliveryRoute::USUAL,
        };
        route.with_tls(self.texts.get(TLS))
    }

    /// Leaves this many bytes of a reply.
    pub(crate) fn cut_reply(&mut self, bytes: usize) {
        if let Some(reply) = self.texts.get(REPLY).filter(|reply| reply.len() > bytes) {
            let cut = reply[..reply.floor_char_boundary(bytes)].to_owned();
            self.texts.set(REPLY, &cut);
            self.texts.shrink();
        }
    }

    /// The queue id of the last notification about it.
    pub(crate) fn notification(&self) -> Option<&str> {
        self.texts.get(NOTIFICATION)
    }

    pub(crate) fn set_notification(&mut self, queue_id: &str) {
        self.texts.set(NOTIFICATION, queue_id);
    }

    /// Replaces the texts of the attempt or decision before.
    pub(crate) fn set_status_texts(&mut self, texts: &StatusTexts<'_>) {
        let StatusTexts { relay, dsn, delay, delays, reply, tls, syslog_name } = texts;
        let numbered = [
            (RELAY, relay),
            (DSN, dsn),
            (DELAY, delay),
            (DELAYS, delays),
            (REPLY, reply),
            (TLS, tls),
            (SYSLOG_NAME, syslog_name),
        ];
        for (number, text) in numbered {
            self.texts.put(number, Some(&**text).filter(|text| !text.is_empty()));
        }
    }

    /// Its state when it was reported last.
    pub(crate) fn reported(&self) -> Option<ReportedState> {
        self.told
    }

    /// Notes that its present state was reported.
    pub(crate) fn note_report(&mut self, whose: Whose) {
        let (status, attempts, last_seen) = (self.status, self.attempts, self.last_ms);
        self.told = Some(ReportedState { status, attempts, last_seen, whose });
    }

    /// Whether a notification of this kind is about it.
    pub(crate) fn is_subject_of(&self, kind: NotificationKind) -> bool {
        let has_failed = matches!(self.status, LoggedStatus::Bounced | LoggedStatus::Expired);
        match kind {
            NotificationKind::NonDelivery => has_failed && !self.notified,
            NotificationKind::Delay => self.status == LoggedStatus::Deferred,
            NotificationKind::Success => self.status == LoggedStatus::Sent,
        }
    }

    /// Approximate bytes of memory.
    pub(crate) fn weight(&self) -> usize {
        size_of::<QueuedRecipient>() + self.texts.weight() + 16
    }
}
