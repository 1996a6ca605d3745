//! The deliveries that a record is about: one for each of its recipients.
//!
//! Not here: why it failed; KumoMTA's own classes have other words than carom's. Invariant: all
//! records of one message and recipient give one id, whichever node wrote them; a bounce that came
//! back later and a refusal of a client are deliveries apart.

use super::log_record::LogRecord;
use super::record_state::{RecordState, RecordTimes};
use crate::config::OwnMail;
use crate::maillog::deferred_deliveries::AttemptRecord;
use crate::maillog::delivery::Delivery;
use crate::maillog::delivery_route::{DeliveryRoute, SourceKind};
use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::message_ids::client_of_message_id;
use crate::maillog::stable_id::stable_id;
use crate::maillog::whose::{Submitter, Whose};
use crate::maillog::whose_delivery::whose;

/// What a record says of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// What became of it at the end of an attempt, or without one.
    Ended(LoggedStatus),
    /// A bounce came back after it was delivered, as far as whoever wrote that says: it proves
    /// nothing.
    CameBack,
    /// A client was refused.
    Refused,
    /// Nothing about a delivery.
    Nothing,
}

impl Told {
    /// None for types that this release does not know.
    pub(crate) fn of(kind: &str) -> Option<Told> {
        Some(match kind {
            "Delivery" => Told::Ended(LoggedStatus::Sent),
            "Bounce" => Told::Ended(LoggedStatus::Bounced),
            "TransientFailure" => Told::Ended(LoggedStatus::Deferred),
            "Expiration" | "AdminBounce" => Told::Ended(LoggedStatus::Expired),
            "OOB" => Told::CameBack,
            "Rejection" => Told::Refused,
            "Reception" | "Feedback" | "Delayed" | "Delay" | "AdminRebind" | "XferOut" | "XferIn" => {
                Told::Nothing
            }
            _ => return None,
        })
    }
}

/// How the log is to be read.
pub(crate) struct RecordRules<'r> {
    pub(crate) own: &'r OwnMail,
    pub(crate) client_header: &'r str,
    pub(crate) campaign_headers: &'r [&'r str],
}

/// Gives the deliveries of a record to `each`.
pub(crate) fn deliveries(
    record: &LogRecord<'_>,
    told: Told,
    times: RecordTimes,
    rules: &RecordRules<'_>,
    state: &mut RecordState,
    each: &mut impl FnMut(&Delivery<'_>),
) {
    match told {
        Told::Nothing => {}
        Told::Refused => refusal(record, times, rules, state, each),
        Told::CameBack => {
            for recipient in record.recipient.iter() {
                let id = stable_id(&[b"oob", record.id.as_bytes(), recipient.as_bytes()]);
                let told = (recipient, id, LoggedStatus::Bounced);
                let mut of_a_stranger = |delivery: &Delivery<'_>| {
                    let route = delivery.route.with_whose(Whose::Others);
                    each(&Delivery { route, ..*delivery });
                };
                attempt(record, told, times, rules, state, &mut of_a_stranger);
            }
        }
        Told::Ended(status) => {
            for recipient in record.recipient.iter() {
                let id = stable_id(&[record.id.as_bytes(), recipient.as_bytes()]);
                attempt(record, (recipient, id, status), times, rules, state, each);
            }
        }
    }
}

fn attempt(
    record: &LogRecord<'_>,
    (recipient, id, status): (&str, u64, LoggedStatus),
    times: RecordTimes,
    rules: &RecordRules<'_>,
    state: &mut RecordState,
    each: &mut impl FnMut(&Delivery<'_>),
) {
    let RecordTimes { at_ms, created_ms } = times;
    let tried = AttemptRecord { id, status, queued_ms: created_ms, at_ms };
    let counted = state.deferred.count(&tried, state.newest_ms);
    let response = record.response.as_ref();
    let (dsn, reply) = (response.and_then(|found| found.dsn()), response.and_then(|found| found.text()));
    let relay = record.peer_address.as_ref().and_then(|peer| peer.relay());
    let (campaign, tenant) = record.queue_parts();
    let message_id = record.header(&["Message-ID"]);
    let message_id = message_id.map(|id| id.trim_start_matches('<').trim_end_matches('>'));
    let client = message_id.and_then(client_of_message_id).or_else(|| record.header(&[rules.client_header]));
    let mut delivery = Delivery {
        id,
        queue_id: Some(&*record.id).filter(|id| !id.is_empty()),
        message_id,
        client_id: client.or_else(|| record.meta("tenant")).or(tenant),
        sender: Some(&record.sender),
        recipient: Some(recipient),
        status,
        attempts: counted.attempts,
        first_seen: counted.first_ms,
        last_seen: at_ms,
        relay: relay.as_deref(),
        dsn: dsn.as_deref(),
        reply: reply.as_deref(),
        delay: Some((at_ms - counted.first_ms) as f64 / 1000.0),
        size: Some(record.size).filter(|size| *size > 0),
        host: record.nodeid.as_deref(),
        route: route(record, status)
            .with(SourceKind::Campaign, record.header(rules.campaign_headers).or(campaign)),
        before: counted.before,
        ..Delivery::default()
    };
    delivery.route = delivery.route.with_whose(whose(rules.own, Submitter::Unknown, &delivery));
    each(&delivery);
}

fn refusal(
    record: &LogRecord<'_>,
    times: RecordTimes,
    rules: &RecordRules<'_>,
    state: &mut RecordState,
    each: &mut impl FnMut(&Delivery<'_>),
) {
    let response = record.response.as_ref();
    let (dsn, reply) = (response.and_then(|found| found.dsn()), response.and_then(|found| found.text()));
    let recipient = record.recipient.iter().next();
    let address = record.peer_address.as_ref().and_then(|peer| peer.addr.parse().ok());
    let is_authenticated = record.meta("authn_id").is_some();
    let submitter = match address {
        None if !is_authenticated => Submitter::Unknown,
        _ => Submitter::of(rules.own.is_client(address, is_authenticated)),
    };
    let session = record.session_id.as_deref().unwrap_or(&record.id);
    let id = |equal_before: u64| {
        stable_id(&[
            b"refused",
            record.nodeid.as_deref().unwrap_or_default().as_bytes(),
            session.as_bytes(),
            &times.at_ms.to_le_bytes(),
            record.sender.as_bytes(),
            recipient.unwrap_or_default().as_bytes(),
            reply.as_deref().unwrap_or_default().as_bytes(),
            &equal_before.to_le_bytes(),
        ])
    };
    let mut delivery = Delivery {
        id: id(state.recent.count(id(0))),
        sender: Some(&record.sender),
        recipient,
        status: LoggedStatus::Rejected,
        first_seen: times.at_ms,
        last_seen: times.at_ms,
        dsn: dsn.as_deref(),
        reply: reply.as_deref(),
        host: record.nodeid.as_deref(),
        ..Delivery::default()
    };
    delivery.route = delivery.route.with_whose(whose(rules.own, submitter, &delivery));
    each(&delivery);
}

fn route<'r>(record: &'r LogRecord<'_>, status: LoggedStatus) -> DeliveryRoute<'r> {
    // Another protocol has no TLS of its own.
    let is_smtp = record.delivery_protocol.as_deref().is_some_and(|protocol| protocol.contains("SMTP"));
    let tls = match record.tls_cipher.as_deref() {
        Some(cipher) if !cipher.is_empty() => Some("encrypt"),
        _ => Some("none").filter(|_| is_smtp && status == LoggedStatus::Sent),
    };
    DeliveryRoute::default()
        .with(SourceKind::Vmta, record.egress_source.as_deref())
        .with(SourceKind::Pool, record.egress_pool.as_deref())
        .with(SourceKind::Ip, record.source_address.as_ref().map(|source| source.ip()))
        .with_tls(tls)
}
