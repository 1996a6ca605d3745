//! Verbs of the store that erase what it knows about an address: a part of the seam.
//!
//! Not here: SQL (`sqlite/erasure_rows`).

use super::Store;
use super::erasure::{StoreErasure, ToErase};
use super::sqlite::erasure_rows;
use crate::error::Result;

impl Store {
    /// What [`Store::erase`] would remove.
    pub(crate) fn find_traces(&self, what: &ToErase<'_>) -> Result<StoreErasure> {
        erasure_rows::find(&self.db, what)
    }

    /// Removes what is known about an address, in one transaction.
    pub(crate) fn erase(&self, what: &ToErase<'_>) -> Result<StoreErasure> {
        erasure_rows::erase(&self.db, what)
    }
}
