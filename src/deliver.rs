//! The seven steps of a message, on one page: take, read, check, ask, promise, run, add.
//!
//! Taking is the caller's (`intake`); reading and checking happen when the policy asks. Invariant: before the promise
//! nothing has happened and every failure is "try again"; after it the message is ours, whatever happens.

use crate::action::{Doors, Keep};
use crate::auth::Dns;
use crate::clock::{self, DAY_MS};
use crate::config::{Config, OnTrap};
use crate::deadline::Deadline;
use crate::decide::{Question, Undecided};
use crate::envelope::Envelope;
use crate::error::{Exit, Result};
use crate::index::{Filter, Index};
use crate::journal::{self, Key, Work};
use crate::maillog::LoggedStatus;
use crate::message_log::{DecidedBy, MessageLine, MessageLog};
use crate::monitor::Monitor;
use crate::plan::{Plan, Verdict};
use crate::policy::facts::Facts;
use crate::policy::{Failure, Policy};
use crate::smtp_reply::{EnhancedStatus, SmtpReply};
use crate::store::{FinishedMessage, Promise, Standing, Store, Tally};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Everything a delivery needs, made once a process and shared by all threads.
pub(crate) struct House {
    /// The configuration.
    pub(crate) config: Arc<Config>,
    /// DNS.
    pub(crate) dns: Arc<Dns>,
    /// The policy that decides. A message asks for it once, and is decided by that one whatever is installed meanwhile.
    policy: RwLock<Arc<Policy>>,
    /// Policies that decide beside it, for comparison.
    monitor: Monitor,
    threads: usize,
    /// Counters, journal, outbox.
    pub(crate) store: Arc<Store>,
    /// The doors out: mail, links, kept copies.
    pub(crate) doors: Doors,
    /// The message log.
    pub(crate) log: MessageLog,
}

impl House {
    /// Loads the policy, for as many threads as will deliver at once, and opens the store. Connects to nothing.
    pub(crate) fn open(config: Arc<Config>, policy: &str, threads: usize) -> Result<House> {
        let dns = Arc::new(Dns::open(&config.dns)?);
        let policy = Policy::load(policy, &config, threads)?;
        let monitor = Monitor::open(&config, &policy.name, threads);
        let store = Arc::new(Store::open(&config.store_path())?);
        Ok(House {
            doors: Doors::new(config.clone(), dns.clone(), store.clone()),
            log: MessageLog::open(&config),
            config,
            dns,
            policy: RwLock::new(Arc::new(policy)),
            monitor,
            threads,
            store,
        })
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads the policy anew if another one was put in force since. One that cannot be loaded leaves the old one deciding.
    pub(crate) fn refresh(&self) {
        let old = self.policy();
        if old.is_current(&self.config) {
            return;
        }
        let fresh = Policy::load(&old.name, &self.config, self.threads)
            .and_then(|fresh| fresh.start_clock().map(|()| fresh));
        match fresh {
            Ok(fresh) => {
                tracing::info!(
                    policy = &*fresh.name,
                    from = old.hash,
                    to = fresh.hash,
                    "another policy is in force"
                );
                *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
            }
            Err(error) => {
                tracing::error!(%error, "the policy in force cannot be loaded; the one before goes on")
            }
        }
    }

    /// Starts the clock by which the time of policies is measured, for as long as they are used.
    pub(crate) fn start_clock(&self) -> Result<()> {
        self.policy().start_clock()?;
        self.monitor.start_clock()
    }

    /// Moves that clock on once, for who has a thread that waits anyway.
    pub(crate) fn ticker(&self) -> impl Fn() + Send + use<> {
        let (policy, monitor) = (self.policy().ticker(), self.monitor.ticker());
        move || {
            policy();
            monitor();
        }
    }

    /// The time one message has.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(Duration::from_secs(u64::from(self.config.message.deadline)))
    }
}

/// A message as it was taken.
pub(crate) struct Mail {
    /// Its bytes.
    pub(crate) raw: Arc<Vec<u8>>,
    /// Its envelope.
    pub(crate) envelope: Envelope,
    /// What identifies this delivery, so that a second one of the same message repeats nothing.
    pub(crate) key: Key,
    /// Decides every chance; the same seed gives the same plan.
    pub(crate) seed: u64,
    /// When it came, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// Where a kept copy goes; `None` for the config's place and a name of its own.
    pub(crate) keep: Option<Keep>,
}

/// What the mail server is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is taken.
    Taken,
    /// It is refused for good.
    Refused(SmtpReply),
    /// Try again later.
    Later(SmtpReply),
}

impl Answer {
    /// "Try again later", for a reason of our own.
    pub(crate) fn later(text: impl std::fmt::Display) -> Answer {
        Answer::Later(SmtpReply { code: 451, enhanced: EnhancedStatus::new(4, 3, 0), text: text.to_string() })
    }

    /// The exit code and the status line that say so to a pipe transport.
    pub(crate) fn exit(&self) -> (Exit, Option<String>) {
        let line = |reply: &SmtpReply| Some(format!("{} {}", reply.enhanced, reply.text));
        match self {
            Answer::Taken => (Exit::Ok, None),
            Answer::Refused(reply) => (Exit::for_rejection(reply.enhanced.subject), line(reply)),
            Answer::Later(reply) => (Exit::TempFail, line(reply)),
        }
    }
}

/// Takes one message down the road. `promised` is set once the message is ours.
pub(crate) fn deliver(house: &House, mail: &Mail, deadline: Deadline, promised: &AtomicBool) -> Answer {
    let policy = house.policy();
    let facts = Rc::new(facts(house, mail, deadline));
    let question = question(house, mail, deadline);
    let decided = match question.ask(&policy, &facts) {
        Ok(decided) => decided,
        Err(Undecided::Policy(failure)) => return failed(house, &policy, mail, &failure),
        Err(Undecided::Dns(text)) => return count_later(house, mail, Answer::later(text), Tally::default()),
    };
    let mut tally = Tally::default();
    house.monitor.compare(&question, &facts, &policy, &decided, &house.store, &mut tally);
    let answer = answer(&decided.plan.verdict);
    if let Answer::Later(_) = answer {
        return count_later(house, mail, answer, tally);
    }
    let digest = decided.digest();
    let mut plan = decided.plan;
    tally.add("total_messages");
    if let Answer::Refused(_) = answer {
        tally.add("rejected");
    }
    for name in plan.take_bookkeeping() {
        tally.add(&name);
    }
    let decided_by = DecidedBy { name: &policy.name, hash: policy.short_hash(), plan: digest };
    let mut entry = MessageLine::new(mail.at_ms, &mail.envelope, decided_by, &plan.verdict, mail.seed);
    if plan.steps.is_empty() {
        let key = mail.key.of_a_redelivery();
        let record = FinishedMessage { key, tally: &tally, at_ms: mail.at_ms, message: true };
        if let Err(error) = house.store.record_finished(&record) {
            return Answer::later(error);
        }
    } else {
        let client_address = facts.client_address();
        let promise = Promise {
            key: "",
            envelope: &mail.envelope,
            plan: &plan,
            message: &mail.raw,
            seed: mail.seed,
            policy: &policy.name,
            at_ms: mail.at_ms,
            tally: &tally,
            arrived: true,
        };
        let (key, standing) = match journal::promise(&house.store, &mail.key, promise) {
            Ok(promised) => promised,
            Err(error) => return Answer::later(error),
        };
        promised.store(true, Ordering::SeqCst);
        if standing != Standing::New {
            return resume(house, &key, answer, deadline);
        }
        let work = Work {
            key: &key,
            raw: &mail.raw,
            envelope: &mail.envelope,
            client_address,
            plan: &plan,
            seed: mail.seed,
            at_ms: mail.at_ms,
            keep: mail.keep.clone().unwrap_or_else(|| Keep::named(&house.config, &key)),
        };
        entry.results = journal::run(&house.doors, &work, deadline);
    }
    entry.counted = tally;
    house.log.append(&entry);
    answer
}

/// A second delivery of a message that is on record: what was promised first stands, and what is left of it is done.
fn resume(house: &House, key: &str, answer: Answer, deadline: Deadline) -> Answer {
    if let Err(error) = journal::run_one(&house.doors, key, deadline) {
        tracing::warn!(%error, key, "what is left of it waits for the next tick");
    }
    answer
}

/// The plan for a message, complete with where its answers go, without doing anything.
pub(crate) fn explain(
    house: &House,
    policy: &Policy,
    mail: &Mail,
    deadline: Deadline,
) -> Result<Plan, String> {
    let facts = Rc::new(facts(house, mail, deadline));
    let decided = question(house, mail, deadline).ask(policy, &facts);
    decided.map(|decided| decided.plan).map_err(|undecided| undecided.to_string())
}

fn facts(house: &House, mail: &Mail, deadline: Deadline) -> Facts {
    let store = house.store.clone();
    // A store that cannot be read now lets mail through: suppressing is never the answer to a fault of our own.
    let suppressed = move |address: &str, domain: &str| {
        store.suppressed(address, domain, clock::now_ms()).is_ok_and(|found| found.is_some())
    };
    let config = house.config.clone();
    let sent = move |message_id: &str, address: &str| {
        was_sent(&config, message_id, address).unwrap_or_else(|error| {
            tracing::warn!(%error, "what was sent is not known now");
            false
        })
    };
    Facts::new(mail.raw.clone(), mail.envelope.clone(), house.config.clone(), house.dns.clone(), deadline)
        .with_suppressed(Box::new(suppressed))
        .with_sent(Box::new(sent))
}

/// Whether the mail logs say that a message went to an address within the time that return paths hold, and was not refused: a
/// message that came to its end here cannot come back from elsewhere.
fn was_sent(config: &Config, message_id: &str, address: &str) -> Result<bool> {
    let Some(index) = Index::look(&config.index_path())? else { return Ok(false) };
    let since_ms = clock::now_ms() - i64::from(config.return_paths.max_age) * DAY_MS;
    let filter = Filter {
        message_id: Some(message_id.to_owned()),
        recipient: Some(address.to_owned()),
        statuses: [LoggedStatus::Sent, LoggedStatus::Deferred]
            .map(|status| status.name().to_owned())
            .to_vec(),
        since_ms: Some(since_ms),
        limit: Some(1),
        ..Filter::default()
    };
    let mut found = false;
    index.deliveries(&filter, |_| {
        found = true;
        Ok(false)
    })?;
    Ok(found)
}

fn question<'a>(house: &'a House, mail: &'a Mail, deadline: Deadline) -> Question<'a> {
    Question { config: &house.config, dns: &house.dns, seed: mail.seed, at_ms: mail.at_ms, deadline }
}

fn answer(verdict: &Verdict) -> Answer {
    match verdict {
        Verdict::Accept => Answer::Taken,
        Verdict::Reject(reply) => Answer::Refused(reply.clone()),
        Verdict::Defer(reply) => Answer::Later(reply.clone()),
    }
}

/// The policy failed: the log and a counter say so, and the message goes where `on_trap` says.
fn failed(house: &House, policy: &Policy, mail: &Mail, failure: &Failure) -> Answer {
    tracing::error!(queue_id = mail.envelope.queue_id, "{failure}");
    let mut tally = Tally::default();
    tally.add(failure.kind.counter());
    let taken = policy.on_trap == OnTrap::Accept;
    if taken {
        tally.add("total_messages");
    }
    let record = FinishedMessage { key: None, tally: &tally, at_ms: mail.at_ms, message: taken };
    match (house.store.record_finished(&record), taken) {
        (Ok(()), true) => Answer::Taken,
        (Err(error), true) => Answer::later(error),
        (_, false) => Answer::later(failure),
    }
}

/// A message that is put off is counted as such, and counts as a message only when it has been decided.
fn count_later(house: &House, mail: &Mail, answer: Answer, mut tally: Tally) -> Answer {
    tally.add("deferred");
    let record = FinishedMessage { key: None, tally: &tally, at_ms: mail.at_ms, message: false };
    if let Err(error) = house.store.record_finished(&record) {
        tracing::warn!(%error, "a deferral is not counted");
    }
    answer
}
