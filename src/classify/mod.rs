//! What messages report, and what that means: `report` finds who bounced and why, the policy
//! classifies. Many messages at a time; their failures are asked about together.
//!
//! Not here: acting on it (`policies/bounce` and the actions). Invariant: nothing is stored, sent
//! or counted; the results are in the order of the messages.

pub(crate) mod input;
pub(crate) mod reply_lines;

use crate::class::{About, Class, DeliveryFailure, Severity, mentioned};
use crate::error::Result;
use crate::message::Message;
use crate::policy::recipient_facts::RecipientFacts;
use crate::policy::{Failure, Policy};
use crate::report::{self, DeliveryAction, Feedback, Original, Report, ReportKind, Unsubscribing};
use crate::return_path;
use input::Item;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use serde::Serialize;
use std::rc::Rc;

/// What a message reports.
#[derive(Debug, Serialize)]
pub(crate) struct Classified {
    pub(crate) file: String,
    pub(crate) kind: ReportKind,
    pub(crate) recipients: Vec<ClassifiedRecipient>,
    pub(crate) feedback: Option<Feedback>,
    /// Only of a request to unsubscribe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unsubscribe: Option<Unsubscribing>,
    pub(crate) original: Original,
    /// What is wrong with the message, if that was asked for: it takes a second, whole reading.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) defects: Vec<String>,
}

/// What a report says about a recipient, and what that means.
#[derive(Debug, Serialize)]
pub(crate) struct ClassifiedRecipient {
    #[serde(flatten)]
    pub(crate) found: report::Recipient,
    #[serde(flatten)]
    pub(crate) class: Class,
}

/// Classifies messages in parallel.
pub(crate) fn classify(
    items: &[Item],
    policy: &Policy,
    facts: &Rc<RecipientFacts>,
    with_defects: bool,
) -> Result<Vec<Classified>, Failure> {
    let defects = |item: &Item| with_defects.then(|| Message::read(&item.raw).defect_texts());
    let read = |item: &Item| (report::read_file(&item.raw), defects(item).unwrap_or_default());
    // One message alone needs no other thread, and where none can be started, the others neither.
    let threads = if items.len() > 1 { ThreadPoolBuilder::new().build().ok() } else { None };
    let (reports, defects): (Vec<Report>, Vec<Vec<String>>) = match threads {
        None => items.iter().map(read).unzip(),
        Some(threads) => threads.install(|| items.par_iter().map(read).unzip()),
    };
    let failures: Vec<DeliveryFailure> = reports.iter().flat_map(failures).collect();
    let mut classes = policy.classify(facts, &failures)?.into_iter();
    let classified = |((item, report), defects): ((&Item, Report), Vec<String>)| Classified {
        file: item.name.clone(),
        kind: report.kind,
        recipients: recipients(report.kind, report.recipients, &mut classes),
        feedback: report.feedback,
        unsubscribe: report.unsubscribe,
        original: report.original,
        defects,
    };
    Ok(items.iter().zip(reports).zip(defects).map(classified).collect())
}

/// The recipients of a report, each with its class: of its kind, or the next of those from the
/// policy.
fn recipients(
    kind: ReportKind,
    found: Vec<report::Recipient>,
    classes: &mut impl Iterator<Item = Class>,
) -> Vec<ClassifiedRecipient> {
    let classified = |mut found: report::Recipient| {
        found.original = return_path::meant(&found.address, found.original.as_deref());
        let class = by_kind(kind, found.action).or_else(|| classes.next());
        let class = class.unwrap_or_else(|| fixed("undetermined", "other", Severity::Unknown));
        let class = if kind == ReportKind::AutoReply { of_reply(class) } else { class };
        ClassifiedRecipient { found, class }
    };
    found.into_iter().map(classified).collect()
}

/// The failures of a report that only the policy can classify.
fn failures(report: &Report) -> impl Iterator<Item = DeliveryFailure> {
    let kind = report.kind;
    let found = report.recipients.iter().filter(move |found| by_kind(kind, found.action).is_none());
    found.map(|found| failure(found, &report.senders()))
}

/// `senders` are the addresses of whoever sent the message that failed.
fn failure(found: &report::Recipient, senders: &[&String]) -> DeliveryFailure {
    let failure = DeliveryFailure {
        text: found.diagnostic.clone(),
        status: found.status.map(|status| status.to_string()).unwrap_or_default(),
        code: found.reply_code.unwrap_or_default(),
        stage: found.stage.to_owned(),
        remote_mta: found.remote_mta.clone().unwrap_or_default(),
        ..DeliveryFailure::default()
    };
    let is_mentioned = |sender: &&String| mentioned(&failure.text, Some(sender), None).0.is_some();
    let sender = senders.iter().find(|sender| is_mentioned(sender)).copied().cloned();
    failure.between(sender.as_deref(), Some(&found.address))
}

/// The class that follows from the kind of report, without the policy.
fn by_kind(kind: ReportKind, action: DeliveryAction) -> Option<Class> {
    match (kind, action) {
        (ReportKind::AutoReply, _) => None,
        (ReportKind::FeedbackReport, _) => Some(fixed("feedback", "", Severity::None)),
        (ReportKind::Challenge, _) => Some(fixed("held", "", Severity::None)),
        (ReportKind::Unsubscribe, _) => Some(fixed("unsubscribe", "", Severity::None)),
        (_, DeliveryAction::Delivered | DeliveryAction::Relayed | DeliveryAction::Expanded) => {
            Some(fixed("delivered", "", Severity::None))
        }
        _ => None,
    }
}

/// An automatic reply can say that a mailbox is no longer in use; it is not dead, because it took
/// the message. Any other says that its writer is away.
fn of_reply(class: Class) -> Class {
    match class.reason.as_str() {
        "suspend" | "has-moved" => Class { severity: Severity::Soft, ..class },
        _ => fixed("vacation", "", Severity::None),
    }
}

fn fixed(reason: &str, category: &str, severity: Severity) -> Class {
    let (rule, evidence) = (String::new(), String::new());
    let about = About::usual(reason, severity);
    Class { reason: reason.into(), category: category.into(), severity, about, rule, evidence }
}
