//! A delivery that failed, as the index has it, and the report that our mail server could have
//! written about it.
//!
//! Not here: what is done about it (`log_failures`), and what a failure means (policies).

use crate::index::StoredDelivery;
use crate::mail::Key;
use crate::mailbox_syntax::{is_unambiguous, split_address};
use crate::maillog::Whose;
use crate::maillog::logged_reply::LoggedReply;
use crate::report::{self, Original, Report, ReportKind};
use crate::return_path;

/// SMTP commands that a server answers.
const STAGES: [&str; 8] = ["RCPT", "DATA", "MAIL", "EHLO", "HELO", "CONN", "STARTTLS", "AUTH"];

/// A delivery that failed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedDelivery {
    /// The same lines of a log give the same id.
    pub(crate) id: u64,
    /// The queue id of the message that failed.
    pub(crate) queue_id: Option<String>,
    /// The Message-ID without its brackets.
    pub(crate) message_id: Option<String>,
    pub(crate) sender: String,
    /// Before aliases.
    pub(crate) recipient: String,
    /// After aliases, if that is another one.
    pub(crate) final_recipient: Option<String>,
    pub(crate) reply: String,
    /// The enhanced status code.
    pub(crate) dsn: Option<String>,
    /// The next hop.
    pub(crate) relay: Option<String>,
    /// When it failed, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// Its addresses that mail has reached, in lower case, and when last.
    pub(crate) reached: Vec<(String, i64)>,
}

impl FailedDelivery {
    /// `None`: the delivery did not fail, is not our own mail, or has no sender who could be
    /// notified.
    pub(crate) fn of(row: i64, delivery: &StoredDelivery<&str>) -> Option<FailedDelivery> {
        let is_ours = delivery.whose == Whose::Own;
        let failed = is_ours && matches!(delivery.status, "bounced" | "expired");
        let sender = delivery.sender.filter(|sender| failed && !sender.is_empty())?;
        // A local user: without a domain, the address would be suppressed for everybody's mail.
        let sender = match (split_address(sender), delivery.host) {
            (Some(_), _) => sender.to_owned(),
            (None, host) => format!("{sender}@{}", host.filter(|host| !host.is_empty())?),
        };
        let last = delivery.recipient?;
        let (recipient, final_recipient) = match delivery.original_recipient {
            Some(original) => (original, Some(last)),
            None => (last, None),
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(FailedDelivery {
            id: row.unsigned_abs(),
            queue_id: owned(delivery.queue_id),
            message_id: owned(delivery.message_id),
            sender,
            recipient: recipient.to_owned(),
            final_recipient: owned(final_recipient),
            reply: delivery.reply.unwrap_or_default().to_owned(),
            dsn: owned(delivery.dsn),
            relay: owned(delivery.relay),
            at_ms: delivery.last_seen,
            reached: Vec::new(),
        })
    }

    /// Its row in the index.
    pub(crate) fn row(&self) -> i64 {
        self.id.cast_signed()
    }

    /// Its key in the journal.
    pub(crate) fn key(&self) -> Key {
        Key::of_delivery(self.id)
    }

    /// It says nothing of the address before aliases.
    pub(crate) fn forget_alias(&mut self) {
        if let Some(last) = self.final_recipient.take() {
            self.recipient = last;
        }
    }

    /// The domain whose mail failed: instances of the policy see failures of one domain only.
    pub(crate) fn sender_domain(&self) -> String {
        split_address(&self.sender).map_or("", |(_, domain)| domain).to_lowercase()
    }

    /// The addresses that it says are unreachable.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &str> {
        [Some(self.recipient.as_str()), self.final_recipient.as_deref()].into_iter().flatten()
    }

    /// The report that our mail server could have written.
    pub(crate) fn report(&self) -> Report {
        let reply = LoggedReply {
            text: &self.reply,
            dsn: self.dsn.as_deref(),
            relay: self.relay.as_deref(),
            sender: Some(&self.sender),
            recipient: Some(&self.recipient),
        };
        let failure = reply.failure();
        let address = self.final_recipient.clone().unwrap_or_else(|| self.recipient.clone());
        let recipient = report::Recipient {
            original: self.final_recipient.is_some().then(|| self.recipient.clone()),
            is_literal: is_unambiguous(&address),
            address,
            action: report::DeliveryAction::Failed,
            status: self.dsn.as_deref().and_then(|dsn| dsn.parse().ok()),
            reply_code: Some(failure.code).filter(|code| *code > 0),
            diagnostic: failure.text,
            remote_mta: Some(failure.remote_mta).filter(|host| !host.is_empty()),
            stage: STAGES.into_iter().find(|stage| failure.stage.contains(stage)).unwrap_or_default(),
            named: None,
            reader: "log",
            line: 0,
        };
        let from = return_path::unwrapped(&self.sender).unwrap_or_else(|| self.sender.clone());
        let original =
            Original { message_id: self.message_id.clone(), from: Some(from), ..Original::default() };
        Report {
            kind: ReportKind::DeliveryStatus,
            recipients: vec![recipient],
            original,
            ..Report::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_was_answered_is_told() {
        let stage = |reply: &str| {
            let delivery = StoredDelivery {
                sender: Some("a@example.com"),
                recipient: Some("gone@there.example"),
                status: "bounced",
                reply: Some(reply),
                ..StoredDelivery::default()
            };
            FailedDelivery::of(1, &delivery).map(|failed| failed.report().recipients[0].stage)
        };
        let exim = "SMTP error from remote mail server after";
        for (reply, told) in [
            (format!("{exim} MAIL FROM:<a@example.com> SIZE=9: 550 5.1.1 User unknown"), "MAIL"),
            (format!("{exim} pipelined EHLO mail.example.com: 550 5.1.2 Host unknown"), "EHLO"),
            (format!("{exim} initial connection: 550 5.1.1 User unknown"), "CONN"),
            ("550 5.1.1 User unknown (in reply to CONNECT command)".to_owned(), "CONN"),
            ("host mx said: 550 5.1.1 User unknown (in reply to RCPT TO command)".to_owned(), "RCPT"),
            ("550 5.1.1 User unknown".to_owned(), ""),
        ] {
            assert_eq!(stage(&reply), Some(told), "{reply}");
        }
    }

    #[test]
    fn a_local_user_sends_for_the_host_and_never_for_everybody() {
        let failed = |sender: &str, host: Option<&str>| {
            let delivery = StoredDelivery {
                sender: Some(sender),
                recipient: Some("gone@there.example"),
                status: "bounced",
                host,
                ..StoredDelivery::default()
            };
            FailedDelivery::of(1, &delivery).map(|failed| failed.sender)
        };
        assert_eq!(failed("root", Some("mx.example.com")).as_deref(), Some("root@mx.example.com"));
        assert_eq!(failed("root", None), None);
        assert_eq!(failed("a@example.com", None).as_deref(), Some("a@example.com"));
    }
}
