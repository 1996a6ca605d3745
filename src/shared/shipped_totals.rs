//! Counters and minutes: each host puts its own totals, and the sums over hosts go under the keys
//! that bouncy-sink wrote, so that its page and `redis-cli` habits work.
//!
//! Totals are absolute, so that a replay counts nothing twice. Counters and the last minutes are
//! shipped at each tick: a sum that another host wrote too early is right a tick later. All minutes
//! are shipped again when a group was found behind. Invariants: a host writes no other host's
//! total; a total that cannot be added up holds up no other.

use super::first_fault::FirstFault;
use super::logged_change::read_as;
use super::server_fault::{accepted_of, not_counted};
use super::server_keys as keys;
use super::server_link::ServerLink;
use crate::clock::{self, DAY};
use crate::config::SharedStore;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::store::{Store, Total};
use redis::{Cmd, Value};
use std::time::Duration;

/// Totals that are shipped together.
const TOGETHER: usize = 1000;
/// Seconds of minutes that are shipped at each tick.
const RECENT_S: i64 = 600;
/// Minutes are kept as long as bouncy-sink kept them.
const KEPT: Duration = Duration::from_secs(10 * DAY.as_secs());

const ADD_UP: &str = include_str!("add_up.lua");

pub(super) fn ship(
    store: &Store,
    link: &mut ServerLink,
    shared: &SharedStore,
    deadline: Deadline,
    faults: &mut FirstFault,
) -> Result<()> {
    let host = store.this_host()?.host;
    let recent = clock::now_ms() / 1000 - RECENT_S;
    let totals = store.totals_to_ship(recent)?;
    for totals in totals.chunks(TOGETHER) {
        store.shipped_totals(ship_some(link, shared, host, totals, faults)?)?;
        if deadline.passed() {
            break;
        }
    }
    faults.of(put_start(store, link, shared));
    Ok(())
}

/// Returns the totals whose sums are there now; one that cannot be added up is a fault.
fn ship_some(
    link: &mut ServerLink,
    shared: &SharedStore,
    host: u32,
    totals: &[Total],
    faults: &mut FirstFault,
) -> Result<Vec<Total>> {
    let add: Vec<Cmd> = totals.iter().map(|total| add_command(shared, host, total)).collect();
    let answers = link.ask_each(&add)?;
    let (mut added, mut puts) = (Vec::with_capacity(totals.len()), Vec::with_capacity(totals.len()));
    for ((total, command), answer) in totals.iter().zip(&add).zip(answers) {
        if let Some(sum) = faults.of(sum_of(command, answer, &keys::total(&shared.name, &total.name))) {
            puts.push(put_command(shared, total, &sum));
            added.push(total);
        }
    }
    let answers = link.ask_each(&puts)?;
    let put = added.into_iter().zip(puts.iter().zip(answers));
    let put = put.filter(|(_, (command, answer))| faults.of(accepted_of(command, answer.clone())).is_some());
    Ok(put.map(|(total, _)| total.clone()).collect())
}

fn is_minute(total: &Total) -> bool {
    total.name.starts_with('m')
}

fn add_command(shared: &SharedStore, host: u32, total: &Total) -> Cmd {
    let seconds = if is_minute(total) { KEPT.as_secs() + 3600 } else { 0 };
    let mut command = redis::cmd("EVAL");
    command.arg(ADD_UP).arg(1).arg(keys::total(&shared.name, &total.name));
    command.arg(format!("{host:08x}")).arg(total.value).arg(seconds);
    command
}

/// The sum over hosts. Error: there is something in the total that no host has counted.
fn sum_of(command: &Cmd, answer: Value, key: &str) -> Result<String> {
    let (sum, foreign): (String, Vec<u8>) = read_as(accepted_of(command, answer)?)?;
    match foreign.is_empty() {
        true => Ok(sum),
        false => Err(not_counted(key, &foreign)),
    }
}

fn put_command(shared: &SharedStore, total: &Total, sum: &str) -> Cmd {
    let (kind, name) =
        (if is_minute(total) { "ts_" } else { "int_" }, total.name.get(1..).unwrap_or_default());
    let mut put = redis::cmd("SET");
    put.arg(format!("{}{kind}{name}", shared.counter_prefix)).arg(sum);
    if is_minute(total) {
        put.arg("EX").arg(KEPT.as_secs());
    }
    put
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
