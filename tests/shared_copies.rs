//! Hosts whose state directory is a copy, or comes from a backup, and installations that share more than they should.

use crate::harness::redis::{Redis, tick, ticks};
use crate::harness::{Sandbox, plain};
use crate::shared::host;
use std::process::Command;

const TO: &str = "x@accept.sink.example";
const SUM: &str = "consume-mail:0:int_total_messages";

/// Makes the state of a host that of another.
fn copy(from: &Sandbox, to: &Sandbox) {
    let (from, to) = (from.path("state"), to.path("state"));
    let _ = std::fs::remove_dir_all(&to);
    assert!(Command::new("cp").arg("-a").args([&from, &to]).status().unwrap().success());
}

fn takes(host: &Sandbox, messages: usize) {
    (0..messages).for_each(|_| host.pipe(TO, &plain(TO)).silent());
}

#[test]
fn of_a_host_and_its_copy_one_is_refused_and_the_sums_stay() {
    let redis = Redis::start(&[]);
    let [one, copied] = ["", ""].map(|settings| host(&redis, settings));
    takes(&one, 5);
    tick(&one);
    copy(&one, &copied);
    takes(&copied, 3);
    let ran: Vec<_> = (0..4).flat_map(|_| [one.run(&["cron"], b""), copied.run(&["cron"], b"")]).collect();
    let is_refused = |code: i32, said: &str| code == 1 && said.contains("state directories is a copy");
    let last: Vec<bool> =
        ran[6..].iter().map(|ran| is_refused(ran.code, &(ran.stdout.clone() + &ran.stderr))).collect();
    assert_eq!(last.iter().filter(|refused| **refused).count(), 1, "{ran:?}");
    let sum = redis.number(SUM);
    for _ in 0..2 {
        for host in [&one, &copied] {
            host.run(&["cron"], b"");
        }
        assert_eq!(redis.number(SUM), sum);
    }
    // It gets the list with a new state directory.
    let refused = if last[0] { &one } else { &copied };
    std::fs::remove_dir_all(refused.path("state")).unwrap();
    ticks(&[refused, if last[0] { &copied } else { &one }]);
}

#[test]
fn a_host_from_a_backup_exchanges_and_counts_from_there() {
    let redis = Redis::start(&[]);
    let [one, backup] = ["", ""].map(|settings| host(&redis, settings));
    takes(&one, 2);
    tick(&one);
    copy(&one, &backup);
    takes(&one, 3);
    ticks(&[&one]);
    assert_eq!(redis.number(SUM), 5);
    copy(&backup, &one);
    for _ in 0..3 {
        tick(&one);
        assert_eq!(redis.number(SUM), 2);
    }
    takes(&one, 1);
    tick(&one);
    assert_eq!(redis.number(SUM), 3);
}

#[test]
fn two_installations_do_not_overwrite_the_sums_of_each_other() {
    let redis = Redis::start(&[]);
    let named = |name: &str| {
        let shared = format!("url = \"{}\"\nname = \"{name}\"\ncounter_prefix = \"sums:\"", redis.url());
        Sandbox::new().config(&format!("[shared]\n{shared}"))
    };
    let [one, other] = ["one", "other"].map(named);
    takes(&one, 2);
    takes(&other, 1);
    tick(&one);
    let ran = other.run(&["cron"], b"");
    let said = ran.stdout + &ran.stderr;
    assert!(ran.code == 1 && said.contains("[shared] counter_prefix") && said.contains("one"), "{said}");
    assert_eq!(redis.number("sums:int_total_messages"), 2);
}
