//! A batch: the events of a part of the queue that a sink takes.
//!
//! Not here: where the part ends (`shipping`). Invariant: the same part gives the same batch under
//! the same token.

use super::event_line::is_of;
use super::event_queue::EventQueue;
use crate::config::EventSink;
use crate::digest::sha256_hex;
use crate::store::SinkMark;
use memchr::memchr_iter;

/// Digits of a token.
const TOKEN: usize = 32;

pub(super) struct SinkBatch {
    /// Whole lines.
    pub(super) lines: Vec<u8>,
    pub(super) events: u64,
    /// By which a sink knows a repetition.
    pub(super) token: String,
}

impl SinkBatch {
    /// Of the lines from the mark's position to `end`.
    pub(super) fn new(
        queue: &EventQueue,
        sink: &EventSink,
        mark: &SinkMark,
        end: u64,
        part: &[u8],
    ) -> SinkBatch {
        let (mut lines, mut events, mut start) = (Vec::with_capacity(part.len()), 0, 0);
        for end in memchr_iter(b'\n', part).map(|end| end + 1) {
            let line = &part[start..end];
            start = end;
            if is_of(line, &sink.include) {
                lines.extend_from_slice(line);
                events += 1;
            }
        }
        let kinds: Vec<&str> = sink.include.iter().map(|kind| kind.name()).collect();
        let place = format!("{} {} {} {end} {}", queue.id, mark.segment, mark.offset, kinds.join(","));
        let token = sha256_hex(&[place.as_bytes(), b"\n", sink.name().as_bytes()], TOKEN);
        SinkBatch { lines, events, token }
    }
}
