//! What was taken off the suppression list as people read it: when, by whom, how, and the entry.
//!
//! Not here: finding it (`store`).

use super::suppression_line::shown;
use crate::clock;
use crate::store::Removal;
use crate::text::one_line;

/// A removal in a line.
pub(super) fn removal_line(removal: &Removal) -> String {
    let Removal { at_ms, who, action, entry } = removal;
    format!("{} by {} ({action}): {}", clock::rfc3339(*at_ms), one_line(who), shown(entry))
}
