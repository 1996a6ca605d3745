//! What is known of the report when a policy suppresses an address: rule, status, provider, and
//! whether soft bounces led to it.
//!
//! Not here: keeping it (`action::suppress`). Policies say rule and status to the application, so
//! the notification about the same address has them, whatever version of the WIT a policy is built
//! for.

use crate::dimension::provider;
use crate::plan::{Action, Condition, Grounds, Notification, Plan, Step};
use crate::policy::message_facts::MessageFacts;
use crate::report::Recipient;

/// Notes in each suppression of a plan what it is grounded on.
pub(crate) fn note(plan: &mut Plan, facts: &MessageFacts) {
    let found: Vec<(usize, Grounds)> = (0..plan.steps.len())
        .filter_map(|number| Some((number, grounds(&plan.steps, &plan.steps[number], facts)?)))
        .collect();
    for (number, grounds) in found {
        if let Action::Suppress(suppression) = &mut plan.steps[number].action {
            suppression.grounds = grounds;
        }
    }
}

fn grounds(steps: &[Step], step: &Step, facts: &MessageFacts) -> Option<Grounds> {
    let Action::Suppress(suppression) = &step.action else { return None };
    let address = &suppression.address;
    let is_same = |one: &&Notification| one.address.eq_ignore_ascii_case(address);
    let notifications = steps.iter().filter_map(|step| match &step.action {
        Action::Notify(notification) => Some(notification),
        _ => None,
    });
    let notification = notifications.into_iter().find(is_same);
    let field = |name: &str| {
        let fields = notification.map(|one| one.fields.as_slice()).unwrap_or_default();
        fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let threshold = step.after.and_then(|(earlier, condition)| match &steps.get(earlier)?.action {
        Action::Strike(strike) if condition == Condition::Succeeded => Some(strike.threshold),
        _ => None,
    });
    let recipient = facts.report().recipients.iter().find(|one| is_about(one, address));
    let status = || recipient.and_then(|one| one.status).map(|status| status.to_string());
    Some(Grounds {
        rule: field("rule").unwrap_or_default(),
        provider: provider_of(recipient.and_then(|one| one.remote_mta.as_deref()), address),
        status: field("status").or_else(status).unwrap_or_default(),
        soft_bounces: threshold.unwrap_or(0),
        key: String::new(),
        bounce: facts.bounced(address).map(|bounced| bounced.id).unwrap_or_default(),
    })
}

fn is_about(recipient: &Recipient, address: &str) -> bool {
    let original = recipient.original.as_deref().unwrap_or_default();
    recipient.address.eq_ignore_ascii_case(address) || original.eq_ignore_ascii_case(address)
}

/// Who runs the server that refused, or the domain of the address.
fn provider_of(server: Option<&str>, address: &str) -> String {
    let host = server.unwrap_or_else(|| address.rsplit_once('@').map_or("", |(_, domain)| domain));
    provider::provider_or_domain(host)
}
