//! The steps that send a delivery status notification (RFC 3464) to the return path of a message:
//! an out-of-band bounce, and the report of a delivery.
//!
//! Not here: the form of the fields and the frame (`report`), and sending (`doors::smtp`).
//! Invariants: one recipient, and for a bounce the reply that the policy chose for it; what the
//! sender has asked not to get (NOTIFY of RFC 3461) is not sent.

use super::doors::smtp::Letter;
use crate::auth::client_address;
use crate::config::Config;
use crate::envelope::WantedReport;
use crate::mail::Mail;
use crate::mailbox_syntax::split_address;
use crate::message::draft::{Draft, Postmark, bracketed, date};
use crate::plan::{Bounce, StepEnd, SuccessReport};
use crate::report::DeliveryAction;
use crate::report::delivery_status::{DeliveryStatus, RecipientStatus};
use crate::report::multipart::Multipart;
use crate::smtp_reply::EnhancedStatus;
use crate::store::Performed;
use crate::text::one_line;
use std::sync::Arc;
use url::Host;

pub(crate) fn write(bounce: &Bounce, mail: &Mail, config: &Config, postmark: &Postmark) -> Letter {
    let here = ascii_domain_of(&mail.envelope.recipient, config);
    let from = match &bounce.sender {
        Some(sender) => bracketed(sender),
        None => format!("Mail Delivery System {}", bracketed(&format!("MAILER-DAEMON@{here}"))),
    };
    let title = "Returned mail: see transcript for details";
    let mut draft = Draft::answer(&from, &bounce.route.to, title, &config.hostname(), postmark);
    if let Some(expect) = &bounce.expect {
        draft.field("X-Carom-Expect", expect);
    }
    let text = for_people(bounce, mail, config);
    let status = RecipientStatus {
        action: Some(DeliveryAction::Failed),
        status: Some(bounce.reply.enhanced),
        remote_mta: Some(here.clone()),
        diagnostic: bounce.reply.to_string(),
        ..RecipientStatus::default()
    };
    let most = if mail.envelope.header_only { 0 } else { config.send.max_original };
    let data = framed(draft, &text, &for_programs(status, mail, here), mail, most);
    Letter { from: bounce.sender.clone(), to: bounce.route.to.clone(), data }
}

/// Writes the report of a delivery. The null sender sends it, and it has the header of the message
/// (RFC 3461 section 4.3).
pub(crate) fn write_success(
    report: &SuccessReport,
    mail: &Mail,
    config: &Config,
    postmark: &Postmark,
) -> Letter {
    let here = ascii_domain_of(&mail.envelope.recipient, config);
    let from = format!("Mail Delivery System {}", bracketed(&format!("MAILER-DAEMON@{here}")));
    let title = "Successful mail delivery report";
    let draft = Draft::answer(&from, &report.route.to, title, &config.hostname(), postmark);
    let text = format!(
        "Your message was delivered to this address. You have asked for this report.\r\n\r\n{}\r\n",
        bracketed(&mail.envelope.recipient)
    );
    let status = RecipientStatus {
        action: Some(DeliveryAction::Delivered),
        status: Some(EnhancedStatus::new(2, 0, 0)),
        ..RecipientStatus::default()
    };
    let data = framed(draft, &text, &for_programs(status, mail, here), mail, 0);
    Letter { from: None, to: report.route.to.clone(), data }
}

/// How the step of a bounce ends that the sender wants not to get; `None`: it wants it.
pub(crate) fn unwanted(mail: &Mail) -> Option<Performed> {
    let note = || "not sent: the sender wants no report of failures (NOTIFY)".to_owned();
    let wanted = mail.envelope.wants(WantedReport::Failure);
    (!wanted).then(|| Performed::new(StepEnd::GivenUp, "oob_unwanted", note()))
}

fn framed(draft: Draft, text: &str, status: &DeliveryStatus, mail: &Mail, max_original: u64) -> Arc<Vec<u8>> {
    let (kind, fields) = ("delivery-status", status.written());
    mail.message(|original| Multipart { kind, text, fields: &fields, original, max_original }.written(draft))
        .into()
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

/// The fields about this end of the one recipient.
fn for_programs(end: RecipientStatus, mail: &Mail, here: String) -> DeliveryStatus {
    let now = date(mail.at_ms);
    let recipient = RecipientStatus {
        last: Some(mail.envelope.recipient.clone()),
        original: mail.envelope.original_recipient.clone(),
        last_attempt: Some(now.clone()),
        ..end
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
