//! A change log begins where a group has facts, and forgets what is old.
//!
//! Not here: what puts changes (`put_facts`), and reading them (`exchange`). Invariants: a group
//! with facts has a change in its log, so that a host notices when both are lost; the newest change
//! stays, so that numbers go on; only the oldest go, so that a host that has not read them notices.

use super::change_log::NumberedChange;
use super::fact_place::{pack, unpack};
use super::logged_change::{LoggedChange, changes, read_as};
use super::server_fault::not_ours;
use super::server_keys as keys;
use super::server_link::ServerLink;
use crate::clock::{self, DAY_MS};
use crate::config::SharedStore;
use crate::error::Result;
use crate::store::SharedFact;

/// A host that is away for longer compares.
const KEPT_MS: i64 = 7 * DAY_MS;
/// Changes that are looked at together, and how often at one tick.
const TOGETHER: usize = 20;
const ROUNDS: usize = 50;

const BEGIN: &str = include_str!("begin_log.lua");

/// Begins a log with a fact of the group. `None`: another host has begun it.
pub(super) fn begin_log(
    link: &mut ServerLink,
    shared: &SharedStore,
    group: u32,
    fact: &SharedFact,
) -> Result<Option<NumberedChange>> {
    let Some(octets) = pack(fact) else { return Ok(None) };
    let chance = fastrand::u64(..).to_be_bytes().to_vec();
    let mut begin = redis::cmd("EVAL");
    begin.arg(BEGIN).arg(1).arg(keys::log(&shared.name, group)).arg(&octets).arg(&chance);
    let begun: bool = read_as(link.ask_one(&begin)?)?;
    Ok(begun.then(|| LoggedChange { number: 1, octets, chance }.numbered()))
}

/// Removes the oldest changes: addresses that were removed from the list do not stay for ever.
pub(super) fn forget_old(link: &mut ServerLink, shared: &SharedStore, group: u32) -> Result<()> {
    let log = keys::log(&shared.name, group);
    let mut oldest = redis::cmd("XRANGE");
    oldest.arg(&log).arg("-").arg("+").arg("COUNT").arg(TOGETHER + 1);
    for _ in 0..ROUNDS {
        let mut some = changes(link.ask_one(&oldest)?).map_err(|_| not_ours(&log))?;
        some.pop();
        // What comes before an old change is older.
        let old = some.iter().rposition(|change| is_old(&change.octets)).map_or(0, |last| last + 1);
        if old > 0 {
            let ids = some[..old].iter().map(|change| format!("{}-0", change.number));
            let mut remove = redis::cmd("XDEL");
            remove.arg(&log).arg(ids.collect::<Vec<String>>());
            link.ask_one(&remove)?;
        }
        if old < TOGETHER {
            break;
        }
    }
    Ok(())
}

fn is_old(octets: &[u8]) -> bool {
    let made_ms = unpack(octets).and_then(|fact| fact.made_ms());
    made_ms.is_some_and(|made_ms| made_ms < clock::now_ms() - KEPT_MS)
}
