//! Replies that no rule of the policy knows, by shape. Not here: what a shape is
//! (`crate::maillog`).

use super::Index;
use super::filter::{Filter, conditions};
use super::stored_delivery::time;
use crate::error::Result;
use crate::maillog::shape::shape;
use rusqlite::params_from_iter;
use rustc_hash::FxHashMap;
use serde::Serialize;

/// The shape of failures that were logged without a text.
pub(super) const NO_TEXT: &str = "(no text)";

/// Replies whose shape is remembered.
const REPLIES: usize = 10_000;

/// Unknown replies of one shape.
#[derive(Debug, Serialize)]
pub(crate) struct UnclassifiedShape {
    /// The reply without what varies.
    pub(crate) shape: String,
    /// How many deliveries.
    pub(crate) count: u64,
    /// The newest reply.
    pub(crate) example: String,
    /// Its enhanced status code.
    pub(crate) dsn: Option<String>,
    /// Its next hop.
    pub(crate) relay: Option<String>,
    /// When it was last seen.
    #[serde(serialize_with = "time")]
    pub(crate) last_seen: i64,
}

/// A reply that no rule knows.
#[derive(Debug)]
pub(crate) struct UnknownReply {
    pub(crate) text: String,
    /// Its enhanced status code.
    pub(crate) dsn: Option<String>,
    /// Its next hop.
    pub(crate) relay: Option<String>,
    /// What the code alone says.
    pub(crate) reason: String,
}

impl Index {
    /// Gives `each` the unknown reply of every delivery since a time, the newest first.
    pub(crate) fn unknown_replies(&self, since_ms: i64, mut each: impl FnMut(UnknownReply)) -> Result<()> {
        let sql = "SELECT reply, dsn, relay, reason
            FROM deliveries INDEXED BY deliveries_unclassified JOIN meanings ON meanings.id = meaning
            WHERE meaning < 0 AND last_seen >= ?1 AND reply <> '' ORDER BY last_seen DESC, deliveries.id DESC";
        let given = (|| {
            let mut select = self.connection.prepare(sql)?;
            let mut rows = select.query([since_ms])?;
            while let Some(row) = rows.next()? {
                each(UnknownReply {
                    text: row.get(0)?,
                    dsn: row.get(1)?,
                    relay: row.get(2)?,
                    reason: row.get(3)?,
                });
            }
            Ok(())
        })();
        self.checked(given)
    }

    /// The unknown replies, the most frequent shape first.
    pub(crate) fn unclassified(&self, filter: &Filter) -> Result<Vec<UnclassifiedShape>> {
        let mut values = Vec::new();
        let wanted = conditions(filter, true, &mut values);
        let sql = format!(
            "SELECT coalesce(reply, ''), dsn, relay, last_seen FROM deliveries INDEXED BY deliveries_unclassified{wanted}
             ORDER BY last_seen DESC"
        );
        let mut select = self.checked(self.connection.prepare(&sql))?;
        let mut rows = self.checked(select.query(params_from_iter(&values)))?;
        let mut shapes: Vec<UnclassifiedShape> = Vec::new();
        let mut places: FxHashMap<String, usize> = FxHashMap::default();
        // Most replies were seen before, and have their shape.
        let mut seen: FxHashMap<String, usize> = FxHashMap::default();
        while let Some(row) = self.checked(rows.next())? {
            let reply = self.checked(row.get_ref(0).and_then(|reply| Ok(reply.as_str()?)))?;
            if let Some(place) = seen.get(reply) {
                shapes[*place].count += 1;
                continue;
            }
            let shape = if reply.is_empty() { NO_TEXT.to_owned() } else { shape(reply) };
            let place = *places.entry(shape.clone()).or_insert(shapes.len());
            if seen.len() < REPLIES {
                seen.insert(reply.to_owned(), place);
            }
            if let Some(known) = shapes.get_mut(place) {
                known.count += 1;
                continue;
            }
            shapes.push(UnclassifiedShape {
                shape,
                count: 1,
                example: reply.to_owned(),
                dsn: self.checked(row.get(1))?,
                relay: self.checked(row.get(2))?,
                last_seen: self.checked(row.get(3))?,
            });
        }
        shapes.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.shape.cmp(&b.shape)));
        shapes.truncate(filter.limit.and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX));
        Ok(shapes)
    }
}
