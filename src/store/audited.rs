//! An action of somebody, as it is on record. Not here: its row (`sqlite/audit_rows`).

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
