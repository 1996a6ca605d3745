//! The suppression list from its begin to its end, some entries at a time.
//!
//! Not here: the rows (`store`). Invariant: memory does not grow with the list.

use crate::error::Result;
use crate::store::{Store, Suppressed};

/// Entries that are read together.
const TOGETHER: usize = 2000;

/// Gives `each` the entries whose address contains `containing`, sorted by address, some at a time.
pub(crate) fn each_some(
    store: &Store,
    containing: &str,
    now_ms: i64,
    mut each: impl FnMut(&[Suppressed]) -> Result<()>,
) -> Result<()> {
    let mut some = store.suppressions(containing, None, now_ms, TOGETHER)?;
    loop {
        each(&some)?;
        if some.len() < TOGETHER {
            return Ok(());
        }
        some = store.suppressions(containing, some.last(), now_ms, TOGETHER)?;
    }
}
