//! Why a message was accepted without an effect: reports that nothing proves, and messages that are
//! no failure report.
//!
//! Not here: finding the reason (`policy/why_unproven`), and what is done with the message
//! (`deliver/unproven_message`). Invariant: a key is public, in logs, counters and the names of
//! directories; keys are only added. `docs/proof.md` has the table, and a test compares them.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unproven {
    // A report that is not proven to be about the address that it names.
    NoSignedPath,
    BadSignature,
    SignatureExpired,
    SignatureAhead,
    OtherAddress,
    NotOwnServer,
    ForeignTrace,
    NotOurMessage,
    NoQueueId,
    NoComplainant,
    NoAuthor,
    // No failure report at all.
    NoReport,
    NoApplication,
    PolicyFailed,
    // A report without a consequence.
    NoAddress,
    NoFailure,
    NoConsequence,
    ComplaintType,
    AutoReply,
    Challenge,
}

/// Key, text, and whether a person should read the message: then it may be forwarded.
const WORDS: [(&str, &str, bool); 20] = [
    ("no-signed-path", "the recipient is not a return path that carom signed", true),
    ("bad-signature", "no key in [verp] keys has signed the return path", true),
    ("signature-expired", "the return path was signed longer ago than [verp] max_age", true),
    ("signature-ahead", "the return path was signed for a day in the future: a clock is wrong", true),
    ("other-address", "the return path was signed for another address than the report names", true),
    ("not-own-server", "the client is not one of [auth] own_servers", true),
    ("foreign-trace", "a Received header names a client that is not one of [auth] own_servers", true),
    ("not-our-message", "the report does not return a message that one of our servers submitted", true),
    ("no-queue-id", "the mail server gives no queue id, so its own report is not recognized", true),
    ("no-complainant", "nothing shows which recipient complains", true),
    ("no-author", "nothing shows who asks to be unsubscribed", true),
    ("no-report", "the message is not a report: a reply of a person, or an unknown form", true),
    ("no-application", "no application in [[notify]] gets the request to unsubscribe", true),
    ("policy-failed", "the policy failed, and on_trap accepts the message", true),
    ("no-address", "the report names no address", false),
    ("no-failure", "no delivery has failed: a delay or a receipt", false),
    ("no-consequence", "the failure says nothing against the address", false),
    ("complaint-type", "complaints of this type suppress nobody", false),
    ("auto-reply", "the message is an automatic reply", false),
    ("challenge", "a filter asks the sender to prove something", false),
];

impl Unproven {
    fn words(self) -> (&'static str, &'static str, bool) {
        WORDS[self as usize]
    }

    /// Its name in logs, and of its directory.
    pub(crate) fn key(self) -> &'static str {
        self.words().0
    }

    /// One plain sentence for operators.
    pub(crate) fn text(self) -> &'static str {
        self.words().1
    }

    /// Whether a person should read the message. Machines wrote the others for machines.
    pub(crate) fn is_for_people(self) -> bool {
        self.words().2
    }

    /// Whether it is about a report that could have had a consequence.
    pub(crate) fn is_doubt(self) -> bool {
        self as usize <= Unproven::NoAuthor as usize
    }

    pub(crate) fn counter(self) -> String {
        format!("unproven_{}", self.key().replace('-', "_"))
    }

    /// Every key.
    pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(key, ..)| *key)
    }

    pub(crate) fn text_of(key: &str) -> Option<&'static str> {
        WORDS.iter().find(|(known, ..)| *known == key).map(|(_, text, _)| *text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_name_that_plans_have() {
        for (key, text, _) in WORDS {
            let reason: Unproven = serde_json::from_value(key.into()).unwrap();
            assert_eq!((reason.key(), reason.text()), (key, text));
        }
        assert_eq!(Unproven::Challenge as usize + 1, WORDS.len());
        assert_eq!(Unproven::BadSignature.counter(), "unproven_bad_signature");
    }
}
