//! The replies of real providers, by the label of the recipient's domain.
//!
//! The table is made when the policy is built, of the examples of the bounce policy's rules
//! (`build.rs`), each with what the classifier says it means. Not here: whether a reply is given
//! (`lib`). Invariant: the reply that is given means what is expected of it.

use crate::expected::{Expected, Stage};
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
    /// With macros (`catalogue`).
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

    /// Whether `tag` names one of its replies.
    pub fn has(&self, tag: &str) -> bool {
        self.replies.iter().any(|reply| reply.is_named(tag))
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
        let codes = || format!("{}-{}", self.code, self.status);
        !tag.is_empty() && (tag == reason || tag == rule || tag == self.status || tag == codes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Names;
    use bounce::{classify, Failure};

    #[test]
    fn every_provider_has_replies_and_every_reply_a_meaning() {
        let all: usize = PROVIDERS.iter().map(|provider| provider.replies.len()).sum();
        assert!(all > 300, "{all}");
        for provider in PROVIDERS {
            assert!(!provider.replies.is_empty(), "{}", provider.name);
            for reply in provider.replies {
                let Expected { reason, severity, rule, .. } = reply.expected;
                assert!(!reason.is_empty() && !severity.is_empty() && !rule.is_empty(), "{}", reply.text);
                assert_eq!(reply.status.as_bytes()[0], b'0' + (reply.code / 100) as u8, "{}", reply.text);
            }
        }
    }

    /// The reply as a mail server logs it that has heard it.
    fn logged(reply: &ProviderReply, names: &Names) -> String {
        let ProviderReply { code, status, text, .. } = reply;
        let goes_on = if text.contains(&format!(" {code} {status} ")) { '-' } else { ' ' };
        format!("{code}{goes_on}{status} {}", names.fill(text))
    }

    #[test]
    fn every_reply_as_it_is_given_means_what_is_expected_of_it() {
        let (recipient, sender) = ("v7+tag@mail.sink.test", "news@sender.test");
        let names = Names {
            recipient: recipient.into(),
            sender: sender.into(),
            client: "203.0.113.9".into(),
            client_name: "mx.sender.test".into(),
        };
        for reply in PROVIDERS.iter().flat_map(|provider| provider.replies) {
            let text = logged(reply, &names);
            let ProviderReply { code, status, .. } = *reply;
            let alone = Failure { text: &text, code, status, ..Failure::default() };
            let known = Failure { text: &text, code, status, recipient, sender, ..Failure::default() };
            for failure in [alone, known] {
                let class = classify(&failure);
                let severity = format!("{:?}", class.severity).to_lowercase();
                let Expected { reason, rule, .. } = reply.expected;
                assert_eq!((class.reason, class.rule), (reason, rule), "{text}");
                assert!(severity.ends_with(reply.expected.severity), "{severity}: {text}");
            }
            for nobody in ["example.", ".example", "in reply to", "198.51.100.7"] {
                assert!(!text.contains(nobody), "{text}");
            }
        }
    }

    #[test]
    fn replies_have_the_lines_and_the_stage_of_the_provider() {
        let of = |label: &str, rule: &str| provider(label).unwrap().pick(rule, 0.0).unwrap();
        let text = |label: &str, rule: &str| of(label, rule).text;
        assert_eq!(
            text("gmx", "gmx-requested-mailbox"),
            "Requested action not taken: mailbox unavailable 550 5.0.0 For explanation visit \
             https://postmaster.gmx.net/en/error-messages"
        );
        assert_eq!(
            text("gmx", "gmx-ip-black"),
            "<RCPT_DOMAIN> (mx1) Nemesis ESMTP Service not available 554-5.0.0 No SMTP service 554 5.0.0 \
             IP address is black listed."
        );
        assert_eq!(
            text("gmail", "google-low-reputation"),
            "Our system has detected that this message is likely suspicious due to \
             550-5.7.1 the very low reputation of the sending IP address. 550 5.7.1 x-7 - gsmtp"
        );
        assert_eq!(
            text("gmail", "google-no-tls-connection"),
            "This mail wasn't sent over a TLS connection. 421 4.7.29 x - gsmtp"
        );
        assert_eq!(
            text("sendmail", "sendmail-queue"),
            "<<RCPT_USER>@<RCPT_DOMAIN>>... Deferred: 421 Message could not be delivered for 8 hours"
        );
        assert_eq!(
            text("gmail", "google-dmarc"),
            "Unauthenticated email from <ORIG_DOMAIN> is not accepted due to 550 5.7.26 domain's DMARC \
             policy. x-9 - gsmtp"
        );
        assert_eq!(text("exim", "exim-verify-sender"), "Verification of sender <ORIG> went wrong: failed");
        assert!(text("mimecast", "mimecast-size").ends_with("https://community.<RCPT_DOMAIN>"));
        assert!(text("t-online", "tonline-ip").contains("contact tosa@rx.<RCPT_DOMAIN> to"));
        for (label, rule, stage) in [
            ("gmail", "google-blocked-content", Stage::Data),
            ("gmail", "google-no-such-user", Stage::Rcpt),
            ("proofpoint", "proofpoint-content", Stage::Data),
            ("microsoft", "microsoft-all-recipients-rejected", Stage::Data),
            ("microsoft", "microsoft-ipv6", Stage::Rcpt),
            ("mailru", "mailru-after-data", Stage::Data),
            ("amavis", "amavis-banned", Stage::Data),
        ] {
            assert_eq!(of(label, rule).expected.stage, stage, "{rule}");
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
