//! Notifications in JSON that a service sends by mail instead of a report: Amazon SES through SNS.
//!
//! Not here: webhooks. Invariant: a document that is cut or broken gives nothing, never half of its recipients.

use super::mailbox;
use super::original::Original;
use super::quoted_reply::status_in_field;
use super::tidied::tidy;
use super::{DeliveryAction, MAX_RECIPIENTS};
use crate::smtp_reply::EnhancedStatus;
use serde_json::Value;

/// A longer document is not read.
const MAX_DOCUMENT: usize = 2 * 1024 * 1024;

/// What a notification says.
#[derive(Debug, Default)]
pub(crate) struct SesNotification {
    /// The recipients: address, action, status, diagnostic.
    pub(crate) recipients: Vec<NotifiedRecipient>,
    /// The type of a complaint.
    pub(crate) complaint: Option<String>,
    /// The message it is about.
    pub(crate) original: Original,
}

/// What is told of one recipient.
#[derive(Debug)]
pub(crate) struct NotifiedRecipient {
    pub(crate) address: String,
    pub(crate) action: DeliveryAction,
    pub(crate) status: Option<EnhancedStatus>,
    pub(crate) diagnostic: String,
}

/// Reads a text that is a JSON document, maybe with more after it, maybe with lines folded inside strings.
pub(crate) fn read(text: &str) -> Option<SesNotification> {
    let start = text.trim_start();
    if !start.starts_with('{')
        || start.len() > MAX_DOCUMENT
        || !start.contains("otificationType") && !start.contains("ventType")
    {
        return None;
    }
    let unfolded = start.replace("!\r\n ", "").replace("!\n ", "").replace("\r\n ", "").replace("\n ", "");
    let mut value = first(&unfolded)?;
    if let Some(inner) = value.get("Message").and_then(Value::as_str) {
        value = first(inner)?;
    }
    let mail = &value["mail"];
    let header = |name: &str| mail["commonHeaders"][name].as_str().map(str::to_owned);
    let list = |name: &str| mail["commonHeaders"][name][0].as_str().and_then(mailbox::in_field);
    let original = Original {
        message_id: header("messageId"),
        subject: header("subject"),
        from: list("from"),
        to: list("to"),
    };
    let mut notification = SesNotification { original, ..SesNotification::default() };
    let kind = value["notificationType"].as_str().or(value["eventType"].as_str())?;
    let told = |entry: &Value, action: DeliveryAction| {
        let address = entry["emailAddress"].as_str().or(entry.as_str()).and_then(mailbox::in_field)?;
        let diagnostic = tidy(mailbox::typed(entry["diagnosticCode"].as_str().unwrap_or_default()).1);
        let status = entry["status"].as_str().and_then(status_in_field);
        Some(NotifiedRecipient { address, action, status, diagnostic })
    };
    let (entries, action) = match kind {
        "Bounce" => (&value["bounce"]["bouncedRecipients"], DeliveryAction::Failed),
        "Complaint" => {
            let kind = value["complaint"]["complaintFeedbackType"].as_str().unwrap_or("abuse");
            notification.complaint = Some(kind.to_ascii_lowercase());
            (&value["complaint"]["complainedRecipients"], DeliveryAction::Delivered)
        }
        "Delivery" => (&value["delivery"]["recipients"], DeliveryAction::Delivered),
        "DeliveryDelay" => (&value["deliveryDelay"]["delayedRecipients"], DeliveryAction::Delayed),
        _ => return None,
    };
    let entries = entries.as_array()?.iter().take(MAX_RECIPIENTS);
    notification.recipients = entries.filter_map(|entry| told(entry, action)).collect();
    (!notification.recipients.is_empty()).then_some(notification)
}

/// The first document in a text.
fn first(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok()
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
