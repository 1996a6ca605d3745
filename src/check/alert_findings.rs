//! `[[alert]]` rules that never fire, or fire for something else than was meant: a reason that no
//! failure has, a name under which no delivery counts, a threshold that no value crosses, and no
//! log to count from.
//!
//! Not here: rules that cannot be evaluated (`config`), and where an alert goes
//! (`operator_findings`, `webhook_findings`). Invariant: a name under which something was counted
//! is never in doubt.

use crate::class::About;
use crate::config::{AlertRule, Config, GroupBy, Metric, Of};
use crate::dimension::Dimension;
use crate::dimension::domain::registered;
use crate::dimension::provider::{PROVIDERS, provider};
use crate::finding::Finding;
use crate::index::{HOURS_MS, Index, Stretch};
use crate::maillog::SourceKind;
use crate::wiring::similar;
use std::collections::BTreeSet;

/// What a finding is about.
const SUBJECT: &str = "alert";
/// The policy that is shipped to classify failures: its reasons are known.
const SHIPPED: &str = "bounce";

pub(super) fn alert_findings(config: &Config) -> Vec<Finding> {
    let rules = config.alerting.get().into_iter().flat_map(|alerting| &alerting.rules).enumerate();
    let index = Index::glance(&config.index_path()).ok().flatten();
    let of_rule = |(number, rule): (usize, &AlertRule)| {
        let number = number.to_string();
        let doubts = [
            without_logs(config, rule),
            unknown_reason(config, rule, index.as_ref()),
            about_nobody(rule, index.as_ref()),
            out_of_reach(rule),
            of_health(rule),
        ];
        let placed = |(key, finding): (&str, Finding)| finding.of_key(config, &[SUBJECT, &number, key]);
        doubts.into_iter().flatten().map(placed).collect::<Vec<_>>()
    };
    rules.flat_map(of_rule).collect()
}

type Doubt = Option<(&'static str, Finding)>;

/// A statistic of mail logs, without a log.
fn without_logs(config: &Config, rule: &AlertRule) -> Doubt {
    let is_of_logs = rule.when.is_of_deliveries()
        || matches!(rule.when, Metric::Queue | Metric::LogSilent | Metric::LogUnreadable);
    let has_logs =
        config.mail_logs.get().is_err() || config.mail_logs.get().is_ok_and(|logs| !logs.is_empty());
    let found = format!(
        "[[alert]] {}: {} is counted from mail logs, and there are no [[logs]]",
        rule.name, rule.when
    );
    let fix = "name the mail log: [[logs]] with kind and path; or remove the alert";
    (is_of_logs && !has_logs).then(|| ("when", Finding::note(SUBJECT, found, fix)))
}

/// A reason that the shipped policy does not know. Other policies may have reasons of their own.
fn unknown_reason(config: &Config, rule: &AlertRule, index: Option<&Index>) -> Doubt {
    let Metric::Reason(reason) = &rule.when else { return None };
    let known: Vec<&str> = About::reasons().collect();
    let counted = index.and_then(|index| index.reasons(&[Stretch::days_since(i64::MIN)]).ok());
    let is_counted = counted.is_some_and(|counted| counted.iter().any(|one| one.reason == *reason));
    if is_counted || known.contains(&reason.as_str()) {
        return None;
    }
    let has_other = config.policy.get(&config.index.policy).is_some_and(|policy| policy.path.is_some());
    let is_shipped = config.index.policy == SHIPPED && !has_other;
    let found = format!("[[alert]] {}: no failure has the reason {reason}, so it never fires", rule.name);
    let fix = match similar(reason, known.iter().copied()) {
        Some(near) => format!("correct it: when = \"reason:{near}\""),
        None => format!("use a reason that carom report lists: {}", known.join(", ")),
    };
    Some(("when", Finding { note: !is_shipped, ..Finding::wrong(SUBJECT, found, fix) }))
}

/// A name under which nothing counts.
fn about_nobody(rule: &AlertRule, index: Option<&Index>) -> Doubt {
    let of = rule.of.as_ref()?;
    let name = of.name.as_deref()?;
    let counted = names(of.group, index);
    let is_it = |one: &String| {
        let bare = one.split_once('/').filter(|_| of.group == GroupBy::Source).map(|(_, bare)| bare);
        one.eq_ignore_ascii_case(name) || bare.is_some_and(|bare| bare.eq_ignore_ascii_case(name))
    };
    if counted.iter().any(is_it) {
        return None;
    }
    let (found, fix) = never(of, name).or_else(|| not_yet(of, name, &counted))?;
    Some(("of", Finding::note(SUBJECT, format!("[[alert]] {}: {found}", rule.name), fix)))
}

/// What no delivery can ever count under.
fn never(of: &Of, name: &str) -> Option<(String, String)> {
    let group = of.group.name();
    match of.group {
        GroupBy::Provider => {
            let names = || PROVIDERS.iter().map(|(_, name)| *name);
            if names().any(|known| known == name) {
                return None;
            }
            if let Some(known) = provider(name) {
                let found = format!("servers in {name} count as provider {known}, so it never fires");
                return Some((found, format!("use of = \"provider:{known}\"")));
            }
            if name.contains('.') {
                // A server that no provider of the list runs is counted by its domain.
                return None;
            }
            let fix = match similar(name, names()) {
                Some(near) => format!("correct it, if you mean provider:{near}"),
                None => "name one that carom report lists, or provider:each".to_owned(),
            };
            Some((format!("no provider is called {name}, so it never fires"), fix))
        }
        GroupBy::RecipientDomain | GroupBy::SenderDomain if registered(name) != name => {
            let whole = registered(name);
            let found = format!("mail of {name} counts under {whole}, so it never fires");
            Some((found, format!("use of = \"{group}:{whole}\"")))
        }
        GroupBy::Source => {
            let (kind, rest) = name.split_once('/').unwrap_or((name, ""));
            let is_kind = SourceKind::ALL.iter().any(|known| known.name() == kind);
            let found = format!("source:{name} names no source, so it never fires");
            let fix = format!("name one: of = \"source:{kind}/NAME\", or use source:each");
            (is_kind && rest.is_empty()).then_some((found, fix))
        }
        _ => None,
    }
}

/// What has not been counted, although others of its kind have.
fn not_yet(of: &Of, name: &str, counted: &BTreeSet<String>) -> Option<(String, String)> {
    let group = of.group.name();
    if counted.is_empty() {
        return None;
    }
    let known = PROVIDERS.iter().any(|(_, known)| of.group == GroupBy::Provider && *known == name);
    let bare = |one: &String| match (of.group, name.contains('/')) {
        (GroupBy::Source, false) => one.split_once('/').map_or(one.clone(), |(_, bare)| bare.to_owned()),
        _ => one.clone(),
    };
    let names: BTreeSet<String> = counted.iter().map(bare).collect();
    let near = similar(name, names.iter().map(String::as_str));
    let found = format!("no delivery has counted under {group} {name} yet");
    let fix = match near {
        Some(near) => format!("correct it, if you mean {group}:{near}"),
        None => format!("see which there are: carom report; or use {group}:each"),
    };
    (!known).then_some((found, fix))
}

/// The names that deliveries have counted under in the last months.
fn names(group: GroupBy, index: Option<&Index>) -> BTreeSet<String> {
    let dimension = match group {
        GroupBy::Provider => Dimension::Provider,
        GroupBy::RecipientDomain => Dimension::RecipientDomain,
        GroupBy::SenderDomain => Dimension::SenderDomain,
        GroupBy::Client => Dimension::Client,
        GroupBy::Relay => Dimension::Relay,
        GroupBy::Source => Dimension::Source,
    };
    let days = Stretch::days_since(crate::clock::now_ms() - HOURS_MS);
    let sums = index.and_then(|index| index.sums(&[days], dimension).ok());
    sums.into_iter().flatten().map(|(name, _)| name).collect()
}

/// A count of what is wrong, below a number: it fires while all is well.
fn of_health(rule: &AlertRule) -> Doubt {
    let below = rule.below?;
    let found = format!(
        "[[alert]] {}: {} counts what is wrong, and below {below} it fires while all is well",
        rule.name, rule.when
    );
    let fix = format!("set above = {below} in place of below");
    (!rule.when.is_of_deliveries() || rule.when == Metric::UnknownTexts)
        .then(|| ("below", Finding::note(SUBJECT, found, fix)))
}

/// A share that is never more than a hundred percent, or was meant as one of 1.
fn out_of_reach(rule: &AlertRule) -> Doubt {
    let is_percent = rule.when.unit() == " %";
    let key = if rule.below.is_some() { "below" } else { "above" };
    let value = rule.above.or(rule.below).filter(|_| is_percent)?;
    let of = format!("[[alert]] {}: {} is in percent", rule.name, rule.when);
    let never =
        rule.above.is_some_and(|above| above >= 100.0) || rule.below.is_some_and(|below| below <= 0.0);
    if never {
        let found = format!("{of}, and never {key} {value}");
        return Some((
            key,
            Finding::wrong(SUBJECT, found, format!("set {key} to a number between 0 and 100")),
        ));
    }
    let is_fraction = value > 0.0 && value < 0.2;
    let found = format!("{of}: {value} is {value} of a hundred deliveries");
    let fix = format!("if you mean {} percent, set {key} = {}", value * 100.0, value * 100.0);
    is_fraction.then(|| (key, Finding::note(SUBJECT, found, fix)))
}
