//! What messages report, and what that means: the reader finds who bounced and why (`message::report`), the policy says what it means
//! (`classify`). Many messages at once, each batch of failures asked for together.
//!
//! Not here: acting on it (`policies/bounce` and the actions). Invariant: nothing is stored, sent or counted; the order of the
//! results is the order of the messages.

use crate::class::{Class, DeliveryFailure, Severity};
use crate::error::Result;
use crate::policy::facts::Facts;
use crate::policy::{Failure, Policy};
use crate::report::{self, DeliveryAction, Feedback, Original, Report, ReportKind};
use crate::return_path;
use rayon::prelude::*;
use serde::Serialize;
use std::rc::Rc;

/// A message to be classified.
pub(crate) struct Item {
    /// What it is called: a file, with `#2` behind it for the second of several messages in it.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) raw: Vec<u8>,
}

/// What a message reports.
#[derive(Debug, Serialize)]
pub(crate) struct Classified {
    /// What it is called.
    pub(crate) file: String,
    /// What kind of report it is.
    pub(crate) kind: ReportKind,
    /// Whom it is about.
    pub(crate) recipients: Vec<Judged>,
    /// The complaint.
    pub(crate) feedback: Option<Feedback>,
    /// The message it is about.
    pub(crate) original: Original,
}

/// What became of a message for one recipient, and what that means.
#[derive(Debug, Serialize)]
pub(crate) struct Judged {
    /// What the report says.
    #[serde(flatten)]
    pub(crate) found: report::Recipient,
    /// What it means.
    #[serde(flatten)]
    pub(crate) class: Class,
}

/// Classifies messages in parallel.
pub(crate) fn classify(
    items: &[Item],
    policy: &Policy,
    facts: &Rc<Facts>,
) -> Result<Vec<Classified>, Failure> {
    let reports: Vec<Report> = items.par_iter().map(|item| report::read_file(&item.raw)).collect();
    let failures: Vec<DeliveryFailure> = reports.iter().flat_map(failures).collect();
    let mut classes = policy.classify(facts, &failures)?.into_iter();
    let judge = |(item, report): (&Item, Report)| {
        let kind = report.kind;
        let judged = report.recipients.into_iter().map(|mut found| {
            found.original = return_path::meant(&found.address, found.original.as_deref());
            let class = by_kind(kind, found.action).or_else(|| classes.next());
            let class = class.unwrap_or_else(|| fixed("undetermined", "other", Severity::Unknown));
            Judged { class: if kind == ReportKind::AutoReply { of_reply(class) } else { class }, found }
        });
        let recipients = judged.collect();
        let (feedback, original) = (report.feedback, report.original);
        Classified { file: item.name.clone(), kind, recipients, feedback, original }
    };
    Ok(items.iter().zip(reports).map(judge).collect())
}

/// The failures of a report that a policy has to say something about.
fn failures(report: &Report) -> impl Iterator<Item = DeliveryFailure> {
    let kind = report.kind;
    report.recipients.iter().filter(move |found| by_kind(kind, found.action).is_none()).map(failure)
}

fn failure(found: &report::Recipient) -> DeliveryFailure {
    DeliveryFailure {
        text: found.diagnostic.clone(),
        status: found.status.map(|status| status.to_string()).unwrap_or_default(),
        code: found.reply_code.unwrap_or_default(),
        stage: found.stage.to_owned(),
        remote_mta: found.remote_mta.clone().unwrap_or_default(),
    }
}

/// What needs no policy to be understood: the kind of report says it.
fn by_kind(kind: ReportKind, action: DeliveryAction) -> Option<Class> {
    match (kind, action) {
        (ReportKind::AutoReply, _) => None,
        (ReportKind::FeedbackReport, _) => Some(fixed("feedback", "", Severity::None)),
        (_, DeliveryAction::Delivered | DeliveryAction::Relayed | DeliveryAction::Expanded) => {
            Some(fixed("delivered", "", Severity::None))
        }
        _ => None,
    }
}

/// "This mailbox is no longer in use" comes as an automatic reply, too. Any other one says that its writer is away.
fn of_reply(class: Class) -> Class {
    match class.reason.as_str() {
        "suspend" | "has-moved" => class,
        _ => fixed("vacation", "", Severity::None),
    }
}

fn fixed(reason: &str, category: &str, severity: Severity) -> Class {
    Class { reason: reason.into(), category: category.into(), severity, rule: String::new() }
}
