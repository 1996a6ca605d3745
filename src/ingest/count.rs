//! What a transaction counts: how deliveries ended, why, and how long they took, in the hour in which that was logged.
//!
//! Not here: the tables (`store::index`) and what is made of them (`stats`). A delivery is told many times while it changes; what
//! it was before comes with it, so that its end counts once, and is taken back if it was not the end. The mail that alerts are told by does
//! not count: no alert is to be about alerts. Invariant: memory is bounded by
//! `FULL` names, after which a transaction ends.

use crate::class::Class;
use crate::dimension::Dimension;
use crate::dimension::names::{NONE, Name, Numbers, PROVIDER, Parties};
use crate::error::Result;
use crate::index::{Batch, Interval, RECENT_MS, ReasonCount, ReasonKind, Sum};
use crate::maillog::delivery::ReportedState;
use crate::maillog::message_ids::ALERT_ID;
use crate::maillog::{Delivery, LoggedStatus};
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// So many names, and what was counted is to be written down.
const FULL: usize = 200_000;
/// No message has more bytes.
const MOST_BYTES: u64 = 1 << 40;
/// No mail server tries for longer (seconds): a hundred days.
const LONGEST_S: f64 = 8_640_000.0;

/// Everything that was counted since it was last written down.
#[derive(Default)]
pub(crate) struct DeliveryCounts {
    minutes: FxHashMap<i64, Sum>,
    slots: FxHashMap<(Interval, i64), Slot>,
    names: Numbers,
}

/// What was counted in one step.
#[derive(Default)]
struct Slot {
    all: Entry,
    named: [FxHashMap<Name, Entry>; 5],
    reasons: FxHashMap<(ReasonKind, Name, u64), i64>,
}

#[derive(Default)]
struct Entry {
    sum: Sum,
    delays: Vec<(u8, u32)>,
}

impl Entry {
    fn add(&mut self, sum: &Sum, bucket: Option<u8>) {
        self.sum += sum;
        let Some(bucket) = bucket else { return };
        match self.delays.iter_mut().find(|(known, _)| *known == bucket) {
            Some((_, deliveries)) => *deliveries += 1,
            None => self.delays.push((bucket, 1)),
        }
    }

    fn merge(&mut self, other: &Entry) {
        self.sum += &other.sum;
        for (bucket, more) in &other.delays {
            match self.delays.iter_mut().find(|(known, _)| known == bucket) {
                Some((_, deliveries)) => *deliveries += more,
                None => self.delays.push((*bucket, *more)),
            }
        }
    }
}

impl Slot {
    fn merge(&mut self, other: &Slot) {
        self.all.merge(&other.all);
        for (into, from) in self.named.iter_mut().zip(&other.named) {
            for (name, entry) in from {
                into.entry(*name).or_default().merge(entry);
            }
        }
        for (key, number) in &other.reasons {
            *self.reasons.entry(*key).or_default() += number;
        }
    }
}

/// How long a delivery took: bucket n is about 0.01 s times 2 to the n/4.
fn bucket(seconds: f64) -> u8 {
    // The cast saturates.
    (4.0 * (seconds.clamp(0.01, LONGEST_S) / 0.01).log2()).round() as u8
}

/// Bytes that were delivered; no line can make them more than can be added up.
fn bytes(delivery: &Delivery<'_>) -> i64 {
    delivery.size.unwrap_or(0).min(MOST_BYTES) as i64
}

fn ends(status: LoggedStatus, sum: &mut Sum) -> Option<&mut i64> {
    match status {
        LoggedStatus::Sent => Some(&mut sum.sent),
        LoggedStatus::Bounced => Some(&mut sum.bounced),
        LoggedStatus::Expired => Some(&mut sum.expired),
        LoggedStatus::Rejected => Some(&mut sum.rejected),
        LoggedStatus::Deleted => Some(&mut sum.deleted),
        LoggedStatus::Discarded => Some(&mut sum.discarded),
        LoggedStatus::Deferred | LoggedStatus::Held => None,
    }
}

impl DeliveryCounts {
    /// Counts what is new of a delivery. `reply`: by which the class of what it says is known. `now_ms`: minutes long before have no names.
    pub(crate) fn count(&mut self, delivery: &Delivery<'_>, reply: Option<u64>, now_ms: i64) {
        if delivery.message_id.is_some_and(|id| id.starts_with(ALERT_ID)) {
            return;
        }
        let before = delivery.before;
        let is_new = before.is_none_or(|before| before.status != delivery.status);
        let attempts = delivery.attempts.saturating_sub(before.map_or(0, |before| before.attempts));
        // The last attempt is the one that ended it.
        let put_off = i64::from(attempts.saturating_sub(u32::from(was_tried(delivery.status))));
        let mut sum = Sum { deferrals: put_off, ..Sum::default() };
        if is_new && let Some(count) = ends(delivery.status, &mut sum) {
            *count = 1;
        }
        if is_new && delivery.status == LoggedStatus::Sent {
            sum.bytes = bytes(delivery);
        }
        if sum == Sum::default() {
            return;
        }
        let Delivery { recipient, sender, client_id: client, relay, .. } = *delivery;
        let names = self.names.of(&Parties { recipient, sender, client, relay });
        if let Some(before) = before.filter(|before| is_new && before.status.is_final()) {
            self.take_back(before, delivery, &names, now_ms);
        }
        let delay = delivery.delay.filter(|_| is_new && delivery.status == LoggedStatus::Sent);
        let kind = match delivery.status {
            LoggedStatus::Bounced | LoggedStatus::Expired => Some(ReasonKind::Failed),
            LoggedStatus::Rejected => Some(ReasonKind::Rejected),
            LoggedStatus::Deferred => Some(ReasonKind::Deferral),
            _ => None,
        };
        let why = reply.zip(kind).map(|(reply, kind)| (kind, names[PROVIDER], reply));
        let number = if delivery.status == LoggedStatus::Deferred { put_off } else { i64::from(is_new) };
        let slot = self.add(delivery.last_seen, &sum, delay.map(bucket), &names, now_ms);
        if let Some(why) = why.filter(|_| number > 0) {
            *slot.reasons.entry(why).or_default() += number;
        }
    }

    /// What seemed to be the end was not.
    fn take_back(&mut self, before: ReportedState, delivery: &Delivery<'_>, names: &[Name; 5], now_ms: i64) {
        let mut sum = Sum::default();
        if let Some(count) = ends(before.status, &mut sum) {
            *count = -1;
        }
        if before.status == LoggedStatus::Sent {
            sum.bytes = -bytes(delivery);
        }
        self.add(before.last_seen, &sum, None, names, now_ms);
    }

    fn add(
        &mut self,
        at_ms: i64,
        sum: &Sum,
        bucket: Option<u8>,
        names: &[Name; 5],
        now_ms: i64,
    ) -> &mut Slot {
        *self.minutes.entry(Interval::Minute.start(at_ms)).or_default() += sum;
        let step = if at_ms > now_ms - RECENT_MS { Interval::Minute } else { Interval::Hour };
        let slot = self.slots.entry((step, step.start(at_ms))).or_default();
        slot.all.add(sum, bucket);
        for ((map, dimension), name) in slot.named.iter_mut().zip(Dimension::NAMED).zip(names) {
            if *name != NONE {
                let timed = matches!(dimension, Dimension::RecipientDomain | Dimension::Provider);
                map.entry(*name).or_default().add(sum, bucket.filter(|_| timed));
            }
        }
        slot
    }

    /// So much was counted that it should be written down.
    pub(crate) fn is_full(&self) -> bool {
        self.names.remembered() > FULL
    }

    /// Writes down what was counted, and begins anew.
    pub(crate) fn flush(
        &mut self,
        batch: &mut Batch<'_>,
        class: impl Fn(&mut Batch<'_>, u64) -> Result<Option<Rc<Class>>>,
    ) -> Result<()> {
        let slots = std::mem::take(&mut self.slots);
        let minutes = std::mem::take(&mut self.minutes);
        let names = std::mem::take(&mut self.names);
        if minutes.is_empty() {
            return Ok(());
        }
        let mut classes: FxHashMap<u64, Option<Rc<Class>>> = FxHashMap::default();
        for (_, _, reply) in slots.values().flat_map(|slot| slot.reasons.keys()) {
            if !classes.contains_key(reply) {
                classes.insert(*reply, class(batch, *reply)?);
            }
        }
        let mut adding = batch.adding()?;
        for (at, sum) in &minutes {
            adding.add((Interval::Minute, Dimension::All, *at), "", true, sum, &[])?;
        }
        // A step is written, and counts for the next longer one.
        let mut level: FxHashMap<(Interval, i64), Slot> = slots;
        while !level.is_empty() {
            let mut next: FxHashMap<(Interval, i64), Slot> = FxHashMap::default();
            let shortest = level.keys().map(|(step, _)| *step).min().unwrap_or(Interval::Ever);
            for ((step, at), slot) in level {
                if step != shortest {
                    next.entry((step, at)).or_default().merge(&slot);
                    continue;
                }
                write(&mut adding, (step, at), &slot, &names, &classes)?;
                let longer = match step {
                    Interval::Minute => Interval::Hour,
                    Interval::Hour => Interval::Day,
                    Interval::Day => Interval::Ever,
                    Interval::Ever => continue,
                };
                next.entry((longer, longer.start(at))).or_default().merge(&slot);
            }
            level = next;
        }
        Ok(())
    }
}

/// Was that the end of an attempt, and not an operator's or a table's?
fn was_tried(status: LoggedStatus) -> bool {
    matches!(status, LoggedStatus::Sent | LoggedStatus::Bounced)
}

fn write(
    adding: &mut crate::index::SumWriter<'_>,
    (step, at): (Interval, i64),
    slot: &Slot,
    known: &Numbers,
    classes: &FxHashMap<u64, Option<Rc<Class>>>,
) -> Result<()> {
    // What minutes count in all is there already.
    let sum = if step == Interval::Minute { Sum::default() } else { slot.all.sum };
    adding.add((step, Dimension::All, at), "", true, &sum, &slot.all.delays)?;
    for (names, dimension) in slot.named.iter().zip(Dimension::NAMED) {
        // Names that strangers choose are not remembered for ever.
        if step == Interval::Ever && dimension != Dimension::Provider {
            continue;
        }
        let room = adding.room(step, dimension, at, names.len())?;
        for (name, entry) in names {
            adding.add((step, dimension, at), known.text(*name), room, &entry.sum, &entry.delays)?;
        }
    }
    let mut reasons: FxHashMap<(ReasonKind, &str, &str, &str, bool), i64> = FxHashMap::default();
    for ((kind, provider, reply), number) in &slot.reasons {
        if let Some(Some(class)) = classes.get(reply) {
            let unknown = class.rule.is_empty();
            let provider = known.text(*provider);
            *reasons.entry((*kind, provider, &class.reason, &class.category, unknown)).or_default() += number;
        }
    }
    for ((kind, provider, reason, category, unknown), number) in reasons {
        let (provider, reason, category) = (provider.into(), reason.into(), category.into());
        adding.add_reason(step, at, &ReasonCount { kind, provider, reason, category, unknown, number })?;
    }
    Ok(())
}
