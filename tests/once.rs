//! One report counts once: redelivered, forwarded, under other queue ids, by several processes, in the log and as a report. A later
//! failure of another message counts again.

use crate::bounces::{OWN, STRANGER, bounce, dsn, dsn_of, is_suppressed, sandbox, signed_path};
use crate::forgery::logged;
use crate::harness::application::Application;
use crate::harness::{Sandbox, free_port};
use std::collections::BTreeSet;

const GONE: &str = "gone@there.example";
const FULL: &str = "552 5.2.2 mailbox full";
const NO_USER: &str = "550 5.1.1 user unknown";
const BOUNCES: &str = "bounces@bounces.example.com";

/// Under a queue id of its own.
fn queued(sandbox: &Sandbox, queue_id: &str, to: &str, client: &str, message: &[u8]) {
    let arguments = ["pipe", "--policy", "bounce", "--sender", "", "--recipient", to];
    let more = ["--client-address", client, "--queue-id", queue_id];
    sandbox.run(&[&arguments[..], &more].concat(), message).silent();
}

fn soft_bounces(sandbox: &Sandbox, address: &str) -> usize {
    let found = sandbox.run(&["find", address], b"").stdout;
    found.lines().filter(|line| line.starts_with("soft bounce")).count()
}

/// The report as a mail program forwards it, whole, with a header of its own.
fn forwarded(report: &[u8], number: usize) -> Vec<u8> {
    let report = String::from_utf8_lossy(report);
    format!(
        "From: admin@shop.example\r\nTo: <{BOUNCES}>\r\nSubject: Fwd: Undelivered Mail\r\nMessage-ID: <f{number}@shop.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"f\"\r\n\r\n--f\r\nContent-Type: text/plain\r\n\r\nsee below\r\n\
         --f\r\nContent-Type: message/rfc822\r\n\r\n{report}\r\n--f--\r\n"
    )
    .into_bytes()
}

#[test]
fn a_soft_bounce_that_comes_in_many_ways_is_one_and_another_message_counts_again() {
    let sandbox = sandbox(free_port(), "threshold = 2");
    let report = dsn(GONE, "5.2.2", FULL);
    let path = signed_path(&sandbox, GONE);
    for queue_id in ["A1", "A2", "A3"] {
        queued(&sandbox, queue_id, &path, STRANGER, &report);
        queued(&sandbox, queue_id, BOUNCES, OWN, &report);
    }
    bounce(&sandbox, &path, STRANGER, &report);
    for number in 1..3 {
        bounce(&sandbox, &path, STRANGER, &forwarded(&report, number));
    }
    // Another server on the way reports the same message in other words.
    let again =
        String::from_utf8(report.clone()).unwrap().replace("552 5.2.2 mailbox full", "552 5.2.2 over quota");
    bounce(&sandbox, &path, STRANGER, again.as_bytes());
    assert_eq!(soft_bounces(&sandbox, GONE), 1, "{}", sandbox.run(&["find", GONE], b"").stdout);
    assert!(!is_suppressed(&sandbox, GONE));
    bounce(&sandbox, &path, STRANGER, &dsn(GONE, "5.2.2", FULL));
    assert!(is_suppressed(&sandbox, GONE), "another message is the second soft bounce");
}

#[test]
fn a_domain_in_another_script_is_one_in_both_spellings() {
    let sandbox = sandbox(free_port(), "threshold = 2");
    let (written, in_ascii) = ("box@b\u{fc}cher.example", "box@xn--bcher-kva.example");
    let report = String::from_utf8(dsn(written, "5.2.2", FULL)).unwrap();
    let path = signed_path(&sandbox, written);
    bounce(&sandbox, &path, STRANGER, report.as_bytes());
    bounce(&sandbox, &path, STRANGER, report.replace(written, in_ascii).as_bytes());
    assert_eq!(soft_bounces(&sandbox, in_ascii), 1, "{}", sandbox.run(&["find", in_ascii], b"").stdout);
    assert!(!is_suppressed(&sandbox, written) && !is_suppressed(&sandbox, in_ascii));
}

#[test]
fn after_the_window_the_same_report_counts_again() {
    let sandbox = sandbox(free_port(), "threshold = 9");
    let report = dsn(GONE, "5.2.2", FULL);
    let path = signed_path(&sandbox, GONE);
    queued(&sandbox, "A1", &path, STRANGER, &report);
    sandbox.advance(31 * crate::harness::DAY_MS);
    // Its signature has expired: our own server repeats it after the window.
    queued(&sandbox, "A2", BOUNCES, OWN, &report);
    assert_eq!(soft_bounces(&sandbox, GONE), 2, "after the window it counts again");
}

#[test]
fn a_hard_bounce_notifies_once_with_one_id() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "");
    let report = dsn(GONE, "5.1.1", NO_USER);
    let path = signed_path(&sandbox, GONE);
    for queue_id in ["A1", "A2", "A3"] {
        queued(&sandbox, queue_id, &path, STRANGER, &report);
    }
    bounce(&sandbox, &path, STRANGER, &forwarded(&report, 1));
    assert_eq!(application.told().len(), 1, "{:?}", application.told());
    queued(&sandbox, "A4", &path, STRANGER, &dsn(GONE, "5.1.1", NO_USER));
    let ids: BTreeSet<String> =
        application.told().iter().map(|told| told.header("webhook-id").to_owned()).collect();
    assert_eq!((application.told().len(), ids.len()), (2, 2), "another message is another notification");
}

#[test]
fn a_bounce_that_is_reported_and_replayed_again_and_again_is_notified_once() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "");
    let path = signed_path(&sandbox, GONE);
    let inbox = sandbox.path("inbox");
    std::fs::create_dir_all(&inbox).unwrap();
    let replayed = dsn_of("sent1@shop.example", GONE, "5.1.1", NO_USER);
    for number in 0..350 {
        // Fifty times the very same report, and 300 reports of one bounce, each worded for itself.
        let report = match number {
            0..50 => replayed.clone(),
            _ => dsn_of("sent1@shop.example", GONE, "5.1.1", &format!("{NO_USER} ({number})")),
        };
        let file = [format!("x-sender: <>\r\nx-receiver: {path}\r\n").as_bytes(), &report].concat();
        std::fs::write(inbox.join(format!("{number}.msg")), file).unwrap();
    }
    let ran = sandbox.run(&["relay", &inbox.display().to_string(), "--policy", "bounce", "--json"], b"");
    assert!(ran.code == 0 && ran.stdout.contains("\"messages\":350"), "{ran:?}");
    assert!(is_suppressed(&sandbox, GONE));
    assert_eq!(application.told().len(), 1, "{:?}", application.told().len());
    bounce(&sandbox, &path, STRANGER, &replayed);
    assert_eq!(application.told().len(), 1);
}

#[test]
fn a_report_without_a_message_id_is_the_same_report_as_well() {
    let sandbox = sandbox(free_port(), "threshold = 5");
    let path = signed_path(&sandbox, GONE);
    let without = |date: &str| {
        let text = String::from_utf8(dsn_of("x@shop.example", GONE, "5.2.2", FULL)).unwrap();
        text.replace("Message-ID: <x@shop.example>", &format!("Date: {date}"))
    };
    for (queue_id, date) in [
        ("A1", "Thu, 5 Mar 2026 10:00:00 +0000"),
        ("A2", "Thu, 5 Mar 2026 10:00:00 +0000"),
        ("A3", "Fri, 6 Mar 2026 10:00:00 +0000"),
    ] {
        queued(&sandbox, queue_id, &path, STRANGER, without(date).as_bytes());
    }
    assert_eq!(soft_bounces(&sandbox, GONE), 2, "the message of Thursday and that of Friday");
}

#[test]
fn a_report_counts_once_whatever_the_way_changed_in_its_header() {
    let sandbox = sandbox(free_port(), "threshold = 9");
    let path = signed_path(&sandbox, GONE);
    for message_id in ["x@shop.example", "x@SHOP.example"] {
        bounce(&sandbox, &path, STRANGER, &dsn_of(message_id, GONE, "5.2.2", FULL));
    }
    assert_eq!(soft_bounces(&sandbox, GONE), 1, "the case of a Message-ID");
    let text = String::from_utf8(dsn_of("x@shop.example", GONE, "5.2.2", FULL)).unwrap();
    let lines = text.split_inclusive("\r\n").filter(|line| !line.starts_with("Message-ID"));
    let nameless: String = lines.collect();
    for hop in 1..4 {
        let report = format!("Received: from a.example by b.example; hop {hop}\r\n{nameless}");
        bounce(&sandbox, &path, STRANGER, report.as_bytes());
    }
    assert_eq!(soft_bounces(&sandbox, GONE), 2, "nothing names the message, and one report came three times");
}

#[test]
fn the_log_and_the_report_of_a_bounce_count_once_in_either_order() {
    let application = Application::at(0);
    let log = logged("m1@shop.example", GONE, "bounced").replace("dsn=2.0.0", "dsn=5.1.1").replace(
        "(250 ok)",
        "(host mx.there.example[192.0.2.9] said: 550 5.1.1 user unknown (in reply to RCPT TO command))",
    );
    let sandbox = sandbox(application.port, "trust = \"preferred\"");
    let path = sandbox.path("mail.log");
    std::fs::write(&path, log).unwrap();
    let logs = format!("[[logs]]\nkind = \"postfix\"\npath = \"{}\"\ntimezone = \"UTC\"\n", path.display());
    let sandbox = sandbox.config(&logs);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(application.told().len(), 1, "the log");
    for _ in 0..2 {
        bounce(&sandbox, BOUNCES, OWN, &dsn_of("m1@shop.example", GONE, "5.1.1", NO_USER));
    }
    assert_eq!(application.told().len(), 1, "{:?}", application.told());
}

#[test]
fn a_bounce_counts_once_if_the_log_names_the_return_path_and_the_report_another_sender_domain() {
    for log_first in [true, false] {
        let application = Application::at(0);
        let sandbox = sandbox(application.port, "");
        let (path, signed) = (sandbox.path("mail.log"), signed_path(&sandbox, GONE));
        let refused =
            "(host mx.there.example[192.0.2.9] said: 550 5.1.1 user unknown (in reply to RCPT TO command))";
        let log = logged("m1@shop.example", GONE, "bounced").replace("dsn=2.0.0", "dsn=5.1.1");
        let log = log.replace("(250 ok)", refused).replace("shop@shop.example", &signed);
        std::fs::write(&path, log).unwrap();
        let sandbox = sandbox.config(&format!(
            "[[logs]]\nkind = \"postfix\"\npath = \"{}\"\ntimezone = \"UTC\"\n",
            path.display()
        ));
        let tick = || assert_eq!(sandbox.run(&["cron"], b"").code, 0);
        if log_first {
            tick();
        }
        for _ in 0..2 {
            bounce(&sandbox, &signed, STRANGER, &dsn_of("m1@shop.example", GONE, "5.1.1", NO_USER));
        }
        tick();
        let counted = ["bounce_hard", "suppressed", "bounce_again"].map(|name| sandbox.counter(name));
        assert_eq!(counted, [1, 1, 2], "log first: {log_first}");
        assert_eq!(application.told().len(), 1, "log first: {log_first}");
        assert!(is_suppressed(&sandbox, GONE), "the entry for the domain of From is there too");
    }
}

#[test]
fn processes_that_get_the_same_report_at_the_same_moment_count_it_once() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "threshold = 2");
    let (hard, soft) = (dsn(GONE, "5.1.1", NO_USER), dsn("full@there.example", "5.2.2", FULL));
    let (hard_path, soft_path) = (signed_path(&sandbox, GONE), signed_path(&sandbox, "full@there.example"));
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (sandbox, hard, soft, hard_path, soft_path) =
                (&sandbox, &hard, &soft, &hard_path, &soft_path);
            scope.spawn(move || {
                queued(sandbox, &format!("H{number}"), hard_path, STRANGER, hard);
                queued(sandbox, &format!("S{number}"), soft_path, STRANGER, soft);
            });
        }
    });
    assert_eq!(application.told().len(), 1, "{:?}", application.told());
    assert_eq!(soft_bounces(&sandbox, "full@there.example"), 1);
    assert!(!is_suppressed(&sandbox, "full@there.example") && is_suppressed(&sandbox, GONE));
}

/// Of three with a threshold of two, the log had "2 of 2" and "3 of 2", and the application two notifications.
#[test]
fn soft_bounces_that_come_together_suppress_and_notify_once_and_again_after_a_release() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "threshold = 2");
    let full = "full@there.example";
    let path = signed_path(&sandbox, full);
    let round = |round: &str| {
        std::thread::scope(|scope| {
            for number in 0..4 {
                let (sandbox, path) = (&sandbox, &path);
                let soft = dsn(full, "5.2.2", FULL);
                let queue_id = format!("{round}{number}");
                scope.spawn(move || queued(sandbox, &queue_id, path, STRANGER, &soft));
            }
        });
    };
    round("4Qa");
    assert!(is_suppressed(&sandbox, full));
    assert_eq!(application.told().len(), 1, "{:?}", application.told());
    let log = sandbox.run(&["log"], b"").stdout;
    assert!(log.contains("strike noted: ") && log.contains("1 of 2") && !log.contains("failed"), "{log}");
    assert_eq!(log.matches("the address is suppressed already").count(), 2, "{log}");
    assert_eq!(sandbox.run(&["suppress", "remove", full], b"").code, 0);
    round("4Qb");
    assert!(is_suppressed(&sandbox, full));
    assert_eq!(application.told().len(), 2, "{:?}", application.told());
}
