//! What is done about a report: who is suppressed, what is counted, which application is notified.
//!
//! Not here: what a failure means (`classify`) and what proves a report (`proof`). Invariant:
//! nobody is suppressed on a stranger's word, and never because of what a refusal says about the
//! sender, the message or its reputation, however permanent its code.

use crate::acting::{Acting, Trust};
use crate::classify::Class;
use crate::proof::{domain, proven};
use carom_policy::actions::{self, Notification, Outcome, SoftBounce, Suppression};
use carom_policy::reports::{self, Fate, Recipient, ReportKind};
use carom_policy::{after, facts, now, Severity};

/// Recipients of one report that are handled. A plan has no room for more.
const MOST: usize = 50;

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
pub(crate) fn decide<'a>(acting: &Acting, classify: impl Fn(&[&Recipient]) -> Vec<Class<'a>>) {
    actions::accept();
    match reports::kind() {
        ReportKind::Other => count("no_report"),
        ReportKind::AutoReply => count("auto_reply"),
        ReportKind::Challenge => count("challenge"),
        ReportKind::FeedbackReport => complaints(acting),
        ReportKind::DeliveryStatus => bounces(acting, classify),
    }
}

fn complaints(acting: &Acting) {
    let kind = reports::feedback_type().unwrap_or_default();
    count("complaint");
    if kind == "not-spam" {
        return;
    }
    for recipient in reports::recipients().iter().take(MOST) {
        let subject = Subject::of(recipient, acting);
        if !subject.is_proven {
            count("complaint_unproven");
            continue;
        }
        actions::suppress(&subject.suppression("complaint", acting), now());
        subject.keep(acting);
        let fields = vec![("feedback_type".into(), kind.clone())];
        actions::notify(&subject.notification("complaint", fields), now());
    }
}

fn bounces<'a>(acting: &Acting, classify: impl Fn(&[&Recipient]) -> Vec<Class<'a>>) {
    let recipients = reports::recipients();
    let failed: Vec<&Recipient> =
        recipients.iter().filter(|recipient| recipient.fate == Fate::Failed).take(MOST).collect();
    if failed.is_empty() {
        return count("bounce_delayed");
    }
    for (recipient, class) in failed.iter().zip(classify(&failed)) {
        let subject = Subject::of(recipient, acting);
        let is_hard = class.severity == Severity::Hard;
        let is_counted = class.severity == Severity::Soft && COUNTED.contains(&class.reason);
        match (is_hard, is_counted) {
            _ if !subject.is_proven && acting.trust == Trust::Required => count("bounce_unproven"),
            (true, _) if subject.is_proven => {
                count("bounce_hard");
                subject.keep(acting);
                let gone = actions::suppress(&subject.suppression(class.reason, acting), now());
                let notification = subject.notification("bounce.hard", fields(recipient, &class));
                actions::notify(&notification, after(gone, Outcome::Succeeded));
            }
            (true, _) | (_, true) => {
                count(if is_hard { "bounce_unproven" } else { "bounce_soft" });
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

fn count(name: &str) {
    actions::count(name, now());
}

/// The address that a report is about, the sender whose mail it was, and whether that is proven.
struct Subject {
    address: String,
    sender_domain: String,
    is_proven: bool,
}

impl Subject {
    fn of(recipient: &Recipient, acting: &Acting) -> Subject {
        let sender = reports::original_sender().as_deref().and_then(domain);
        let sender_domain = sender.or_else(|| domain(&facts::recipient())).unwrap_or_default();
        let named = recipient.original.as_ref().unwrap_or(&recipient.address);
        let (address, is_proven) = match proven(recipient, acting.trust) {
            Some(address) => (address, true),
            None => (named, acting.trust == Trust::Off),
        };
        Subject { address: address.clone(), sender_domain, is_proven }
    }

    /// Keeps the report, so that it can be read when somebody asks why.
    fn keep(&self, acting: &Acting) {
        if acting.keep {
            actions::keep_for(&self.address, now());
        }
    }

    fn suppression(&self, reason: &str, acting: &Acting) -> Suppression {
        let (address, sender_domain) = (self.address.clone(), self.sender_domain.clone());
        Suppression { address, sender_domain, reason: reason.into(), days: acting.suppress_days }
    }

    fn soft_bounce(&self, acting: &Acting) -> SoftBounce {
        SoftBounce {
            address: self.address.clone(),
            sender_domain: self.sender_domain.clone(),
            threshold: acting.threshold,
            window: acting.window,
            proven: self.is_proven,
        }
    }

    fn notification(&self, event: &str, fields: Vec<(String, String)>) -> Notification {
        let (address, sender_domain) = (self.address.clone(), self.sender_domain.clone());
        Notification { event: event.into(), address, sender_domain, fields }
    }
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
