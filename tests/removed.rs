//! What an operator takes off the suppression list stays off it, whoever reports the same failure again; and who did it, and when,
//! has an answer.

use crate::bounces::{OWN, STRANGER, bounce, dsn, dsn_of, is_suppressed, sandbox, signed_path};
use crate::harness::application::Application;
use crate::harness::mail_log::{self, ago};
use crate::harness::{DAY_MS, HOUR_MS, Sandbox, free_port};
use crate::statistics::{OTHER, UNKNOWN_USER, append, delivery, tick};
use serde_json::Value;

const GONE: &str = "gone@there.example";
const NO_USER: &str = "550 5.1.1 user unknown";

fn remove(sandbox: &Sandbox, address: &str) {
    let ran = sandbox.run(&["suppress", "remove", address], b"");
    assert!(ran.code == 0 && ran.stdout.starts_with("1 removed"), "{ran:?}");
}

fn notified(application: &Application, event: &str) -> usize {
    application.told().iter().filter(|told| told.body.contains(event)).count()
}

#[test]
fn the_same_report_suppresses_no_more_and_a_new_failure_does() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "");
    let path = signed_path(&sandbox, GONE);
    let report = dsn_of("sent1@shop.example", GONE, "5.1.1", NO_USER);
    let queued = |queue_id: &str, report: &[u8]| {
        let words = ["pipe", "--policy", "bounce", "--sender", "", "--recipient", &path];
        sandbox.run(&[&words[..], &["--client-address", STRANGER, "--queue-id", queue_id]].concat(), report)
    };
    queued("4Q1", &report).silent();
    assert!(is_suppressed(&sandbox, GONE));
    remove(&sandbox, GONE);
    sandbox.advance(HOUR_MS);
    for queue_id in ["4Q2", "4Q3"] {
        queued(queue_id, &report).silent();
        assert!(!is_suppressed(&sandbox, GONE), "{queue_id}");
    }
    let rows = sandbox.run(&["log"], b"").stdout;
    assert!(rows.contains("stays off the list: an operator removed it"), "{rows}");
    assert_eq!((sandbox.counter("bounce_hard"), sandbox.counter("bounce_again")), (1, 2));
    assert_eq!(notified(&application, "bounce.hard"), 1);
    // Weeks later, too; the application learns nothing of it again.
    sandbox.advance(40 * DAY_MS);
    let path = signed_path(&sandbox, GONE);
    bounce(&sandbox, &path, STRANGER, &report);
    assert!(!is_suppressed(&sandbox, GONE));
    assert_eq!(notified(&application, "bounce.hard"), 1);
    bounce(&sandbox, &path, STRANGER, &dsn(GONE, "5.1.1", NO_USER));
    assert!(is_suppressed(&sandbox, GONE), "another message failed");
    assert_eq!(notified(&application, "bounce.hard"), 2);
}

#[test]
fn a_bounce_that_is_removed_keeps_no_complaint_away() {
    let sandbox = sandbox(free_port(), "");
    let path = signed_path(&sandbox, GONE);
    bounce(&sandbox, &path, STRANGER, &dsn_of("sent1@shop.example", GONE, "5.1.1", NO_USER));
    remove(&sandbox, GONE);
    let about = format!("Message-ID: <sent1@shop.example>\r\nReturn-Path: <{path}>\r\nTo: <{GONE}>\r\n");
    let complaint = crate::complaints::complaint("abuse", "", &about);
    bounce(&sandbox, &path, STRANGER, &complaint);
    assert!(is_suppressed(&sandbox, GONE), "{}", sandbox.run(&["log"], b"").stdout);
}

#[test]
fn soft_bounces_that_are_reported_again_after_a_removal_count_no_more() {
    let sandbox = sandbox(free_port(), "threshold = 2");
    let full = "552 5.2.2 mailbox full";
    let reports = [dsn(GONE, "5.2.2", full), dsn(GONE, "5.2.2", full)];
    let again = || {
        for report in &reports {
            bounce(&sandbox, "bounces@bounces.example.com", OWN, report);
        }
    };
    again();
    assert!(is_suppressed(&sandbox, GONE));
    remove(&sandbox, GONE);
    again();
    assert!(!is_suppressed(&sandbox, GONE));
    for _ in 0..2 {
        bounce(&sandbox, "bounces@bounces.example.com", OWN, &dsn(GONE, "5.2.2", full));
    }
    assert!(is_suppressed(&sandbox, GONE), "two new ones");
}

/// The log says it first, the report comes after the removal.
#[test]
fn a_failure_in_the_log_that_is_removed_is_not_put_back_by_its_report() {
    let application = Application::at(0);
    let verp = "[verp]\nkeys = [\"a key of this test, long enough\"]\ndomain = \"bounces.example.com\"\n";
    let sandbox = mail_log::sandbox(Some(&application), "").config(verp);
    append(&sandbox, &ago(50, &delivery(540, 1, GONE, OTHER, 1.0, UNKNOWN_USER)));
    tick(&sandbox, &[]);
    remove(&sandbox, GONE);
    let report = dsn_of("98494.1.7@shop", GONE, "5.1.1", "550 5.1.1 User unknown");
    bounce(&sandbox, &signed_path(&sandbox, GONE), STRANGER, &report);
    assert_eq!(sandbox.run(&["suppress", "check", GONE], b"").code, 0);
}

#[test]
fn who_took_an_address_off_the_list_and_when_is_told_until_it_is_erased() {
    let sandbox = sandbox(free_port(), "");
    for address in [GONE, "other@there.example"] {
        let path = signed_path(&sandbox, address);
        bounce(&sandbox, &path, STRANGER, &dsn(address, "5.1.1", NO_USER));
    }
    let mut command = sandbox.command(&["suppress", "remove", GONE]);
    assert!(command.env("SUDO_USER", "olga").status().unwrap().success());
    let checked = sandbox.run(&["suppress", "check", GONE], b"").stdout;
    assert!(checked.contains("is not suppressed") && checked.contains("by olga (release)"), "{checked}");
    let found = sandbox.run(&["find", GONE], b"").stdout;
    let line = found.lines().find(|line| line.starts_with("removed ")).unwrap();
    assert!(line.contains("by olga (release)") && line.contains("user-unknown"), "{line}");
    let whole: Value = serde_json::from_str(&sandbox.run(&["find", GONE, "--export"], b"").stdout).unwrap();
    let removal = &whole["removals"][0];
    assert!(removal["at_ms"].is_i64() && removal["entry"]["reason"] == "user-unknown", "{removal}");
    // An undo, and an entry for the domain, are told as well.
    let undo = ["suppress", "undo", "--since", "1d"];
    assert!(sandbox.command(&undo).env("SUDO_USER", "paul").status().unwrap().success());
    let checked = sandbox.run(&["suppress", "check", "other@there.example"], b"").stdout;
    assert!(checked.contains("by paul (undo)") && !checked.contains("olga"), "{checked}");
    assert_eq!(sandbox.run(&["suppress", "add", "@there.example", "--days", "3"], b"").code, 0);
    remove(&sandbox, "@there.example");
    let checked = sandbox.run(&["suppress", "check", "third@there.example"], b"").stdout;
    assert!(checked.lines().count() == 2 && checked.contains("@there.example"), "{checked}");
    let erased = sandbox.run(&["erase", "other@there.example"], b"");
    let found = sandbox.run(&["find", "other@there.example"], b"").stdout;
    assert!(!found.contains("paul"), "{erased:?} {found}");
}

#[test]
fn who_has_put_an_address_on_the_list_is_on_record() {
    let sandbox = crate::harness::Sandbox::new();
    let mut adding = sandbox.command(&["suppress", "add", "ann@there.example", "--reason", "asked"]);
    adding.env("SUDO_USER", "grace");
    assert!(adding.output().unwrap().status.success());
    for words in [&["suppress", "check", "ann@there.example"][..], &["find", "ann@there.example"]] {
        let shown = sandbox.run(words, b"").stdout;
        assert!(shown.contains("operator (grace)"), "{words:?}: {shown}");
    }
    assert_eq!(sandbox.run(&["erase", "ann@there.example"], b"").code, 0);
    assert!(sandbox.run(&["find", "ann@there.example"], b"").stdout.starts_with("nothing is known"));
}
