//! A change of the suppression list, as it was noted for events. Not here: noting it (`sqlite`).

/// A change of the suppression list.
#[derive(Clone, Debug)]
pub(crate) struct SuppressionChange {
    pub(crate) number: i64,
    pub(crate) at_ms: i64,
    /// The entry and what became of it, as JSON.
    pub(crate) entry: String,
}
