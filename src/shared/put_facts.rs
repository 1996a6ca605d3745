//! Facts are put into their groups by a script, which keeps those that beat what is there, and
//! notes them in the change log of the group.
//!
//! Not here: which facts (`exchange`, `comparing`). Invariant: a script touches one group, so one
//! hash slot.

use super::change_log::NumberedChange;
use super::fact_place::{FactPlace, chunks, pack, place_of};
use super::first_fault::FirstFault;
use super::foreign_fact::refusal;
use super::logged_change::{LoggedChange, read_as};
use super::misplaced_key::accepted_of_group;
use super::server_keys as keys;
use super::server_link::ServerLink;
use crate::config::SharedStore;
use crate::error::Result;
use crate::store::{FactVersion, SharedFact, greatest_rank};
use redis::Cmd;
use std::collections::BTreeMap;

/// Facts that one run of the script puts.
const OF_A_SCRIPT: usize = 500;
/// Changes that a log keeps, at least. Who is further behind compares the group.
const LOG: usize = 8192;

const PUT: &str = include_str!("put_facts.lua");

/// What was put into a group, and which change was its newest then.
#[derive(Default)]
pub(super) struct PutInto {
    pub(super) facts: Vec<(String, FactVersion)>,
    pub(super) newest: NumberedChange,
}

/// A fact and where it goes.
type PlacedFact<'f> = (FactPlace, &'f SharedFact);

/// Puts facts. Returns what went into each group; one that takes nothing is a fault.
pub(super) fn put(
    link: &mut ServerLink,
    shared: &SharedStore,
    facts: &[SharedFact],
    faults: &mut FirstFault,
) -> Result<BTreeMap<u32, PutInto>> {
    let mut groups: BTreeMap<u32, Vec<PlacedFact<'_>>> = BTreeMap::new();
    // What is not shared stays in the queue, where people see that it waits.
    for fact in facts.iter().filter(|fact| refusal(fact).is_none()) {
        let place = place_of(&fact.name);
        groups.entry(place.group).or_default().push((place, fact));
    }
    let scripts =
        groups.iter().flat_map(|(group, facts)| facts.chunks(OF_A_SCRIPT).map(|facts| (*group, facts)));
    let scripts: Vec<(u32, &[PlacedFact<'_>])> = scripts.collect();
    let commands: Vec<Cmd> =
        scripts.iter().map(|(group, facts)| put_command(&shared.name, *group, facts)).collect();
    let answers = link.ask_each(&commands)?;
    let (mut put, mut refused): (BTreeMap<u32, PutInto>, _) = (BTreeMap::new(), Vec::new());
    for ((group, facts), answer) in scripts.into_iter().zip(answers) {
        let buckets: Vec<u32> = facts.iter().map(|(place, _)| place.bucket).collect();
        let taken = accepted_of_group(link, shared, (group, &buckets), answer).and_then(read_as);
        let Some((number, octets, chance)) = faults.of(taken) else {
            refused.push(group);
            continue;
        };
        let into = put.entry(group).or_default();
        into.newest = LoggedChange { number, octets, chance }.numbered();
        into.facts.extend(facts.iter().map(|(_, fact)| (fact.name.clone(), fact.version)));
    }
    refused.iter().for_each(|group| drop(put.remove(group)));
    Ok(put)
}

fn put_command(name: &str, group: u32, facts: &[PlacedFact<'_>]) -> Cmd {
    let packed = facts.iter().filter_map(|(place, fact)| Some((place, pack(fact)?)));
    let packed: Vec<(&FactPlace, Vec<u8>)> = packed.collect();
    let greatest = greatest_rank().to_be_bytes();
    let chance = fastrand::u64(..).to_be_bytes();
    let mut command = redis::cmd("EVAL");
    command.arg(PUT).arg(packed.len() + 2).arg(keys::log(name, group)).arg(keys::used(name, group));
    for (place, _) in &packed {
        command.arg(keys::bucket(name, group, place.bucket));
    }
    command.arg(LOG).arg(&chance).arg(&greatest);
    for (place, octets) in &packed {
        command.arg(place.bucket).arg(&place.field).arg(chunks(octets).count());
        for chunk in chunks(octets) {
            command.arg(chunk);
        }
    }
    command
}
