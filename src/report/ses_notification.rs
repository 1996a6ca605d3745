//! Notifications in JSON that a service sends by mail instead of a report: Amazon SES through SNS.
//!
//! Not here: webhooks. Invariant: a document that is cut or broken gives nothing, never half of its
//! recipients.

use super::MAX_RECIPIENTS;
use super::feedback::Feedback;
use super::mailbox;
use super::original::Original;
use super::quoted_reply::{QuotedReply, better_status, status_in_field};
use super::reported::{DeliveryAction, Recipient, Report, ReportKind};
use super::tidied::tidy;
use crate::feedback_type::FeedbackType;
use serde_json::Value;

/// A longer document is not read.
const MAX_DOCUMENT: usize = 2 * 1024 * 1024;

/// Reads a text that is a JSON document, maybe with more after it, maybe with lines folded inside
/// strings.
pub(crate) fn read(text: &str) -> Option<Report> {
    let value = document(text)?;
    let event = value["notificationType"].as_str().or(value["eventType"].as_str())?;
    let (entries, action) = match event {
        "Bounce" => (&value["bounce"]["bouncedRecipients"], DeliveryAction::Failed),
        "Complaint" => (&value["complaint"]["complainedRecipients"], DeliveryAction::Delivered),
        "Delivery" => (&value["delivery"]["recipients"], DeliveryAction::Delivered),
        "DeliveryDelay" => (&value["deliveryDelay"]["delayedRecipients"], DeliveryAction::Delayed),
        _ => return None,
    };
    let entries = entries.as_array()?.iter().take(MAX_RECIPIENTS);
    let mut recipients: Vec<Recipient> = entries.filter_map(|entry| recipient(entry, action)).collect();
    if recipients.is_empty() {
        return None;
    }
    let feedback = (event == "Complaint").then(|| feedback(&value["complaint"]));
    if let Some(feedback) = &feedback {
        // SES lists everybody at the provider who got the message; only one alone has complained.
        let named = recipients.len() == 1 && feedback.kind != FeedbackType::AuthFailure;
        recipients.iter_mut().for_each(|recipient| recipient.named = Some(named));
    }
    let kind = if feedback.is_some() { ReportKind::FeedbackReport } else { ReportKind::DeliveryStatus };
    let original = original(&value["mail"]["commonHeaders"]);
    Some(Report { kind, recipients, feedback, original, ..Report::default() })
}

/// The document that SES made, taken out of the one that SNS put around it.
fn document(text: &str) -> Option<Value> {
    let start = text.trim_start();
    let is_known = || start.contains("otificationType") || start.contains("ventType");
    if !start.starts_with('{') || start.len() > MAX_DOCUMENT || !is_known() {
        return None;
    }
    let unfolded = start.replace("!\r\n ", "").replace("!\n ", "").replace("\r\n ", "").replace("\n ", "");
    let value = first(&unfolded)?;
    match value.get("Message").and_then(Value::as_str) {
        Some(inner) => first(inner),
        None => Some(value),
    }
}

/// The first document in a text.
fn first(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok()
}

fn recipient(entry: &Value, action: DeliveryAction) -> Option<Recipient> {
    let address = entry["emailAddress"].as_str().or(entry.as_str()).and_then(mailbox::in_field)?;
    let diagnostic = tidy(mailbox::typed(entry["diagnosticCode"].as_str().unwrap_or_default()).1);
    let reply = QuotedReply::find(&diagnostic);
    let status = entry["status"].as_str().and_then(status_in_field);
    Some(Recipient {
        address,
        action,
        status: better_status(status, reply.status),
        reply_code: reply.code,
        diagnostic,
        reader: "notification",
        line: 1,
        ..Recipient::default()
    })
}

fn feedback(complaint: &Value) -> Feedback {
    let kind = complaint["complaintFeedbackType"].as_str().unwrap_or("abuse");
    Feedback { kind: FeedbackType::in_field(kind), incidents: 1, ..Feedback::default() }
}

fn original(headers: &Value) -> Original {
    let field = |name: &str| headers[name].as_str().map(str::to_owned);
    let address = |name: &str| headers[name][0].as_str().and_then(mailbox::in_field);
    Original {
        message_id: field("messageId"),
        subject: field("subject"),
        from: address("from"),
        to: address("to"),
        ..Original::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounce_is_read_bare_and_wrapped() {
        let inner = r#"{"notificationType":"Bounce","bounce":{"bouncedRecipients":[{"emailAddress":"a@x.example","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 no"}]},"mail":{"commonHeaders":{"subject":"S"}}}"#;
        let wrapped = serde_json::json!({"Type": "Notification", "Message": inner})
            .to_string()
            .replace("bounced", "boun\n ced");
        for text in [format!("{inner}\n--\nUnsubscribe"), wrapped] {
            let read = read(&text).unwrap();
            assert_eq!(
                (read.recipients[0].address.as_str(), read.recipients[0].diagnostic.as_str()),
                ("a@x.example", "550 5.1.1 no")
            );
            assert_eq!(read.original.subject.as_deref(), Some("S"));
        }
    }

    #[test]
    fn other_documents_are_not() {
        for text in [
            "",
            "{",
            "{\"a\":1}",
            "{\"notificationType\":\"Bounce\"}",
            "{\"notificationType\":\"Bounce\",\"bounce\":{\"bouncedRecipients\":[]}}",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
