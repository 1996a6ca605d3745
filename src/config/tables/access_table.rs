//! `[access]`: what `carom access` and `carom socketmap` answer about suppressed recipients.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AccessTable {
    /// What is answered for mail to a suppressed recipient.
    pub(crate) suppressed: SuppressedAnswer,
    /// The reply of `reject`, with its codes; `{reason}` is why the address is on the list.
    pub(crate) reply: String,
    /// The header field of `header`; its value is the reason.
    pub(crate) header: String,
    /// The policy that is asked first, if it exports `reception`; without it, the default policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    /// Connections at the same time.
    pub(crate) sessions: usize,
    /// Sender domains that are answered differently.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) senders: Vec<AccessSenderTable>,
}

/// `[[access.senders]]`: what is not set is as in `[access]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AccessSenderTable {
    /// The sender domain, as entries of the list name it.
    pub(crate) domain: String,
    /// Domains of return paths whose mail is of this sender domain.
    pub(crate) return_paths: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) suppressed: Option<SuppressedAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) header: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SuppressedAnswer {
    /// The recipient is refused.
    #[default]
    Reject,
    /// The message is taken and put on hold.
    Hold,
    /// The message is taken and dropped, if it has no other recipient.
    Discard,
    /// The message is taken, with a header field that says why.
    Header,
    /// Nothing.
    Accept,
}

impl Default for AccessTable {
    fn default() -> AccessTable {
        AccessTable {
            suppressed: SuppressedAnswer::Reject,
            reply: "550 5.7.1 this address is suppressed: {reason}".into(),
            header: "X-Carom-Suppressed".into(),
            policy: None,
            sessions: 1000,
            senders: Vec::new(),
        }
    }
}
