//! Counters and minutes: each host puts its own totals, and the sums over hosts go under the keys
//! that bouncy-sink wrote, so that its page and `redis-cli` habits work.
//!
//! Totals are absolute, so that a replay counts nothing twice. Counters and the last minutes are
//! shipped at each tick: a sum that another host wrote too early is right a tick later. All minutes
//! are shipped again when a group was found behind. Invariant: a host writes no other host's total.

use super::logged_change::read_as;
use super::server_keys as keys;
use super::server_link::ServerLink;
use crate::clock::{self, DAY};
use crate::config::SharedStore;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::store::{Store, Total};

/// Totals that are shipped together.
const TOGETHER: usize = 1000;
/// Seconds of minutes that are shipped at each tick.
const RECENT_S: i64 = 600;
/// Minutes are kept as long as bouncy-sink kept them.
const KEPT_DAYS: u64 = 10;

const ADD_UP: &str = include_str!("add_up.lua");

pub(super) fn ship(
    store: &Store,
    link: &mut ServerLink,
    shared: &SharedStore,
    deadline: Deadline,
) -> Result<()> {
    let host = store.this_host()?.host;
    let recent = clock::now_ms() / 1000 - RECENT_S;
    let totals = store.totals_to_ship(recent)?;
    for totals in totals.chunks(TOGETHER) {
        ship_some(link, shared, host, totals)?;
        store.shipped_totals(totals.to_vec())?;
        if deadline.passed() {
            break;
        }
    }
    put_start(store, link, shared)
}

fn ship_some(link: &mut ServerLink, shared: &SharedStore, host: u32, totals: &[Total]) -> Result<()> {
    let kept = (DAY * KEPT_DAYS as u32).as_secs();
    let is_minute = |total: &Total| total.name.starts_with('m');
    let add = totals.iter().map(|total| {
        let seconds = if is_minute(total) { kept + 3600 } else { 0 };
        let mut command = redis::cmd("EVAL");
        command.arg(ADD_UP).arg(1).arg(keys::total(&shared.name, &total.name));
        command.arg(format!("{host:08x}")).arg(total.value).arg(seconds);
        command
    });
    let sums = link.ask(&add.collect::<Vec<_>>())?;
    let mut puts = Vec::with_capacity(totals.len());
    for (total, sum) in totals.iter().zip(sums) {
        let (sum, name) = (read_as::<String>(sum)?, total.name.get(1..).unwrap_or_default());
        let kind = if is_minute(total) { "ts_" } else { "int_" };
        let mut put = redis::cmd("SET");
        put.arg(format!("{}{kind}{name}", shared.counter_prefix)).arg(sum);
        if is_minute(total) {
            put.arg("EX").arg(kept);
        }
        puts.push(put);
    }
    link.ask(&puts).map(drop)
}

/// When the first of the hosts began.
fn put_start(store: &Store, link: &mut ServerLink, shared: &SharedStore) -> Result<()> {
    let key = format!("{}startedRunning", shared.counter_prefix);
    let Some(own) = store.counters()?.0 else { return Ok(()) };
    let get = redis::cmd("GET").arg(&key).to_owned();
    let known: Option<String> = read_as(link.ask_one(&get)?)?;
    if known.is_some_and(|known| known <= own) {
        return Ok(());
    }
    link.ask_one(redis::cmd("SET").arg(&key).arg(own)).map(drop)
}
