//! The status of a delivery.
//!
//! Not here: why it has that status. Invariant: a word of JSON, of the index and of metrics is
//! written here only, and never changes.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LoggedStatus {
    /// Delivered, or handed on to another host.
    Sent,
    /// Refused for good; the sender was notified.
    Bounced,
    /// To be tried again.
    #[default]
    Deferred,
    /// Given up after too many days, or by an operator.
    Expired,
    /// Deleted by an operator.
    Deleted,
    /// Accepted and thrown away, as a table or a milter decided.
    Discarded,
    /// On hold until an operator releases it.
    Held,
    /// Refused in the session, for now or for good.
    Rejected,
    /// Goes on on this host under another queue id, whose deliveries tell what became of it.
    Forwarded,
}

impl LoggedStatus {
    /// Whether nothing will happen to the delivery any more.
    pub(crate) fn is_final(self) -> bool {
        !matches!(self, LoggedStatus::Deferred | LoggedStatus::Held)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            LoggedStatus::Sent => "sent",
            LoggedStatus::Bounced => "bounced",
            LoggedStatus::Deferred => "deferred",
            LoggedStatus::Expired => "expired",
            LoggedStatus::Deleted => "deleted",
            LoggedStatus::Discarded => "discarded",
            LoggedStatus::Held => "held",
            LoggedStatus::Rejected => "rejected",
            LoggedStatus::Forwarded => "forwarded",
        }
    }
}

impl std::fmt::Display for LoggedStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_the_word_that_json_has() {
        for status in
            [LoggedStatus::Sent, LoggedStatus::Deferred, LoggedStatus::Discarded, LoggedStatus::Rejected]
        {
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{status}\""));
        }
        assert!(LoggedStatus::Sent.is_final() && !LoggedStatus::Held.is_final());
    }
}
