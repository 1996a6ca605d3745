//! Rows that a transaction has still to write: the states of deliveries wait in memory, so that
//! each row is written once, in its last state and in the order of its number.
//!
//! Not here: the statement that writes a row (`delivery_row`). Invariant: what is written is the
//! same as if each state had been written when it came.

use super::Batch;
use super::delivery_row::{row_id, row_of};
use crate::class::Class;
use crate::error::Result;
use crate::maillog::delivery::ReportedState;
use crate::maillog::{Delivery, PackedDeliveries};
use rustc_hash::FxHashMap;
use std::rc::Rc;

#[derive(Default)]
pub(crate) struct UnwrittenRows {
    pieces: Vec<PackedDeliveries>,
    states: Vec<UnwrittenState>,
    /// The last state of each delivery, if that is asked for.
    last: FxHashMap<(i64, i64), ReportedState>,
    /// Bytes of memory.
    weight: usize,
}

/// A state of a delivery, and what follows from it.
#[derive(Clone, Copy, Debug)]
struct UnwrittenState {
    /// The row that it should have.
    row: i64,
    /// The key of the reply that is the reason for it.
    reply: Option<u64>,
    piece: u32,
    at: u32,
    work: Work,
}

/// The pending work that a state causes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    pub(crate) event: bool,
    pub(crate) failure: bool,
}

impl UnwrittenRows {
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// The last state of a delivery among these that were noted with `note_last`.
    pub(crate) fn last(&self, delivery: &Delivery<'_>) -> Option<ReportedState> {
        self.last.get(&identity(delivery)).copied()
    }

    /// Notes a state, to be found with `last`.
    pub(crate) fn note_last(&mut self, delivery: &Delivery<'_>) {
        let Delivery { status, attempts, last_seen, .. } = *delivery;
        let whose = delivery.route.whose();
        let state = ReportedState { status, attempts, last_seen, whose };
        if self.last.insert(identity(delivery), state).is_none() {
            self.weight += 2 * size_of::<((i64, i64), ReportedState)>();
        }
    }

    /// A state in the piece that is kept next, at this position.
    pub(crate) fn expect(
        &mut self,
        at: usize,
        deliveries: &PackedDeliveries,
        reply: Option<u64>,
        work: Work,
    ) {
        let (piece, (id, first_seen)) = (self.pieces.len() as u32, deliveries.id_and_first_seen(at));
        let row = row_of(id, first_seen);
        self.states.push(UnwrittenState { row, reply, piece, at: at as u32, work });
    }

    /// Keeps the deliveries that states were expected of.
    pub(crate) fn keep(&mut self, piece: PackedDeliveries) {
        self.weight += piece.weight() + piece.len() * size_of::<UnwrittenState>();
        self.pieces.push(piece);
    }

    /// Writes all of them. `class` gives the class of a reply.
    pub(crate) fn write(
        &mut self,
        batch: &mut Batch<'_>,
        class: impl Fn(&mut Batch<'_>, u64) -> Result<Option<Rc<Class>>>,
    ) -> Result<()> {
        let UnwrittenRows { pieces, mut states, .. } = std::mem::take(self);
        // The sort is stable: states of a delivery stay in order.
        states.sort_by_key(|state| state.row);
        let delivery = |state: &UnwrittenState| pieces[state.piece as usize].delivery(state.at as usize);
        for same_row in states.chunk_by(|one, next| one.row == next.row) {
            let mut last: Vec<UnwrittenState> = Vec::new();
            for state in same_row {
                match last.iter_mut().find(|known| is_same(&delivery(known), &delivery(state))) {
                    Some(known) => *known = state.after(known),
                    None => last.push(*state),
                }
            }
            for state in &last {
                let class = state.reply.map(|reply| class(batch, reply)).transpose()?.flatten();
                let row = batch.put(&delivery(state), class.as_deref())?;
                state.work.note(batch, row)?;
            }
        }
        Ok(())
    }
}

impl UnwrittenState {
    /// This state, with the work of an earlier one.
    fn after(self, earlier: &UnwrittenState) -> UnwrittenState {
        let Work { event, failure } = earlier.work;
        let work = Work { event: event || self.work.event, failure: failure || self.work.failure };
        UnwrittenState { work, ..self }
    }
}

impl Work {
    fn note(self, batch: &mut Batch<'_>, row: i64) -> Result<()> {
        if self.event {
            batch.note_change(row)?;
        }
        if self.failure {
            batch.note_failure(row)?;
        }
        Ok(())
    }
}

fn identity(delivery: &Delivery<'_>) -> (i64, i64) {
    (row_id(delivery), (delivery.id >> 32) as i64)
}

/// Whether two states that want the same row are of one delivery, as the statement that writes rows
/// decides it.
fn is_same(one: &Delivery<'_>, other: &Delivery<'_>) -> bool {
    let same_recipient = || match (one.recipient, other.recipient) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        (one, other) => one == other,
    };
    one.id >> 32 == other.id >> 32
        && one.queue_id == other.queue_id
        && one.host == other.host
        && (one.queue_id.is_some() || same_recipient())
}
