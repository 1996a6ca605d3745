//! What was counted under one name, in little memory: there are very many names, and under most of
//! them mail was only sent, in about the same time, at one TLS level.
//!
//! Not here: the names (`dimension`) and their intervals (`count_slot`).

use crate::dimension::names::{NONE, Name};
use crate::index::Sum;

/// What is new of a delivery.
#[derive(Clone, Copy)]
pub(crate) struct News<'a> {
    pub(crate) sum: &'a Sum,
    /// The bucket of its delay, if it was sent.
    pub(crate) bucket: Option<u8>,
    /// Its TLS level, if it was sent and that was logged.
    pub(crate) level: Name,
}

#[derive(Default)]
pub(super) struct NameCount {
    sent: i64,
    bytes: i64,
    /// The first bucket of delay and the first TLS level, and their deliveries.
    delay: (u8, u32),
    tls: (Name, u32),
    more: Option<Box<MoreCounts>>,
}

/// What most names have not.
#[derive(Default)]
struct MoreCounts {
    /// Other ends than "sent".
    sum: Sum,
    /// Further buckets and levels. There are few.
    delays: Vec<(u8, u32)>,
    tls: Vec<(Name, u32)>,
}

impl NameCount {
    /// Bytes of memory, in a table that has room for more.
    pub(super) const WEIGHT: usize = size_of::<(Name, NameCount)>() * 3 / 2;
    /// The same of what most names have not.
    const MORE: usize = size_of::<MoreCounts>() + 48;

    /// Returns how many bytes of memory that takes, beside the name's own.
    pub(super) fn add(&mut self, news: News<'_>) -> usize {
        let had_more = self.more.is_some();
        self.add_sum(news.sum);
        if let Some(bucket) = news.bucket {
            self.add_delay(bucket, 1);
        }
        if news.level != NONE {
            self.add_level(news.level, 1);
        }
        if self.more.is_some() && !had_more { NameCount::MORE } else { 0 }
    }

    pub(super) fn merge(&mut self, other: &NameCount) {
        self.add_sum(&other.sum());
        other.delays().iter().for_each(|(bucket, times)| self.add_delay(*bucket, *times));
        other.levels().iter().for_each(|(level, times)| self.add_level(*level, *times));
    }

    fn add_sum(&mut self, sum: &Sum) {
        self.sent += sum.sent;
        self.bytes += sum.bytes;
        let others = Sum { sent: 0, bytes: 0, ..*sum };
        if others != Sum::default() {
            self.more.get_or_insert_default().sum += &others;
        }
    }

    fn add_delay(&mut self, bucket: u8, times: u32) {
        match &mut self.delay {
            (first, count) if *first == bucket || *count == 0 => (*first, *count) = (bucket, *count + times),
            _ => add(&mut self.more.get_or_insert_default().delays, bucket, times),
        }
    }

    fn add_level(&mut self, level: Name, times: u32) {
        match &mut self.tls {
            (first, count) if *first == level || *count == 0 => (*first, *count) = (level, *count + times),
            _ => add(&mut self.more.get_or_insert_default().tls, level, times),
        }
    }

    pub(super) fn sum(&self) -> Sum {
        let others = self.more.as_ref().map_or_else(Sum::default, |more| more.sum);
        Sum { sent: self.sent, bytes: self.bytes, ..others }
    }

    /// Deliveries by bucket of delay.
    pub(super) fn delays(&self) -> Vec<(u8, u32)> {
        let more = self.more.iter().flat_map(|more| more.delays.iter().copied());
        Some(self.delay).into_iter().chain(more).filter(|(_, times)| *times > 0).collect()
    }

    /// Sent deliveries by TLS level.
    pub(super) fn levels(&self) -> Vec<(Name, u32)> {
        let more = self.more.iter().flat_map(|more| more.tls.iter().copied());
        Some(self.tls).into_iter().chain(more).filter(|(_, times)| *times > 0).collect()
    }
}

/// Adds to one of a few counts.
fn add<K: PartialEq>(counts: &mut Vec<(K, u32)>, key: K, more: u32) {
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, count)) => *count += more,
        None => counts.push((key, more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_counted_under_a_name_is_lost() {
        let sent = Sum { sent: 1, bytes: 500, ..Sum::default() };
        let bounced = Sum { bounced: 1, deferrals: 3, ..Sum::default() };
        let undone = Sum { sent: -1, bytes: -500, ..Sum::default() };
        let mut count = NameCount::default();
        let usual = News { sum: &sent, bucket: Some(7), level: 2 };
        assert_eq!(count.add(usual) + count.add(usual), 0, "the usual takes no more memory");
        let other = News { bucket: Some(9), level: 3, ..usual };
        assert_eq!((count.add(other), count.add(other)), (NameCount::MORE, 0));
        count.add(News { sum: &bounced, bucket: None, level: NONE });
        count.add(News { sum: &undone, bucket: None, level: NONE });
        let mut twice = NameCount::default();
        twice.merge(&count);
        twice.merge(&count);
        let sum = Sum { sent: 6, bytes: 3000, bounced: 2, deferrals: 6, ..Sum::default() };
        assert_eq!((twice.sum(), twice.delays()), (sum, vec![(7, 4), (9, 4)]));
        assert_eq!(twice.levels(), [(2, 4), (3, 4)]);
        let mut only_bounced = NameCount::default();
        only_bounced.add(News { sum: &bounced, bucket: None, level: NONE });
        assert_eq!((only_bounced.sum(), only_bounced.delays().len()), (bounced, 0));
    }
}
