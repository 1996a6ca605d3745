//! Which key of a group is not as carom makes it, where an answer says that one is not.
//!
//! Not here: what its facts say (`foreign_fact`). Invariant: the key is named, so that it can be
//! deleted; carom deletes nothing that it did not write.

use super::logged_change::texts;
use super::server_fault::{accepted, is_wrong_type, not_ours};
use super::server_keys as keys;
use super::server_link::ServerLink;
use crate::config::SharedStore;
use crate::error::{Error, Result};
use redis::Value;

/// Error: what was asked of these buckets of a group was refused.
pub(super) fn accepted_of_group(
    link: &mut ServerLink,
    shared: &SharedStore,
    (group, buckets): (u32, &[u32]),
    answer: Value,
) -> Result<Value> {
    match is_wrong_type(&answer) {
        true => Err(named(link, shared, group, buckets)),
        false => accepted(answer),
    }
}

fn named(link: &mut ServerLink, shared: &SharedStore, group: u32, buckets: &[u32]) -> Error {
    let name = &shared.name;
    let mut kinds = vec![(keys::log(name, group), "stream"), (keys::used(name, group), "string")];
    kinds.extend(buckets.iter().map(|bucket| (keys::bucket(name, group, *bucket), "hash")));
    let asked: Vec<_> = kinds.iter().map(|(key, _)| redis::cmd("TYPE").arg(key).to_owned()).collect();
    let answers = match link.ask(&asked) {
        Ok(answers) => answers,
        Err(error) => return error,
    };
    let is_other = |kind: &str, answer: &Value| ![kind, "none"].contains(&texts(answer).as_str());
    let other = kinds.iter().zip(&answers).find(|((_, kind), answer)| is_other(kind, answer));
    // Somebody has put it right meanwhile.
    other.map_or_else(|| not_ours(&kinds[0].0), |((key, _), _)| not_ours(key))
}
