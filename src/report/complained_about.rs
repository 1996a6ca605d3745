//! The message that a complaint encloses: where a report does not name the recipient, its header
//! may.
//!
//! Microsoft's JMRP sends no fields at all, only the message. Not here: the fields (`feedback`).
//! Invariant: an address that was blacked out is never taken for the recipient.

use super::feedback::is_redacted;
use super::mailbox;
use crate::message::Message;

/// Whether a message is one of Microsoft's: it has a field for the recipient in its header.
pub(crate) fn is_jmrp(enclosed: &Message<'_>) -> bool {
    enclosed.header("X-HmXmrOriginalRecipient").is_some()
}

/// The recipient by the header of the message.
pub(crate) fn recipient_in(enclosed: &Message<'_>) -> Option<String> {
    const NAMES: [&str; 7] = [
        "X-HmXmrOriginalRecipient",
        "X-Original-Rcpt-To",
        "X-Rcpt-To",
        "Envelope-To",
        "X-Envelope-To",
        "To",
        "X-Original-To",
    ];
    let address = |name: &&str| {
        let value = enclosed.header(name)?;
        let address = mailbox::first(&value)?.address.to_owned();
        (!is_redacted(&address)).then_some(address)
    };
    NAMES.iter().find_map(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipient_is_in_the_header() {
        let enclosed = Message::read(b"To: undisclosed\r\nX-HmXmrOriginalRecipient: a@x.example\r\n\r\n");
        assert!(is_jmrp(&enclosed));
        assert_eq!(recipient_in(&enclosed).as_deref(), Some("a@x.example"));
        let redacted = Message::read(b"To: redacted@x.example\r\n\r\n");
        assert_eq!((is_jmrp(&redacted), recipient_in(&redacted)), (false, None));
    }
}
