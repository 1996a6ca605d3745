//! Deliveries page by page, in the order of time.
//!
//! What no index of the database finds is looked for among the next rows, and a page ends after so
//! many of them: it may hold less than was asked for, and still have a next one. Not here: the SQL
//! of a filter (`filter`). Invariant: a page costs a bounded number of rows, whatever is asked for.

use super::Index;
use super::filter::{Filter, PlaceInTime, statement_from};
use super::seen::Seen;
use super::stored_delivery::{StoredDelivery, stored_delivery};
use crate::error::Result;
use rusqlite::params_from_iter;
use rustc_hash::FxHashSet;

/// Rows that a page looks at.
const ROWS: u64 = 20_000;

/// Which page of which deliveries.
pub(crate) struct PageWanted<'a> {
    pub(crate) filter: &'a Filter,
    /// What the filter cannot say.
    pub(crate) is_wanted: &'a dyn Fn(&StoredDelivery) -> bool,
    /// The last place of the page before.
    pub(crate) after: Option<PlaceInTime>,
    pub(crate) oldest_first: bool,
    pub(crate) limit: usize,
}

#[derive(Debug, Default)]
pub(crate) struct DeliveryPage {
    pub(crate) deliveries: Vec<StoredDelivery>,
    /// Where the next page begins; `None`: this is the last.
    pub(crate) next: Option<PlaceInTime>,
}

impl Index {
    pub(crate) fn page(&self, wanted: &PageWanted<'_>) -> Result<DeliveryPage> {
        let PageWanted { filter, is_wanted, after, oldest_first, limit } = wanted;
        let found_by_sql = Filter {
            seen: if filter.seen.is_indexed() { filter.seen.clone() } else { Seen::AllMail },
            limit: Some(ROWS + 1),
            latest: false,
            ..self.with_meanings(filter)?
        };
        let (sql, values) = statement_from(&found_by_sql, *after, *oldest_first);
        let mut select = self.checked(self.connection.prepare_cached(&sql))?;
        let mut rows = self.checked(select.query(params_from_iter(&values)))?;
        let (mut page, mut looked, mut recipients) = (DeliveryPage::default(), 0, FxHashSet::default());
        let mut last: Option<PlaceInTime> = None;
        while let Some(row) = self.checked(rows.next())? {
            if page.deliveries.len() == *limit || looked == ROWS {
                page.next = last;
                break;
            }
            let found = self.checked(stored_delivery(row))?;
            looked += 1;
            last = Some(PlaceInTime { last_seen: found.last_seen, row: found.id });
            if !filter.seen.shows(&found) || !is_wanted(&found) {
                continue;
            }
            let recipient = || found.recipient.as_ref().map(|recipient| recipient.to_ascii_lowercase());
            if !filter.latest || recipients.insert(recipient()) {
                page.deliveries.push(found);
            }
        }
        Ok(page)
    }
}
