//! The delivery that a record is about.
//!
//! Not here: the category that carom's rules would give a reply; PowerMTA's own is kept. Invariant:
//! all records of one message and recipient give one id, and a remote bounce is a delivery apart.

use super::accounting_record::{AccountingRecord, Column, RecordType};
use super::accounting_times::AccountingTimes;
use crate::maillog::deferred_deliveries::{AttemptRecord, DeferredDeliveries};
use crate::maillog::delivery::Delivery;
use crate::maillog::delivery_route::{DeliveryRoute, SourceKind};
use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::message_ids::client_of_message_id;
use crate::maillog::stable_id::stable_id;

/// When a record was logged, and the latest time of any record so far.
#[derive(Clone, Copy)]
pub(crate) struct RecordTime {
    pub(crate) at_ms: i64,
    pub(crate) newest_ms: i64,
}

/// None for records that are about no delivery: received mail, complaints, queues.
pub(crate) fn delivery<'a>(
    record: &AccountingRecord<'a>,
    logged: RecordTime,
    times: &mut AccountingTimes,
    deferred: &mut DeferredDeliveries,
) -> Option<Delivery<'a>> {
    let status = status(record)?;
    let recipient = record.get(Column::Rcpt)?;
    let at_ms = logged.at_ms;
    let queued = record.get(Column::TimeQueued);
    let queued_ms = queued.and_then(|queued| times.read(queued)).unwrap_or(at_ms);
    let id = id(record, recipient, at_ms);
    let counted = deferred.count(&AttemptRecord { id, status, queued_ms, at_ms }, logged.newest_ms);
    let message_id = record.get(Column::MessageId);
    let message_id = message_id.map(|id| id.trim_start_matches('<').trim_end_matches('>'));
    Some(Delivery {
        id,
        message_id,
        client_id: message_id.and_then(client_of_message_id).or_else(|| record.get(Column::ClientId)),
        sender: sender(record),
        recipient: Some(recipient),
        status,
        attempts: counted.attempts,
        first_seen: counted.first_ms,
        last_seen: at_ms,
        relay: record.get(Column::DsnMta),
        dsn: dsn(record),
        reply: reply(record),
        category: record.get(Column::BounceCat),
        delay: queued.map(|_| (at_ms - counted.first_ms) as f64 / 1000.0),
        size: record.get(Column::DlvSize).and_then(|size| size.parse().ok()),
        route: route(record),
        before: counted.before,
        ..Delivery::default()
    })
}

fn route<'a>(record: &AccountingRecord<'a>) -> DeliveryRoute<'a> {
    DeliveryRoute::default()
        .with(SourceKind::Vmta, record.get(Column::Vmta))
        .with(SourceKind::Pool, record.get(Column::VmtaPool))
        .with(SourceKind::Ip, record.get(Column::DlvSourceIp))
        .with(SourceKind::Campaign, record.campaign())
}

pub(super) fn status(record: &AccountingRecord<'_>) -> Option<LoggedStatus> {
    match record.record_type {
        RecordType::Delivered => Some(LoggedStatus::Sent),
        RecordType::Bounced => {
            // The remote server may answer 4.4.7 too, so PowerMTA's category decides, if there is
            // one.
            let why = record.get(Column::BounceCat).or_else(|| dsn(record));
            let is_expired = why.is_some_and(|why| matches!(why, "message-expired" | "4.4.7" | "5.4.7"));
            Some(if is_expired { LoggedStatus::Expired } else { LoggedStatus::Bounced })
        }
        RecordType::RemoteBounce => Some(LoggedStatus::Bounced),
        RecordType::Transient => Some(LoggedStatus::Deferred),
        RecordType::TransientQueue
        | RecordType::Received
        | RecordType::Feedback
        | RecordType::RemoteStatus => None,
    }
}

pub(super) fn id(record: &AccountingRecord<'_>, recipient: &str, at_ms: i64) -> u64 {
    let part = |column| record.get(column).unwrap_or_default().as_bytes();
    let queued = part(Column::TimeQueued);
    // Without the time it was queued, nothing joins two records.
    let own = if queued.is_empty() { at_ms.to_string() } else { String::new() };
    let remote: &[u8] = if record.record_type == RecordType::RemoteBounce { b"rb" } else { b"" };
    let (orig, job, envelope) = (part(Column::Orig), part(Column::JobId), part(Column::EnvId));
    stable_id(&[remote, orig, recipient.as_bytes(), queued, own.as_bytes(), job, envelope])
}

/// The sender; the null sender if the column is empty, but not in a remote bounce, whose sender
/// PowerMTA does not know.
fn sender<'a>(record: &AccountingRecord<'a>) -> Option<&'a str> {
    let is_null = record.record_type != RecordType::RemoteBounce && record.has_column(Column::Orig);
    record.get(Column::Orig).or(is_null.then_some(""))
}

/// The reply of the remote server. Where there is none, PowerMTA's own words in `5.4.7 (delivery
/// time expired)`, or its category.
fn reply<'a>(record: &AccountingRecord<'a>) -> Option<&'a str> {
    let diagnostic =
        record.get(Column::DsnDiag).map(|text| text.strip_prefix("smtp;").unwrap_or(text).trim());
    let is_failure = record.record_type != RecordType::Delivered;
    let words = || record.get(Column::DsnStatus).and_then(words).filter(|_| is_failure);
    let category = || record.get(Column::BounceCat).filter(|category| is_failure && *category != "other");
    diagnostic.filter(|text| !text.is_empty()).or_else(words).or_else(category)
}

/// The words in `5.1.1 (bad destination mailbox address)`, if they say anything.
fn words(status: &str) -> Option<&str> {
    let (_, words) = status.split_once('(')?;
    let words = words.trim_end().strip_suffix(')').unwrap_or(words).trim();
    let says_nothing = words.is_empty() || words.contains("undefined");
    (!says_nothing).then_some(words)
}

/// The code in `5.1.1 (bad destination mailbox address)`.
fn dsn<'a>(record: &AccountingRecord<'a>) -> Option<&'a str> {
    record.get(Column::DsnStatus).map(|status| status.split(' ').next().unwrap_or(status))
}
