//! 6 run: doing one step of a plan. Each kind of action has a file; `smtp` and `http` are the only doors out.
//!
//! Not here: which steps, in what order, and their record (`journal`). Invariant: `perform` comes back by its deadline,
//! and says what happened as a value: done, not to be done, or to be tried again.

mod auto_reply;
mod complaint;
pub(crate) mod doors;
mod dsn;
mod keep;
mod lookup;
mod loops;
mod notify;
mod tell;
mod visit;

pub(crate) use keep::Keep;

use crate::archive;
use crate::auth::Dns;
use crate::clock::{self, DAY_MS};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::envelope::Envelope;
use crate::message::Message;
use crate::plan::{Action, Refusal, Route, StepEnd, Strike, Suppression};
use crate::store::{Performed, SoftBounce, Store, StrikeCount, Suppressed};
use doors::retry::Patience;
use doors::smtp::Letter;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// The User-Agents to choose from when neither policy nor config names any.
const USER_AGENTS: &str = include_str!("user_agents.toml");

/// What actions need of the process: config, DNS, store, and the doors out. Nothing is connected before it is needed.
pub(crate) struct Doors {
    /// The configuration.
    pub(crate) config: Arc<Config>,
    /// DNS.
    pub(crate) dns: Arc<Dns>,
    /// The store.
    pub(crate) store: Arc<Store>,
    smtp: doors::smtp::Pool,
    http: doors::http::Client,
    trackers: visit::Trackers,
}

impl Doors {
    /// Doors that are still shut.
    pub(crate) fn new(config: Arc<Config>, dns: Arc<Dns>, store: Arc<Store>) -> Doors {
        let http = doors::http::Client::new(config.clone(), dns.clone());
        Doors {
            config,
            dns,
            store,
            smtp: doors::smtp::Pool::default(),
            http,
            trackers: visit::Trackers::default(),
        }
    }
}

/// The message an action is about.
pub(crate) struct Subject<'a> {
    /// The message.
    pub(crate) message: &'a Message<'a>,
    /// Its envelope.
    pub(crate) envelope: &'a Envelope,
    /// The SMTP client that brought it.
    pub(crate) client_address: Option<IpAddr>,
    /// The seed of its decision.
    pub(crate) seed: u64,
    /// Its key in the journal.
    pub(crate) key: &'a str,
    /// When it was decided, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// Where a kept copy goes.
    pub(crate) keep: &'a Keep,
}

/// Does one step. `attempts` is how often it has been tried before.
pub(crate) fn perform(
    action: &Action,
    subject: &Subject<'_>,
    doors: &Doors,
    attempts: u32,
    deadline: Deadline,
) -> Performed {
    match action {
        Action::Open(visit) => visit::visit(visit, "open", doors, deadline),
        Action::Click(visit) => visit::visit(visit, "click", doors, deadline),
        Action::Bounce(bounce) => {
            let write = || dsn::write(bounce, subject, &doors.config);
            send("OOB", "oob", &bounce.route, write, subject, doors, attempts, deadline)
        }
        Action::Complain(complaint) => {
            let write = || complaint::write(complaint, subject, &doors.config);
            send("FBL", "fbl", &complaint.route, write, subject, doors, attempts, deadline)
        }
        Action::AutoReply(_) if !auto_reply::may_answer(subject) => Performed::new(
            StepEnd::Failed,
            "autoreply_suppressed",
            "!the message may not be answered automatically".into(),
        ),
        Action::AutoReply(reply) => {
            let write = || auto_reply::write(reply, subject, &doors.config);
            send("Auto-reply", "autoreply", &reply.route, write, subject, doors, attempts, deadline)
        }
        Action::Keep => match subject.keep.write(subject.message.raw()) {
            Ok(path) => Performed::new(StepEnd::Succeeded, "kept", format!("kept as {}", path.display())),
            Err(error) => Performed::new(once_more(subject, attempts), "", format!("!not kept: {error}")),
        },
        Action::KeepFor { address } => {
            match archive::keep(&doors.config, address, subject.key, subject.at_ms, subject.message.raw()) {
                Ok(_) => Performed::new(StepEnd::Succeeded, "report_kept", format!("kept for {address}")),
                Err(error) => Performed::new(once_more(subject, attempts), "", format!("!not kept: {error}")),
            }
        }
        Action::Count { name } => Performed::new(StepEnd::Succeeded, name, String::new()),
        Action::Strike(strike) => count_strike(strike, subject, doors, attempts),
        Action::Suppress(suppression) => suppress(suppression, subject, doors, attempts),
        Action::Notify(notification) => notify::notify(notification, subject, doors, attempts, deadline),
        Action::Alert(tell) => tell::tell(tell, subject, doors, attempts, deadline),
        Action::Verdict => Performed::new(StepEnd::Succeeded, "", String::new()),
    }
}

/// Counts a soft bounce: a success once the threshold is reached.
fn count_strike(strike: &Strike, subject: &Subject<'_>, doors: &Doors, attempts: u32) -> Performed {
    let bounce = SoftBounce {
        address: &strike.address,
        sender_domain: &strike.sender_domain,
        key: subject.key,
        window: strike.window,
        proven: strike.proven,
        at_ms: subject.at_ms,
        bounce: strike.bounce.as_ref(),
    };
    match doors.store.strike(&bounce) {
        Ok(StrikeCount { known: true, .. }) => {
            let note = format!("this soft bounce of {} was counted before", strike.address);
            Performed::new(StepEnd::Failed, "soft_bounce_known", note)
        }
        Ok(StrikeCount { count, .. }) => {
            let reached = count >= strike.threshold;
            let end = if reached { StepEnd::Succeeded } else { StepEnd::Failed };
            let note = format!(
                "{} soft bounces of {}, {count} of {}",
                strike.sender_domain, strike.address, strike.threshold
            );
            Performed::new(end, if reached { "soft_bounce_threshold" } else { "soft_bounce" }, note)
        }
        Err(error) => Performed::new(once_more(subject, attempts), "", format!("!not counted: {error}")),
    }
}

/// Suppresses an address.
fn suppress(suppression: &Suppression, subject: &Subject<'_>, doors: &Doors, attempts: u32) -> Performed {
    let entry = Suppressed {
        address: suppression.address.clone(),
        sender_domain: suppression.sender_domain.clone(),
        reason: suppression.reason.clone(),
        source: "report".into(),
        added_ms: subject.at_ms,
        expires_ms: (suppression.days > 0).then(|| subject.at_ms + i64::from(suppression.days) * DAY_MS),
    };
    match doors.store.suppress(&entry) {
        Ok(()) => Performed::new(
            StepEnd::Succeeded,
            "suppressed",
            format!("{} suppressed: {}", entry.address, entry.reason),
        ),
        Err(error) => Performed::new(once_more(subject, attempts), "", format!("!not suppressed: {error}")),
    }
}

/// Sends what `write` gives where `route` says. Counters and words are bouncy-sink's.
#[expect(clippy::too_many_arguments, reason = "each is a different thing, and there is one caller")]
fn send(
    word: &str,
    counter: &str,
    route: &Route,
    write: impl FnOnce() -> Letter,
    subject: &Subject<'_>,
    doors: &Doors,
    attempts: u32,
    deadline: Deadline,
) -> Performed {
    if let Some(refusal) = route.refusal {
        let (counted, why) = match refusal {
            Refusal::MissingReturnPath => ("missing_return_path", "there is no Return-Path"),
            Refusal::MissingTo => ("missing_to", "there is no recipient to answer for"),
            Refusal::NotRecognised => {
                ("return_path_not_sparkpost", "the Return-Path is not one that may be answered")
            }
        };
        let note = format!("!{word} not sent, {why}: <{}>", subject.envelope.sender);
        return Performed::new(StepEnd::Failed, &format!("{counter}_{counted}"), note);
    }
    if let Some(why) = loops::why_not(subject, doors.config.send.max_received) {
        let note = format!("!{word} not sent: {why}");
        return Performed::new(StepEnd::Failed, &format!("{counter}_loop"), note);
    }
    let letter = write();
    let from = letter.from.clone().unwrap_or_default();
    match doors.smtp.deliver(&route.hosts, &letter, &doors.config, &doors.dns, deadline) {
        Ok(host) => {
            let note = format!("{word} sent,from <{from}> to <{}> via {host}", letter.to);
            Performed::new(StepEnd::Succeeded, &format!("{counter}_sent"), note)
        }
        Err(failure) => {
            let note = format!("!{word} endpoint returned error: {}", failure.text);
            let patience = Patience::with_mail(doors.config.send.give_up_hours);
            let next = || patience.next_try(attempts + 1, subject.at_ms, clock::now_ms(), subject.key, 0);
            match failure.temporary.then(next).flatten() {
                Some(at_ms) => Performed::new(StepEnd::Later { at_ms }, &format!("{counter}_deferred"), note),
                None => Performed::new(StepEnd::Failed, &format!("{counter}_smtp_error"), note),
            }
        }
    }
}

/// What failed for a reason of our own is tried again.
fn once_more(subject: &Subject<'_>, attempts: u32) -> StepEnd {
    let now_ms = clock::now_ms();
    let next = Patience::with_ourselves().next_try(attempts + 1, subject.at_ms, now_ms, subject.key, 0);
    next.map_or(StepEnd::Failed, |at_ms| StepEnd::Later { at_ms })
}

/// The User-Agent of a message: chosen by its seed, so that a retry sends the same one.
pub(crate) fn user_agent(config: &Config, seed: u64) -> String {
    static BUILT_IN: OnceLock<Vec<String>> = OnceLock::new();
    let agents = match config.visit.user_agents.as_slice() {
        [] => BUILT_IN.get_or_init(|| {
            let table: toml::Table = USER_AGENTS.parse().unwrap_or_default();
            let rows = table.get("agent").and_then(toml::Value::as_array);
            rows.into_iter().flatten().filter_map(|agent| agent.as_str().map(str::to_owned)).collect()
        }),
        named => named,
    };
    let index = (seed >> 33) as usize % agents.len().max(1);
    agents.get(index).cloned().unwrap_or_else(|| "Mozilla/5.0".into())
}
