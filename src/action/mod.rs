//! 6 run: doing one step of a plan. Each kind of action has a file; `doors` are the only ways out.
//!
//! Not here: which steps, in what order, and their record (`journal`). Invariant: `perform` returns
//! by its deadline, and says what happened as a value.

mod answer;
mod step_attempt;
mod auto_reply;
mod complaint;
pub(crate) mod doors;
mod dsn;
mod forward;
mod keep;
pub(crate) mod lanes;
mod lookup;
mod loops;
mod notify;
mod own_failure;
mod pause;
mod post;
mod send;
mod strike;
mod suppress;
mod tell;
mod unmatched;
mod user_agent;
mod visit;

pub(crate) use doors::Doors;
pub(crate) use user_agent::user_agent;

use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::mail::Mail;
use crate::plan::{Action, Plan, StepEnd};
use crate::store::{Performed, Transaction};
use answer::{AUTO_REPLY, BOUNCE, COMPLAINT, SUCCESS};
use own_failure::retry_own_failure;
use std::panic::{AssertUnwindSafe, catch_unwind};
use step_attempt::StepAttempt;
use visit::Errand;

/// Does one step of a plan about `mail`, by its number. `attempts` is how often it has been tried
/// before. A defect of ours in one step touches no other.
pub(crate) fn perform(
    plan: &Plan,
    step: usize,
    mail: &Mail,
    doors: &Doors,
    attempts: u32,
    deadline: Deadline,
) -> Performed {
    let since_ms = mail.at_ms;
    let attempt = StepAttempt { mail, step, doors, before: attempts, since_ms, deadline };
    let performed = || try_once(&plan.steps[step].action, &attempt);
    catch_unwind(AssertUnwindSafe(performed)).unwrap_or_else(|_| {
        let note = "carom failed on this step: please report it with the message";
        retry_own_failure(mail, attempts, note.to_owned())
    })
}

fn try_once(action: &Action, attempt: &StepAttempt<'_>) -> Performed {
    let StepAttempt { mail, doors, before: attempts, deadline, .. } = *attempt;
    let config = &*doors.config;
    match action {
        Action::Open(visit) => visit::visit(visit, Errand::Open, doors, deadline),
        Action::Click(visit) => visit::visit(visit, Errand::Click, doors, deadline),
        Action::OneClick(visit) => visit::visit(visit, Errand::OneClick, doors, deadline),
        Action::Bounce(bounce) => {
            let write = || dsn::write(bounce, mail, config, &attempt.postmark());
            answer::send(&BOUNCE, &bounce.route, || dsn::unwanted(mail), write, attempt)
        }
        Action::ReportSuccess(report) => {
            let write = || dsn::write_success(report, mail, config, &attempt.postmark());
            answer::send(&SUCCESS, &report.route, || None, write, attempt)
        }
        Action::Complain(complaint) => {
            let write = || complaint::write(complaint, mail, config, &attempt.postmark());
            answer::send(&COMPLAINT, &complaint.route, || None, write, attempt)
        }
        Action::AutoReply(reply) => auto_reply::unanswerable(mail).unwrap_or_else(|| {
            let write = || auto_reply::write(reply, mail, config, &attempt.postmark());
            let replied_before = || auto_reply::replied_before(mail, doors, attempts);
            answer::send(&AUTO_REPLY, &reply.route, replied_before, write, attempt)
        }),
        Action::Keep => keep::keep(mail, config, attempts),
        Action::KeepFor { address } => keep::keep_for(address, mail, config, attempts),
        Action::KeepUnmatched(complaint) => unmatched::keep(complaint, mail, doors, attempts),
        Action::Forward(forwarding) => forward::forward(forwarding, attempt),
        Action::KeepUnproven(copy) => forward::keep(copy, attempt),
        Action::Count { name } => Performed::new(StepEnd::Succeeded, name, String::new()),
        Action::Strike(strike) => strike::count(strike, mail, doors, attempts),
        Action::Suppress(suppression) => suppress::suppress(suppression, mail, doors, attempts),
        Action::Notify(notification) => notify::notify(notification, attempt),
        Action::Alert(tell) => tell::tell(tell, attempt),
        Action::Verdict => Performed::new(StepEnd::Succeeded, "", String::new()),
    }
}

/// Does a step that changes nothing but the store, within its transaction, for a report with this
/// key that came at this time. `None`: the step does more than that.
pub(crate) fn perform_within(
    store: &Transaction<'_>,
    action: &Action,
    config: &Config,
    key: &str,
    at_ms: i64,
) -> Result<Option<Performed>> {
    Ok(Some(match action {
        Action::Strike(strike) => {
            strike::ended(strike, store.strike(&strike::soft_bounce(strike, key, at_ms))?)
        }
        Action::Suppress(suppression) => match suppress::unproven(suppression) {
            Some(refused) => refused,
            None => {
                let entry = suppress::entry(suppression, key, at_ms);
                suppress::ended(&entry, store.suppress(&entry)?)
            }
        },
        Action::Notify(notification) if config.applications.of(&notification.sender_domain).is_none() => {
            notify::unconfigured(notification)
        }
        Action::Count { name } => Performed::new(StepEnd::Succeeded, name, name.clone()),
        Action::Verdict => Performed::new(StepEnd::Succeeded, "", String::new()),
        _ => return Ok(None),
    }))
}
