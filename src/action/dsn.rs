//! The out-of-band bounce: a delivery status notification (RFC 3464) to the return path of a message.

use super::Subject;
use super::doors::smtp::Letter;
use super::draft::{Draft, Fields, ascii_domain_of, bracketed, date, domain_of};
use crate::config::Config;
use crate::plan::Bounce;
use crate::text::{bounded, one_line};

/// Writes the bounce.
pub(crate) fn write(bounce: &Bounce, subject: &Subject<'_>, config: &Config) -> Letter {
    let recipient = subject.envelope.recipient.as_str();
    let here = ascii_domain_of(recipient, config);
    let from = match &bounce.sender {
        Some(sender) => bracketed(sender),
        None => format!("Mail Delivery System {}", bracketed(&format!("MAILER-DAEMON@{here}"))),
    };
    let reply = &bounce.reply;
    let arrived = subject.message.date().unwrap_or_else(|| date(subject.at_ms));
    let text = format!(
        "The original message was received at {}\r\nfrom {}\r\n\r\n\
         ----- The following address had permanent fatal errors -----\r\n{}\r\n    (reason: {} {} {})\r\n",
        line(&arrived),
        peer(subject),
        bracketed(recipient),
        reply.code,
        reply.enhanced,
        line(&reply.text)
    );
    let mut fields = Fields::default();
    if let Some(envid) = &subject.envelope.envid {
        fields.add("Original-Envelope-Id", envid);
    }
    fields.add("Reporting-MTA", &format!("dns; {here}"));
    if let Some(helo) = &subject.envelope.client_helo {
        fields.add("Received-From-MTA", &format!("dns; {helo}"));
    }
    fields.add("Arrival-Date", &date(subject.at_ms));
    fields.end_group();
    if let Some(original) = &subject.envelope.original_recipient {
        fields.add_address("Original-Recipient", original);
    }
    fields.add_address("Final-Recipient", recipient);
    fields.add("Action", "failed");
    fields.add("Status", &reply.enhanced.to_string());
    fields.add("Remote-MTA", &format!("dns; {here}"));
    fields.add("Diagnostic-Code", &format!("smtp; {reply}"));
    fields.add("Last-Attempt-Date", &date(subject.at_ms));
    let mut draft = Draft::new(&from, &bounce.route.to, "Returned mail: see transcript for details", config);
    draft.field("Auto-Submitted", "auto-replied");
    let data = draft.report("delivery-status", &text, &fields, subject, config);
    Letter { from: bounce.sender.clone(), to: bounce.route.to.clone(), data: data.into() }
}

/// Who brought the message, as far as it is known.
fn peer(subject: &Subject<'_>) -> String {
    let name = subject.envelope.client_helo.as_deref().unwrap_or(domain_of(&subject.envelope.sender));
    match subject.client_address {
        Some(address) => format!("{} [{address}]", line(name)),
        None => line(name),
    }
}

/// Text from elsewhere, for a line of the mail.
fn line(foreign: &str) -> String {
    one_line(bounded(foreign, 200))
}
