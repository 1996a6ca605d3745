//! A group as it is in the shared store: where its log is, which buckets it has, and their facts.
//!
//! Not here: what becomes of the facts (`comparing`, `patrol`). Invariant: what no host would take
//! over is left out.

use super::fact_place::{BUCKETS, facts_of};
use super::foreign_fact::{is_ahead, is_believed};
use super::logged_change::{LoggedChange, changes, read_as};
use super::misplaced_key::accepted_of_group;
use super::server_fault::not_ours;
use super::server_keys as keys;
use super::server_link::ServerLink;
use crate::config::SharedStore;
use crate::error::Result;
use crate::store::{GroupPosition, GroupState, SharedFact};
use redis::Cmd;

/// Buckets that are read together.
const READ: usize = 128;

/// The facts of a bucket, by field.
pub(super) type BucketFields = Vec<([u8; 10], SharedFact)>;

/// Where the log of a group is now.
pub(super) fn newest_change(
    link: &mut ServerLink,
    shared: &SharedStore,
    group: u32,
) -> Result<GroupPosition> {
    let log = keys::log(&shared.name, group);
    let mut command = redis::cmd("XREVRANGE");
    command.arg(&log).arg("+").arg("-").arg("COUNT").arg(1);
    let newest = changes(link.ask_one(&command)?).map_err(|_| not_ours(&log))?;
    let (place, mark) = newest.first().map_or((0, 0), LoggedChange::numbered);
    Ok(GroupPosition { number: group, place, mark, state: GroupState::Read })
}

/// Calls `take` with the facts of one bucket of a group after the other.
pub(super) fn each_bucket(
    link: &mut ServerLink,
    shared: &SharedStore,
    group: u32,
    take: &mut dyn FnMut(BucketFields) -> Result<()>,
) -> Result<()> {
    for some in used_buckets(link, shared, group)?.chunks(READ) {
        read_buckets(link, shared, group, some)?.into_iter().try_for_each(&mut *take)?;
    }
    Ok(())
}

pub(super) fn used_buckets(link: &mut ServerLink, shared: &SharedStore, group: u32) -> Result<Vec<u32>> {
    let (mut get, mut exists) = (redis::cmd("GETRANGE"), redis::cmd("EXISTS"));
    get.arg(keys::used(&shared.name, group)).arg(0).arg(BUCKETS / 8 - 1);
    exists.arg(keys::log(&shared.name, group));
    let bits: Vec<u8> = read_as(link.ask_one(&get)?)?;
    if bits.is_empty() {
        let is_logged: bool = read_as(link.ask_one(&exists)?)?;
        return if is_logged { found_buckets(link, shared, group) } else { Ok(Vec::new()) };
    }
    let is_used =
        |bucket: &u32| bits.get(*bucket as usize / 8).is_some_and(|byte| byte & 0x80 >> (bucket % 8) != 0);
    Ok((0..BUCKETS).filter(is_used).collect())
}

/// Which buckets a group has that has lost the numbers of them. They are noted again.
fn found_buckets(link: &mut ServerLink, shared: &SharedStore, group: u32) -> Result<Vec<u32>> {
    let exists = |bucket| redis::cmd("EXISTS").arg(keys::bucket(&shared.name, group, bucket)).to_owned();
    let answers = link.ask(&(0..BUCKETS).map(exists).collect::<Vec<Cmd>>())?;
    let mut found = Vec::new();
    for (bucket, answer) in (0..BUCKETS).zip(answers) {
        found.extend(read_as::<bool>(answer)?.then_some(bucket));
    }
    let used = keys::used(&shared.name, group);
    let note = |bucket: &u32| redis::cmd("SETBIT").arg(&used).arg(*bucket).arg(1).to_owned();
    link.ask(&found.iter().map(note).collect::<Vec<Cmd>>())?;
    Ok(found)
}

pub(super) fn read_buckets(
    link: &mut ServerLink,
    shared: &SharedStore,
    group: u32,
    buckets: &[u32],
) -> Result<Vec<BucketFields>> {
    let get = |bucket: &u32| {
        let mut command = redis::cmd("HGETALL");
        command.arg(keys::bucket(&shared.name, group, *bucket));
        command
    };
    let answers = link.ask_each(&buckets.iter().map(get).collect::<Vec<Cmd>>())?;
    let mut read = Vec::with_capacity(buckets.len());
    for (bucket, answer) in buckets.iter().zip(answers) {
        let answer = accepted_of_group(link, shared, (group, &[*bucket]), answer)?;
        let mut fields = facts_of(&read_as::<Vec<(Vec<u8>, Vec<u8>)>>(answer)?);
        fields
            .iter()
            .filter(|(_, fact)| is_ahead(fact))
            .for_each(|(_, fact)| link.note_ahead(fact.version.rank));
        fields.retain(|(field, fact)| is_believed(fact, Some(field)));
        read.push(fields);
    }
    Ok(read)
}
