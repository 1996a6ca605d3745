//! What policies that only look on would have done otherwise: the newest [`KEPT`] differences.

use super::Store;
use crate::envelope::Envelope;
use crate::error::Result;
use rusqlite::params;
use serde::Serialize;

/// Differences that are kept.
const KEPT: i64 = 1000;

/// Two policies that did not agree about a message.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Difference {
    /// When it came, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// Its envelope.
    #[serde(flatten)]
    pub(crate) envelope: Envelope,
    /// With this seed both decide the same again.
    pub(crate) seed: u64,
    /// The policy in force, its hash and its plan (JSON).
    pub(crate) policy: String,
    /// SHA-256 of its component.
    pub(crate) hash: String,
    /// Its plan, as JSON.
    pub(crate) plan: String,
    /// The policy that only looked on.
    pub(crate) other_policy: String,
    /// SHA-256 of its component.
    pub(crate) other_hash: String,
    /// Its plan, as JSON, or `{"failure": …}`.
    pub(crate) other_plan: String,
}

impl Store {
    /// Keeps a difference, and forgets the oldest beyond a thousand.
    pub(crate) fn record_difference(&self, found: Difference) -> Result<()> {
        let envelope = serde_json::to_string(&found.envelope).unwrap_or_default();
        self.shared.write(move |db| {
            db.prepare_cached(
                "INSERT INTO differences (at_ms, envelope, seed, policy, hash, plan, other_policy, other_hash, other_plan)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                found.at_ms,
                envelope,
                found.seed.to_string(),
                found.policy,
                found.hash,
                found.plan,
                found.other_policy,
                found.other_hash,
                found.other_plan
            ])?;
            db.execute("DELETE FROM differences WHERE id <= ?1", [db.last_insert_rowid() - KEPT])?;
            Ok(())
        })
    }

    /// The newest `many` differences, oldest first, of the policy `other` or of all that look on.
    pub(crate) fn differences(&self, other: Option<&str>, many: usize) -> Result<Vec<Difference>> {
        self.shared.read(|db| {
            let mut select = db.prepare(
                "SELECT at_ms, envelope, seed, policy, hash, plan, other_policy, other_hash, other_plan FROM differences
                 WHERE ?1 IS NULL OR other_policy = ?1 ORDER BY id DESC LIMIT ?2",
            )?;
            let rows = select.query_map(params![other, i64::try_from(many).unwrap_or(KEPT)], |row| {
                Ok(Difference {
                    at_ms: row.get(0)?,
                    envelope: serde_json::from_str(&row.get::<_, String>(1)?).unwrap_or_default(),
                    seed: row.get::<_, String>(2)?.parse().unwrap_or(0),
                    policy: row.get(3)?,
                    hash: row.get(4)?,
                    plan: row.get(5)?,
                    other_policy: row.get(6)?,
                    other_hash: row.get(7)?,
                    other_plan: row.get(8)?,
                })
            })?;
            let mut found: Vec<Difference> = rows.collect::<rusqlite::Result<_>>()?;
            found.reverse();
            Ok(found)
        })
    }
}
