//! Statistics of deliveries in a period, as plain data.
//!
//! Not here: how they are counted, and how they look. Invariant: the JSON of `Figures` is public;
//! what is written as JSON is read back equal, and fields are only ever added.

use super::outcomes::Outcomes;
use super::series::{self, Point, Resolution};
use crate::maillog::log_health::UnreadableLog;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Figures {
    /// The first millisecond since 1970 that counts.
    #[serde(rename = "from", with = "super::rfc3339")]
    pub(crate) from_ms: i64,
    /// The first millisecond that no longer counts.
    #[serde(rename = "to", with = "super::rfc3339")]
    pub(crate) to_ms: i64,
    /// Seconds east of UTC of the wall clock that times are shown in, when the period begins.
    pub(crate) utc_offset: i32,
    /// Its zone, whose offset may change within the period; `None`: it does not.
    #[serde(skip)]
    pub(crate) zone: Option<TimeZone>,
    /// The length of one step of the series.
    pub(crate) step: Resolution,
    /// The mail server, or the operator's name for several of them.
    pub(crate) host: String,
    /// Our own mail, as everything here that does not say otherwise. Of refusals in the session,
    /// all: no mail came of them.
    pub(crate) totals: Outcomes,
    /// The part of it that has the null sender: bounces, which nobody sent. Rates leave it out.
    pub(crate) null_sender: Outcomes,
    /// Mail that others sent through us; in no other figure.
    pub(crate) others: Outcomes,
    /// Mail that was handed to carom; in no other figure.
    pub(crate) carom: Outcomes,
    /// Deferred attempts, whatever became of their deliveries.
    pub(crate) deferrals: u64,
    /// When the oldest of our deliveries that are still deferred was first seen.
    #[serde(rename = "oldest_deferred", with = "super::rfc3339::optional")]
    pub(crate) oldest_deferred_ms: Option<i64>,
    /// Bytes delivered; 0 if sizes are not known.
    pub(crate) bytes: u64,
    /// From arrival to delivery.
    pub(crate) delay: Option<Percentiles>,
    /// Oldest first; a step in which nothing happened may be missing.
    pub(crate) series: Vec<Point>,
    /// Why deliveries failed or were deferred.
    pub(crate) reasons: Vec<Reason>,
    /// Why mail was refused in the session.
    pub(crate) rejects: Vec<Reason>,
    pub(crate) recipient_domains: Vec<GroupFigures>,
    /// By the operator of the recipient's mail server, where known.
    pub(crate) providers: Vec<GroupFigures>,
    pub(crate) sender_domains: Vec<GroupFigures>,
    pub(crate) clients: Vec<GroupFigures>,
    /// By next hop.
    pub(crate) relays: Vec<GroupFigures>,
    /// By sending stream: `vmta/mta1`, `campaign/spring`. A delivery counts in each of its streams.
    pub(crate) sources: Vec<GroupFigures>,
    /// Sent deliveries by TLS level, where that was logged.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tls: BTreeMap<String, u64>,
    pub(crate) provider_reasons: Vec<ProviderReason>,
    /// Failures and deferrals with a reply that no rule knows.
    pub(crate) unclassified: u64,
    /// Those replies by shape, the most frequent.
    pub(crate) unknown: Vec<UnknownText>,
    pub(crate) lines: LineCounts,
    /// Logs that cannot be read now: what they hold is missing here.
    pub(crate) unreadable: Vec<UnreadableLog>,
    /// Complaints that match nobody.
    pub(crate) unmatched_complaints: u64,
    /// What carom itself has to do, now; `None`: there is no store.
    pub(crate) store: Option<StoreFigures>,
    /// They are counted from the deliveries of a customer, and not all of this is counted then
    /// (`SOME_MAIL`).
    #[serde(skip)]
    pub(crate) of_some_mail: bool,
}

/// The members that are counted for a customer.
pub(crate) const SOME_MAIL: [&str; 9] =
    ["from", "to", "utc_offset", "step", "totals", "series", "reasons", "recipient_domains", "providers"];
/// Those of them that are lists of groups, of which the name and the outcomes are counted.
pub(crate) const GROUPS_OF_SOME_MAIL: [&str; 2] = ["recipient_domains", "providers"];

/// What is in the store now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StoreFigures {
    /// Steps that wait for their time or for another try.
    pub(crate) pending: u64,
    /// Those of them that the config holds back.
    pub(crate) paused: u64,
    /// Steps that wait for an operator.
    pub(crate) parked: u64,
    /// Entries of the suppression list.
    pub(crate) suppressed: u64,
}

/// Seconds within which a share of deliveries was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
}

/// The deliveries of one domain, provider, client, relay or source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct GroupFigures {
    /// Text from mail: not to be trusted.
    pub(crate) name: String,
    pub(crate) outcomes: Outcomes,
    /// Deferred attempts.
    pub(crate) deferrals: u64,
    /// Bytes delivered; 0 if sizes are not known.
    pub(crate) bytes: u64,
    /// From arrival to delivery.
    pub(crate) delay: Option<Percentiles>,
    /// Sent deliveries by TLS level, of recipient domains and providers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tls: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Reason {
    /// The fine word: `user-unknown`.
    pub(crate) reason: String,
    /// The bounce category it belongs to: `bad-mailbox`.
    pub(crate) category: String,
    /// Deliveries.
    pub(crate) count: u64,
    /// `hard`, `soft`, or `hard or soft` where it depends on the reply; empty if no rule says it.
    pub(crate) severity: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ProviderReason {
    /// As in [`Figures::providers`].
    pub(crate) provider: String,
    /// As in [`Figures::reasons`].
    pub(crate) reason: String,
    /// Deliveries.
    pub(crate) count: u64,
}

/// Replies of one shape that no rule knows. Text from mail: not to be trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UnknownText {
    /// The text without what differs from reply to reply.
    pub(crate) shape: String,
    /// Deliveries.
    pub(crate) count: u64,
    /// One of the replies.
    pub(crate) example: String,
}

/// Lines of the logs by what carom made of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LineCounts {
    /// About a delivery.
    pub(crate) parsed: u64,
    /// Known, but not about a delivery.
    pub(crate) ignored: u64,
    /// Not understood.
    pub(crate) unknown: u64,
}

impl Figures {
    /// The series in at most `most` equal steps without gaps, and the length of each in
    /// milliseconds.
    pub(crate) fn steps(&self, most: usize) -> (i64, Vec<Point>) {
        let from = self.from_ms.min(self.to_ms);
        series::even(&self.series, (from, self.to_ms), self.step.ms(), most)
    }

    /// What rates are shares of.
    pub(crate) fn rated(&self) -> Outcomes {
        self.totals.without(self.null_sender)
    }

    pub(crate) fn length_ms(&self) -> i64 {
        self.to_ms.saturating_sub(self.from_ms)
    }

    /// A time on the wall clock of these figures, in the form that strftime knows.
    pub(crate) fn clock(&self, at_ms: i64, format: &str) -> String {
        on_clock(self.offset_at(at_ms), at_ms, format)
    }

    /// Shows times on the clock of this zone.
    pub(crate) fn set_zone(&mut self, zone: TimeZone) {
        self.zone = Some(zone);
        self.utc_offset = self.offset_at(self.from_ms);
    }

    /// Seconds east of UTC of the clock at a time.
    fn offset_at(&self, at_ms: i64) -> i32 {
        let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        self.zone.as_ref().map_or(self.utc_offset, |zone| zone.to_offset(at).seconds())
    }

    /// Whether steps of the series begin by another clock: days are those of UTC.
    pub(crate) fn has_days_of_utc(&self) -> bool {
        self.step == Resolution::Day && self.zone_name() != UTC
    }

    /// The offset at a time of the clock that steps of the series begin by.
    pub(crate) fn step_offset(&self, at_ms: i64) -> i32 {
        if self.step == Resolution::Day { 0 } else { self.offset_at(at_ms) }
    }

    /// The beginning of a step of the series, on that clock.
    pub(crate) fn step_clock(&self, at_ms: i64, format: &str) -> String {
        on_clock(self.step_offset(at_ms), at_ms, format)
    }

    /// The zone of the clock: `UTC`, `UTC+02:00`, or `UTC+02:00, then UTC+01:00`.
    pub(crate) fn zone_name(&self) -> String {
        let last_ms = self.to_ms.saturating_sub(1).max(self.from_ms);
        match [self.from_ms, last_ms].map(|at_ms| offset_name(self.offset_at(at_ms))) {
            [first, last] if first == last => first,
            [first, last] => format!("{first}, then {last}"),
        }
    }
}

const UTC: &str = "UTC";

fn offset_name(offset: i32) -> String {
    let (sign, seconds) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
    match seconds {
        0 => UTC.into(),
        _ => format!("{UTC}{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60),
    }
}

fn on_clock(offset: i32, at_ms: i64, format: &str) -> String {
    let offset = Offset::from_seconds(offset).unwrap_or(Offset::UTC);
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    offset.to_datetime(at).strftime(format).to_string()
}

/// The most frequent first.
pub(crate) fn sorted(reasons: &[Reason]) -> Vec<&Reason> {
    let mut sorted: Vec<&Reason> = reasons.iter().collect();
    sorted.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
    sorted
}

/// Deliveries of several reasons together.
pub(crate) fn sum<'a>(reasons: impl IntoIterator<Item = &'a Reason>) -> u64 {
    reasons.into_iter().fold(0, |sum, one| sum.saturating_add(one.count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn each_hour_has_the_offset_of_its_own_time() {
        let at = |text: &str| clock::parse(text).unwrap();
        let (from_ms, to_ms) = (at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z"));
        let mut figures = Figures { from_ms, to_ms, step: Resolution::Hour, ..Figures::default() };
        figures.set_zone(clock::zone("Europe/Berlin").unwrap());
        let last = at("2026-10-25T22:00:00Z");
        assert_eq!(
            [from_ms, last].map(|at_ms| figures.step_clock(at_ms, "%d %H:%M")),
            ["25 00:00", "25 23:00"]
        );
        assert_eq!(figures.clock(to_ms, "%Y-%m-%d %H:%M"), "2026-10-26 00:00");
        assert_eq!((figures.zone_name().as_str(), figures.utc_offset), ("UTC+02:00, then UTC+01:00", 7200));
        let within = Figures { to_ms: from_ms + 3_600_000, ..figures };
        assert_eq!(within.zone_name(), "UTC+02:00");
    }
}
