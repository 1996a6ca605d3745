//! Sums over hosts: a report that reaches two hosts before they exchange counts once in all that it leads to, and what is not a
//! host's count is named and holds up no other sum.

use crate::bounces::{STRANGER, bounce, dsn, hard, signed_path};
use crate::complaints::{NAMED, complain, complaint};
use crate::harness::Sandbox;
use crate::harness::redis::{Redis, ticks};
use crate::shared::host;

const GONE: &str = "gone@there.example";
const FULL: &str = "full@there.example";
const IS_FULL: &str = "552 5.2.2 mailbox full";

fn two(redis: &Redis, settings: &str) -> [Sandbox; 2] {
    [(); 2].map(|()| host(redis, settings))
}

/// The sums are those of the hosts, and these.
#[track_caller]
fn are(redis: &Redis, [one, two]: &[Sandbox; 2], sums: &[(&str, u64)]) {
    for (name, sum) in sums {
        let of_hosts = one.counter(name) + two.counter(name);
        let shared = redis.number(&format!("consume-mail:0:int_{name}"));
        assert_eq!((of_hosts, shared), (*sum, *sum), "{name}: {:?} {:?}", one.counters(), two.counters());
    }
}

#[test]
fn one_report_that_reaches_two_hosts_counts_once_in_what_it_leads_to() {
    let redis = Redis::start(&[]);
    let hosts = two(&redis, "threshold = 2");
    let [one, other] = &hosts;
    ticks(&[one, other]);
    // Neither is the first report of its host.
    hard(one, "before@there.example");
    hard(other, "earlier@there.example");
    let (gone, full) = (signed_path(one, GONE), signed_path(one, FULL));
    let (dead, first) = (dsn(GONE, "5.1.1", "550 5.1.1 user unknown"), dsn(FULL, "5.2.2", IS_FULL));
    // Before either host has heard of it, and after.
    for round in 0..2 {
        for host in [one, other] {
            bounce(host, &gone, STRANGER, &dead);
            bounce(host, &full, STRANGER, &first);
        }
        ticks(&[one, other]);
        ticks(&[one, other]);
        let sums = [("bounce_hard", 3), ("suppressed", 3), ("bounce_soft", 1), ("soft_bounce", 1)];
        are(&redis, &hosts, &sums);
        let before = 2 * round + 1;
        are(&redis, &hosts, &[("suppressed_before", before), ("soft_bounce_known", before)]);
    }
    // One that reaches the threshold on both.
    let second = dsn(FULL, "5.2.2", IS_FULL);
    for host in [one, other] {
        bounce(host, &full, STRANGER, &second);
    }
    ticks(&[one, other]);
    ticks(&[one, other]);
    let sums =
        [("soft_bounce", 1), ("soft_bounce_threshold", 1), ("soft_bounce_known", 4), ("suppressed", 4)];
    are(&redis, &hosts, &sums);
    redis.cli(&["FLUSHALL"]);
    ticks(&[one, other]);
    ticks(&[one, other]);
    are(&redis, &hosts, &sums);
}

#[test]
fn a_complaint_that_reaches_two_hosts_takes_no_bounce_back() {
    let redis = Redis::start(&[]);
    let hosts = two(&redis, "trust = \"off\"");
    let [one, other] = &hosts;
    ticks(&[one, other]);
    hard(one, GONE);
    hard(other, "another@there.example");
    let report = complaint("abuse", NAMED, "To: anna@there.example\r\nMessage-ID: <m1@shop.example>\r\n");
    complain(one, &report);
    complain(other, &report);
    ticks(&[one, other]);
    ticks(&[one, other]);
    are(&redis, &hosts, &[("bounce_hard", 2), ("suppressed", 3), ("suppressed_before", 1)]);
}

/// Runs the first command of a fix.
fn fix(redis: &Redis, said: &str) {
    let start = said.find("redis-cli ").unwrap() + "redis-cli ".len();
    let command: String = said[start..].chars().take_while(|c| !matches!(c, ';' | '\n')).collect();
    let words: Vec<&str> = command.split(' ').map(|word| word.trim_matches('\'')).collect();
    assert_eq!(redis.cli(&words), "1", "{command}");
}

#[test]
fn what_no_host_has_counted_is_named_with_its_fix_and_the_other_sums_go_on() {
    let redis = Redis::start(&[]);
    let hosts = two(&redis, "");
    let [one, other] = &hosts;
    hard(one, GONE);
    ticks(&[one, other]);
    let total = |name: &str| {
        redis.cli(&["--scan", "--pattern", &format!("carom:{{0:c*}}:total:c{name}")]).trim().to_owned()
    };
    let key = total("bounce_hard");
    for (field, value) in [("deadbeef", "many"), ("somebody", "5"), ("deadbeef", "1e9"), ("a b'c", "1")] {
        redis.cli(&["HSET", &key, field, value]);
        hard(one, &format!("{}@there.example", fastrand::u64(..)));
        let ran = one.run(&["cron"], b"");
        let is_named = ran.stderr.contains(&format!("of {key} is not the count of a host"));
        assert!(ran.code == 1 && is_named, "{field} {value}: {ran:?}");
        // All others are shipped.
        assert_eq!(redis.number("consume-mail:0:int_suppressed"), one.counter("suppressed"), "{field}");
        fix(&redis, &ran.stderr);
        ticks(&[one, other]);
        are(&redis, &hosts, &[("bounce_hard", one.counter("bounce_hard"))]);
    }
    // Another kind of value.
    redis.cli(&["DEL", &key]);
    redis.cli(&["SET", &key, "5"]);
    hard(one, FULL);
    let ran = one.run(&["cron"], b"");
    assert!(ran.code == 1 && ran.stderr.contains(&format!("what {key} has is not carom's")), "{ran:?}");
    assert_eq!(redis.number("consume-mail:0:int_suppressed"), one.counter("suppressed"));
    fix(&redis, &ran.stderr);
    ticks(&[one, other]);
    are(&redis, &hosts, &[("bounce_hard", one.counter("bounce_hard"))]);
}
