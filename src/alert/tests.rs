//! Rules over figures made by hand: values, changes from tick to tick, and what is announced.

use super::readings::{Circumstances, Reading, readings};
use super::{announcement, state};
use crate::config::{AlertRule, Config};
use crate::deadline::Deadline;
use crate::maillog::log_health::UnreadableLog;
use crate::plan::{Action, StepEnd};
use crate::stats::Figures;
use crate::stats::figures::{GroupFigures, Percentiles, ProviderReason, Reason, UnknownText};
use crate::stats::outcomes::Outcomes;
use crate::store::{AlertRecord, AlertState, Ended, Performed, Store};

/// Some day in 2026.
const NOW: i64 = 1_790_000_000_000;
const MINUTE: i64 = 60_000;

fn rule(keys: &str) -> AlertRule {
    let text = format!("[[alert]]\nname = \"test\"\nmail = [\"ops@b.example\"]\n{keys}");
    let config = Config::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    config.alerting.get().unwrap_or_else(|error| panic!("{error}\n{text}")).rules[0].clone()
}

fn line(name: &str, sent: u64, bounced: u64, deferrals: u64) -> GroupFigures {
    let outcomes = Outcomes { sent, bounced, ..Outcomes::default() };
    let delay = Some(Percentiles { p50: 1.0, p90: sent as f64, p99: 90.0 });
    GroupFigures { name: name.into(), outcomes, deferrals, delay, ..GroupFigures::default() }
}

fn figures() -> Figures {
    let reason = |reason: &str, count| Reason { reason: reason.into(), count, ..Reason::default() };
    let of = |provider: &str, reason: &str, count| ProviderReason {
        provider: provider.into(),
        reason: reason.into(),
        count,
    };
    Figures {
        totals: Outcomes { sent: 90, bounced: 6, expired: 4, rejected: 25, held: 1, ..Outcomes::default() },
        deferrals: 300,
        delay: Some(Percentiles { p50: 1.0, p90: 12.5, p99: 90.0 }),
        providers: vec![line("google", 50, 50, 0), line("small", 1, 9, 10), line("other", 0, 1000, 0)],
        reasons: vec![reason("user-unknown", 6), reason("spam-block", 3)],
        rejects: vec![reason("spam-block", 20)],
        provider_reasons: vec![of("google", "spam-block", 3), of("small", "user-unknown", 6)],
        unclassified: 7,
        unknown: vec![
            UnknownText { count: 4, ..UnknownText::default() },
            UnknownText { count: 3, ..UnknownText::default() },
        ],
        ..Figures::default()
    }
}

/// Groups and values, of all that a rule looks at.
fn values(keys: &str, around: &Circumstances) -> Vec<(String, Option<f64>)> {
    let read = readings(&rule(keys), &figures(), around);
    read.into_iter().map(|reading| (reading.subject, reading.value)).collect()
}

#[test]
fn every_statistic_has_its_value() {
    let around = Circumstances {
        now_ms: NOW,
        failed: vec!["logs".into(), "cycle".into()],
        logs: vec![("postfix:/a".into(), Some(NOW - 31 * MINUTE)), ("postfix:/b".into(), None)],
        unreadable: vec![UnreadableLog { log: "postfix:/b".into(), ..UnreadableLog::default() }],
        failing_steps: 5,
        deferred: 17,
        unmatched: 3,
    };
    for (when, value) in [
        ("bounce-rate", 10.0),
        ("deferral-rate", 75.0),
        ("reject-rate", 25.0 * 100.0 / 126.0),
        ("volume", 101.0),
        ("complaint-unmatched", 3.0),
        ("delay", 12.5),
        ("unknown-texts", 7.0),
        ("reason:spam-block", 23.0),
        ("reason:nothing", 0.0),
        ("queue", 17.0),
        ("outbox", 5.0),
        ("tick-failed", 2.0),
    ] {
        let read = values(&format!("when = \"{when}\"\nabove = 1"), &around);
        assert_eq!(read, [(String::new(), Some(value))], "{when}");
    }
    let silent = values("when = \"log-silent\"\nabove = 30", &around);
    assert_eq!(silent, [("postfix:/a".into(), Some(31.0)), ("postfix:/b".into(), Some(f64::INFINITY))]);
    let unreadable = values("when = \"log-unreadable\"", &around);
    assert_eq!(unreadable, [("postfix:/a".into(), Some(0.0)), ("postfix:/b".into(), Some(1.0))]);
}

#[test]
fn groups_are_told_apart_and_few_deliveries_say_nothing() {
    let none = Circumstances::default();
    let read = |keys: &str| values(&format!("{keys}\nabove = 1"), &none);
    let each = read("when = \"bounce-rate\"\nof = \"provider:each\"\nat_least = 10");
    assert_eq!(each, [("google".into(), Some(50.0)), ("small".into(), Some(90.0))]);
    let few = read("when = \"bounce-rate\"\nof = \"provider\"\nat_least = 11");
    assert_eq!(few, [("google".into(), Some(50.0)), ("small".into(), None)]);
    let one = read("when = \"deferral-rate\"\nof = \"provider:Small\"\nat_least = 20");
    assert_eq!(one, [("small".into(), Some(50.0))]);
    let absent = |when: &str| read(&format!("when = \"{when}\"\nof = \"provider:nobody\""));
    assert_eq!(absent("volume"), [("nobody".into(), Some(0.0))]);
    assert_eq!(absent("bounce-rate"), [("nobody".into(), None)]);
    assert_eq!(absent("reason:spam-block"), [("nobody".into(), Some(0.0))]);
    let reason = read("when = \"reason:spam-block\"\nof = \"provider:google\"");
    assert_eq!(reason, [("google".into(), Some(3.0))]);
    assert_eq!(read("when = \"volume\"\nof = \"client:each\""), []);
}

/// What happens to a rule tick by tick.
struct Ticks {
    rule: AlertRule,
    now_ms: i64,
    alerts: Vec<AlertRecord>,
}

impl Ticks {
    fn new(keys: &str) -> Ticks {
        Ticks { rule: rule(keys), now_ms: NOW, alerts: Vec::new() }
    }

    /// A minute later, with these values; what is told, sorted.
    fn next(&mut self, values: &[(&str, f64)]) -> Vec<String> {
        self.now_ms += MINUTE;
        let reading = |&(subject, value): &(&str, f64)| Reading {
            subject: subject.into(),
            value: Some(value),
            deliveries: Some(100),
        };
        let readings: Vec<Reading> = values.iter().map(reading).collect();
        self.alerts = state::next(&self.rule, std::mem::take(&mut self.alerts), &readings, self.now_ms);
        let told = self.alerts.iter().filter(|alert| alert.told_ms == self.now_ms);
        let mut told: Vec<String> =
            told.map(|alert| format!("{} {}", alert.subject, alert.state.name())).collect();
        told.sort();
        told
    }
}

#[test]
fn a_change_is_told_once() {
    let mut ticks = Ticks::new("when = \"queue\"\nabove = 5");
    assert!(ticks.next(&[("", 5.0)]).is_empty() && ticks.alerts.is_empty());
    assert_eq!(ticks.next(&[("", 6.0)]), [" firing"]);
    let since = ticks.alerts[0].since_ms;
    for _ in 0..200 {
        assert!(ticks.next(&[("", 7.0)]).is_empty());
    }
    assert_eq!((ticks.alerts[0].since_ms, ticks.alerts[0].value), (since, Some(7.0)));
    assert_eq!(ticks.next(&[("", 1.0)]), [" resolved"]);
    for _ in 0..61 {
        assert!(ticks.next(&[("", 1.0)]).is_empty());
    }
    assert!(ticks.alerts.is_empty(), "forgotten after an hour");
    let mut below = Ticks::new("when = \"volume\"\nbelow = 10");
    assert!(below.next(&[("", 10.0)]).is_empty());
    assert_eq!(below.next(&[("", 9.0)]), [" firing"]);
    let mut failed = Ticks::new("when = \"tick-failed\"");
    assert!(failed.next(&[("", 0.0)]).is_empty());
    assert_eq!(failed.next(&[("", 1.0)]), [" firing"]);
}

#[test]
fn what_does_not_hold_is_not_told() {
    let mut ticks = Ticks::new("when = \"queue\"\nabove = 5\nhold = \"3m\"");
    assert!(ticks.next(&[("", 6.0)]).is_empty());
    assert_eq!(ticks.alerts[0].state, AlertState::Pending);
    assert!(ticks.next(&[("", 6.0)]).is_empty());
    assert!(ticks.next(&[("", 1.0)]).is_empty());
    assert!(ticks.alerts.is_empty());
    let told: Vec<Vec<String>> = (0..5).map(|_| ticks.next(&[("", 6.0)])).collect();
    assert_eq!(told.iter().map(Vec::len).collect::<Vec<_>>(), [0, 0, 0, 1, 0]);
}

#[test]
fn one_that_flaps_is_told_once_an_hour_and_its_last_state_is_told() {
    let mut ticks = Ticks::new("when = \"queue\"\nabove = 5");
    let mut told = Vec::new();
    for tick in 0..180 {
        told.extend(ticks.next(&[("", if tick % 2 == 0 { 6.0 } else { 1.0 })]));
    }
    assert_eq!(told, [" firing", " resolved"].repeat(3));
    assert_eq!(ticks.alerts[0].told, Some(AlertState::Resolved));
    let mut last = Vec::new();
    for _ in 0..61 {
        last.extend(ticks.next(&[("", 6.0)]));
    }
    assert_eq!(last, [" firing"], "it fires since, and that is told when the hour is over");
}

#[test]
fn groups_that_change_together_are_told_together_and_one_that_is_gone_is_resolved() {
    let mut ticks = Ticks::new("when = \"bounce-rate\"\nof = \"provider:each\"\nabove = 5");
    assert_eq!(ticks.next(&[("a", 9.0), ("b", 9.0), ("c", 1.0)]), ["a firing", "b firing"]);
    assert_eq!(ticks.next(&[("a", 9.0)]), ["b resolved"]);
    // A hundred groups, one more each tick: a bounded number of messages, and all of them in the
    // end.
    let names: Vec<String> = (0..100).map(|n| format!("p{n:03}")).collect();
    let mut messages = 0;
    for many in 1..=100 {
        let now: Vec<(&str, f64)> = names[..many].iter().map(|name| (name.as_str(), 50.0)).collect();
        messages += usize::from(!ticks.next(&now).is_empty());
    }
    assert!(messages <= 14, "{messages}");
    let all: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 50.0)).collect();
    (0..61).for_each(|_| drop(ticks.next(&all)));
    assert_eq!(ticks.alerts.iter().filter(|alert| alert.told == Some(AlertState::Firing)).count(), 100);
    // More than are remembered.
    let names: Vec<String> = (0..5000).map(|n| format!("q{n}")).collect();
    let all: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 50.0)).collect();
    ticks.next(&all);
    assert!(ticks.alerts.len() <= 700, "{}", ticks.alerts.len());
}

fn alert(subject: &str, state: AlertState) -> AlertRecord {
    AlertRecord {
        rule: "test".into(),
        subject: subject.into(),
        state,
        since_ms: NOW,
        value: Some(12.345),
        told: Some(state),
        told_ms: NOW,
        fired_ms: NOW,
    }
}

#[test]
fn a_message_says_what_the_value_the_threshold_since_when_and_what_shows_more() {
    let config = Config::parse("[network]\nhostname = \"mx.example\"").unwrap();
    let rule = rule(
        "when = \"bounce-rate\"\nof = \"client:each\"\nabove = 5\nwindow = \"24h\"\nwebhook = \"http://x/\"",
    );
    let changed = [alert("shop-1", AlertState::Firing), alert("b", AlertState::Resolved)];
    let changed: Vec<&AlertRecord> = changed.iter().collect();
    let (key, plan) = announcement::promise(&rule, &changed, &config, NOW).unwrap();
    assert_eq!(plan.steps.len(), 3, "one mail, and each change to the webhook");
    let Action::Alert(mail) = &plan.steps[0].action else { panic!() };
    assert_eq!(
        mail.subject,
        "[carom mx.example] FIRING test: bounce-rate of client shop-1 is 12.3 % and 1 more"
    );
    for said in [
        "bounce-rate of client shop-1\n",
        "12.3 % in the last 24h\n",
        "above 5 %\n",
        "since      2026-09-21T14:13:20.000Z\n",
        "  carom deliveries --failed --since 24h --client shop-1\n",
        "resolved   bounce-rate of client b\n",
    ] {
        assert!(mail.body.contains(said), "{said}: {}", mail.body);
    }
    let Action::Alert(hook) = &plan.steps[2].action else { panic!() };
    let object: serde_json::Value = serde_json::from_str(&hook.body).unwrap();
    assert_eq!((&object["event"], &object["subject"]), (&"alert.resolved".into(), &"b".into()));
    assert_eq!((&object["value"], &object["threshold"]), (&12.345.into(), &5.0.into()));
    assert_eq!(object["id"], hook.id.as_str());
    let again = announcement::promise(&rule, &changed, &config, NOW).unwrap();
    assert_eq!((key, plan), again, "the same at every try");
}

#[test]
fn names_from_mail_are_only_names() {
    let config = Config::default();
    let rule = rule("when = \"bounce-rate\"\nof = \"client:each\"\nabove = 5\nwebhook = \"http://x/\"");
    for name in ["x; rm -rf /", "--help", "a\r\nBcc: x@y\r\n\r\n\u{1b}[31m", "$(id)"] {
        let one = alert(&name.repeat(30), AlertState::Firing);
        let (_, plan) = announcement::promise(&rule, &[&one], &config, NOW).unwrap();
        for step in &plan.steps {
            let Action::Alert(told) = &step.action else { panic!() };
            assert!(!told.body.contains("--client"), "{}", told.body);
            let control = |c: char| c.is_control() && c != '\n';
            assert!(!told.subject.contains(char::is_control) && !told.body.contains(control), "{told:?}");
            assert!(!told.body.contains("\nBcc"), "{}", told.body);
        }
    }
    let many: Vec<AlertRecord> = (0..500).map(|n| alert(&format!("c{n}"), AlertState::Firing)).collect();
    let many: Vec<&AlertRecord> = many.iter().collect();
    let (_, plan) = announcement::promise(&rule, &many, &config, NOW).unwrap();
    let Action::Alert(mail) = &plan.steps[0].action else { panic!() };
    assert!(mail.body.len() < 10_000 && mail.body.contains("and 480 more") && plan.steps.len() == 21);
}

#[test]
fn a_change_and_the_promise_to_tell_it_are_one_and_no_alert_is_about_alerts() {
    let directory = std::env::temp_dir().join(format!("carom-alert-{:x}", fastrand::u64(..)));
    let store = Store::open(&directory.join("carom.db")).unwrap();
    let rule = rule("when = \"queue\"\nabove = 5");
    let one = alert("", AlertState::Firing);
    let (key, plan) = announcement::promise(&rule, &[&one], &Config::default(), NOW).unwrap();
    let put = || store.put_alerts("test", std::slice::from_ref(&one), Some((&key, &plan, NOW)));
    put().unwrap();
    assert_eq!(store.alerts().unwrap(), std::slice::from_ref(&one));
    assert_eq!(store.pending_steps().unwrap().len(), 1);
    assert_eq!(store.series().unwrap(), [], "an alert is no message");
    store.put_alerts("test", &[], None).unwrap();
    assert!(put().is_err(), "the same promise is not made twice");
    assert_eq!(store.alerts().unwrap(), [], "and nothing of it is left");
    let jobs = store.claim_due(NOW, 1000, 10, u64::MAX).unwrap().due;
    let done = Performed::new(StepEnd::Later { at_ms: NOW }, "", "down".into());
    let ended = [Ended { step: 0, action: "alert".into(), done }];
    let soon = Deadline::after(std::time::Duration::from_secs(60));
    store.settle(&[(jobs[0].mail.key.text(), &ended)], NOW, soon).unwrap();
    assert_eq!((store.pending_steps().unwrap()[0].attempts, store.failing_steps(0).unwrap()), (1, 0));
    drop(store);
    std::fs::remove_dir_all(&directory).unwrap();
}
