//! What is done about a report, and in whole about a bounce: who is suppressed, what is counted,
//! which application is notified.
//!
//! Not here: complaints (`complain`), requests to be unsubscribed, what a failure means
//! (`classify`) and what proves a report (`proof`). Invariant:
//! nobody is suppressed on a stranger's word, and never because of what a refusal says about the
//! sender, the message or its reputation, however permanent its code.

use crate::about::About;
use crate::acting::{Acting, Trust};
use crate::subject::Subject;
use crate::verdict::Class;
use crate::{complain, unsubscribe};
use carom_policy::actions::{self, Outcome};
use carom_policy::reports::{self, Fate, Recipient, ReportKind};
use carom_policy::{after, now, Severity};

/// Recipients of one report that are handled. A plan has no room for more.
pub(crate) const MOST: usize = 50;

/// Soft reasons that say something about the address, its domain or the way there. The others are
/// about the sender or the message.
const COUNTED: &[&str] = &[
    "filtered",
    "suspend",
    "mailbox-full",
    "host-unknown",
    "not-accept",
    "expired",
    "network-error",
    "system-error",
];

/// Decides about the message. `classify` says what failures mean.
pub(crate) fn decide<'a>(acting: &Acting, classify: impl FnOnce(&[&Recipient]) -> Vec<Class<'a>>) {
    actions::accept();
    match reports::kind() {
        ReportKind::Other if reports::is_unsubscribe() => unsubscribe::unsubscribe(acting),
        ReportKind::Other => count("no_report"),
        ReportKind::AutoReply => count("auto_reply"),
        ReportKind::Challenge => count("challenge"),
        ReportKind::FeedbackReport => complain::complaints(acting),
        ReportKind::DeliveryStatus => bounces(acting, classify),
    }
}

fn bounces<'a>(acting: &Acting, classify: impl FnOnce(&[&Recipient]) -> Vec<Class<'a>>) {
    let recipients = reports::recipients();
    let failed: Vec<&Recipient> =
        recipients.iter().filter(|recipient| recipient.fate == Fate::Failed).take(MOST).collect();
    if failed.is_empty() {
        return count("bounce_delayed");
    }
    let mut handled: Vec<(String, Severity)> = Vec::new();
    for (recipient, class) in failed.iter().zip(classify(&failed)) {
        let subject = Subject::of(recipient);
        let this = (subject.address.to_lowercase(), class.severity);
        if handled.contains(&this) {
            // A report may name a recipient twice.
            continue;
        }
        handled.push(this);
        let is_hard = class.severity == Severity::Hard;
        let is_counted = class.severity == Severity::Soft
            && COUNTED.contains(&class.reason)
            && !matches!(class.about, About::Sender | About::SendingHost | About::Message);
        match (is_hard, is_counted) {
            _ if !subject.is_proven && acting.trust == Trust::Required => count("bounce_unproven"),
            (true, _) if subject.is_proven => {
                count("bounce_hard");
                subject.keep(acting);
                let gone = actions::suppress(&subject.suppression(class.reason, acting), now());
                let notification = subject.notification("bounce.hard", fields(recipient, &class));
                actions::notify(&notification, after(gone, Outcome::Succeeded));
            }
            (true, _) | (_, true) if !subject.is_proven => {
                count(if is_hard { "bounce_unproven" } else { "bounce_soft" });
                subject.keep(acting);
                // It is noted; unproven reports suppress nobody, however many come.
                actions::strike(&subject.soft_bounce(acting), now());
            }
            (_, true) => {
                count("bounce_soft");
                subject.keep(acting);
                let reached = after(actions::strike(&subject.soft_bounce(acting), now()), Outcome::Succeeded);
                let gone = actions::suppress(&subject.suppression(class.reason, acting), reached);
                let notification = subject.notification("bounce.soft", fields(recipient, &class));
                actions::notify(&notification, after(gone, Outcome::Succeeded));
            }
            _ => count("bounce_refused"),
        }
    }
}

pub(crate) fn count(name: &str) {
    actions::count(name, now());
}

/// What the application learns about a bounce. What is empty is left out.
fn fields(recipient: &Recipient, class: &Class) -> Vec<(String, String)> {
    let severity = if class.severity == Severity::Hard { "hard" } else { "soft" };
    let code = if recipient.code > 0 { recipient.code.to_string() } else { String::new() };
    let message_id = reports::original_message_id().unwrap_or_default();
    let all = [
        ("reason", class.reason),
        ("category", class.category),
        ("severity", severity),
        ("about", class.about.name()),
        ("rule", class.rule),
        ("status", &recipient.status),
        ("reply_code", &code),
        ("diagnostic", &recipient.text),
        ("remote_mta", &recipient.remote_mta),
        ("message_id", &message_id),
    ];
    all.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_the_sender_never_counts_against_the_address() {
        for reason in
            ["spam-detected", "blocked", "bad-reputation", "policy-violation", "rate-limited", "auth-failure"]
        {
            assert!(!COUNTED.contains(&reason), "{reason}");
        }
    }
}
