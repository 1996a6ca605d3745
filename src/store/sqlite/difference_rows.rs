//! Differences between policies: the newest [`KEPT`].

use super::connection::SharedConnection;
use crate::error::Result;
use crate::store::observed::Difference;
use rusqlite::params;

const KEPT: i64 = 1000;
const COLUMNS: &str = "at_ms, envelope, seed, policy, hash, plan, other_policy, other_hash, other_plan";

pub(crate) fn record_difference(shared: &SharedConnection, found: Difference) -> Result<()> {
    let envelope = serde_json::to_string(&found.envelope).unwrap_or_default();
    shared.write(move |db| {
        db.prepare_cached(&format!(
            "INSERT INTO differences ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        ))?
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

pub(crate) fn differences(
    shared: &SharedConnection,
    other: Option<&str>,
    many: usize,
) -> Result<Vec<Difference>> {
    shared.read(|db| {
        let mut select = db.prepare(
            &format!(
                "SELECT {COLUMNS} FROM differences WHERE ?1 IS NULL OR other_policy = ?1 ORDER BY id DESC LIMIT ?2"
            ),
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
