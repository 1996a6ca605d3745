//! Some buckets of a group by chance, at each tick: what differs is put right, and what ended long
//! ago is dropped, also from the log of the group.
//!
//! Not here: groups that are compared as a whole (`comparing`).

use super::fact_place::{GROUPS, pack};
use super::group_reading::{read_buckets, used_buckets};
use super::log_upkeep::forget_old;
use super::server_keys as keys;
use super::server_link::ServerLink;
use crate::clock::{self, DAY_MS};
use crate::config::SharedStore;
use crate::error::Result;
use crate::store::{SharedFact, Store};
use redis::Cmd;

/// Buckets that each tick looks at.
const PATROL: usize = 64;
/// Removals are known so long: a day longer than by hosts, whose clocks differ.
const REMOVED_MS: i64 = 91 * DAY_MS;

const DROP: &str = include_str!("drop_facts.lua");

pub(super) fn patrol(store: &Store, link: &mut ServerLink, shared: &SharedStore) -> Result<()> {
    let group = fastrand::u32(..GROUPS);
    let mut used = used_buckets(link, shared, group)?;
    fastrand::shuffle(&mut used);
    used.truncate(PATROL);
    let (mut facts, mut drops) = (Vec::new(), Vec::new());
    for (bucket, fields) in used.iter().zip(read_buckets(link, shared, group, &used)?) {
        let ended = fields.iter().filter(|(_, fact)| has_ended(fact));
        drops.extend(drop_command(&keys::bucket(&shared.name, group, *bucket), ended));
        facts.extend(fields.into_iter().map(|(_, fact)| fact).filter(|fact| !has_ended(fact)));
    }
    link.ask(&drops)?;
    forget_old(link, shared, group)?;
    store.merge(facts, Vec::new(), clock::now_ms()).map(drop)
}

fn has_ended(fact: &SharedFact) -> bool {
    let now_ms = clock::now_ms();
    match fact.ends_ms() {
        Some(ends_ms) => ends_ms < now_ms - DAY_MS,
        None => fact.removed_ms().is_some_and(|removed_ms| removed_ms < now_ms - REMOVED_MS),
    }
}

fn drop_command<'a>(bucket: &str, ended: impl Iterator<Item = &'a ([u8; 10], SharedFact)>) -> Option<Cmd> {
    let header = |octets: Vec<u8>| octets.get(..13).map(<[u8]>::to_vec);
    let what: Vec<Vec<u8>> = ended
        .filter_map(|(field, fact)| Some([field.to_vec(), pack(fact).and_then(header)?]))
        .flatten()
        .collect();
    let mut command = redis::cmd("EVAL");
    command.arg(DROP).arg(1).arg(bucket);
    (!what.is_empty()).then(|| command.arg(what).to_owned())
}
