//! Verbs of the store that erase what it knows about an address: a part of the seam.
//!
//! Not here: SQL (`sqlite/erasure_rows`).

use super::Store;
use super::erasure::{StoreErasure, ToErase};
use super::sqlite::erasure_rows;
use crate::error::Result;
use crate::mailbox_syntax::in_a_labels;

impl Store {
    /// What [`Store::erase`] would remove.
    pub(crate) fn find_traces(&self, what: &ToErase<'_>) -> Result<StoreErasure> {
        in_each_spelling(what, |what| erasure_rows::find(&self.db, what))
    }

    /// Removes what is known about an address, in one transaction for each of its spellings.
    pub(crate) fn erase(&self, what: &ToErase<'_>) -> Result<StoreErasure> {
        in_each_spelling(what, |what| erasure_rows::erase(&self.db, what))
    }
}

/// The list has one form of an address; what quotes it has the one that was given.
fn in_each_spelling(
    what: &ToErase<'_>,
    erase: impl Fn(&ToErase<'_>) -> Result<StoreErasure>,
) -> Result<StoreErasure> {
    let address = in_a_labels(what.address);
    let erased = erase(&ToErase { address: &address, ..*what })?;
    if address == what.address {
        return Ok(erased);
    }
    let more = erase(what)?;
    let suppressions = erased.suppressions + more.suppressions;
    let soft_bounces = erased.soft_bounces + more.soft_bounces;
    Ok(StoreErasure { suppressions, soft_bounces, ..erased })
}
