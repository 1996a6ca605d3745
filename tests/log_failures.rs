//! Failures in the mail log: acted on once, and forgiven by a success.

use crate::harness::HOUR_MS;
use crate::harness::application::Application;
use crate::harness::mail_log::{self, ago};
use crate::statistics::{OTHER, SENT, UNKNOWN_USER, append, delivery, tick};

#[test]
fn a_bounce_in_the_log_is_acted_upon_once_and_a_success_forgives() {
    let application = Application::at(0);
    let sandbox = mail_log::sandbox(Some(&application), "threshold = 2");
    const FULL: &str = "dsn=5.2.2, status=bounced (host mx[192.0.2.9] said: 552 5.2.2 Mailbox full (in reply to RCPT TO command))";
    const SPAM: &str = "dsn=5.7.1, status=bounced (host mx[192.0.2.9] said: 550 5.7.1 Message rejected as spam (in reply to end of DATA command))";
    let told = || application.told().into_iter().map(|told| told.path).collect::<Vec<String>>();
    append(&sandbox, &ago(50, &delivery(540, 1, "gone@dest.example", OTHER, 1.0, UNKNOWN_USER)));
    append(&sandbox, &ago(49, &delivery(540, 2, "live@dest.example", OTHER, 1.0, SPAM)));
    append(&sandbox, &ago(48, &delivery(540, 3, "full@dest.example", OTHER, 1.0, FULL)));
    tick(&sandbox, &[]);
    tick(&sandbox, &[]);
    let suppressed = |address: &str| sandbox.run(&["suppress", "list"], b"").stdout.contains(address);
    assert!(
        suppressed("gone@dest.example")
            && !suppressed("live@dest.example")
            && !suppressed("full@dest.example")
    );
    assert_eq!(told(), ["/bounces/gone%40dest.example"]);
    // A success in between: the next full box is the first again.
    append(&sandbox, &ago(40, &delivery(540, 4, "full@dest.example", OTHER, 1.0, SENT)));
    tick(&sandbox, &[]);
    append(&sandbox, &ago(30, &delivery(540, 5, "full@dest.example", OTHER, 1.0, FULL)));
    tick(&sandbox, &[]);
    assert!(!suppressed("full@dest.example"));
    append(&sandbox, &ago(20, &delivery(540, 6, "full@dest.example", OTHER, 1.0, FULL)));
    tick(&sandbox, &[]);
    assert!(suppressed("full@dest.example"));
    assert_eq!(told().len(), 2);
}

#[test]
fn an_address_that_mail_has_reached_since_it_bounced_is_alive_also_when_both_are_read_at_once() {
    let sandbox = mail_log::sandbox(None, "threshold = 2");
    const FULL: &str = "dsn=5.2.2, status=bounced (host mx[192.0.2.9] said: 552 5.2.2 Mailbox full (in reply to RCPT TO command))";
    let ends = [
        ("alive@dest.example", [FULL, FULL, FULL, SENT]),
        ("once@dest.example", [FULL, FULL, SENT, FULL]),
        ("back@dest.example", [SENT, UNKNOWN_USER, SENT, SENT]),
        ("full@dest.example", [FULL, SENT, FULL, FULL]),
        ("gone@dest.example", [SENT, SENT, SENT, UNKNOWN_USER]),
    ];
    for hour in 0..4 {
        for (n, (address, ends)) in (0..).zip(&ends) {
            let text = delivery(540, hour as u32 * 10 + n, address, OTHER, 1.0, ends[hour as usize]);
            append(&sandbox, &ago(60 * (10 - hour), &text));
        }
    }
    tick(&sandbox, &[]);
    tick(&sandbox, &[]);
    let listed = sandbox.run(&["suppress", "list"], b"").stdout;
    let suppressed = ends.map(|(address, _)| listed.contains(address));
    assert_eq!(suppressed, [false, false, false, true, true], "{listed}");
}

#[test]
fn failures_wait_while_the_settings_of_the_policy_are_wrong() {
    let sandbox = mail_log::sandbox(None, "trust = \"maybe\"");
    append(&sandbox, &ago(0, &delivery(540, 1, "gone@dest.example", OTHER, 1.0, UNKNOWN_USER)));
    let ran = sandbox.run(&["cron"], b"");
    assert!(ran.code == 1 && ran.stderr.contains("policy bounce, settings: "), "{ran:?}");
    let file = sandbox.path("carom.toml");
    let corrected = std::fs::read_to_string(&file).unwrap().replace("maybe", "required");
    std::fs::write(&file, corrected).unwrap();
    tick(&sandbox, &[]);
    assert!(sandbox.run(&["suppress", "list"], b"").stdout.contains("gone@dest.example"));
}

#[test]
fn the_log_shows_the_state_that_a_step_of_a_logged_bounce_has_now() {
    let application = Application::at(0);
    application.answer(410);
    let sandbox = mail_log::sandbox(Some(&application), "");
    append(&sandbox, &ago(50, &delivery(540, 1, "gone@dest.example", OTHER, 1.0, UNKNOWN_USER)));
    sandbox.run(&["cron"], b"");
    let parked = || sandbox.run(&["log", "--status", "parked"], b"").stdout;
    assert!(parked().contains("gone@dest.example"), "{}", parked());
    application.answer(200);
    assert_eq!(sandbox.run(&["outbox", "retry", "--all"], b"").code, 0);
    sandbox.run(&["cron"], b"");
    assert!(!parked().contains("gone@dest.example"), "{}", parked());
    let log = sandbox.run(&["log"], b"").stdout;
    assert!(log.contains("notify succeeded"), "{log}");
}

/// The same command retries it as for a message; its tries go on counting.
#[test]
fn a_step_that_is_parked_while_the_tick_acts_on_the_log_is_named_by_it() {
    let application = Application::at(0);
    application.answer(410);
    let sandbox = mail_log::sandbox(Some(&application), "");
    append(&sandbox, &ago(50, &delivery(540, 1, "gone@dest.example", OTHER, 1.0, UNKNOWN_USER)));
    let named = |said: &str| {
        let line = said
            .lines()
            .find(|line| line.contains("parked: notify for ") && line.contains("gone@dest.example"));
        let retry =
            line.and_then(|line| line.split_once("to retry: carom ")).map(|(_, words)| words.to_owned());
        retry.unwrap_or_else(|| panic!("{said}"))
    };
    let retry = named(&sandbox.run(&["cron"], b"").stderr);
    let words: Vec<&str> = retry.split(' ').collect();
    assert_eq!(sandbox.run(&words, b"").code, 0);
    let ran = sandbox.run(&["cron", "--json"], b"");
    let ticked: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&ticked["left"][0]["state"], &ticked["steps"]["parked"]), (&"parked".into(), &1.into()));
    assert_eq!(named(&ran.stderr), retry);
    application.answer(200);
    assert_eq!(sandbox.run(&words, b"").code, 0);
    let ran = sandbox.run(&["cron"], b"");
    assert!(!ran.stderr.contains("parked"), "{ran:?}");
    let found = sandbox.run(&["find", "gone@dest.example"], b"").stdout;
    assert!(found.contains("notify succeeded") && found.contains("(3 tries)"), "{found}");
}

/// The first try, that of a later tick, and that of an operator.
#[test]
fn each_try_of_a_notification_about_a_logged_failure_says_when_that_was_logged() {
    let application = Application::at(0);
    application.answer(503);
    let sandbox = mail_log::sandbox(Some(&application), "");
    let line = ago(50, &delivery(540, 1, "gone@dest.example", OTHER, 1.0, UNKNOWN_USER));
    append(&sandbox, &line);
    sandbox.run(&["cron"], b"");
    sandbox.advance(HOUR_MS);
    sandbox.run(&["cron"], b"");
    application.answer(200);
    sandbox.run(&["outbox", "retry", "--all"], b"");
    sandbox.run(&["cron"], b"");
    let told = application.told();
    let said = |name: &str| -> Vec<String> {
        let bodies = told.iter().map(|one| serde_json::from_str::<serde_json::Value>(&one.body).unwrap());
        bodies.map(|body| body[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(said("time").iter().all(|time| line.contains(&time[..19])), "{:?} {line}", said("time"));
    assert!(said("id").iter().all(|id| *id == said("id")[0]), "{:?}", said("id"));
}
