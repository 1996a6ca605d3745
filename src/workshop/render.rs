//! A plan as people read it: a tree of steps, each below the step that it waits for.
//!
//! Not here: JSON (`plan`). Invariant: every step has one line.

use crate::plan::{Action, Condition, Plan, Route, Step, Strike, Suppression, Verdict};
use std::fmt::Write;

/// The plan as a tree, with a line for the verdict and one for each step.
pub(crate) fn tree(plan: &Plan) -> String {
    let mut text = match &plan.verdict {
        Verdict::Accept => "accept\n".to_owned(),
        Verdict::Reject(reply) => format!("reject {reply}\n"),
        Verdict::Defer(reply) => format!("defer {reply}\n"),
    };
    branch(plan, None, "", &mut text);
    text
}

fn branch(plan: &Plan, above: Option<usize>, indent: &str, text: &mut String) {
    let waits_for = |step: &Step| step.after.map(|(index, _)| index);
    let children: Vec<usize> =
        (0..plan.steps.len()).filter(|index| waits_for(&plan.steps[*index]) == above).collect();
    for (place, index) in children.iter().enumerate() {
        let last = place + 1 == children.len();
        let (fork, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let _ = writeln!(text, "{indent}{fork}{}", line(&plan.steps[*index]));
        branch(plan, Some(*index), &format!("{indent}{below}"), text);
    }
}

fn line(step: &Step) -> String {
    let mut text = match &step.action {
        Action::Open(visit) => format!("open {} images", visit.urls.len()),
        Action::Click(visit) => format!("click {} links", visit.urls.len()),
        Action::OneClick(visit) => match visit.urls.first() {
            Some(url) => format!("unsubscribe with one request to {url}"),
            None => "unsubscribe with one request: the message offers none".into(),
        },
        Action::Bounce(bounce) => format!("bounce {}{}", bounce.reply, to(&bounce.route)),
        Action::ReportSuccess(report) => format!("report the delivery{}", to(&report.route)),
        Action::Complain(report) => format!("complain {}{}", report.feedback_type, to(&report.route)),
        Action::AutoReply(reply) => format!("auto-reply {:?}{}", reply.subject, to(&reply.route)),
        Action::Keep => "keep".to_owned(),
        Action::KeepFor { address } => format!("keep for {address}"),
        Action::KeepUnmatched(complaint) => format!("keep unmatched {} complaint", complaint.feedback_type),
        Action::Strike(strike) => {
            let Strike { address, sender_domain, threshold, window, .. } = strike;
            format!("strike {address} for {sender_domain}, {threshold} in {window} days")
        }
        Action::Suppress(suppression) => {
            let Suppression { address, sender_domain, reason, .. } = suppression;
            format!("suppress {address} for {sender_domain}, {reason}")
        }
        Action::Notify(notification) => format!("notify {} {}", notification.event, notification.address),
        Action::Forward(forwarding) => format!("forward to {}", forwarding.to),
        Action::KeepUnproven(copy) => format!("keep, {}", copy.reason.key()),
        Action::Alert(tell) => format!("alert {}", tell.rule),
        Action::Verdict => "verdict".to_owned(),
        Action::Count { name } => format!("count {name}"),
    };
    match step.after {
        Some((_, Condition::Failed)) => text.push_str("  (if that failed)"),
        Some((_, Condition::Finished)) => text.push_str("  (either way)"),
        _ => {}
    }
    if step.delay > 0 {
        let _ = write!(text, "  (after {} s)", step.delay);
    }
    text
}

fn to(route: &Route) -> String {
    match route.refusal {
        Some(refusal) => format!("  (not sent: {})", refusal.text()),
        None if route.hosts.is_empty() => String::new(),
        None => format!("  to {} at {}", route.to, route.hosts.join(", ")),
    }
}
