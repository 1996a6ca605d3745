//! Entries of the suppression list that a caller may see: all, or those of his sender domains.

use super::View;
use crate::error::Result;
use crate::index::Seen;
use crate::store::Suppressed;

/// Entries that a page looks at.
const LOOKED_AT: usize = 20_000;
/// Entries that are read together.
const TOGETHER: usize = 2000;

impl View<'_> {
    /// A page of the list, and after which entry the next one begins.
    pub(crate) fn suppressions(
        &self,
        containing: &str,
        after: Option<Suppressed>,
        now_ms: i64,
        limit: usize,
    ) -> Result<(Vec<Suppressed>, Option<Suppressed>)> {
        let Some(store) = &self.files.store else { return Ok((Vec::new(), None)) };
        let most = if self.is_whole() { limit + 1 } else { TOGETHER };
        let (mut found, mut last, mut looked) = (Vec::new(), after, 0);
        loop {
            let some = store.suppressions(containing, last.as_ref(), now_ms, most)?;
            let is_end = some.len() < most;
            for entry in some {
                if found.len() == limit || looked == LOOKED_AT {
                    return Ok((found, last));
                }
                looked += 1;
                if self.shows(&entry) {
                    found.push(entry.clone());
                }
                last = Some(entry);
            }
            if is_end {
                return Ok((found, None));
            }
        }
    }

    /// What suppresses mail to an address: of this sender domain, or any; and whether something
    /// does, if only an entry for mail of all senders, of which a customer learns no more. `None`:
    /// there may be an entry of a sender domain that the caller does not see.
    pub(crate) fn entries_of(
        &self,
        address: &str,
        sender_domain: Option<&str>,
        now_ms: i64,
    ) -> Result<(Vec<Suppressed>, Option<bool>)> {
        let Some(store) = &self.files.store else { return Ok((Vec::new(), Some(false))) };
        let mut entries = store.entries_of(address, sender_domain, now_ms)?;
        let is_for_all = entries.iter().any(|entry| entry.sender_domain.is_empty());
        entries.retain(|entry| self.shows(entry));
        let is_suppressed = is_for_all || !entries.is_empty();
        let is_known = is_suppressed || self.sees_entries_of(sender_domain);
        Ok((entries, is_known.then_some(is_suppressed)))
    }

    /// Whether no entry for mail of this sender domain, or of the caller's mail, is hidden. Which
    /// sender domains a client's mail has, its token does not say.
    fn sees_entries_of(&self, sender_domain: Option<&str>) -> bool {
        match (self.seen, sender_domain) {
            (Seen::AllMail, _) => true,
            (Seen::Only { domains, .. }, Some(asked)) => domains.iter().any(|domain| domain == asked),
            (Seen::Only { clients, .. }, None) => clients.is_empty(),
        }
    }

    fn shows(&self, entry: &Suppressed) -> bool {
        match self.seen {
            Seen::AllMail => true,
            Seen::Only { domains, .. } => domains.contains(&entry.sender_domain),
        }
    }
}
