//! The step that sends an out-of-band bounce: a delivery status notification (RFC 3464) to the
//! return path of a message.
//!
//! Not here: the form of the fields and the frame (`report`), and sending (`doors::smtp`).
//! Invariant: one recipient, and the reply that the policy chose for it.

use super::doors::smtp::Letter;
use crate::auth::client_address;
use crate::config::Config;
use crate::envelope::split_address;
use crate::mail::Mail;
use crate::message::draft::{Draft, Postmark, bracketed, date};
use crate::plan::Bounce;
use crate::report::DeliveryAction;
use crate::report::delivery_status::{DeliveryStatus, RecipientStatus};
use crate::report::multipart::Multipart;
use crate::text::one_line;
use url::Host;

/// Writes the bounce.
pub(crate) fn write(bounce: &Bounce, mail: &Mail, config: &Config, postmark: &Postmark) -> Letter {
    let here = ascii_domain_of(&mail.envelope.recipient, config);
    let from = match &bounce.sender {
        Some(sender) => bracketed(sender),
        None => format!("Mail Delivery System {}", bracketed(&format!("MAILER-DAEMON@{here}"))),
    };
    let title = "Returned mail: see transcript for details";
    let draft = Draft::answer(&from, &bounce.route.to, title, &config.hostname(), postmark);
    let (text, fields) = (for_people(bounce, mail, config), for_programs(bounce, mail, here).written());
    let data = mail.message(|original| {
        let (kind, max_original) = ("delivery-status", config.send.max_original);
        Multipart { kind, text: &text, fields: &fields, original, max_original }.written(draft)
    });
    Letter { from: bounce.sender.clone(), to: bounce.route.to.clone(), data: data.into() }
}

fn for_people(bounce: &Bounce, mail: &Mail, config: &Config) -> String {
    let arrived = mail.message(|message| message.date()).unwrap_or_else(|| date(mail.at_ms));
    format!(
        "The original message was received at {}\r\nfrom {}\r\n\r\n\
         ----- The following address had permanent fatal errors -----\r\n{}\r\n    (reason: {} {} {})\r\n",
        short_line(&arrived),
        peer(mail, config),
        bracketed(&mail.envelope.recipient),
        bounce.reply.code,
        bounce.reply.enhanced,
        short_line(&bounce.reply.text)
    )
}

fn for_programs(bounce: &Bounce, mail: &Mail, here: String) -> DeliveryStatus {
    let now = date(mail.at_ms);
    let recipient = RecipientStatus {
        last: Some(mail.envelope.recipient.clone()),
        original: mail.envelope.original_recipient.clone(),
        action: Some(DeliveryAction::Failed),
        status: Some(bounce.reply.enhanced),
        remote_mta: Some(here.clone()),
        diagnostic: bounce.reply.to_string(),
        last_attempt: Some(now.clone()),
        ..RecipientStatus::default()
    };
    DeliveryStatus {
        envelope_id: mail.envelope.envid.clone(),
        reporting_mta: Some(here),
        received_from: mail.envelope.client_helo.clone(),
        arrival_date: Some(now),
        recipients: vec![recipient],
    }
}

/// Who brought the message, as far as that is known.
fn peer(mail: &Mail, config: &Config) -> String {
    let domain = || split_address(&mail.envelope.sender).map_or("localhost", |(_, domain)| domain);
    let name = short_line(mail.envelope.client_helo.as_deref().unwrap_or_else(domain));
    match client_address(&mail.content, &mail.envelope, config) {
        Some(address) => format!("{name} [{address}]"),
        None => name,
    }
}

/// The domain of an address in ASCII (RFC 5890); our own name where it cannot be written so.
fn ascii_domain_of(address: &str, config: &Config) -> String {
    let domain = split_address(address).map_or("localhost", |(_, domain)| domain);
    if domain.is_ascii() {
        return domain.to_owned();
    }
    Host::parse(domain).map_or_else(|_| config.hostname(), |host| host.to_string())
}

fn short_line(text: &str) -> String {
    one_line(text).chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_beyond_ascii_is_written_in_ascii() {
        assert_eq!(ascii_domain_of("jürgen@grün.example", &Config::default()), "xn--grn-ioa.example");
    }
}
