//! A rule as somebody has written it, before the policy has judged it.

use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct WrittenRule {
    pub(crate) name: String,
    pub(crate) pattern: String,
    /// A reply code or an enhanced status code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) codes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<String>,
    pub(crate) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) severity: Option<String>,
}
