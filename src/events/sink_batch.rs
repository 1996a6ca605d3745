//! A batch: the events of a part of the queue that a sink takes.
//!
//! Not here: where the part ends (`shipping`). Invariant: the same part gives the same batch under
//! the same token.

use super::event_line::is_of;
use super::event_queue::EventQueue;
use crate::config::EventSink;
use crate::digest::sha256_hex;
use crate::error::Error;
use crate::store::SinkMark;
use memchr::{memchr_iter, memrchr};
use std::borrow::Cow;

/// Digits of a token.
const TOKEN: usize = 32;

pub(super) struct SinkBatch<'p> {
    /// Whole lines.
    pub(super) lines: Cow<'p, [u8]>,
    pub(super) events: u64,
    /// By which a sink knows a repetition.
    pub(super) token: String,
}

impl<'p> SinkBatch<'p> {
    /// Of the lines from the mark's position to `end`.
    pub(super) fn new(
        queue: &EventQueue,
        sink: &EventSink,
        mark: &SinkMark,
        end: u64,
        part: &'p [u8],
    ) -> SinkBatch<'p> {
        let (mut all, mut events) = (0, 0);
        for line in lines_of(part) {
            all += 1;
            events += u64::from(is_of(line, &sink.include));
        }
        let lines = match events == all {
            // As most sinks do, it takes them all.
            true => Cow::Borrowed(&part[..memrchr(b'\n', part).map_or(0, |end| end + 1)]),
            false => {
                lines_of(part).filter(|line| is_of(line, &sink.include)).collect::<Vec<_>>().concat().into()
            }
        };
        let kinds: Vec<&str> = sink.include.iter().map(|kind| kind.name()).collect();
        let place = format!("{} {} {} {end} {}", queue.id, mark.segment, mark.offset, kinds.join(","));
        let token = sha256_hex(&[place.as_bytes(), b"\n", sink.name().as_bytes()], TOKEN);
        SinkBatch { lines, events, token }
    }
}

/// Why a batch does not count as taken.
pub(super) struct UntakenBatch {
    pub(super) error: Error,
    /// The answer did not come in time: a smaller batch may fare better.
    pub(super) is_late: bool,
}

impl From<Error> for UntakenBatch {
    fn from(error: Error) -> UntakenBatch {
        UntakenBatch { error, is_late: false }
    }
}

/// The whole lines of a part, each with its line feed.
fn lines_of(part: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr_iter(b'\n', part).map(move |end| {
        let line = &part[start..=end];
        start = end + 1;
        line
    })
}
