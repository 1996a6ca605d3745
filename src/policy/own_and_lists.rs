//! Addresses that never complain: those of the sender of a message, those that the report came to,
//! and those of mailing lists.
//!
//! Not here: who complains (`complaint_facts`). Invariant: the message is read once, however many
//! addresses are asked about.

use super::message_facts::MessageFacts;
use crate::envelope::Envelope;
use crate::mailbox_syntax::split_address;
use crate::message::Message;
use crate::report;

/// Addresses that do not complain.
pub(super) struct OwnAndLists {
    /// Of the sender of the message, and those that the report came to.
    addresses: Vec<String>,
    /// Those of its lists.
    lists: Vec<String>,
    list_id: Option<String>,
}

impl OwnAndLists {
    pub(super) fn of(facts: &MessageFacts, envelope: &Envelope) -> OwnAndLists {
        const SENDER: [&str; 6] = ["From", "Sender", "Reply-To", "Return-Path", "Errors-To", "CFBL-Address"];
        const LISTS: [&str; 5] = ["List-Post", "List-Owner", "List-Help", "List-Unsubscribe", "Mailing-List"];
        let in_original = |message: &Message<'_>, names: &[&str]| -> Vec<String> {
            let fields = names.iter().filter_map(|name| report::original_header(message, name));
            fields.flat_map(|field| addresses_in(&field)).collect()
        };
        let (mut addresses, lists) =
            facts.message(|message| (in_original(message, &SENDER), in_original(message, &LISTS)));
        let original = &facts.report().original;
        addresses.push(envelope.recipient.clone());
        addresses.extend(envelope.original_recipient.clone());
        addresses.extend(original.from.clone());
        addresses.extend(original.return_path.clone());
        OwnAndLists { addresses, lists, list_id: original.list_id.clone() }
    }

    pub(super) fn has(&self, address: &str) -> bool {
        self.addresses.iter().any(|own| own.eq_ignore_ascii_case(address))
    }

    pub(super) fn has_list(&self, address: &str) -> bool {
        let address = address.to_ascii_lowercase();
        let Some((local, domain)) = split_address(&address) else { return false };
        let is_of_list = |list_id: &String| list_id.eq_ignore_ascii_case(&format!("{local}.{domain}"));
        self.lists.iter().any(|list| list.eq_ignore_ascii_case(&address))
            || self.list_id.as_ref().is_some_and(is_of_list)
            || has_role(local)
    }
}

/// Whether a local part has the form of a list's own addresses: `owner-x`, `x-request`,
/// `x-bounces+joe=example.org`.
fn has_role(local: &str) -> bool {
    const ROLES: [&str; 8] =
        ["owner", "request", "bounce", "bounces", "join", "leave", "subscribe", "unsubscribe"];
    let name = local.split('+').next().unwrap_or_default();
    let after =
        |role: &str| name.strip_suffix(role).is_some_and(|name| name.len() > 1 && name.ends_with('-'));
    name.starts_with("owner-") || ROLES.into_iter().any(after)
}

/// The addresses in a field: of mailboxes or of `mailto:` links.
fn addresses_in(field: &str) -> Vec<String> {
    let words = field.split(|c: char| c.is_whitespace() || "<>,;\"()".contains(c));
    let addresses = words.map(|word| {
        let word = word.strip_prefix("mailto:").unwrap_or(word);
        word.split('?').next().unwrap_or_default()
    });
    addresses.filter(|word| split_address(word).is_some()).take(100).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_lists_are_known_by_their_form() {
        for local in
            ["owner-news", "news-owner", "news-request", "news-bounces", "news-bounces+joe=example.org"]
        {
            assert!(has_role(local), "{local}");
        }
        for local in ["joe", "owner", "bounces", "request", "joe-the-plumber", "it-admin", "jo-leavens"] {
            assert!(!has_role(local), "{local}");
        }
    }

    #[test]
    fn addresses_are_found_in_any_field() {
        let field = "News <news@a.example>, <mailto:leave@a.example?subject=x>, <https://a.example/x>";
        assert_eq!(addresses_in(field), ["news@a.example", "leave@a.example"]);
    }
}
