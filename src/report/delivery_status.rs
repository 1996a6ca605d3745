//! Delivery status notifications (RFC 3464, internationalised by RFC 6533): the fields for
//! programs, and how they are written.
//!
//! Not here: reading them (`status_reader`), and the text for people beside them (`human_notice`
//! reads it). Invariant: what is written reads back equal.

use super::fields::WrittenFields;
use super::reported::DeliveryAction;
use crate::smtp_reply::EnhancedStatus;

/// What a notification says to programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeliveryStatus {
    /// Original-Envelope-Id
    pub(crate) envelope_id: Option<String>,
    pub(crate) reporting_mta: Option<String>,
    /// Received-From-MTA
    pub(crate) received_from: Option<String>,
    pub(crate) arrival_date: Option<String>,
    pub(crate) recipients: Vec<RecipientStatus>,
}

/// The fields about one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecipientStatus {
    /// Final-Recipient, if it is an address.
    pub(crate) last: Option<String>,
    /// Final-Recipient is this address and nothing else, and can mean no other.
    pub(crate) is_literal: bool,
    /// Final-Recipient, if it is a name without a domain.
    pub(crate) name: Option<String>,
    /// Original-Recipient, if it is an address.
    pub(crate) original: Option<String>,
    pub(crate) action: Option<DeliveryAction>,
    pub(crate) status: Option<EnhancedStatus>,
    pub(crate) remote_mta: Option<String>,
    /// Diagnostic-Code without its type.
    pub(crate) diagnostic: String,
    /// The comment of the status, and other fields that carry the reply.
    pub(crate) comment: String,
    /// Last-Attempt-Date
    pub(crate) last_attempt: Option<String>,
    /// The line of the first field.
    pub(crate) line: u32,
}

impl DeliveryStatus {
    /// The fields in the order of the RFC.
    pub(crate) fn written(&self) -> WrittenFields {
        let mut fields = WrittenFields::default();
        fields.add_some("Original-Envelope-Id", self.envelope_id.as_deref());
        fields.add_mta("Reporting-MTA", self.reporting_mta.as_deref());
        fields.add_mta("Received-From-MTA", self.received_from.as_deref());
        fields.add_some("Arrival-Date", self.arrival_date.as_deref());
        for recipient in &self.recipients {
            fields.end_group();
            recipient.write(&mut fields);
        }
        fields
    }
}

impl RecipientStatus {
    fn write(&self, fields: &mut WrittenFields) {
        if let Some(original) = &self.original {
            fields.add_address("Original-Recipient", original);
        }
        let last = self.last.as_deref().or(self.name.as_deref());
        fields.add_address("Final-Recipient", last.unwrap_or_default());
        fields.add_some("Action", self.action.map(DeliveryAction::name));
        fields.add_some("Status", self.status.map(|status| status.to_string()).as_deref());
        fields.add_mta("Remote-MTA", self.remote_mta.as_deref());
        if !self.diagnostic.is_empty() {
            fields.add("Diagnostic-Code", &format!("smtp; {}", self.diagnostic));
        }
        if !self.comment.is_empty() {
            fields.add("X-Supplementary-Info", &self.comment);
        }
        fields.add_some("Last-Attempt-Date", self.last_attempt.as_deref());
    }
}
