//! Hosts whose clocks differ: what is said later holds on all of them, a threshold is reached once, and people are told of a clock
//! that is wrong.

use crate::bounces::{STRANGER, bounce, dsn, hard, is_suppressed, sandbox, signed_path};
use crate::harness::application::{Application, Told};
use crate::harness::redis::{Redis, ticks};
use crate::harness::{DAY_MS, MINUTE_MS, Sandbox};
use crate::shared::list;

const GONE: &str = "gone@there.example";
const FULL: &str = "552 5.2.2 mailbox full";

/// Three hosts, of which the second has a clock that is so far ahead.
fn three(redis: &Redis, port: u16, ahead_ms: i64) -> [Sandbox; 3] {
    let settings = "threshold = 3";
    let hosts =
        [(); 3].map(|()| sandbox(port, settings).config(&format!("[shared]\nurl = \"{}\"\n", redis.url())));
    hosts[1].advance(ahead_ms);
    hosts
}

fn run(host: &Sandbox, arguments: &[&str]) -> String {
    let ran = host.run(arguments, b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}

fn add(host: &Sandbox, address: &str, more: &[&str]) {
    run(host, &[&["suppress", "add", address], more].concat());
}

/// Exchanges; all hosts have the same list.
#[track_caller]
fn agree(hosts: &[Sandbox; 3]) -> String {
    let [one, two, three] = hosts;
    ticks(&[one, two, three]);
    let lists = [list(one), list(two), list(three)];
    assert!(lists[0] == lists[1] && lists[1] == lists[2], "{lists:#?}");
    lists[0].clone()
}

fn pass(hosts: &[Sandbox; 3], ms: i64) {
    hosts.iter().for_each(|host| host.advance(ms));
}

#[test]
fn an_operator_who_has_heard_of_an_entry_replaces_it_though_its_clock_was_ahead() {
    let redis = Redis::start(&[]);
    for ahead_ms in [10_000, 2 * MINUTE_MS] {
        let hosts = three(&redis, 1, ahead_ms);
        let [one, two, _] = &hosts;
        add(two, GONE, &["--days", "1"]);
        add(two, "short@there.example", &[]);
        agree(&hosts);
        add(one, GONE, &["--reason", "for good"]);
        add(one, "short@there.example", &["--days", "3"]);
        let said = agree(&hosts);
        assert!(said.contains("for good") && said.matches("expires_ms\":null").count() == 1, "{said}");
        pass(&hosts, 2 * DAY_MS);
        let said = agree(&hosts);
        assert!(said.contains("for good") && said.lines().count() == 2, "{said}");
        pass(&hosts, 2 * DAY_MS);
        let said = agree(&hosts);
        assert!(said.contains("for good") && said.lines().count() == 1, "{said}");
        redis.cli(&["FLUSHALL"]);
    }
}

#[test]
fn reports_and_imports_replace_what_a_clock_ahead_has_made() {
    let redis = Redis::start(&[]);
    let hosts = three(&redis, 1, 2 * MINUTE_MS);
    let [one, two, three] = &hosts;
    for address in [GONE, "listed@there.example"] {
        add(two, address, &["--sender-domain", "shop.example", "--days", "1"]);
    }
    agree(&hosts);
    hard(one, GONE);
    std::fs::write(
        three.path("list"),
        "address,sender_domain,reason\nlisted@there.example,shop.example,of old\n",
    )
    .unwrap();
    run(three, &["suppress", "import", &three.path("list").display().to_string()]);
    let said = agree(&hosts);
    assert!(said.contains("user-unknown") && said.contains("of old"), "{said}");
    pass(&hosts, 2 * DAY_MS);
    assert_eq!(agree(&hosts).lines().count(), 2);
}

/// The notifications about an address.
fn told_of(application: &Application, address: &str) -> Vec<Told> {
    application.told().into_iter().filter(|told| told.body.contains(address)).collect()
}

fn soft(host: &Sandbox, address: &str) {
    bounce(host, &signed_path(host, address), STRANGER, &dsn(address, "5.2.2", FULL));
}

#[test]
fn a_threshold_that_hosts_reach_is_told_once_though_a_clock_is_ahead() {
    let (redis, application) = (Redis::start(&[]), Application::at(0));
    let hosts = three(&redis, application.port, 30_000);
    let [one, two, _] = &hosts;
    let addresses: Vec<String> = (0..6).map(|number| format!("full{number}@there.example")).collect();
    for address in &addresses {
        soft(two, address);
        soft(one, address);
    }
    agree(&hosts);
    addresses.iter().for_each(|address| soft(one, address));
    agree(&hosts);
    agree(&hosts);
    for address in &addresses {
        assert!(hosts.iter().all(|host| is_suppressed(host, address)));
        assert_eq!(told_of(&application, address).len(), 1, "{address}");
    }
    assert_eq!(redis.number("consume-mail:0:int_soft_bounce_threshold"), 6);
}

#[test]
fn hosts_that_reach_a_threshold_before_they_exchange_tell_it_under_one_id() {
    let (redis, application) = (Redis::start(&[]), Application::at(0));
    let hosts = three(&redis, application.port, 0);
    let [one, two, _] = &hosts;
    soft(one, GONE);
    soft(two, GONE);
    agree(&hosts);
    soft(one, GONE);
    soft(two, GONE);
    agree(&hosts);
    agree(&hosts);
    let told = told_of(&application, GONE);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].header("webhook-id"), told[1].header("webhook-id"));
    for (name, sum) in [("soft_bounce_threshold", 1), ("soft_bounce", 3), ("suppressed", 1)] {
        assert_eq!(redis.number(&format!("consume-mail:0:int_{name}")), sum, "{name}");
        assert_eq!(hosts.iter().map(|host| host.counter(name)).sum::<u64>(), sum, "{name}");
    }
    // What comes of it later has its own notification.
    run(one, &["suppress", "undo", "--since", "1h"]);
    agree(&hosts);
    (0..3).for_each(|_| soft(one, GONE));
    agree(&hosts);
    let of_bounces = |told: &&Told| !told.body.contains("bounce.undone");
    let told = told_of(&application, GONE);
    let ids: Vec<&str> = told.iter().filter(of_bounces).map(|told| told.header("webhook-id")).collect();
    assert!(ids.len() == 3 && ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[test]
fn what_a_clock_ahead_has_added_is_undone_too() {
    let redis = Redis::start(&[]);
    let hosts = three(&redis, 1, 30 * MINUTE_MS);
    hard(&hosts[1], GONE);
    agree(&hosts);
    let said = run(&hosts[0], &["suppress", "undo", "--since", "1h"]);
    assert!(said.contains("1 released"), "{said}");
    assert_eq!(agree(&hosts), "");
}

#[test]
fn a_clock_that_is_days_ahead_is_told_and_its_entries_get_the_right_time() {
    let redis = Redis::start(&[]);
    let hosts = three(&redis, 1, 2 * DAY_MS);
    let [one, ahead, _] = &hosts;
    ticks(&[one, ahead]);
    add(ahead, GONE, &["--days", "3"]);
    ticks(&[one, ahead]);
    assert!(!is_suppressed(one, GONE));
    let check = ahead.run(&["check"], b"").stdout;
    let wrong = check.lines().find(|line| line.contains("s ahead of that of the shared store"));
    assert!(wrong.is_some_and(|line| line.contains("other hosts do not take over")), "{check}");
    assert!(run(ahead, &["shared", "status"]).contains("clock          the clock of this host is "));
    let check = one.run(&["check"], b"").stdout;
    assert!(check.contains("changes of another host are not taken over"), "{check}");
    ahead.advance(-2 * DAY_MS);
    let said = agree(&hosts);
    let entry: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
    let now_ms = one.now_ms();
    let is_near =
        |value: &serde_json::Value, at_ms: i64| (value.as_i64().unwrap() - at_ms).abs() < 10 * MINUTE_MS;
    assert!(
        is_near(&entry["added_ms"], now_ms) && is_near(&entry["expires_ms"], now_ms + 3 * DAY_MS),
        "{said}"
    );
    let check = ahead.run(&["check"], b"").stdout;
    assert!(!check.contains("that of the shared store"), "{check}");
}
