//! Many failures of the mail log at the same time: each is acted on once, whatever is killed, deleted or restored from a backup, and
//! whatever an application or a policy does.
//!
//! Not here: which addresses are suppressed, and when (`log_failures`).

use crate::harness::application::{Application, Told};
use crate::harness::guest::Guest;
use crate::harness::mail_log::{self, ago};
use crate::harness::policies::policy;
use crate::harness::{HOUR_MS, Sandbox, start, wait_for};
use crate::statistics::{OTHER, SENT, UNKNOWN_USER, append, delivery, tick};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

const FULL: &str = "dsn=5.2.2, status=bounced (host mx[192.0.2.9] said: 552 5.2.2 Mailbox full (in reply to RCPT TO command))";

/// Deliveries of these numbers fail: the even ones for good, the odd ones because mailboxes are full.
fn fail(sandbox: &Sandbox, numbers: Range<u32>) {
    let one = |n: u32| {
        let (who, end) = if n.is_multiple_of(2) { ("gone", UNKNOWN_USER) } else { ("full", FULL) };
        ago(30, &delivery(540, n, &format!("{who}{n}@dest.example"), OTHER, 1.0, end))
    };
    append(sandbox, &numbers.map(one).collect::<String>());
}

fn suppressed(sandbox: &Sandbox) -> usize {
    sandbox.run(&["suppress", "list", "--json"], b"").stdout.lines().count()
}

/// The counters of bounces, suppressions and soft bounces.
fn counted(sandbox: &Sandbox) -> [u64; 4] {
    ["bounce_hard", "suppressed", "bounce_soft", "soft_bounce"].map(|name| sandbox.counter(name))
}

/// The ids of notifications.
fn ids(told: &[Told]) -> BTreeSet<String> {
    let id = |one: &Told| {
        let body: Value = serde_json::from_str(&one.body).unwrap();
        body["id"].as_str().unwrap().to_owned()
    };
    told.iter().map(id).collect()
}

/// Copies the files of a database, which nobody uses now.
fn copy(sandbox: &Sandbox, name: &str, from: &str, to: &str) {
    let (from, to) = (sandbox.path(from), sandbox.path(to));
    fs::create_dir_all(&to).unwrap();
    remove(&to, name);
    for file in files(&from, name) {
        fs::copy(from.join(&file), to.join(&file)).unwrap();
    }
}

fn remove(directory: &Path, name: &str) {
    files(directory, name).iter().for_each(|file| fs::remove_file(directory.join(file)).unwrap());
}

fn files(directory: &Path, name: &str) -> Vec<String> {
    let names = crate::harness::names(directory).into_iter();
    names.filter(|file| file.starts_with(name)).collect()
}

#[test]
fn a_tick_that_is_killed_at_any_time_acts_on_each_failure_once() {
    let application = Application::at(0);
    let sandbox = mail_log::sandbox(Some(&application), "threshold = 5");
    let mut written = 0;
    for wait in [20, 60, 100, 140, 180, 220, 260, 300, 400, 500] {
        fail(&sandbox, written..written + 60);
        written += 60;
        let mut child = start(sandbox.command(&["cron"]), b"");
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    tick(&sandbox, &[]);
    tick(&sandbox, &[]);
    let half = u64::from(written) / 2;
    assert_eq!(counted(&sandbox), [half; 4]);
    assert_eq!(suppressed(&sandbox) as u64, half);
    // A notification that was killed between the answer and its record is repeated under the same id.
    let told = application.told();
    let ids = ids(&told);
    let addresses: BTreeSet<&str> = told.iter().map(|one| one.path.as_str()).collect();
    assert_eq!((ids.len() as u64, addresses.len() as u64), (half, half));
}

#[test]
fn an_index_that_is_deleted_or_restored_from_a_backup_repeats_nothing() {
    let application = Application::at(0);
    let sandbox = mail_log::sandbox(Some(&application), "threshold = 5");
    let is = |failures: u64| {
        tick(&sandbox, &[]);
        assert_eq!(counted(&sandbox), [failures / 2; 4]);
        assert_eq!(application.told().len() as u64, failures / 2);
    };
    fail(&sandbox, 0..20);
    is(20);
    copy(&sandbox, "index.db", "state", "backup");
    fail(&sandbox, 20..40);
    is(40);
    remove(&sandbox.path("state"), "index.db");
    is(40);
    copy(&sandbox, "index.db", "backup", "state");
    fail(&sandbox, 40..60);
    is(60);
    is(60);
}

#[test]
fn a_store_that_is_restored_from_a_backup_learns_again_what_it_has_lost() {
    let application = Application::at(0);
    let sandbox = mail_log::sandbox(Some(&application), "threshold = 5");
    fail(&sandbox, 0..20);
    tick(&sandbox, &[]);
    copy(&sandbox, "carom.db", "state", "backup");
    fail(&sandbox, 20..40);
    tick(&sandbox, &[]);
    assert_eq!(suppressed(&sandbox), 20);
    copy(&sandbox, "carom.db", "backup", "state");
    assert_eq!(suppressed(&sandbox), 10);
    tick(&sandbox, &[]);
    tick(&sandbox, &[]);
    assert_eq!(suppressed(&sandbox), 20);
    assert_eq!(counted(&sandbox), [20; 4]);
    // Applications recognize by its id what they know already.
    let told = application.told();
    assert_eq!((told.len(), ids(&told).len()), (30, 20));
}

#[test]
fn an_application_that_does_not_answer_holds_up_no_suppression() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let sandbox = mail_log::sandbox(None, "threshold = 5").config(&format!(
        "[[notify]]\nsender_domain = \"*\"\nurl = \"http://127.0.0.1:{port}/{{address}}\"\n"
    ));
    fail(&sandbox, 0..400);
    let mut child = start(sandbox.command(&["cron"]), b"");
    wait_for(120, "200 suppressions", || suppressed(&sandbox) == 200);
    child.kill().unwrap();
    child.wait().unwrap();
    let owed = sandbox.run(&["outbox", "--json"], b"").stdout;
    assert_eq!(owed.lines().filter(|line| line.contains("\"action\":\"notify\"")).count(), 200);
    assert_eq!(counted(&sandbox), [200; 4]);
}

#[test]
fn a_failure_that_the_policy_fails_for_is_tried_again_at_later_ticks_for_some_days() {
    let sandbox = mail_log::sandbox(None, "")
        .config("[index]\npolicy = \"mine\"\n[policies]\nmail_user = \"nobody\"\n");
    // A failure of the log has no message.
    const FAILS: &str =
        "(if (i64.eqz (call $size)) (then (unreachable))) (drop (call $accept)) (call $count_it)";
    let install = |name: &str, decide: &str| {
        let file = sandbox.path(&format!("{name}.wasm"));
        Guest::new(decide).counting(name).write(&file);
        policy(&sandbox, &["install", "mine", &file.display().to_string()]);
    };
    install("fails", FAILS);
    fail(&sandbox, 0..1);
    (0..3).for_each(|_| tick(&sandbox, &[]));
    install("works", "(drop (call $accept)) (call $count_it)");
    tick(&sandbox, &[]);
    tick(&sandbox, &[]);
    assert_eq!(sandbox.counter("works"), 1);
    install("fails", FAILS);
    fail(&sandbox, 1..2);
    for n in 100..130 {
        append(&sandbox, &ago(20, &delivery(540, n, "else@dest.example", OTHER, 1.0, SENT)));
        tick(&sandbox, &[]);
        sandbox.advance(6 * HOUR_MS);
    }
    install("works", "(drop (call $accept)) (call $count_it)");
    tick(&sandbox, &[]);
    assert_eq!(sandbox.counter("works"), 1, "it was given up");
}
