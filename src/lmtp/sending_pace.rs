//! How fast a client sends its message, and until when the next bytes have to be there.
//!
//! Not here: reading (`client_session`). Invariant: after a grace, a client that is so slow that
//! its message would not be there in time does not keep the memory of others until then.

use std::time::{Duration, Instant};

/// Bytes a second, at least.
const LEAST: u64 = 1000;
/// The part of the time for a message that is not looked at.
const GRACE_PART: u32 = 10;

pub(super) struct SendingPace {
    since: Instant,
    bytes: u64,
    /// Bytes a second, at least.
    rate: u64,
    grace: Duration,
}

impl SendingPace {
    /// Of a message that begins now, has this size if it is announced, and so much time.
    pub(super) fn new(announced: u64, time: Duration) -> SendingPace {
        let rate = announced / time.as_secs().max(1);
        SendingPace { since: Instant::now(), bytes: 0, rate: rate.max(LEAST), grace: time / GRACE_PART }
    }

    pub(super) fn heard(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// The client could not send for so long.
    pub(super) fn held_up(&mut self, time: Duration) {
        self.since += time;
    }

    /// Time until more has to be there.
    pub(super) fn left(&self) -> Duration {
        self.left_after(self.since.elapsed())
    }

    fn left_after(&self, passed: Duration) -> Duration {
        let sent_in = Duration::from_millis(self.bytes.saturating_mul(1000) / self.rate);
        self.grace.saturating_add(sent_in).saturating_sub(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_give_time_and_an_announced_size_asks_for_more_of_them() {
        let seconds = Duration::from_secs;
        let mut pace = SendingPace::new(0, seconds(600));
        assert_eq!(pace.left_after(seconds(10)), seconds(50));
        pace.heard(30_000);
        assert_eq!((pace.left_after(seconds(89)), pace.left_after(seconds(91))), (seconds(1), seconds(0)));
        let mut large = SendingPace::new(6_000_000, seconds(600));
        large.heard(100_000);
        assert_eq!(large.left_after(seconds(60)), seconds(10));
    }
}
