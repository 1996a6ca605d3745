//! What a policy may know about an SMTP session in which the mail server asks for an answer.
//!
//! Not here: reading the server's request (`crate::access`), how answers cross to the guest
//! (`session_answers`), and sender, recipient and client, which are facts of the envelope.
//! Invariant: an attribute that is empty is not there.

/// The command that the client has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Connect,
    Helo,
    Mail,
    Rcpt,
    Data,
    EndOfMessage,
    Vrfy,
    Etrn,
    Other,
}

#[derive(Clone, Debug)]
pub(crate) struct SessionFacts {
    pub(crate) stage: Stage,
    /// Names and values, as the mail server gave them.
    pub(crate) attributes: Vec<(String, String)>,
}

impl SessionFacts {
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let named = self.attributes.iter().find(|(known, _)| known == name);
        named.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    }
}
