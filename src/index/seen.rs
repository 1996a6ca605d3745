//! Whose mail a caller may see: all, or that of some clients and sender domains.
//!
//! Not here: who the callers are (`crate::serve`). Invariant: a filter holds a `Seen`, so that no
//! question about deliveries can be asked without one.

use super::stored_delivery::StoredDelivery;
use crate::mailbox_syntax::split_address;
use rusqlite::types::Value;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Seen {
    #[default]
    AllMail,
    /// Mail of one of these clients, or from one of these domains (in lower case).
    Only { clients: Vec<String>, domains: Vec<String> },
}

impl Seen {
    pub(crate) fn is_all(&self) -> bool {
        *self == Seen::AllMail
    }

    /// Whether an index of the database finds it.
    pub(crate) fn is_indexed(&self) -> bool {
        match self {
            Seen::AllMail => true,
            Seen::Only { clients, domains } => clients.len() == 1 && domains.is_empty(),
        }
    }

    pub(crate) fn shows(&self, delivery: &StoredDelivery) -> bool {
        let Seen::Only { clients, domains } = self else { return true };
        let domain = delivery.sender.as_deref().and_then(split_address).map(|(_, domain)| domain);
        delivery.client_id.as_ref().is_some_and(|client| clients.contains(client))
            || domain.is_some_and(|domain| domains.iter().any(|one| one.eq_ignore_ascii_case(domain)))
    }

    /// The condition as SQL; `None`: everything is shown. `few`: as in a filter.
    pub(super) fn condition(&self, few: &str, values: &mut Vec<Value>) -> Option<String> {
        let Seen::Only { clients, domains } = self else { return None };
        let mut place = |value: String| {
            values.push(Value::Text(value));
            values.len()
        };
        let of_client = |at: usize| format!("{few}client_id = ?{at}");
        let mut texts: Vec<String> = clients.iter().map(|one| of_client(place(one.clone()))).collect();
        texts.extend(domains.iter().map(|domain| {
            let end = format!("@{domain}");
            let length = end.chars().count();
            format!("substr(sender, -{length}) = ?{} COLLATE NOCASE", place(end))
        }));
        Some(if texts.is_empty() { "0".into() } else { format!("({})", texts.join(" OR ")) })
    }
}
