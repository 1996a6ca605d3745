//! Hosts that share a Redis: one list, soft bounces and reports counted across hosts, one set of
//! figures. Hosts are sandboxes with the same keys.

use crate::bounces::{STRANGER, bounce, dsn, dsn_of, is_suppressed, sandbox, signed_path};
use crate::harness::listener::Listener;
use crate::harness::redis::{Redis, tick, ticks};
use crate::harness::{DAY_MS, Sandbox, free_port, wait_for};
use std::fs;
use std::io::Write;

const GONE: &str = "gone@there.example";
const FULL: &str = "552 5.2.2 mailbox full";
const NO_USER: &str = "550 5.1.1 user unknown";

pub(crate) fn host(redis: &Redis, settings: &str) -> Sandbox {
    host_with(redis, settings, "")
}

fn host_with(redis: &Redis, settings: &str, more: &str) -> Sandbox {
    sandbox(free_port(), settings).config(&format!("[shared]\nurl = \"{}\"\n{more}", redis.url()))
}

fn suppress(host: &Sandbox, arguments: &[&str]) {
    let ran = host.run(&[&["suppress"], arguments].concat(), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// The list, without what only its host knows.
pub(crate) fn list(host: &Sandbox) -> String {
    let ran = host.run(&["suppress", "list", "--json"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}

#[test]
fn what_one_host_suppresses_and_releases_is_so_on_all() {
    let redis = Redis::start(&[]);
    let hosts = ["", "", ""].map(|settings| host(&redis, settings));
    let [one, two, three] = &hosts;
    // What was there before sharing is shared too.
    suppress(one, &["add", "before@there.example", "--reason", "asked us"]);
    ticks(&[one, two, three]);
    assert!(hosts.iter().all(|host| is_suppressed(host, "before@there.example")));
    bounce(two, &signed_path(two, GONE), STRANGER, &dsn(GONE, "5.1.1", NO_USER));
    suppress(three, &["add", "@wide.example", "--days", "9"]);
    ticks(&[one, two, three]);
    assert!(hosts.iter().all(|host| is_suppressed(host, GONE) && is_suppressed(host, "x@wide.example")));
    assert_eq!(list(one), list(two));
    assert_eq!(list(one), list(three));
    suppress(one, &["remove", GONE]);
    suppress(three, &["remove", "before@there.example"]);
    ticks(&[one, two, three]);
    for host in &hosts {
        assert!(!is_suppressed(host, GONE) && !is_suppressed(host, "before@there.example"));
    }
    suppress(two, &["add", GONE]);
    ticks(&[one, two, three]);
    assert!(hosts.iter().all(|host| is_suppressed(host, GONE)), "it may come again");
    let diff = one.run(&["shared", "diff", "--json"], b"");
    assert_eq!(diff.code, 0, "{diff:?}");
    let status = one.run(&["shared", "status", "--json"], b"");
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["hosts"].as_array().unwrap().len(), 3, "{status}");
    assert_eq!((&status["waiting"], &status["groups_behind"]), (&0.into(), &0.into()), "{status}");
}

#[test]
fn an_entry_that_another_replaced_comes_back_on_all_hosts() {
    let redis = Redis::start(&[]);
    let [one, two] = ["", ""].map(|settings| host(&redis, settings));
    suppress(&one, &["add", GONE, "--reason", "asked us"]);
    ticks(&[&one, &two]);
    bounce(&two, &signed_path(&two, GONE), STRANGER, &dsn(GONE, "5.1.1", NO_USER));
    ticks(&[&one, &two]);
    assert_eq!(list(&one), list(&two));
    suppress(&one, &["undo", "--since", "1h"]);
    ticks(&[&one, &two]);
    assert!(is_suppressed(&one, GONE) && is_suppressed(&two, GONE));
    assert!(list(&two).contains("asked us"), "{}", list(&two));
    assert_eq!(list(&one), list(&two));
}

#[test]
fn soft_bounces_are_counted_across_hosts_also_if_they_come_at_the_same_time() {
    let redis = Redis::start(&[]);
    let [one, two] = ["threshold = 3", "threshold = 3"].map(|settings| host(&redis, settings));
    let soft = |host: &Sandbox, address: &str| {
        bounce(host, &signed_path(host, address), STRANGER, &dsn(address, "5.2.2", FULL));
    };
    soft(&one, GONE);
    ticks(&[&one, &two]);
    soft(&two, GONE);
    ticks(&[&one, &two]);
    soft(&one, GONE);
    assert!(is_suppressed(&one, GONE), "the third one, of two hosts");
    ticks(&[&one, &two]);
    assert!(is_suppressed(&two, GONE));
    // Neither host knows that the other has counted one more.
    let full = "full@there.example";
    soft(&one, full);
    ticks(&[&one, &two]);
    soft(&one, full);
    soft(&two, full);
    assert!(!is_suppressed(&one, full) && !is_suppressed(&two, full));
    ticks(&[&one, &two]);
    ticks(&[&one, &two]);
    assert!(is_suppressed(&one, full) && is_suppressed(&two, full), "{}", list(&one));
    assert_eq!(list(&one), list(&two));
}

#[test]
fn one_report_that_reaches_two_hosts_counts_once() {
    let redis = Redis::start(&[]);
    let [one, two] = ["threshold = 2", "threshold = 2"].map(|settings| host(&redis, settings));
    ticks(&[&one, &two]);
    let path = signed_path(&one, GONE);
    let (hard, soft) = (dsn(GONE, "5.1.1", NO_USER), dsn("full@there.example", "5.2.2", FULL));
    let full = signed_path(&one, "full@there.example");
    // Before either host has heard of it, and after.
    for _ in 0..2 {
        for host in [&one, &two] {
            bounce(host, &path, STRANGER, &hard);
            bounce(host, &full, STRANGER, &soft);
        }
        ticks(&[&one, &two]);
    }
    let sum = |name: &str| one.counter(name) + two.counter(name);
    assert_eq!((sum("bounce_hard"), sum("bounce_soft")), (1, 1), "{:?} {:?}", one.counters(), two.counters());
    assert_eq!(redis.number("consume-mail:0:int_bounce_hard"), 1);
    assert_eq!(redis.number("consume-mail:0:int_bounce_soft"), 1);
    assert!(!is_suppressed(&one, "full@there.example") && !is_suppressed(&two, "full@there.example"));
    bounce(&two, &full, STRANGER, &dsn_of("another@shop.example", "full@there.example", "5.2.2", FULL));
    assert!(is_suppressed(&two, "full@there.example"), "another message is the second soft bounce");
}

#[test]
fn sums_over_hosts_are_where_bouncy_sink_had_its_counters() {
    let redis = Redis::start(&[]);
    let [one, two] = ["", ""].map(|settings| host(&redis, settings));
    for (host, many) in [(&one, 2), (&two, 3)] {
        for number in 0..many {
            let message = crate::harness::plain("x@accept.sink.example");
            host.pipe(&format!("x{number}@accept.sink.example"), &message).silent();
        }
    }
    ticks(&[&one, &two]);
    ticks(&[&one, &two]);
    // As webReporter.py reads them: all keys with the prefix, then each value.
    let keys = redis.cli(&["KEYS", "consume-mail:0:int_*"]);
    let names: Vec<&str> = keys.lines().filter_map(|key| key.strip_prefix("consume-mail:0:int_")).collect();
    assert!(names.contains(&"total_messages") && names.contains(&"accept"), "{keys}");
    for name in names {
        let sum = one.counter(name) + two.counter(name);
        assert_eq!(redis.number(&format!("consume-mail:0:int_{name}")), sum, "{name}");
    }
    assert_eq!(redis.number("consume-mail:0:int_total_messages"), 5);
    let minutes = redis.cli(&["KEYS", "consume-mail:0:ts_*"]);
    assert_eq!(minutes.lines().map(|key| redis.number(key)).sum::<u64>(), 5, "{minutes}");
    let started = redis.cli(&["GET", "consume-mail:0:startedRunning"]);
    assert!(started.ends_with("+00:00"), "{started}");
}

#[test]
fn an_empty_store_is_filled_again_and_a_new_host_gets_the_list() {
    let redis = Redis::start(&[]);
    let [one, two] = ["", ""].map(|settings| host(&redis, settings));
    let many: String = (0..3000).map(|number| format!("user{number}@there.example\n")).collect();
    std::fs::write(one.path("list"), many).unwrap();
    suppress(&one, &["import", &one.path("list").display().to_string()]);
    suppress(&two, &["add", "own@two.example"]);
    ticks(&[&one, &two]);
    suppress(&one, &["remove", "user7@there.example"]);
    ticks(&[&one, &two]);
    assert_eq!(list(&one).lines().count(), 3000);
    assert_eq!(list(&one), list(&two));
    redis.cli(&["FLUSHALL"]);
    suppress(&two, &["remove", "user8@there.example"]);
    ticks(&[&two, &one]);
    assert_eq!(list(&one).lines().count(), 2999);
    assert_eq!(list(&one), list(&two));
    let new = host(&redis, "");
    tick(&new);
    assert_eq!(list(&new), list(&one), "a new host has it after its first tick");
    assert!(redis.number("consume-mail:0:int_total_messages") == one.counter("total_messages"));
}

#[test]
fn installations_with_other_names_share_nothing() {
    let redis = Redis::start(&[]);
    let (one, other) = (host(&redis, ""), host_with(&redis, "", "name = \"other\""));
    suppress(&one, &["add", GONE]);
    ticks(&[&one, &other]);
    assert!(is_suppressed(&one, GONE) && !is_suppressed(&other, GONE));
    assert!(redis.cli(&["KEYS", "consume-mail:other:*"]).contains("startedRunning"));
}

#[test]
fn an_entry_that_expires_is_gone_on_all_hosts_and_the_one_before_it_is_back() {
    let redis = Redis::start(&[]);
    let [one, two] = ["", ""].map(|settings| host(&redis, settings));
    suppress(&one, &["add", GONE, "--days", "2"]);
    ticks(&[&one, &two]);
    assert!(is_suppressed(&two, GONE));
    for host in [&one, &two] {
        host.advance(3 * DAY_MS);
    }
    ticks(&[&one, &two]);
    assert!(!is_suppressed(&one, GONE) && !is_suppressed(&two, GONE));
    suppress(&two, &["add", GONE]);
    ticks(&[&one, &two]);
    assert!(is_suppressed(&one, GONE) && is_suppressed(&two, GONE));
}

#[test]
fn where_a_process_lives_a_suppression_is_in_force_without_a_tick() {
    let redis = Redis::start(&[]);
    let [one, two] = ["", ""].map(|settings| host(&redis, settings));
    let (_ships, asked) = (Listener::start(&one, "socketmap"), Listener::start(&two, "access"));
    let answer = || {
        let request = format!(
            "request=smtpd_access_policy\nprotocol_state=RCPT\nsender=a@shop.example\nrecipient={GONE}\n\n"
        );
        asked.all(request.as_bytes())
    };
    assert!(answer().contains("DUNNO"), "{}", answer());
    suppress(&one, &["add", GONE]);
    wait_for(30, "the other host refuses", || answer().contains("5.1.1") || !answer().contains("DUNNO"));
    suppress(&two, &["remove", GONE]);
    wait_for(30, "the first host has it released", || !is_suppressed(&one, GONE));
}

#[test]
fn a_process_shares_with_the_store_that_a_reloaded_config_names() {
    let redis = Redis::start(&[]);
    let (one, two) = (host(&redis, ""), Sandbox::new());
    let (_ships, asked) = (Listener::start(&one, "socketmap"), Listener::start(&two, "access"));
    suppress(&one, &["add", GONE]);
    let request = format!(
        "request=smtpd_access_policy\nprotocol_state=RCPT\nsender=a@shop.example\nrecipient={GONE}\n\n"
    );
    assert!(asked.all(request.as_bytes()).contains("DUNNO"));
    let mut config = fs::OpenOptions::new().append(true).open(two.path("carom.toml")).unwrap();
    writeln!(config, "[shared]\nurl = \"{}\"", redis.url()).unwrap();
    asked.signal("-HUP");
    wait_for(60, "the entry of the other host", || asked.all(request.as_bytes()).contains("action=550"));
}
