//! What one host has undone, removed or erased, on the others: the same failure suppresses again and is notified if it was undone,
//! and not if an operator has removed it; and a claim of an erased address names nobody.

use crate::bounces::{STRANGER, bounce, dsn, is_suppressed, sandbox, signed_path};
use crate::harness::application::Application;
use crate::harness::listener::Listener;
use crate::harness::redis::{Redis, tick, ticks};
use crate::harness::{DAY_MS, Sandbox, wait_for};
use crate::shared::list;

const GONE: &str = "gone@there.example";
const LEFT: &str = "\"left\"@there.example";
const NO_USER: &str = "550 5.1.1 user unknown";

/// Three hosts that notify one application.
fn three(redis: &Redis, application: &Application) -> [Sandbox; 3] {
    [(); 3].map(|()| sandbox(application.port, "").config(&format!("[shared]\nurl = \"{}\"\n", redis.url())))
}

fn run(host: &Sandbox, arguments: &[&str]) -> String {
    let ran = host.run(arguments, b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}

/// The events that the application has heard of an address.
fn heard(application: &Application, address: &str) -> Vec<String> {
    let told = application.told().into_iter().filter(|told| told.body.contains(address));
    let event = |body: &str| serde_json::from_str::<serde_json::Value>(body).unwrap()["event"].clone();
    told.map(|told| event(&told.body).as_str().unwrap().to_owned()).collect()
}

#[test]
fn after_an_undo_on_another_host_the_same_failure_suppresses_again_and_is_told() {
    let (redis, application) = (Redis::start(&[]), Application::at(0));
    let hosts = three(&redis, &application);
    let [one, two, three] = &hosts;
    let all = [one, two, three];
    ticks(&all);
    let (path, report) = (signed_path(one, GONE), dsn(GONE, "5.1.1", NO_USER));
    bounce(one, &path, STRANGER, &report);
    ticks(&all);
    assert!(hosts.iter().all(|host| is_suppressed(host, GONE)));
    run(three, &["suppress", "undo", "--since", "1h"]);
    ticks(&all);
    assert!(hosts.iter().all(|host| !is_suppressed(host, GONE)));
    bounce(three, &path, STRANGER, &report);
    assert!(is_suppressed(three, GONE));
    assert_eq!(three.counter("bounce_hard"), 1, "{:?}", three.counters());
    ticks(&all);
    assert!(hosts.iter().all(|host| is_suppressed(host, GONE)));
    // Everywhere, it is known again.
    bounce(two, &path, STRANGER, &report);
    assert_eq!(two.counter("bounce_hard"), 0, "{:?}", two.counters());
    assert_eq!(hosts.iter().map(|host| host.counter("bounce_hard")).sum::<u64>(), 2);
    let told = heard(&application, "there.example");
    assert_eq!(told.iter().filter(|event| *event == "bounce.hard").count(), 2, "{told:?}");
    assert_eq!(run(one, &["shared", "diff", "--json"]), run(three, &["shared", "diff", "--json"]));
}

#[test]
fn what_an_operator_has_removed_on_one_host_the_same_failure_suppresses_on_none() {
    let (redis, application) = (Redis::start(&[]), Application::at(0));
    let hosts = three(&redis, &application);
    let [one, two, three] = &hosts;
    let all = [one, two, three];
    ticks(&all);
    let (path, report) = (signed_path(one, LEFT), dsn(LEFT, "5.1.1", NO_USER));
    bounce(one, &path, STRANGER, &report);
    ticks(&all);
    assert!(hosts.iter().all(|host| is_suppressed(host, "left@there.example")));
    run(three, &["suppress", "remove", "left@there.example"]);
    ticks(&all);
    for host in all {
        bounce(host, &path, STRANGER, &report);
    }
    ticks(&all);
    assert!(hosts.iter().all(|host| !is_suppressed(host, "left@there.example")));
    assert_eq!(hosts.iter().map(|host| host.counter("bounce_hard")).sum::<u64>(), 1);
    assert_eq!(heard(&application, "there.example"), ["bounce.hard"]);
    assert_eq!(run(one, &["shared", "diff", "--json"]), run(three, &["shared", "diff", "--json"]));
    bounce(two, &path, STRANGER, &dsn(LEFT, "5.1.1", NO_USER));
    ticks(&all);
    assert!(hosts.iter().all(|host| is_suppressed(host, "left@there.example")), "another failure");
}

#[test]
fn an_erased_address_keeps_its_counts_and_no_claim_names_it() {
    let (redis, application) = (Redis::start(&[]), Application::at(0));
    let hosts = three(&redis, &application);
    let [one, two, three] = &hosts;
    let all = [one, two, three];
    let (path, report) = (signed_path(one, GONE), dsn(GONE, "5.1.1", NO_USER));
    bounce(one, &path, STRANGER, &report);
    ticks(&all);
    run(three, &["erase", GONE]);
    ticks(&all);
    assert!(hosts.iter().all(|host| !is_suppressed(host, GONE)));
    bounce(two, &path, STRANGER, &report);
    ticks(&all);
    let sum = |name: &str| hosts.iter().map(|host| host.counter(name)).sum::<u64>();
    assert_eq!((sum("bounce_hard"), sum("bounce_again")), (1, 1));
    assert_eq!(one.counter("bounce_hard"), 1, "the report that was first still is");
    assert_eq!(run(one, &["shared", "diff"]), run(two, &["shared", "diff"]));
}

#[test]
fn everything_is_put_back_also_where_a_log_was_lost_before() {
    let redis = Redis::start(&[]);
    let host = sandbox(1, "").config(&format!("[shared]\nurl = \"{}\"\n", redis.url()));
    run(&host, &["suppress", "add", GONE]);
    ticks(&[&host]);
    let log = redis.cli(&["KEYS", "carom:*:log"]);
    redis.cli(&["DEL", &log]);
    ticks(&[&host]);
    redis.cli(&["FLUSHALL"]);
    ticks(&[&host]);
    let diff = run(&host, &["shared", "diff"]);
    assert!(diff.contains("       0 only here"), "{diff}");
    assert!(!redis.cli(&["KEYS", "carom:*:b:*"]).is_empty());
}

#[test]
fn what_was_never_in_the_shared_store_waits() {
    let redis = Redis::start(&["--requirepass", "right"]);
    let host = sandbox(1, "");
    let password = host.path("password");
    std::fs::write(&password, "wrong\n").unwrap();
    let host = host.config(&format!(
        "[shared]\nurl = \"{}\"\npassword = \"file:{}\"\n",
        redis.url(),
        password.display()
    ));
    run(&host, &["suppress", "add", GONE]);
    host.run(&["cron"], b"");
    let metrics = run(&host, &["export", "prometheus"]);
    assert!(metrics.contains("carom_shared_waiting 1\n"), "{metrics}");
    let ran = host.run(&["shared", "status"], b"");
    assert!(ran.stdout.contains("\nwaiting        1 fact to be shipped"), "{ran:?}");
    let server = ran.stdout.lines().find(|line| line.starts_with("server ")).unwrap();
    assert!(ran.code == 1 && server.contains("password") && !server.contains("answer"), "{ran:?}");
}

#[test]
fn the_log_forgets_changes_of_weeks_ago_and_hosts_go_on() {
    let redis = Redis::start(&[]);
    let [one, two] =
        [(); 2].map(|()| sandbox(1, "").config(&format!("[shared]\nurl = \"{}\"\n", redis.url())));
    let many: String = (0..300).map(|number| format!("user{number}@there.example\n")).collect();
    std::fs::write(one.path("list"), many).unwrap();
    run(&one, &["suppress", "import", &one.path("list").display().to_string()]);
    ticks(&[&one, &two]);
    let changes = || -> usize {
        let logs = redis.cli(&["KEYS", "carom:*:log"]);
        logs.lines().map(|log| redis.cli(&["XLEN", log]).parse::<usize>().unwrap()).sum()
    };
    let before = changes();
    for host in [&one, &two] {
        host.advance(8 * DAY_MS);
    }
    run(&one, &["suppress", "remove", "user7@there.example"]);
    (0..25).for_each(|_| tick(&one));
    assert!(changes() < before - 30, "{before} {}", changes());
    ticks(&[&one, &two]);
    assert_eq!(list(&one), list(&two));
    assert_eq!(list(&two).lines().count(), 299);
    assert_eq!(run(&two, &["shared", "diff"]), run(&one, &["shared", "diff"]));
}

#[test]
fn a_log_that_was_lost_is_noticed_by_a_process_that_lives_without_a_tick() {
    let redis = Redis::start(&[]);
    let [one, two] =
        [(); 2].map(|()| sandbox(1, "").config(&format!("[shared]\nurl = \"{}\"\n", redis.url())));
    run(&one, &["suppress", "add", GONE]);
    run(&one, &["suppress", "add", "kept@there.example"]);
    ticks(&[&one, &two]);
    let _lives = Listener::start(&two, "socketmap");
    redis.cli(&["FLUSHALL"]);
    run(&one, &["suppress", "remove", GONE]);
    tick(&one);
    wait_for(30, "the other host has it released", || !is_suppressed(&two, GONE));
    assert!(is_suppressed(&two, "kept@there.example"));
    ticks(&[&one, &two]);
    assert_eq!(list(&one), list(&two));
}

#[test]
fn an_operators_entry_that_is_undone_brings_back_the_one_before_on_all_hosts() {
    let (redis, application) = (Redis::start(&[]), Application::at(0));
    let hosts = three(&redis, &application);
    let [one, two, three] = &hosts;
    let all = [one, two, three];
    let now = |days: i64| hosts.iter().for_each(|host| host.advance(days * DAY_MS));
    run(one, &["suppress", "add", GONE, "--reason", "first"]);
    ticks(&all);
    now(2);
    run(two, &["suppress", "add", GONE, "--reason", "second"]);
    ticks(&all);
    now(2);
    run(three, &["suppress", "add", GONE, "--reason", "third", "--days", "9"]);
    ticks(&all);
    for (since, left) in [("1d", "\"second\""), ("3d", "\"first\"")] {
        assert!(hosts.iter().all(|host| !list(host).contains(left)));
        run(one, &["suppress", "undo", "--since", since, "--source", "operator"]);
        ticks(&all);
        for host in &hosts {
            assert!(list(host).contains(left) && list(host).lines().count() == 1, "{left}: {}", list(host));
        }
    }
    // What an operator says with a term holds until then, and not what was said before.
    run(two, &["suppress", "add", GONE, "--reason", "fourth", "--days", "1"]);
    ticks(&all);
    now(2);
    ticks(&all);
    assert!(hosts.iter().all(|host| !is_suppressed(host, GONE)));
    let new = sandbox(1, "").config(&format!("[shared]\nurl = \"{}\"\n", redis.url()));
    new.advance(6 * DAY_MS);
    tick(&new);
    assert!(!is_suppressed(&new, GONE), "{}", list(&new));
    assert_eq!(run(one, &["shared", "diff"]), run(three, &["shared", "diff"]));
}
