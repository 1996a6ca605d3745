//! What a transaction counts: how deliveries ended, why, and how long they took, in the interval in
//! which that was logged.
//!
//! Not here: the tables (`crate::index`) and what is made of them (`crate::stats`). A delivery is
//! reported again whenever it changes, together with its earlier state, so a final state is counted
//! once, and undone if it turns out not to be final. Messages that report alerts are not counted,
//! so that no alert is about alerts. What is not our own mail counts apart, by its end only.
//! Invariant: memory is bounded by `FULL`, after which the transaction is flushed.

use super::count_slot::CountSlot;
use super::counted_classes::CountedClasses;
use super::name_count::News;
use crate::class::Class;
use crate::dimension::Dimension;
use crate::dimension::names::{NONE, Names, Numbers, PROVIDER, Parties};
use crate::error::Result;
use crate::index::{Batch, CountedSum, Interval, RECENT_MS, ReasonKind, Sum};
use crate::maillog::delivery::ReportedState;
use crate::maillog::message_ids::ALERT_ID;
use crate::maillog::{Delivery, LoggedStatus, Whose};
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// Flush when names, and what was counted under them, take this many bytes. While they are written,
/// they take more: each interval is added to the next longer one. A flush writes every name of the
/// day again, so that fewer are better.
const FULL: usize = 36 << 20;
/// A larger size is a mistake of the log.
const MOST_BYTES: u64 = 1 << 40;
/// A longer delay (seconds, a hundred days) is a mistake of the log.
const LONGEST_S: f64 = 8_640_000.0;

/// Everything that was counted since the last flush.
#[derive(Default)]
pub(crate) struct DeliveryCounts {
    /// All deliveries of each minute. Old minutes keep no names, so they are only here.
    minutes: FxHashMap<i64, Sum>,
    slots: FxHashMap<(Interval, i64), CountSlot>,
    names: Numbers,
    /// Bytes of memory of the slots.
    weight: usize,
}

impl DeliveryCounts {
    /// Counts what is new of a delivery. `reply` is the key of its reply; `now_ms` tells which
    /// minutes are recent enough to keep names.
    pub(crate) fn count(&mut self, delivery: &Delivery<'_>, reply: Option<u64>, now_ms: i64) {
        if delivery.message_id.is_some_and(|id| id.starts_with(ALERT_ID)) {
            return;
        }
        let (before, whose) = (delivery.before, counted_as(delivery));
        let is_same = |before: ReportedState| {
            before.status == delivery.status && before.whose == delivery.route.whose()
        };
        let is_new = !before.is_some_and(is_same);
        let attempts = delivery.attempts.saturating_sub(before.map_or(0, |before| before.attempts));
        let mut sum = if is_new { ended(delivery.status, delivery, 1) } else { Sum::default() };
        // The last attempt is not a deferral if it ended the delivery.
        sum.deferrals = i64::from(attempts.saturating_sub(u32::from(ends_with_attempt(delivery.status))));
        if sum == Sum::default() {
            return;
        }
        if let Some(before) = before.filter(|before| is_new && before.status.is_final()) {
            self.undo(before, delivery, now_ms);
        }
        if whose != Whose::Own {
            return self.add_apart(whose, delivery.last_seen, &sum, now_ms);
        }
        let Delivery { recipient, sender, client_id: client, relay, .. } = *delivery;
        let names = self.names.of(&Parties { recipient, sender, client, relay }, &delivery.route);
        let is_sent = is_new && delivery.status == LoggedStatus::Sent;
        let bucket = delivery.delay.filter(|_| is_sent).map(bucket);
        let level = delivery.route.level().filter(|_| is_sent).map_or(NONE, |level| self.names.number(level));
        let news = News { sum: &sum, bucket, level };
        let reply = reply.zip(reason_kind(delivery.status));
        let is_deferred = delivery.status == LoggedStatus::Deferred;
        let times = if is_deferred { sum.deferrals } else { i64::from(is_new) };
        let reply = reply.filter(|_| times > 0);
        self.add(delivery.last_seen, news, &names, now_ms, |slot| {
            reply.map_or(0, |(reply, kind)| slot.add_reply(kind, names[PROVIDER], reply, times))
        });
    }

    /// Takes back a state that seemed to be final.
    fn undo(&mut self, before: ReportedState, delivery: &Delivery<'_>, now_ms: i64) {
        let sum = ended(before.status, delivery, -1);
        if before.whose != Whose::Own && before.status != LoggedStatus::Rejected {
            return self.add_apart(before.whose, before.last_seen, &sum, now_ms);
        }
        let Delivery { recipient, sender, client_id: client, relay, .. } = *delivery;
        let names = self.names.of(&Parties { recipient, sender, client, relay }, &delivery.route);
        self.add(before.last_seen, News { sum: &sum, bucket: None, level: NONE }, &names, now_ms, |_| 0);
    }

    /// Counts what is not our own mail.
    fn add_apart(&mut self, whose: Whose, at_ms: i64, sum: &Sum, now_ms: i64) {
        self.slot(at_ms, now_ms).add_apart(whose, sum);
    }

    fn add(
        &mut self,
        at_ms: i64,
        news: News<'_>,
        names: &Names,
        now_ms: i64,
        more: impl FnOnce(&mut CountSlot) -> usize,
    ) {
        *self.minutes.entry(Interval::Minute.start(at_ms)).or_default() += news.sum;
        let slot = self.slot(at_ms, now_ms);
        let weight = slot.add(news, names) + more(slot);
        self.weight += weight;
    }

    /// Approximate bytes of memory.
    pub(crate) fn weight(&self) -> usize {
        self.names.weight() + self.weight
    }

    fn slot(&mut self, at_ms: i64, now_ms: i64) -> &mut CountSlot {
        let interval = if at_ms > now_ms - RECENT_MS { Interval::Minute } else { Interval::Hour };
        self.slots.entry((interval, interval.start(at_ms))).or_default()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.weight() > FULL
    }

    /// Writes what was counted; nothing of it is left in memory. `class` gives the class of a
    /// reply.
    pub(crate) fn flush(
        &mut self,
        batch: &mut Batch<'_>,
        class: impl Fn(&mut Batch<'_>, u64) -> Result<Option<Rc<Class>>>,
    ) -> Result<()> {
        let DeliveryCounts { minutes, mut slots, names, .. } = std::mem::take(self);
        if slots.is_empty() {
            return Ok(());
        }
        let mut classes = CountedClasses::default();
        let mut number = |reply| Ok(class(batch, reply)?.map(|class| classes.number(class)));
        slots.values_mut().try_for_each(|slot| slot.classify(&mut number))?;
        let mut sums = batch.sums()?;
        for (at, sum) in &minutes {
            let counted = CountedSum { sum, delays: &[], tls: &[] };
            sums.add((Interval::Minute, Dimension::All, *at), "", true, &counted)?;
        }
        // The shortest intervals are written first, and added to the next longer ones.
        let mut level = slots;
        while let Some(shortest) = level.keys().map(|(interval, _)| *interval).min() {
            let mut next: FxHashMap<(Interval, i64), CountSlot> = FxHashMap::default();
            let mut sorted: Vec<((Interval, i64), CountSlot)> = level.into_iter().collect();
            sorted.sort_unstable_by_key(|(begin, _)| *begin);
            for ((interval, at), slot) in sorted {
                if interval != shortest {
                    next.entry((interval, at)).or_default().merge(&slot);
                    continue;
                }
                slot.write(&mut sums, (interval, at), &names, &classes)?;
                if let Some(longer) = interval.longer() {
                    next.entry((longer, longer.start(at))).or_default().merge(&slot);
                }
            }
            level = next;
        }
        Ok(())
    }
}

/// Whose mail a delivery is counted as. A refusal in the session counts with our own, whoever was
/// refused: no mail came of it.
fn counted_as(delivery: &Delivery<'_>) -> Whose {
    if delivery.status == LoggedStatus::Rejected { Whose::Own } else { delivery.route.whose() }
}

/// What an end counts, or with -1, what its undoing counts.
fn ended(status: LoggedStatus, delivery: &Delivery<'_>, times: i64) -> Sum {
    let mut sum = Sum::default();
    let count = match status {
        LoggedStatus::Sent => &mut sum.sent,
        LoggedStatus::Bounced => &mut sum.bounced,
        LoggedStatus::Expired => &mut sum.expired,
        LoggedStatus::Rejected => &mut sum.rejected,
        LoggedStatus::Deleted => &mut sum.deleted,
        LoggedStatus::Discarded => &mut sum.discarded,
        LoggedStatus::Deferred | LoggedStatus::Held | LoggedStatus::Forwarded => return sum,
    };
    *count = times;
    if status == LoggedStatus::Sent {
        sum.bytes = times * delivery.size.unwrap_or(0).min(MOST_BYTES) as i64;
    }
    sum
}

/// Whether an attempt led to this end, rather than an operator or a table.
fn ends_with_attempt(status: LoggedStatus) -> bool {
    matches!(status, LoggedStatus::Sent | LoggedStatus::Bounced | LoggedStatus::Forwarded)
}

fn reason_kind(status: LoggedStatus) -> Option<ReasonKind> {
    match status {
        LoggedStatus::Bounced | LoggedStatus::Expired => Some(ReasonKind::Failed),
        LoggedStatus::Rejected => Some(ReasonKind::Rejected),
        LoggedStatus::Deferred => Some(ReasonKind::Deferral),
        _ => None,
    }
}

/// The bucket of a delay: bucket n is about 0.01 s times 2 to the n/4.
fn bucket(seconds: f64) -> u8 {
    // The cast saturates.
    (4.0 * (seconds.clamp(0.01, LONGEST_S) / 0.01).log2()).round() as u8
}
