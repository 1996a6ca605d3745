//! The announcement of a change: a mail for people, a JSON object for programs, and the steps that
//! send them.
//!
//! Not here: sending (`action`). Invariant: names from mail are cut to a line and hold no control
//! character; a command to copy holds only names that mean nothing to a shell.

use crate::clock;
use crate::config::{AlertRule, Config, GroupBy, Metric};
use crate::plan::{Action, Plan, Step, Tell};
use crate::store::{AlertRecord, AlertState};
use crate::text::one_line;
use crate::webhook;
use serde_json::json;
use std::fmt::Write;

/// Groups that one mail names, and that a webhook is called for in one tick.
const SHOWN: usize = 20;
/// Characters of a name.
const LONGEST: usize = 80;

/// The key in the journal and the steps that tell the changes of one rule; none if nobody is to be
/// told.
pub(crate) fn promise(
    rule: &AlertRule,
    changed: &[&AlertRecord],
    config: &Config,
    now_ms: i64,
) -> Option<(String, Plan)> {
    let first = changed.first()?;
    let mut about: Vec<String> = vec![rule.name.clone(), now_ms.to_string()];
    about.extend(changed.iter().map(|alert| format!("{} {}", alert.state.name(), alert.subject)));
    let about: Vec<&str> = about.iter().map(String::as_str).collect();
    let id = webhook::id(&about).trim_start_matches("msg_").to_owned();
    let step = |tell: Tell| Step { after: None, delay: 0, action: Action::Alert(tell) };
    let (subject, text) = (heading(rule, first, changed.len(), config), body(rule, changed, config));
    let mail = |to: &String| {
        let (subject, text) = (subject.clone(), text.clone());
        Tell { rule: rule.name.clone(), id: id.clone(), to: Some(to.clone()), subject, body: text }
    };
    let hook = |alert: &&AlertRecord| {
        let since = alert.since_ms.to_string();
        let id = webhook::id(&[&alert.rule, &alert.subject, alert.state.name(), &since]);
        let body = object(rule, alert, &id, config, now_ms);
        Tell { rule: rule.name.clone(), id, to: None, subject: String::new(), body }
    };
    let mut steps: Vec<Step> = rule.mail.iter().map(mail).map(step).collect();
    if rule.webhook.is_some() {
        steps.extend(changed.iter().take(SHOWN).map(hook).map(step));
    }
    let plan = Plan { steps, ..Plan::default() };
    (!plan.steps.is_empty()).then(|| (format!("alert-{id}"), plan))
}

/// What a rule measures: `bounce-rate of provider google`.
pub(crate) fn what(rule: &AlertRule, subject: &str) -> String {
    let subject = clean(subject);
    match (&rule.of, &rule.when) {
        (Some(of), metric) => format!("{metric} of {} {subject}", of.group.name().replace('-', " ")),
        (None, metric) if subject.is_empty() => metric.to_string(),
        (None, metric) => format!("{metric} of {subject}"),
    }
}

/// `12.5 %`, `340`, `not enough data`.
pub(crate) fn shown(metric: &Metric, value: Option<f64>) -> String {
    match value {
        None => "not enough data".to_owned(),
        Some(value) if value.is_infinite() => "never read".to_owned(),
        Some(value) => format!("{}{}", (value * 10.0).round() / 10.0, metric.unit()),
    }
}

/// `above 5 %`
pub(crate) fn threshold(rule: &AlertRule) -> String {
    match (rule.above, rule.below) {
        (_, Some(below)) => format!("below {}", shown(&rule.when, Some(below))),
        (above, None) => format!("above {}", shown(&rule.when, Some(above.unwrap_or(0.0)))),
    }
}

fn clean(name: &str) -> String {
    let mut clean: String = one_line(name).chars().take(LONGEST).collect();
    if name.chars().count() > LONGEST {
        clean.push('…');
    }
    clean
}

fn word(state: AlertState) -> &'static str {
    if state == AlertState::Resolved { "resolved" } else { "FIRING" }
}

fn heading(rule: &AlertRule, first: &AlertRecord, many: usize, config: &Config) -> String {
    let value = shown(&rule.when, first.value);
    let more = if many > 1 { format!(" and {} more", many - 1) } else { String::new() };
    let (state, what) = (word(first.state), what(rule, &first.subject));
    format!("[carom {}] {state} {}: {what} is {value}{more}", config.hostname(), rule.name)
}

fn body(rule: &AlertRule, changed: &[&AlertRecord], config: &Config) -> String {
    let mut text = format!("Alert {} on {}\n", rule.name, config.hostname());
    for alert in changed.iter().take(SHOWN) {
        let counted = if rule.when.is_of_deliveries() {
            format!(" in the last {}", rule.window)
        } else {
            String::new()
        };
        let _ = write!(
            text,
            "\n  {:9}  {}\n  value      {}{counted}\n  threshold  {}\n  since      {}\n",
            word(alert.state),
            what(rule, &alert.subject),
            shown(&rule.when, alert.value),
            threshold(rule),
            clock::rfc3339(alert.since_ms)
        );
    }
    if changed.len() > SHOWN {
        let _ = writeln!(text, "\n  and {} more", changed.len() - SHOWN);
    }
    text.push_str("\nTo see more:\n\n  carom alerts\n");
    if let Some(command) = changed.first().and_then(|alert| command(rule, &alert.subject)) {
        let _ = writeln!(text, "  {command}");
    }
    text
}

/// The command that shows what the value was counted from.
fn command(rule: &AlertRule, subject: &str) -> Option<String> {
    let since = rule.window;
    let mut command = match &rule.when {
        Metric::BounceRate | Metric::RejectRate | Metric::Reason(_) => {
            format!("carom deliveries --failed --since {since}")
        }
        Metric::DeferralRate => format!("carom deliveries --status deferred --since {since}"),
        Metric::Queue => "carom deliveries --status deferred".to_owned(),
        Metric::Volume | Metric::Delay => format!("carom deliveries --since {since}"),
        Metric::UnknownTexts => format!("carom deliveries --unclassified --since {since}"),
        Metric::Outbox => "carom outbox".to_owned(),
        Metric::LogUnreadable => "carom check".to_owned(),
        Metric::ComplaintUnmatched => "carom find complaint-unmatched".to_owned(),
        Metric::LogSilent | Metric::TickFailed => "carom cron".to_owned(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | '/' | ':');
    let option = match rule.of.as_ref().map(|of| of.group) {
        Some(GroupBy::Client) => "--client",
        Some(GroupBy::Source) => "--source",
        _ => return Some(command),
    };
    if subject.starts_with(|c: char| c.is_ascii_alphanumeric()) && subject.chars().all(plain) {
        let _ = write!(command, " {option} {subject}");
    }
    Some(command)
}

/// The event for programs.
fn object(rule: &AlertRule, alert: &AlertRecord, id: &str, config: &Config, now_ms: i64) -> String {
    let threshold = rule.above.or(rule.below).unwrap_or(0.0);
    let event = if alert.state == AlertState::Resolved { "alert.resolved" } else { "alert.firing" };
    json!({
        "id": id,
        "event": event,
        "time": clock::rfc3339(now_ms),
        "host": config.hostname(),
        "alert": rule.name,
        "when": rule.when.to_string(),
        "of": rule.of.as_ref().map(|of| of.group.name()),
        "subject": clean(&alert.subject),
        "value": alert.value,
        "threshold": threshold,
        "since": clock::rfc3339(alert.since_ms),
        "text": heading(rule, alert, 1, config),
    })
    .to_string()
}
