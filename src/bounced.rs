//! Deliveries that failed, as our own mail log has it, acted upon as if our mail server had reported them: the bounce policy decides
//! by its settings, its plan is promised under the delivery's id, and done.
//!
//! Not here: reading logs (`logs`, `ingest`), and what a failure means (policies). Invariant: a delivery is acted upon once, however
//! often its lines are read and whatever kills the process; the log line and the report of one bounce count once.

use crate::auth::srs;
use crate::clock;
use crate::deadline::Deadline;
use crate::decide::{Question, Undecided};
use crate::deliver::House;
use crate::envelope::Envelope;
use crate::error::{Error, Result};
use crate::journal::{self, Key, Work};
use crate::log::{Entry, Policed};
use crate::logs::failure::Reply;
use crate::logs::{Delivery, Status};
use crate::message::report::{self, Kind, Original, Report};
use crate::policy::Policy;
use crate::policy::facts::Facts;
use crate::store::{Promise, Record, Standing, Tally};
use std::rc::Rc;
use std::sync::Arc;

/// What is older is history: the journal would not know any more whether it was acted upon.
const OLD_MS: i64 = 9 * 86_400_000;

/// Commands that a server answers.
const STAGES: [&str; 5] = ["RCPT", "DATA", "MAIL", "EHLO", "HELO"];

/// A delivery that failed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The delivery's id: the same lines give the same.
    pub id: u64,
    /// The Message-ID without its brackets.
    pub message_id: Option<String>,
    /// The envelope sender.
    pub sender: String,
    /// The recipient as it came in.
    pub recipient: String,
    /// The recipient after aliases, where that is another.
    pub final_recipient: Option<String>,
    /// What was answered.
    pub reply: String,
    /// Enhanced status code.
    pub dsn: Option<String>,
    /// Next hop.
    pub relay: Option<String>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Failed {
    /// The failure that a delivery is; `None`: it is none, or there is nobody who could be told of it.
    pub fn of(delivery: &Delivery<'_>) -> Option<Failed> {
        let failed = matches!(delivery.status, Status::Bounced | Status::Expired);
        let (sender, last) = (delivery.sender.filter(|sender| !sender.is_empty())?, delivery.recipient?);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        failed.then(|| Failed {
            id: delivery.id,
            message_id: owned(delivery.message_id),
            sender: sender.to_owned(),
            recipient: delivery.original_recipient.unwrap_or(last).to_owned(),
            final_recipient: delivery.original_recipient.map(|_| last.to_owned()),
            reply: delivery.reply.unwrap_or_default().to_owned(),
            dsn: owned(delivery.dsn),
            relay: owned(delivery.relay),
            at_ms: delivery.last_seen,
        })
    }

    /// The report that our mail server could have written.
    fn report(&self) -> Report {
        let reply = Reply { text: &self.reply, dsn: self.dsn.as_deref(), relay: self.relay.as_deref() };
        let failure = reply.failure();
        let address = self.final_recipient.clone().unwrap_or_else(|| self.recipient.clone());
        let recipient = report::Recipient {
            original: self.final_recipient.is_some().then(|| self.recipient.clone()),
            address,
            action: report::Action::Failed,
            status: self.dsn.clone(),
            reply_code: Some(failure.code).filter(|code| *code > 0),
            diagnostic: failure.text,
            remote_mta: Some(failure.remote_mta).filter(|host| !host.is_empty()),
            stage: STAGES.into_iter().find(|stage| failure.stage.contains(stage)).unwrap_or_default(),
            reader: "log",
            line: 0,
        };
        let from = srs::decode(&self.sender).map_or_else(|| self.sender.clone(), |srs| srs.original);
        let original =
            Original { message_id: self.message_id.clone(), from: Some(from), ..Original::default() };
        Report { kind: Kind::DeliveryStatus, recipients: vec![recipient], feedback: None, original }
    }
}

/// Acts upon a failed delivery as `policy` decides. Returns whether it did: not if that was done before, nor if it is too old.
pub fn act(house: &House, policy: &Policy, failed: &Failed, deadline: Deadline) -> Result<bool> {
    let now_ms = clock::now_ms();
    if failed.at_ms < now_ms - OLD_MS {
        return Ok(false);
    }
    let (raw, key) = (Arc::new(Vec::new()), Key::of_delivery(failed.id));
    let envelope = Envelope { recipient: failed.sender.clone(), ..Envelope::default() };
    let facts = Facts::new(raw.clone(), envelope.clone(), house.config.clone(), house.dns.clone(), deadline)
        .of_log(failed.report());
    let question =
        Question { config: &house.config, dns: &house.dns, seed: failed.id, at_ms: now_ms, deadline };
    let decided = question.ask(policy, &Rc::new(facts)).map_err(|undecided| match undecided {
        Undecided::Policy(failure) => Error::new(failure),
        Undecided::Dns(text) => Error::new(text),
    })?;
    let (digest, mut plan) = (decided.digest(), decided.plan);
    let mut tally = Tally::default();
    plan.take_bookkeeping().iter().for_each(|name| tally.add(name));
    let decided_by = Policed { name: &policy.name, hash: policy.short_hash(), plan: digest };
    let mut entry = Entry::new(now_ms, &envelope, decided_by, &plan.verdict, failed.id);
    let promise = Promise {
        key: "",
        envelope: &envelope,
        plan: &plan,
        message: &raw,
        seed: failed.id,
        policy: &policy.name,
        at_ms: now_ms,
        tally: &tally,
        arrived: false,
    };
    if plan.steps.is_empty() {
        let record = Record { key: key.of_a_redelivery(), tally: &tally, at_ms: now_ms, message: false };
        return house.store.record(&record).map(|()| false);
    }
    let (key, standing) = journal::promise(&house.store, &key, promise)?;
    if standing != Standing::New {
        // What is left of it is the tick's.
        return Ok(false);
    }
    let work = Work {
        key: &key,
        raw: &raw,
        envelope: &envelope,
        client_address: None,
        plan: &plan,
        seed: failed.id,
        at_ms: now_ms,
        keep: crate::action::Keep::named(&house.config, &key),
    };
    entry.results = journal::run(&house.doors, &work, deadline);
    entry.counted = tally;
    house.log.append(&entry);
    Ok(true)
}
