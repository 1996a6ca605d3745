//! The message that a complaint encloses: where a report does not name the recipient, its header
//! may.
//!
//! Microsoft's old JMRP sent no fields at all, only the message with a field for the recipient: it
//! names who complains. Any other field was there when the message was sent, and is only a hint.
//! Not here: the fields of the report (`feedback`). Invariant: an address that is masked, ours or a
//! list's is never taken for the recipient.

use super::feedback::Complainant;
use super::mailbox;
use super::masked::{is_hashed, is_masked};
use crate::message::Message;

/// The field that Microsoft adds for its complaints.
const JMRP: &str = "X-HmXmrOriginalRecipient";
/// Fields that servers on the way add for the recipient.
const ENVELOPE: [&str; 4] = ["X-Original-Rcpt-To", "X-Rcpt-To", "Envelope-To", "X-Envelope-To"];
/// Addresses of one field that are looked at, at most.
const MAX_ADDRESSES: usize = 100;

/// Whether a message is one of Microsoft's: it has a field for the recipient in its header.
pub(crate) fn is_jmrp(enclosed: &Message<'_>) -> bool {
    enclosed.header(JMRP).is_some()
}

/// The recipient by the header of the message that `report` encloses.
pub(crate) fn recipient_in(enclosed: &Message<'_>, report: &Message<'_>, line: u32) -> Option<Complainant> {
    let own = OwnAddresses::of(report, Some(enclosed));
    let usable = |address: &String| !is_masked(address) && !own.has(address);
    let first = |name: &&str| {
        let value = enclosed.header(name)?;
        Some(mailbox::first(&value)?.address.to_owned()).filter(&usable)
    };
    let found = |address, named| Some(Complainant { address, line, named });
    if let Some(address) = first(&JMRP) {
        let named = !is_hashed(&address);
        return found(address, named);
    }
    if let Some(address) = ENVELOPE.iter().find_map(first) {
        return found(address, false);
    }
    // A message to several does not tell who of them complains.
    let others = ["To", "Cc"].iter().flat_map(|name| enclosed.addresses(name));
    let others: Vec<String> = others.take(MAX_ADDRESSES).collect();
    let sole = others.first().filter(|_| is_repeated(&others))?;
    mailbox::first(sole)
        .map(|sole| sole.address.to_owned())
        .filter(usable)
        .and_then(|sole| found(sole, false))
}

fn is_repeated(addresses: &[String]) -> bool {
    addresses.iter().all(|address| mailbox::same(address, &addresses[0]))
}

/// Addresses that do not complain: those that the report came to, the sender's, and the list's.
pub(crate) struct OwnAddresses(Vec<String>);

impl OwnAddresses {
    pub(crate) fn of(report: &Message<'_>, enclosed: Option<&Message<'_>>) -> OwnAddresses {
        const REPORT: [&str; 3] = ["To", "Delivered-To", "X-Original-To"];
        const ENCLOSED: [&str; 8] = [
            "From",
            "Sender",
            "Reply-To",
            "Return-Path",
            "Errors-To",
            "List-Post",
            "List-Owner",
            "CFBL-Address",
        ];
        let in_field = |message: &Message<'_>, name: &str| -> Vec<String> {
            let value = message.header(name).unwrap_or_default();
            mailbox::all(&value).take(MAX_ADDRESSES).map(|found| found.address.to_owned()).collect()
        };
        let mut own: Vec<String> = REPORT.iter().flat_map(|name| in_field(report, name)).collect();
        if let Some(enclosed) = enclosed {
            own.extend(ENCLOSED.iter().flat_map(|name| in_field(enclosed, name)));
        }
        OwnAddresses(own)
    }

    pub(crate) fn has(&self, address: &str) -> bool {
        self.0.iter().any(|own| mailbox::same(own, address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(header: &str) -> Option<(String, bool)> {
        let report = Message::read(b"From: fbl@isp.example\r\nTo: abuse@sender.example\r\n\r\n");
        let enclosed = format!("From: news@sender.example\r\n{header}\r\n\r\n");
        let found = recipient_in(&Message::read(enclosed.as_bytes()), &report, 1);
        found.map(|found| (found.address, found.named))
    }

    #[test]
    fn only_the_field_of_the_provider_names_who_complains() {
        let is = |address: &str, named| Some((address.to_owned(), named));
        let jmrp = "To: undisclosed\r\nX-HmXmrOriginalRecipient: a@x.example";
        assert!(is_jmrp(&Message::read(format!("{jmrp}\r\n\r\n").as_bytes())));
        assert_eq!(recipient(jmrp), is("a@x.example", true));
        assert_eq!(recipient("To: Anna <a@x.example>"), is("a@x.example", false));
        assert_eq!(recipient("To: all\r\nEnvelope-To: a@x.example"), is("a@x.example", false));
    }

    #[test]
    fn nobody_is_guessed() {
        for header in [
            "To: redacted@x.example",
            "To: j****@x.example",
            "To: a@x.example, b@x.example",
            "To: a@x.example\r\nCc: b@x.example",
            "To: abuse@sender.example",
            "To: news@sender.example",
            "To: list@lists.example\r\nList-Post: <mailto:list@lists.example>",
            "X-HmXmrOriginalRecipient: redacted",
        ] {
            assert_eq!(recipient(header), None, "{header}");
        }
    }
}
