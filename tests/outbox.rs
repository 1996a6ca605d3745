//! What is owed and what is parked: shown with its reason, tried again, given up.

use crate::bounces::{STRANGER, bounce, dsn, hard, sandbox, signed_path};
use crate::harness::application::Application;
use crate::harness::mail_log::{self, ago};
use crate::harness::memory::peak;
use crate::harness::{HOUR_MS, MINUTE_MS, Sandbox, free_port};
use crate::statistics::{OTHER, UNKNOWN_USER, append, delivery};
use serde_json::Value;
use std::fs;

fn owed(sandbox: &Sandbox) -> Vec<Value> {
    let ran = sandbox.run(&["outbox", "--json"], b"");
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn tick(sandbox: &Sandbox) {
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
}

#[test]
fn what_the_application_refuses_is_parked_until_an_operator_says_so() {
    let application = Application::at(0);
    application.answer(422);
    let sandbox = sandbox(application.port, "");
    for address in ["a@there.example", "b@there.example", "c@there.example"] {
        hard(&sandbox, address);
    }
    sandbox.advance(2 * MINUTE_MS);
    tick(&sandbox);
    assert_eq!(application.told().len(), 3, "it is not tried again by itself");
    let parked = owed(&sandbox);
    assert!(parked.len() == 3 && parked.iter().all(|one| one["state"] == "parked"), "{parked:?}");
    let shown = sandbox.run(&["outbox"], b"").stdout;
    assert!(
        shown.contains("parked") && shown.contains("answered 422") && shown.contains("a@there.example"),
        "{shown}"
    );
    let found = sandbox.run(&["find", "a@there.example"], b"").stdout;
    assert!(found.contains("bounce.hard") && found.contains("carom outbox retry"), "{found}");
    // One is tried again and taken, under the same id as before.
    let id = |address: &str| {
        parked.iter().find(|one| one["address"] == address).unwrap()["id"].as_str().unwrap().to_owned()
    };
    application.answer(200);
    let ran = sandbox.run(&["outbox", "retry", &id("a@there.example")], b"");
    assert!(ran.code == 0 && ran.stdout.starts_with("1 due now"), "{ran:?}");
    tick(&sandbox);
    let told = application.told();
    assert_eq!(told.len(), 4);
    let first = told.iter().find(|one| one.path.contains("a%40there")).unwrap();
    assert_eq!(told[3].header("webhook-id"), first.header("webhook-id"));
    let found = sandbox.run(&["find", "a@there.example"], b"").stdout;
    assert!(found.contains("bounce.hard succeeded (2 tries)"), "{found}");
    // Each state and each action can be asked for alone.
    let ids = |arguments: &[&str]| {
        let ran = sandbox.run(&[&["outbox", "--json"], arguments].concat(), b"");
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout.lines().count()
    };
    let (parked_now, pending_now) = (ids(&["--status", "parked"]), ids(&["--status", "pending"]));
    assert_eq!((parked_now, pending_now, ids(&["--action", "notify"])), (2, 0, 2));
    let none = sandbox.run(&["outbox", "--action", "bounce"], b"").stdout;
    assert_eq!(none, "no step is like that: carom outbox shows all\n");
    let odd = sandbox.run(&["outbox", "--status", "odd"], b"");
    assert!(odd.code == 1 && odd.stderr.contains("[possible values: pending, parked, paused]"), "{odd:?}");
    // One is dropped, by the first characters of its key.
    let ran = sandbox.run(&["outbox", "drop", &id("b@there.example")[..12]], b"");
    assert!(ran.code == 0 && ran.stdout.starts_with("1 dropped"), "{ran:?}");
    assert_eq!(sandbox.counter("outbox_dropped"), 1);
    assert!(sandbox.run(&["outbox", "retry", "--all"], b"").stdout.starts_with("1 due now"));
    tick(&sandbox);
    assert!(owed(&sandbox).is_empty() && application.told().len() == 5);
    // All that is pending for an address.
    hard(&sandbox, "d@there.example");
    assert!(owed(&sandbox).is_empty(), "it was taken");
    application.answer(503);
    for address in ["e@there.example", "f@there.example"] {
        hard(&sandbox, address);
    }
    let dropped = sandbox.run(&["outbox", "drop", "E@there.example"], b"");
    assert!(dropped.stdout.starts_with("1 dropped"), "{dropped:?}");
    assert_eq!(owed(&sandbox).iter().map(|one| &one["address"]).collect::<Vec<_>>(), ["f@there.example"]);
    let nothing = sandbox.run(&["outbox", "drop", "nothing"], b"");
    assert!(nothing.code == 1 && nothing.stderr.contains("no pending step has this id"), "{nothing:?}");
    assert_ne!(sandbox.run(&["outbox", "retry"], b"").code, 0, "an id, or --all");
}

#[test]
fn waits_grow_are_spread_and_end_after_days_in_parking() {
    let sandbox = sandbox(free_port(), "");
    for address in ["a@there.example", "b@there.example"] {
        hard(&sandbox, address);
    }
    let (mut waits, mut passed) = (Vec::new(), 0);
    for _ in 0..100 {
        let pending: Vec<Value> =
            owed(&sandbox).into_iter().filter(|one| one["state"] == "pending").collect();
        let Some(first) = pending.first() else { break };
        let now_ms = sandbox.now_ms();
        let due_ms = pending.iter().map(|one| one["due_ms"].as_i64().unwrap()).max().unwrap();
        let wait = (due_ms - now_ms).max(0);
        if pending.len() == 2 {
            assert_ne!(first["due_ms"], pending[1]["due_ms"], "what failed together is not tried together");
            waits.push(wait);
        }
        passed += wait;
        sandbox.advance(wait + 1);
        tick(&sandbox);
    }
    let hour = 3_600_000;
    assert!(waits[0] <= 60_000 && waits[1] <= 120_000, "{waits:?}");
    assert!(
        waits.iter().any(|wait| *wait > 3 * hour) && waits.iter().all(|wait| *wait <= 6 * hour),
        "{waits:?}"
    );
    assert!(passed > 4 * 24 * hour && passed <= 5 * 24 * hour, "{passed}");
    let parked = owed(&sandbox);
    assert!(parked.len() == 2 && parked.iter().all(|one| one["state"] == "parked"), "{parked:?}");
    assert!(parked[0]["note"].as_str().unwrap().ends_with("; tried for 5 days"), "{parked:?}");
    let found = sandbox.run(&["find", "a@there.example"], b"").stdout;
    assert!(found.contains("parked") && !found.contains("given up"), "{found}");
    assert_eq!(sandbox.counter("notify_given_up"), 2);
}

/// Whatever has happened to the file of the store.
#[test]
fn a_damaged_promise_is_named_with_the_fix_and_holds_up_no_other() {
    let application = Application::at(0);
    application.answer(503);
    let sandbox = sandbox(application.port, "");
    for address in ["a@there.example", "b@there.example", "c@there.example"] {
        hard(&sandbox, address);
    }
    let pending = || -> Vec<serde_json::Value> {
        let ran = sandbox.run(&["outbox", "--json"], b"");
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(pending().len(), 3);
    let key = pending()[0]["key"].as_str().unwrap().to_owned();
    let store = rusqlite::Connection::open(sandbox.path("state/carom.db")).unwrap();
    store.execute("UPDATE journal SET plan = substr(plan, 20) WHERE key = ?1", [&key]).unwrap();
    drop(store);
    let shown = pending();
    let damaged: Vec<_> = shown.iter().filter(|step| step["damaged"] == true).collect();
    assert!(shown.len() == 3 && damaged.len() == 1 && damaged[0]["key"] == key.as_str(), "{shown:?}");
    assert!(damaged[0]["note"].as_str().unwrap().contains("carom outbox drop"), "{damaged:?}");
    assert_eq!(sandbox.run(&["outbox", "retry", "--all"], b"").code, 0);
    application.answer(200);
    let ran = sandbox.run(&["cron"], b"");
    let fix = format!("carom outbox drop {key}");
    assert!(ran.code == 1 && ran.stderr.contains(&fix), "{ran:?}");
    assert_eq!(sandbox.counter("notified"), 2);
    assert_eq!(sandbox.run(&["find", "a@there.example"], b"").code, 0);
    let words: Vec<&str> = fix.split(' ').skip(1).collect();
    sandbox.advance(HOUR_MS);
    assert_eq!(sandbox.run(&words, b"").code, 0);
    assert_eq!((pending().len(), sandbox.run(&["cron"], b"").code), (0, 0));
}

#[test]
fn a_step_that_the_tick_does_has_a_line_in_the_log_with_how_it_ended() {
    let application = Application::at(0);
    application.answer(503);
    let sandbox = sandbox(application.port, "");
    let address = "a@there.example";
    hard(&sandbox, address);
    let lines = || -> Vec<serde_json::Value> {
        let log = sandbox.run(&["log", "--json"], b"").stdout;
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let first = lines();
    assert_eq!(first.len(), 1, "{first:?}");
    application.answer(200);
    sandbox.advance(HOUR_MS);
    sandbox.run(&["cron"], b"");
    let all = lines();
    let [message, step] = &all[..] else { panic!("{all:?}") };
    let result = &step["results"][0];
    assert_eq!((&step["event"], &step["id"]), (&"outbox".into(), &message["id"]), "{all:?}");
    assert_eq!((&result["action"], &result["result"]), (&"notify".into(), &"succeeded".into()), "{all:?}");
    assert_eq!(step["recipient"], message["recipient"]);
    let read = sandbox.run(&["log"], b"").stdout;
    assert!(read.lines().last().unwrap().contains("outbox  notify succeeded"), "{read}");
}

#[test]
fn what_waits_for_one_application_is_dropped_and_nothing_else() {
    let application = Application::at(0);
    application.answer(422);
    let (sandbox, port) = (sandbox(application.port, ""), application.port);
    let config = fs::read_to_string(sandbox.path("carom.toml")).unwrap();
    let dead = format!(
        "[[notify]]\nsender_domain = \"dead.example\"\nurl = \"http://tracker.example:{port}/d/{{address}}\"\n"
    );
    fs::write(sandbox.path("carom.toml"), format!("{config}\n{dead}")).unwrap();
    hard(&sandbox, "a@there.example");
    let from_dead = String::from_utf8(dsn("b@there.example", "5.1.1", "550 5.1.1 User unknown")).unwrap();
    let from_dead = from_dead.replace("shop.example", "dead.example");
    bounce(&sandbox, &signed_path(&sandbox, "b@there.example"), STRANGER, from_dead.as_bytes());
    let of_domains = |owed: &[Value]| -> Vec<String> {
        let mut names: Vec<String> =
            owed.iter().map(|one| one["sender_domain"].as_str().unwrap_or_default().to_owned()).collect();
        names.sort();
        names
    };
    let before = owed(&sandbox);
    assert_eq!(of_domains(&before), ["dead.example", "shop.example"], "{before:?}");
    let ran = sandbox.run(&["outbox", "drop", "--application", "Dead.Example"], b"");
    assert!(ran.code == 0 && ran.stdout.starts_with("1 dropped"), "{ran:?}");
    assert_eq!(of_domains(&owed(&sandbox)), ["shop.example"]);
    let ran = sandbox.run(&["outbox", "drop", "--application", "*"], b"");
    assert!(ran.stdout.starts_with("1 dropped"), "what `*` takes of all others: {ran:?}");
    let ran = sandbox.run(&["outbox", "retry", "--application", "typo.example"], b"");
    assert!(
        ran.code == 1 && ran.stderr.contains("typo.example") && ran.stderr.contains("*, dead.example"),
        "{ran:?}"
    );
    assert!(owed(&sandbox).is_empty());
}

/// A command that takes a few milliseconds is seldom seen at its peak: the most of many runs.
const LOOKS: usize = 20;

/// What a command has in memory at its peak, in MiB, and what it says.
fn remembered(sandbox: &Sandbox, arguments: &[&str]) -> (i64, String) {
    let nothing = sandbox.path("nothing");
    fs::write(&nothing, "").unwrap();
    let (ran, peak) = peak(sandbox.command(arguments), &nothing);
    assert_eq!(ran.code, 0, "{ran:?}");
    (peak, ran.stdout)
}

#[test]
fn very_many_steps_take_no_more_memory_than_one() {
    const MANY: u32 = 4000;
    let port = free_port();
    let sandbox = mail_log::sandbox(None, "").config(&format!(
        "[[notify]]\nsender_domain = \"*\"\nurl = \"http://127.0.0.1:{port}/{{address}}\"\n"
    ));
    let domain = format!("{0}.{0}.{0}.dest.example", "x".repeat(60));
    let address = |number: u32| format!("{number}-{}@{domain}", "x".repeat(50));
    let bounced = |number| ago(50, &delivery(540, number, &address(number), OTHER, 1.0, UNKNOWN_USER));
    append(&sandbox, &bounced(0));
    tick(&sandbox);
    let commands = [&["outbox"][..], &["outbox", "--json"]];
    let few =
        commands.map(|command| (0..LOOKS).map(|_| remembered(&sandbox, command).0).max().unwrap_or_default());
    append(&sandbox, &(1..MANY).map(bounced).collect::<String>());
    for _ in 0..10 {
        sandbox.run(&["cron"], b"");
        if owed(&sandbox).len() == MANY as usize {
            break;
        }
    }
    for (command, few) in commands.into_iter().zip(few) {
        let (peak, said) = remembered(&sandbox, command);
        assert_eq!(said.lines().count(), MANY as usize, "{command:?}");
        assert!(peak <= few + 6, "{command:?}: {peak} MiB, {few} MiB with one step");
    }
    // An operator drops them all, in more than one transaction.
    assert!(sandbox.run(&["outbox", "retry", &address(7)], b"").stdout.starts_with("1 due now"));
    let waiting = || sandbox.run(&["outbox", "drop", "--application", "*"], b"");
    assert_eq!(waiting().stdout, format!("{MANY} dropped\n"));
    assert_eq!(sandbox.run(&["outbox"], b"").stdout, "nothing is pending\n");
}
