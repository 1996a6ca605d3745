//! An action of somebody, as it is on record. Not here: its row (`sqlite/audit_rows`).

use super::suppressed::Suppressed;
use super::suppression_target::{fits, forms, pattern_domain};
use crate::mailbox_syntax::{in_a_labels, split_address};
use serde::Serialize;
use serde_json::Value;

/// What somebody did.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct AuditEntry {
    pub(crate) id: i64,
    pub(crate) at_ms: i64,
    /// The name of the token.
    pub(crate) who: String,
    /// `suppress`, `release`, `undo`, `retry`, `drop`, `install-rule`, `silence`.
    pub(crate) action: String,
    /// The address, step, rule or alert.
    pub(crate) what: String,
    /// What there was; null: nothing.
    pub(crate) before: Value,
    /// What there is since; null: the action did not end.
    pub(crate) after: Value,
}

/// Which actions are wanted: the newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditFilter {
    /// Only older ones.
    pub(crate) before_id: Option<i64>,
    pub(crate) since_ms: Option<i64>,
    pub(crate) who: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) most: usize,
}

/// An entry that somebody has taken off the suppression list.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Removal {
    pub(crate) at_ms: i64,
    /// The user of the command, or the name of the token.
    pub(crate) who: String,
    /// `release` or `undo`.
    pub(crate) action: String,
    pub(crate) entry: Suppressed,
}

impl AuditEntry {
    /// The entry about an address that the action has taken off the list.
    pub(super) fn removal_of(&self, address: &str) -> Option<Removal> {
        let is_undo = self.action == "undo";
        let found = self.before.as_array()?.iter().find_map(|item| {
            // An undo may bring an earlier entry back.
            let stays = item.get("restored").is_some_and(|restored| !restored.is_null());
            let entry: Suppressed =
                serde_json::from_value(item.get("entry").unwrap_or(item).clone()).ok().filter(|_| !stays)?;
            let is_meant = is_undo || entry.address == in_a_labels(&self.what);
            (is_meant && is_about(&entry, address)).then_some(entry)
        });
        let (at_ms, who, action) = (self.at_ms, self.who.clone(), self.action.clone());
        found.map(|entry| Removal { at_ms, who, action, entry })
    }
}

/// Whether an entry suppresses this address.
fn is_about(entry: &Suppressed, address: &str) -> bool {
    let fits_pattern = || {
        let (pattern, domain) = split_address(&entry.address)?;
        pattern_domain(&entry.address, &entry.source)?;
        let (local, its) = split_address(address)?;
        (domain == its && fits(pattern, local)).then_some(())
    };
    forms(address).contains(&entry.address) || fits_pattern().is_some()
}
