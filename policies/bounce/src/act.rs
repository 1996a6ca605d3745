//! What is done about a report: who is suppressed, what is counted, which application is told.
//!
//! Not here: what a failure means (`classify`). Invariant: nobody is suppressed on a stranger's word, and never because of what
//! a refusal says about the sender, the message or its reputation, however permanent its code.

use crate::classify::{Class, Severity};
use carom_policy::actions::{self, Notification, Outcome, SoftBounce, Suppression};
use carom_policy::facts::Verdict;
use carom_policy::reports::{self, Fate, Recipient, ReportKind};
use carom_policy::{after, facts, now};
use serde_json::{Map, Value};

/// Recipients of one report that are acted upon: a plan has room for so many.
const MOST: usize = 50;

/// Soft reasons that say something about the address, its domain or the way there. The others are about the sender or the message.
const COUNTED: &[&str] =
    &["filtered", "suspend", "mailbox-full", "host-unknown", "not-accept", "expired", "network-error", "system-error"];

/// The settings of acting, beside the rules.
pub(crate) const KEYS: &[&str] = &["trust", "threshold", "window", "suppress_days", "keep"];

/// How a report is acted upon.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Acting {
    trust: Trust,
    threshold: u32,
    window: u32,
    suppress_days: u32,
    keep: bool,
}

/// What an unproven report may do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trust {
    /// Nothing but be counted in the statistics.
    Required,
    /// Count as a soft bounce, at most one a day for an address. Proof is also what is less than sure.
    Preferred,
    /// What a proven one may.
    Off,
}

impl Acting {
    /// Reads the settings of acting. The error is every complaint, a sentence each.
    pub(crate) fn read(settings: &Map<String, Value>) -> Result<Acting, Vec<String>> {
        let mut complaints = Vec::new();
        let trust = match settings.get("trust").map(|value| value.as_str()) {
            None | Some(Some("required")) => Trust::Required,
            Some(Some("preferred")) => Trust::Preferred,
            Some(Some("off")) => Trust::Off,
            Some(_) => {
                complaints.push("trust: give \"required\", \"preferred\" or \"off\"".into());
                Trust::Required
            }
        };
        let mut number = |name: &str, least: u64, default: u32| match settings.get(name) {
            None => default,
            Some(value) => match value.as_u64().filter(|value| (least..=3650).contains(value)) {
                Some(value) => value as u32,
                None => {
                    complaints.push(format!("{name} = {value}: give a whole number from {least} to 3650"));
                    default
                }
            },
        };
        let (threshold, window) = (number("threshold", 1, 5), number("window", 1, 30));
        let suppress_days = number("suppress_days", 0, 0);
        let keep = match settings.get("keep") {
            None => false,
            Some(Value::Bool(keep)) => *keep,
            Some(value) => {
                complaints.push(format!("keep = {value}: give true or false"));
                false
            }
        };
        let acting = Acting { trust, threshold, window, suppress_days, keep };
        if complaints.is_empty() { Ok(acting) } else { Err(complaints) }
    }

    /// Keeps the report where it can be read when somebody asks why.
    fn keep(&self, who: &Who) {
        if self.keep {
            actions::keep_for(&who.address, now());
        }
    }

    fn suppression(&self, who: &Who, reason: &str) -> Suppression {
        let (address, sender_domain) = (who.address.clone(), who.sender_domain.clone());
        Suppression { address, sender_domain, reason: reason.into(), days: self.suppress_days }
    }
}

/// Whom it is about, whose mail it was, and whether that is proven.
struct Who {
    address: String,
    sender_domain: String,
    proven: bool,
}

impl Who {
    fn of(recipient: &Recipient, acting: &Acting) -> Who {
        let sender = reports::original_sender().as_deref().and_then(domain);
        let sender_domain = sender.or_else(|| domain(&facts::recipient())).unwrap_or_default();
        let named = recipient.original.as_ref().unwrap_or(&recipient.address);
        let (address, proven) = match proven(recipient, acting) {
            Some(address) => (address, true),
            None => (named, acting.trust == Trust::Off),
        };
        Who { address: address.clone(), sender_domain, proven }
    }

    fn notification(&self, event: &str, fields: Vec<(String, String)>) -> Notification {
        let (address, sender_domain) = (self.address.clone(), self.sender_domain.clone());
        Notification { event: event.into(), address, sender_domain, fields }
    }
}

fn domain(address: &str) -> Option<String> {
    address.rsplit_once('@').map(|(_, domain)| domain.to_lowercase())
}

/// Which of the two addresses of a recipient it is that something proves the report to be about. What is proven of one is not
/// proven of the other: whoever has an address of his own may report that mail for it was meant for somebody else.
fn proven<'a>(recipient: &'a Recipient, acting: &Acting) -> Option<&'a String> {
    let names = || recipient.original.iter().chain([&recipient.address]);
    let signed = names().find(|address| reports::is_signed_for(address));
    // What a forwarder rewrote is only said by the address itself, also when our own server repeats it.
    let literal = || names().find(|_| !is_rewritten(recipient)).unwrap_or(&recipient.address);
    let own = || reports::is_from_own_server().then(literal);
    let likely = || names().find(|address| reports::was_sent_to(address) || is_told_by_its_host(address));
    signed.or_else(own).or_else(|| (acting.trust == Trust::Preferred).then(likely).flatten())
}

/// Whether the original of a recipient was read out of a return path that a forwarder rewrote (SRS).
fn is_rewritten(recipient: &Recipient) -> bool {
    let local = recipient.address.to_ascii_lowercase();
    local.starts_with("srs0") || local.starts_with("srs1") || local.contains("+srs=")
}

/// Whether the mail system of the address's own domain wrote the report, as DMARC shows: it should know. Its users cannot write in
/// the name of `mailer-daemon` or `postmaster`.
fn is_told_by_its_host(address: &str) -> bool {
    let from = facts::addresses("From");
    let [author] = from.as_slice() else { return false };
    let author = author.to_lowercase();
    let system = author.starts_with("mailer-daemon@") || author.starts_with("postmaster@");
    system && domain(&author) == domain(address) && facts::dmarc() == Verdict::Pass
}

fn count(name: &str) {
    actions::count(name, now());
}

/// Decides about the message at hand. `classify` says what failures mean.
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
        let who = Who::of(recipient, acting);
        if !who.proven {
            count("complaint_unproven");
            continue;
        }
        actions::suppress(&acting.suppression(&who, "complaint"), now());
        acting.keep(&who);
        let fields = vec![("feedback_type".into(), kind.clone())];
        actions::notify(&who.notification("complaint", fields), now());
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
        let who = Who::of(recipient, acting);
        let hard = class.severity == Severity::Hard;
        let counted = class.severity == Severity::Soft && COUNTED.contains(&class.reason);
        let tell = |event: &str| who.notification(event, fields(recipient, &class));
        match (hard, counted) {
            _ if !who.proven && acting.trust == Trust::Required => count("bounce_unproven"),
            (true, _) if who.proven => {
                count("bounce_hard");
                acting.keep(&who);
                let gone = actions::suppress(&acting.suppression(&who, class.reason), now());
                actions::notify(&tell("bounce.hard"), after(gone, Outcome::Succeeded));
            }
            (true, _) | (_, true) => {
                count(if hard { "bounce_unproven" } else { "bounce_soft" });
                acting.keep(&who);
                let bounce = SoftBounce {
                    address: who.address.clone(),
                    sender_domain: who.sender_domain.clone(),
                    threshold: acting.threshold,
                    window: acting.window,
                    proven: who.proven,
                };
                let reached = after(actions::strike(&bounce, now()), Outcome::Succeeded);
                let gone = actions::suppress(&acting.suppression(&who, class.reason), reached);
                actions::notify(&tell("bounce.soft"), after(gone, Outcome::Succeeded));
            }
            _ => count("bounce_refused"),
        }
    }
}

/// What the application is told about a bounce.
fn fields(recipient: &Recipient, class: &Class) -> Vec<(String, String)> {
    let severity = if class.severity == Severity::Hard { "hard" } else { "soft" };
    let code = if recipient.code > 0 { recipient.code.to_string() } else { String::new() };
    let message_id = reports::original_message_id().unwrap_or_default();
    let all = [
        ("reason", class.reason),
        ("category", class.category),
        ("severity", severity),
        ("rule", class.rule),
        ("status", &recipient.status),
        ("reply_code", &code),
        ("diagnostic", &recipient.text),
        ("remote_mta", &recipient.remote_mta),
        ("message_id", &message_id),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.into(), value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Acting, Vec<String>> {
        Acting::read(serde_json::from_str::<Value>(text).unwrap().as_object().unwrap())
    }

    #[test]
    fn the_default_suppresses_nobody_without_proof() {
        let acting = read("{}").unwrap();
        assert_eq!((acting.trust, acting.threshold, acting.window), (Trust::Required, 5, 30));
    }

    #[test]
    fn wrong_settings_are_named_with_their_remedy() {
        let complaints = read(r#"{"trust": "some", "threshold": 0, "keep": 1}"#).unwrap_err();
        assert_eq!(complaints.len(), 3, "{complaints:?}");
        assert!(complaints[1].starts_with("threshold = 0: give a whole number from 1"));
    }

    #[test]
    fn what_is_about_the_sender_never_counts_against_the_address() {
        for reason in ["spam-detected", "blocked", "bad-reputation", "policy-violation", "rate-limited", "auth-failure"] {
            assert!(!COUNTED.contains(&reason), "{reason}");
        }
    }
}
