//! The replies of real providers, by the label of the recipient's domain.
//!
//! The table is made when the policy is built, of the examples of the bounce policy's rules
//! (`build.rs`), each with what the classifier says it means. Not here: whether a reply is given
//! (`lib`). Invariant: the reply that is given means what is expected of it.

use crate::expected::Expected;
use crate::reply::Reply;

/// A provider or a mail system.
pub struct Provider {
    pub name: &'static str,
    /// Other labels that stand for it.
    pub labels: &'static [&'static str],
    pub replies: &'static [ProviderReply],
}

pub struct ProviderReply {
    pub code: u16,
    pub status: &'static str,
    pub text: &'static str,
    pub expected: Expected,
}

include!(concat!(env!("OUT_DIR"), "/providers.rs"));

/// What a reply of the sink's own means, if it is known.
pub fn expected_of(reply: &Reply) -> Option<&'static Expected> {
    let known = KNOWN.iter().find(|(status, text, _)| *status == reply.status && *text == reply.text);
    known.map(|(_, _, expected)| expected)
}

impl ProviderReply {
    pub fn reply(&self) -> Reply {
        Reply::new(self.code, self.status, self.text)
    }
}

/// The provider of a name or label.
pub fn provider(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name || provider.labels.contains(&name))
}

impl Provider {
    /// One of its replies, by chance; of those that `tag` names by reason, rule or status, if it
    /// names any.
    pub fn pick(&self, tag: &str, chance: f64) -> Option<&'static ProviderReply> {
        let some = self.named(tag);
        some.get((chance * some.len() as f64) as usize).copied()
    }

    /// Those that `tag` names; all if it names none.
    pub fn named(&self, tag: &str) -> Vec<&'static ProviderReply> {
        let named: Vec<&ProviderReply> = self.replies.iter().filter(|reply| reply.is_named(tag)).collect();
        if named.is_empty() {
            return self.replies.iter().collect();
        }
        named
    }
}

impl ProviderReply {
    fn is_named(&self, tag: &str) -> bool {
        let Expected { reason, rule, .. } = self.expected;
        !tag.is_empty() && (tag == reason || tag == rule || tag == self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_has_replies_and_every_reply_a_meaning() {
        let all: usize = PROVIDERS.iter().map(|provider| provider.replies.len()).sum();
        assert!(all > 300, "{all}");
        for provider in PROVIDERS {
            assert!(!provider.replies.is_empty(), "{}", provider.name);
            for reply in provider.replies {
                let Expected { reason, severity, rule } = reply.expected;
                assert!(!reason.is_empty() && !severity.is_empty() && !rule.is_empty(), "{}", reply.text);
                assert_eq!(reply.status.as_bytes()[0], b'0' + (reply.code / 100) as u8, "{}", reply.text);
            }
        }
    }

    #[test]
    fn a_tag_names_replies_by_reason_rule_or_status() {
        let google = provider("gmail").unwrap();
        assert_eq!(google.name, "google");
        for chance in [0.0, 0.3, 0.99] {
            assert_eq!(google.pick("mailbox-full", chance).unwrap().expected.reason, "mailbox-full");
            assert!(google.pick("google-email-quota", chance).unwrap().text.starts_with("Email quota"));
            assert_eq!(google.pick("5.1.2", chance).unwrap().status, "5.1.2");
            assert!(google.pick("no such tag", chance).is_some());
        }
        assert!(provider("nobody").is_none());
    }
}
