//! Statistics of deliveries as plain data: what the store counts and the reports show.
//!
//! Not here: how they are counted, and how they look. Invariant: the JSON of `Figures` is public; what is written
//! as JSON is read back equal, and fields are only ever added.

use jiff::{Timestamp, tz::Offset};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ops::AddAssign;

/// A period, counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Figures {
    /// The first millisecond since 1970 that counts.
    #[serde(rename = "from", with = "rfc3339")]
    pub(crate) from_ms: i64,
    /// The first one that counts no more.
    #[serde(rename = "to", with = "rfc3339")]
    pub(crate) to_ms: i64,
    /// Seconds east of UTC of the wall clock that times are shown in, and that days begin by.
    pub(crate) utc_offset: i32,
    /// What one point of the series stands for.
    pub(crate) step: Resolution,
    /// The mail server, or what the operator calls several of them.
    pub(crate) host: String,
    /// Deliveries by what became of them.
    pub(crate) totals: Outcomes,
    /// Attempts that were put off, of deliveries whatever became of them.
    pub(crate) deferrals: u64,
    /// Bytes delivered; 0 if sizes are not known.
    pub(crate) bytes: u64,
    /// From arrival to delivery.
    pub(crate) delay: Option<Percentiles>,
    /// Oldest first; a step in which nothing happened may be missing.
    pub(crate) series: Vec<Point>,
    /// Why deliveries failed or were put off.
    pub(crate) reasons: Vec<Reason>,
    /// Why mail was refused in the session.
    pub(crate) rejects: Vec<Reason>,
    /// By domain of the recipient.
    pub(crate) recipient_domains: Vec<GroupFigures>,
    /// By who runs the recipient's mail server, where known.
    pub(crate) providers: Vec<GroupFigures>,
    /// By domain of the envelope sender.
    pub(crate) sender_domains: Vec<GroupFigures>,
    /// By client id.
    pub(crate) clients: Vec<GroupFigures>,
    /// By next hop.
    pub(crate) relays: Vec<GroupFigures>,
    /// Reasons of each provider.
    pub(crate) provider_reasons: Vec<ProviderReason>,
    /// Failures and deferrals with a reply that no rule knows.
    pub(crate) unclassified: u64,
    /// Those replies by shape, the most frequent.
    pub(crate) unknown: Vec<UnknownText>,
    /// What the lines of the logs were.
    pub(crate) lines: LineCounts,
}

/// Deliveries by what became of them in the period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Outcomes {
    /// Delivered, or handed on.
    pub(crate) sent: u64,
    /// Refused for good.
    pub(crate) bounced: u64,
    /// Still waiting to be tried again.
    pub(crate) deferred: u64,
    /// Given up after too long a time.
    pub(crate) expired: u64,
    /// Refused in the session; never queued.
    pub(crate) rejected: u64,
    /// On hold.
    pub(crate) held: u64,
    /// Deleted by an operator.
    pub(crate) deleted: u64,
    /// Accepted and thrown away.
    pub(crate) discarded: u64,
}

/// The names of outcomes in JSON and exports, in the order in which they are shown.
pub(crate) const OUTCOMES: [&str; 8] =
    ["sent", "deferred", "bounced", "expired", "rejected", "held", "deleted", "discarded"];

impl Outcomes {
    /// The counts, in the order of [`OUTCOMES`].
    pub(crate) fn counts(&self) -> [u64; 8] {
        [
            self.sent,
            self.deferred,
            self.bounced,
            self.expired,
            self.rejected,
            self.held,
            self.deleted,
            self.discarded,
        ]
    }

    /// All deliveries.
    pub(crate) fn total(&self) -> u64 {
        self.counts().iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Those that were queued and came to an end: sent, bounced or expired.
    pub(crate) fn concluded(&self) -> u64 {
        self.sent.saturating_add(self.bounced).saturating_add(self.expired)
    }
}

impl AddAssign for Outcomes {
    fn add_assign(&mut self, other: Outcomes) {
        self.sent += other.sent;
        self.bounced += other.bounced;
        self.deferred += other.deferred;
        self.expired += other.expired;
        self.rejected += other.rejected;
        self.held += other.held;
        self.deleted += other.deleted;
        self.discarded += other.discarded;
    }
}

/// One step of the series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Point {
    /// When it begins, milliseconds since 1970.
    #[serde(rename = "time", with = "rfc3339")]
    pub(crate) at_ms: i64,
    /// What became of the deliveries that changed in it.
    #[serde(flatten)]
    pub(crate) outcomes: Outcomes,
}

/// How long a step of the series is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Resolution {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    #[default]
    Hour,
    /// 24 hours.
    Day,
}

impl Resolution {
    /// Its length in milliseconds.
    pub(crate) fn ms(self) -> i64 {
        match self {
            Resolution::Minute => MINUTE,
            Resolution::Hour => 60 * MINUTE,
            Resolution::Day => 24 * 60 * MINUTE,
        }
    }
}

const MINUTE: i64 = 60_000;
/// Lengths that people divide time into, in minutes.
const USUAL: [i64; 17] =
    [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2 * 1440, 7 * 1440, 14 * 1440, 28 * 1440];

/// The shortest usual length, not below `least`, of which at most `most` fit into a period; milliseconds.
pub(crate) fn usual_length(period_ms: i64, least: i64, most: usize) -> i64 {
    let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
    let fits = |length: &i64| *length >= least && period_ms <= length.saturating_mul(most);
    let usual = USUAL.iter().map(|minutes| minutes * MINUTE).find(fits);
    usual.unwrap_or_else(|| least.max((period_ms / most).saturating_add(1)))
}

/// Seconds within which a share of deliveries was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Percentiles {
    /// Half of them.
    pub(crate) p50: f64,
    /// Nine of ten.
    pub(crate) p90: f64,
    /// All but one of a hundred.
    pub(crate) p99: f64,
}

/// Deliveries that have something in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct GroupFigures {
    /// What they have in common. Text from mail: not to be trusted.
    pub(crate) name: String,
    /// What became of them.
    pub(crate) outcomes: Outcomes,
    /// Attempts that were put off.
    pub(crate) deferrals: u64,
    /// Bytes delivered; 0 if sizes are not known.
    pub(crate) bytes: u64,
    /// From arrival to delivery.
    pub(crate) delay: Option<Percentiles>,
}

/// How often there was this reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Reason {
    /// The fine word: `user-unknown`.
    pub(crate) reason: String,
    /// The bounce category it belongs to: `bad-mailbox`.
    pub(crate) category: String,
    /// Deliveries.
    pub(crate) count: u64,
}

/// How often a provider gave this reason.
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

/// What the lines of the logs were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LineCounts {
    /// Told something of a delivery.
    pub(crate) parsed: u64,
    /// Known, and telling nothing of one.
    pub(crate) ignored: u64,
    /// Not understood.
    pub(crate) unknown: u64,
}

impl Figures {
    /// The series in at most `most` equal steps without gaps, and how long each is in milliseconds.
    pub(crate) fn steps(&self, most: usize) -> (i64, Vec<Point>) {
        let from = self.from_ms.min(self.to_ms);
        let length = usual_length(self.to_ms.saturating_sub(from), self.step.ms(), most);
        let steps = self.to_ms.saturating_sub(from).saturating_add(length - 1) / length;
        let start = |step: i64| Point { at_ms: from + step * length, ..Point::default() };
        let mut points: Vec<Point> = (0..steps).map(start).collect();
        for point in &self.series {
            let step = usize::try_from(point.at_ms.saturating_sub(from).div_euclid(length));
            if let Some(into) = step.ok().and_then(|step| points.get_mut(step)) {
                into.outcomes += point.outcomes;
            }
        }
        (length, points)
    }

    /// A time on the wall clock of these figures, as strftime would write it.
    pub(crate) fn clock(&self, at_ms: i64, format: &str) -> String {
        let offset = Offset::from_seconds(self.utc_offset).unwrap_or(Offset::UTC);
        let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        offset.to_datetime(at).strftime(format).to_string()
    }

    /// The zone of that clock: `UTC`, `UTC+02:00`.
    pub(crate) fn zone(&self) -> String {
        let (sign, seconds) = (if self.utc_offset < 0 { '-' } else { '+' }, self.utc_offset.unsigned_abs());
        match seconds {
            0 => "UTC".into(),
            _ => format!("UTC{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60),
        }
    }
}

/// What lines are called that are not shown one by one.
pub(crate) const OTHER: &str = "other";

/// The `most` biggest, and what the others are together. Names are unique, also if those that came in were not.
pub(crate) fn top(lines: &[GroupFigures], most: usize) -> (Vec<GroupFigures>, Option<GroupFigures>) {
    let mut sorted: Vec<&GroupFigures> = lines.iter().collect();
    sorted.sort_by(|a, b| b.outcomes.total().cmp(&a.outcomes.total()).then_with(|| a.name.cmp(&b.name)));
    let mut seen = HashSet::new();
    let (mut kept, mut rest) = (Vec::new(), None);
    for line in sorted {
        if line.name != OTHER && kept.len() < most && seen.insert(&line.name) {
            kept.push(line.clone());
            continue;
        }
        let into = match kept.iter_mut().find(|one: &&mut GroupFigures| one.name == line.name) {
            Some(same) => same,
            None => {
                rest.get_or_insert_with(|| GroupFigures { name: OTHER.into(), ..GroupFigures::default() })
            }
        };
        into.outcomes += line.outcomes;
        into.deferrals += line.deferrals;
        into.bytes += line.bytes;
    }
    (kept, rest)
}

/// Times as RFC 3339 in UTC.
mod rfc3339 {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(at_ms: &i64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&Timestamp::from_millisecond(*at_ms).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        let text = String::deserialize(from)?;
        text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(D::Error::custom)
    }
}
