//! Questions about deliveries.
//!
//! Not here: the SQL of a filter (`filter`). Invariant: rows are given one at a time, however many
//! there are.

use super::Index;
use super::delivery_match::DeliveryMatch;
use super::filter::{Filter, statement};
use super::stored_delivery::{StoredDelivery, stored_delivery};
use crate::error::Result;
use rusqlite::params_from_iter;
use rustc_hash::{FxBuildHasher, FxHashSet};
use std::hash::BuildHasher;

impl Index {
    /// Gives the wanted deliveries to `each`, the newest first, until it returns false.
    pub(crate) fn deliveries(
        &self,
        filter: &Filter,
        mut each: impl FnMut(StoredDelivery) -> Result<bool>,
    ) -> Result<()> {
        let (sql, values) = statement(&self.with_meanings(filter)?);
        let mut select = self.checked(self.connection.prepare_cached(&sql))?;
        let mut rows = self.checked(select.query(params_from_iter(&values)))?;
        let (mut seen, mut left) = (FxHashSet::default(), filter.limit.unwrap_or(u64::MAX));
        while left > 0
            && let Some(row) = self.checked(rows.next())?
        {
            let found: StoredDelivery = self.checked(stored_delivery(row))?;
            let recipient = || found.recipient.as_ref().map(|recipient| recipient.to_ascii_lowercase());
            if filter.latest && !seen.insert(FxBuildHasher.hash_one(recipient())) {
                continue;
            }
            left -= 1;
            if !each(found)? {
                break;
            }
        }
        Ok(())
    }

    /// Gives `each` what fits beside the filter, and as many as the filter allows.
    pub(crate) fn matching(
        &self,
        filter: &Filter,
        wanted: &DeliveryMatch,
        mut each: impl FnMut(StoredDelivery) -> Result<bool>,
    ) -> Result<()> {
        if wanted.is_anything() {
            return self.deliveries(filter, each);
        }
        let mut left = filter.limit.unwrap_or(u64::MAX);
        let all = Filter { limit: None, ..filter.clone() };
        self.deliveries(&all, |found| match wanted.fits(&found) && left > 0 {
            true => {
                left -= 1;
                Ok(each(found)? && left > 0)
            }
            false => Ok(left > 0),
        })
    }

    /// The envelope sender of this message, if it went to this address since a time and to no
    /// other: who else got it knows its Message-ID. It went where it was sent or waits for another
    /// try; a message that was refused here cannot bounce elsewhere.
    pub(crate) fn was_sent(&self, message_id: &str, address: &str, since_ms: i64) -> Result<Option<String>> {
        let filter = Filter {
            message_id: Some(message_id.to_owned()),
            statuses: ["sent", "deferred"].map(str::to_owned).to_vec(),
            ..Filter::default()
        };
        let (mut found, mut others, mut only) = (false, false, OnlySender::default());
        self.deliveries(&filter, |delivery| {
            let mut names = delivery.original_recipient.iter().chain(&delivery.recipient);
            let is_to_it = names.any(|name| name.eq_ignore_ascii_case(address));
            others |= !is_to_it || !only.is(delivery.sender);
            found |= is_to_it && delivery.last_seen >= since_ms;
            Ok(!others)
        })?;
        Ok(only.0.filter(|_| found && !others))
    }

    /// The recipient and the envelope sender of a message that went to one address and to no other;
    /// `None`: to none, or to several. An address that stands for others (an alias) is one.
    pub(crate) fn only_recipient(&self, message_id: &str) -> Result<Option<(String, String)>> {
        let filter = Filter { message_id: Some(message_id.to_owned()), ..Filter::default() };
        let (mut only, mut others): (Option<String>, bool) = (None, false);
        let mut sender = OnlySender::default();
        self.deliveries(&filter, |delivery| {
            others |= !sender.is(delivery.sender);
            let address = delivery.original_recipient.or(delivery.recipient);
            match (&only, address) {
                (Some(only), Some(address)) => others |= !only.eq_ignore_ascii_case(&address),
                (None, address) => only = address,
                (Some(_), None) => {}
            }
            Ok(!others)
        })?;
        Ok(only.zip(sender.0).filter(|_| !others))
    }

    /// When a delivery to each of these addresses last succeeded, in milliseconds since 1970: at a
    /// program of this host that has put the message in a queue again, none did. The deliveries of
    /// all of them are read in the order in which they are stored.
    pub(crate) fn last_successes(&self, addresses: &[&str]) -> Result<Vec<Option<i64>>> {
        let sql = "SELECT which, last_seen FROM (
                SELECT asked.key AS which, deliveries.id AS id FROM json_each(?1) AS asked
                    CROSS JOIN deliveries ON recipient = asked.value
                UNION ALL SELECT asked.key, deliveries.id FROM json_each(?1) AS asked
                    CROSS JOIN deliveries ON original_recipient = asked.value
                ORDER BY id) AS found
            CROSS JOIN deliveries ON deliveries.id = found.id WHERE status = 'sent'
                AND NOT (coalesce(reply, '') LIKE '%queued as %'
                    AND (coalesce(relay, '') LIKE '%[127.%' OR coalesce(relay, '') LIKE '%[::1]%'))";
        let mut last = vec![None; addresses.len()];
        let asked = serde_json::to_string(addresses).unwrap_or_default();
        let done = (|| {
            let mut select = self.connection.prepare_cached(sql)?;
            let mut rows = select.query([asked])?;
            while let Some(row) = rows.next()? {
                let (which, at_ms): (u32, Option<i64>) = (row.get(0)?, row.get(1)?);
                let last: &mut Option<i64> = &mut last[which as usize];
                *last = at_ms.max(*last);
            }
            Ok(())
        })();
        self.checked(done).map(|()| last)
    }

    /// How many deliveries there are, and of how many the client and the Message-ID are known.
    pub(crate) fn named_counts(&self) -> Result<NamedCounts> {
        let count = |sql: &str| {
            let count = self.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
            self.checked(count).map(i64::unsigned_abs)
        };
        Ok(NamedCounts {
            deliveries: self.count()?,
            with_client: count("SELECT count(*) FROM deliveries WHERE client_id IS NOT NULL")?,
            with_message_id: count("SELECT count(message_id) FROM deliveries")?,
        })
    }

    /// When a line about a delivery was last logged, in milliseconds since 1970. One of the future
    /// does not count.
    pub(crate) fn newest_delivery(&self, now_ms: i64) -> Result<Option<i64>> {
        let sql = "SELECT max(last_seen) FROM deliveries WHERE last_seen <= ?1";
        self.checked(self.connection.query_row(sql, [now_ms], |row| row.get(0)))
    }

    pub(crate) fn count(&self) -> Result<u64> {
        let count =
            self.connection.query_row("SELECT count(*) FROM deliveries", [], |row| row.get::<_, i64>(0));
        Ok(self.checked(count)?.unsigned_abs())
    }
}

/// Deliveries, and those of which a name is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NamedCounts {
    pub(crate) deliveries: u64,
    pub(crate) with_client: u64,
    pub(crate) with_message_id: u64,
}

/// The one envelope sender of deliveries.
#[derive(Default)]
struct OnlySender(Option<String>);

impl OnlySender {
    /// Whether this is the sender of those before, too. One that is not known is another one.
    fn is(&mut self, sender: Option<String>) -> bool {
        let Some(sender) = sender else { return false };
        let known = self.0.get_or_insert_with(|| sender.clone());
        known.eq_ignore_ascii_case(&sender)
    }
}
