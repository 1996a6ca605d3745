//! Groups compared as a whole: what the shared store has comes in, and what it lacks goes out. So a
//! new host gets the list, and an empty store is filled again.
//!
//! Not here: changes since (`exchange`), and how a group is read (`group_reading`). Invariant: a
//! group counts as read, up to the change that was the newest before, by a comparison that found
//! nothing to put: what one has put, the store may have lost since. A host that had nothing when it
//! began has nothing to put but what it has queued.

use super::fact_pile::FactPile;
use super::fact_place::{GROUPS, place_of};
use super::first_fault::FirstFault;
use super::foreign_fact::refusal;
use super::group_reading::{each_bucket, newest_change};
use super::log_upkeep::begin_log;
use super::put_facts::put;
use super::server_keys as keys;
use super::server_link::ServerLink;
use crate::clock::{self, DAY_MS};
use crate::config::SharedStore;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::store::{FactVersion, GroupPosition, GroupState, Merged, SharedFact, Store};
use crate::text::{bounded, one_line};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

/// Facts of groups that are compared in one walk over the store.
const OF_A_WALK: usize = 1 << 20;
/// Facts that are put together.
const PUT: usize = 5000;
/// After this, hosts forget that something was removed.
const FORGOTTEN_MS: i64 = 90 * DAY_MS;

/// Digests of names, and the versions in the shared store.
type Versions = FxHashMap<[u8; 10], FactVersion>;

/// What a comparison found.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Compared {
    /// Facts that this host did not know, or knew in an older version.
    pub(crate) taken: usize,
    /// Facts that the shared store lacked.
    pub(crate) put: usize,
    /// Facts of which the shared store had an older version.
    pub(crate) outdated: usize,
    /// Groups that are still to be compared.
    pub(crate) behind: usize,
}

impl Compared {
    fn add(&mut self, merged: Merged) {
        (self.taken, self.outdated) = (self.taken + merged.taken, self.outdated + merged.outdated);
    }
}

/// Compares the groups that are behind, until the deadline: one of them at least, so that each tick
/// gets on. A group that cannot be read holds up no other.
pub(super) fn compare_all(
    store: &Store,
    link: &mut ServerLink,
    shared: &SharedStore,
    deadline: Deadline,
    faults: &mut FirstFault,
) -> Result<Compared> {
    let (mut compared, mut missed): (_, Option<String>) = (Compared::default(), None);
    let mut unreadable = FxHashSet::default();
    loop {
        let mut behind: Vec<GroupPosition> = store.group_positions()?;
        behind.retain(|group| group.is_behind() && group.number < GROUPS);
        compared.behind = behind.len();
        behind.retain(|group| !unreadable.contains(&group.number));
        if behind.is_empty() || deadline.passed() {
            return Ok(compared);
        }
        let is_new = behind[0].state == GroupState::New;
        behind.retain(|group| (group.state == GroupState::New) == is_new);
        let mut reading = GroupsRead { store, link, shared, deadline, compared: &mut compared };
        let (read, there) = reading.read(&behind, !is_new, faults, &mut unreadable)?;
        if is_new || read.is_empty() {
            store.merge(Vec::new(), read, clock::now_ms())?;
            continue;
        }
        // What was put a moment ago and is missing again would be for ever.
        let missing = put_missing(store, link, shared, (read, &there), &mut compared, faults)?;
        if missing.is_some() && missing == missed {
            faults.of::<()>(Err(not_kept(shared, &missing.unwrap_or_default())));
            return Ok(compared);
        }
        missed = missing;
    }
}

fn not_kept(shared: &SharedStore, name: &str) -> Error {
    let place = place_of(name);
    let name = one_line(bounded(name, 100));
    Error::new(format_args!("the shared store does not keep what was put there: {name}")).remedy(
        format_args!(
            "redis-cli DEL '{}'; carom shared resync",
            keys::bucket(&shared.name, place.group, place.bucket)
        ),
    )
}

/// Groups that are read and taken over.
struct GroupsRead<'a> {
    store: &'a Store,
    link: &'a mut ServerLink,
    shared: &'a SharedStore,
    deadline: Deadline,
    compared: &'a mut Compared,
}

impl GroupsRead<'_> {
    /// Reads groups until the deadline. Returns up to which change, and which versions there are,
    /// if they are asked for.
    fn read(
        &mut self,
        groups: &[GroupPosition],
        keeps_versions: bool,
        faults: &mut FirstFault,
        unreadable: &mut FxHashSet<u32>,
    ) -> Result<(Vec<GroupPosition>, Versions)> {
        let (mut read, mut there) = (Vec::new(), Versions::default());
        let mut news = FactPile::new(self.store.file_beside(".news"));
        for group in groups {
            let has_some = !read.is_empty() || !unreadable.is_empty();
            if there.len() >= OF_A_WALK || has_some && self.deadline.passed() {
                break;
            }
            let head = newest_change(self.link, self.shared, group.number);
            let taken = head.and_then(|head| {
                let there = keeps_versions.then_some(&mut there);
                let first = self.take(group.number, there, &mut news)?;
                self.with_log(head, first)
            });
            match faults.of(taken) {
                Some(head) => read.push(head),
                None => drop(unreadable.insert(group.number)),
            }
        }
        self.compared.add(self.store.merge_many(news.sorted()?, clock::now_ms())?);
        Ok((read, there))
    }

    /// Where the log of a group is that has this fact: it begins with it if there was none.
    fn with_log(&mut self, head: GroupPosition, fact: Option<SharedFact>) -> Result<GroupPosition> {
        let Some(fact) = fact.filter(|_| head.place == 0) else { return Ok(head) };
        let begun = begin_log(self.link, self.shared, head.number, &fact)?;
        Ok(begun.map_or(head, |(place, mark)| GroupPosition { place, mark, ..head }))
    }

    /// Reads a group. Returns one of its facts.
    fn take(
        &mut self,
        group: u32,
        mut there: Option<&mut Versions>,
        news: &mut FactPile,
    ) -> Result<Option<SharedFact>> {
        let mut first = None;
        each_bucket(self.link, self.shared, group, &mut |fields| {
            for (field, fact) in fields {
                first.get_or_insert_with(|| fact.clone());
                if let Some(there) = &mut there {
                    there.insert(field, fact.version);
                }
                news.add(&fact)?;
            }
            Ok(())
        })?;
        Ok(first)
    }
}

/// Puts what groups lack that were read. Returns the name of the first fact that was missing.
fn put_missing(
    store: &Store,
    link: &mut ServerLink,
    shared: &SharedStore,
    (read, there): (Vec<GroupPosition>, &Versions),
    compared: &mut Compared,
    faults: &mut FirstFault,
) -> Result<Option<String>> {
    let is_read: FxHashSet<u32> = read.iter().map(|group| group.number).collect();
    let (mut missing, mut first) = (Vec::new(), None);
    store.each_fact(&mut |fact| {
        let place = place_of(&fact.name);
        // What is older there was queued when it was read.
        let is_missing = is_read.contains(&place.group) && !there.contains_key(&place.field);
        if is_missing && !is_over(&fact) && refusal(&fact).is_none() {
            first.get_or_insert_with(|| fact.name.clone());
            compared.put += 1;
            missing.push(fact);
        }
        if missing.len() >= PUT {
            put(link, shared, &std::mem::take(&mut missing), faults)?;
        }
        Ok(())
    })?;
    put(link, shared, &missing, faults)?;
    if first.is_none() {
        store.merge(Vec::new(), read, clock::now_ms())?;
    }
    Ok(first)
}

/// What a comparison would do.
pub(super) fn diff(store: &Store, link: &mut ServerLink, shared: &SharedStore) -> Result<Compared> {
    let (mut there, mut compared) = (Versions::default(), Compared::default());
    for group in 0..GROUPS {
        each_bucket(link, shared, group, &mut |fields| {
            let lasting = fields.into_iter().filter(|(_, fact)| !is_over(fact));
            there.extend(lasting.map(|(field, fact)| (field, fact.version)));
            Ok(())
        })?;
    }
    let mut here = |fact: SharedFact| {
        match there.remove(&place_of(&fact.name).field) {
            None if is_over(&fact) || refusal(&fact).is_some() => {}
            None => compared.put += 1,
            Some(version) if version < fact.version => compared.outdated += 1,
            Some(version) if version > fact.version => compared.taken += 1,
            Some(_) => {}
        }
        Ok(())
    };
    // A new host has none.
    if store.exists() {
        store.each_fact(&mut here)?;
    }
    compared.taken += there.len();
    compared.behind = store.group_positions()?.iter().filter(|group| group.is_behind()).count();
    Ok(compared)
}

/// Whether no list has it any more: it has ended, or it is forgotten that it was removed.
fn is_over(fact: &SharedFact) -> bool {
    let now_ms = clock::now_ms();
    match fact.ends_ms() {
        Some(ends_ms) => ends_ms <= now_ms,
        None => fact.removed_ms().is_some_and(|removed_ms| removed_ms < now_ms - FORGOTTEN_MS),
    }
}
