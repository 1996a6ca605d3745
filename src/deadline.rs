//! A point in time by which something must be over. Every wait in carom takes one as an argument.
//!
//! Not a timer: nothing happens when it passes. `watchdog` ends an overdue process under a mail
//! server.

pub(crate) mod cpu_time;
pub(crate) mod readiness;
pub(crate) mod stopping;
pub(crate) mod timed_stream;
pub(crate) mod watchdog;

use std::time::{Duration, Instant};

/// The moment after which there is no more waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The least wait ever granted: socket options refuse zero.
    const LEAST: Duration = Duration::from_millis(1);

    /// A deadline this long from now.
    pub(crate) fn after(duration: Duration) -> Deadline {
        Deadline(Instant::now() + duration)
    }

    /// The earlier of this deadline and one this long from now.
    pub(crate) fn within(self, duration: Duration) -> Deadline {
        Deadline(self.0.min(Instant::now() + duration))
    }

    /// Time left, at least a millisecond, so that it can be given to sockets.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now()).max(Self::LEAST)
    }

    /// Whether it has passed.
    pub(crate) fn passed(self) -> bool {
        Instant::now() >= self.0
    }
}
