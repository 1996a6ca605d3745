//! What a wrong clock has kept this host from taking over: it compares once the clock is right.
//!
//! A change that is too far ahead is not taken over, and an entry whose term is over is not put on
//! the list. A host whose clock is behind or ahead finds so of entries that are in force, and its
//! place in the change logs moves on all the same. Not here: which changes are too far ahead
//! (`foreign_fact`). Invariant: a host whose clock was wrong ends with the list that it would have.

use super::fact_place::GROUPS;
use super::logged_change::read_as;
use super::server_link::ServerLink;
use super::state_mark::StateMark;
use crate::clock;
use crate::error::Result;
use crate::store::{Store, greatest_rank};

/// A clock that goes back by less is set right by a time server.
const STEP_MS: i64 = 60_000;

/// Milliseconds by which the clock of a host may be off.
const OFF_MS: i64 = 60_000;

/// Milliseconds by which the clock of this host is ahead of that of the shared store; 0: they
/// agree.
pub(super) fn ahead_ms(link: &mut ServerLink) -> Result<i64> {
    let (seconds, _micros): (i64, i64) = read_as(link.ask_one(&redis::cmd("TIME"))?)?;
    let ahead_ms = clock::now_ms() - seconds.saturating_mul(1000);
    Ok(if ahead_ms.abs() > OFF_MS { ahead_ms } else { 0 })
}

/// At a tick: what people are told of it. A server that does not say the time is as good.
pub(super) fn note_difference(store: &Store, link: &mut ServerLink) -> Result<()> {
    let ahead_ms = ahead_ms(link).unwrap_or_default();
    let mark = StateMark::read(store)?.unwrap_or_default();
    if ahead_ms == mark.ahead_ms { Ok(()) } else { StateMark { ahead_ms, ..mark }.write(store) }
}

/// Before an exchange: all groups are to be compared if the clock was wrong at an earlier one. What
/// was too far ahead then is not so now, or it was later then than it is now.
pub(super) fn compare_if_right_again(store: &Store) -> Result<()> {
    let Some(mark) = StateMark::read(store)? else { return Ok(()) };
    let now_ms = clock::now_ms();
    let was_ahead = mark.clock_ms.is_some_and(|at_ms| at_ms > now_ms + STEP_MS);
    let was_behind = mark.ahead.is_some_and(|rank| rank <= greatest_rank());
    if !was_ahead && !was_behind {
        return Ok(());
    }
    tracing::warn!("the clock of this host was wrong; everything is compared again");
    store.compare_again(GROUPS)?;
    StateMark { clock_ms: Some(now_ms), ahead: None, ..mark }.write(store)
}

/// After an exchange, also one that failed: what was too far ahead is looked at again when it is
/// not any more.
pub(super) fn note_ahead(store: &Store, link: &mut ServerLink) -> Result<()> {
    let Some(rank) = link.take_ahead() else { return Ok(()) };
    let mark = StateMark::read(store)?.unwrap_or_default();
    let ahead = Some(mark.ahead.map_or(rank, |least| least.min(rank)));
    if ahead == mark.ahead { Ok(()) } else { StateMark { ahead, ..mark }.write(store) }
}
