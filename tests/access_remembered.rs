//! `carom access` that is asked so much that it remembers the addresses on the list: what other processes add and remove
//! is in force all the same, at once.

use crate::access::{rcpt, suppress};
use crate::harness::listener::Listener;
use crate::harness::{Sandbox, wait_for};
use std::fs;
use std::path::Path;

/// Look-ups after which the list is read.
const ENOUGH: usize = 10_000;
/// New addresses that are noted at most.
const NOTED: usize = 10_000;

/// The log of the sandbox's carom.
fn log(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("state/log/carom.log")).unwrap_or_default()
}

/// Asked until it remembers the list for the `times`th time.
fn remember(sandbox: &Sandbox, access: &Listener, times: usize) {
    let some = rcpt("a@any.example", "nobody@rcpt.example").repeat(100);
    for _ in 0..ENOUGH / 100 {
        access.all(some.as_bytes());
    }
    wait_for(90, "the list to be remembered", || {
        log(sandbox).matches("list are remembered").count() == times
    });
}

/// Whether it refuses a recipient.
fn refuses(access: &Listener, from: &str, to: &str) -> bool {
    let answer = access.all(rcpt(from, to).as_bytes());
    assert!(answer == "action=DUNNO\n\n" || answer.starts_with("action=550 "), "{answer}");
    answer != "action=DUNNO\n\n"
}

/// A list of addresses, one a line.
fn list_of(path: &Path, many: usize) -> String {
    let lines: String = (0..many).map(|number| format!("user{number}@long.example\n")).collect();
    fs::write(path, lines).unwrap();
    path.display().to_string()
}

#[test]
fn what_another_process_adds_or_removes_is_seen_by_the_next_request() {
    let sandbox = Sandbox::new();
    suppress(&sandbox, &["add", "ann@rcpt.example"]);
    suppress(&sandbox, &["add", "@gone.example", "shop+*@rcpt.example", "--days", "9"]);
    suppress(&sandbox, &["add", "bea@rcpt.example", "--sender-domain", "shop.example"]);
    let access = Listener::start(&sandbox, "access");
    remember(&sandbox, &access, 1);
    let any = "a@any.example";
    for _ in 0..2 {
        assert!(refuses(&access, any, "ann@rcpt.example") && !refuses(&access, any, "joe@rcpt.example"));
        assert!(refuses(&access, any, "x@gone.example") && refuses(&access, any, "shop+1@rcpt.example"));
        assert!(refuses(&access, "a@shop.example", "bea@rcpt.example"));
        assert!(!refuses(&access, any, "bea@rcpt.example"));
        suppress(&sandbox, &["add", "joe@rcpt.example", "\"john doe\"@bücher.example"]);
        assert!(refuses(&access, any, "joe@rcpt.example"));
        assert!(refuses(&access, any, "john doe@xn--bcher-kva.example"));
        // For another sender domain, too: the address is noted already.
        suppress(&sandbox, &["add", "bea@rcpt.example", "--sender-domain", "news.example"]);
        assert!(refuses(&access, "a@news.example", "bea@rcpt.example"));
        suppress(&sandbox, &["remove", "bea@rcpt.example", "--sender-domain", "news.example"]);
        assert!(!refuses(&access, "a@news.example", "bea@rcpt.example"));
        assert!(refuses(&access, "a@shop.example", "bea@rcpt.example"));
        suppress(&sandbox, &["remove", "joe@rcpt.example", "\"john doe\"@bücher.example"]);
    }
    assert_eq!(log(&sandbox).matches("list are remembered").count(), 1);
    assert_eq!(access.stop(), 0);
    assert_eq!(sandbox.counter("access_failed"), 0);
}

#[test]
fn more_new_addresses_than_are_noted_are_all_refused() {
    let sandbox = Sandbox::new();
    suppress(&sandbox, &["add", "ann@rcpt.example"]);
    let access = Listener::start(&sandbox, "access");
    remember(&sandbox, &access, 1);
    let many = 2 * NOTED + 1;
    suppress(&sandbox, &["import", &list_of(&sandbox.path("list"), many)]);
    let all: Vec<String> =
        (0..many).map(|number| rcpt("a@any.example", &format!("user{number}@long.example"))).collect();
    let refused =
        all.chunks(100).map(|some| access.all(some.concat().as_bytes()).matches("action=550 ").count());
    assert_eq!(refused.sum::<usize>(), many);
    assert!(refuses(&access, "a@any.example", "ann@rcpt.example"));
    access.stop();
    assert_eq!(sandbox.counter("access_failed"), 0);
}

#[test]
fn another_store_in_its_place_is_looked_up() {
    let sandbox = Sandbox::new();
    suppress(&sandbox, &["add", "ann@rcpt.example"]);
    let other = Sandbox::new();
    suppress(&other, &["add", "joe@rcpt.example"]);
    let access = Listener::start(&sandbox, "access");
    remember(&sandbox, &access, 1);
    for file in ["carom.db-shm", "carom.db-wal", "carom.db"] {
        let name = format!("state/{file}");
        fs::rename(other.path(&name), sandbox.path(&name)).unwrap();
    }
    wait_for(20, "the other store", || refuses(&access, "a@any.example", "joe@rcpt.example"));
    assert!(!refuses(&access, "a@any.example", "ann@rcpt.example"));
    access.stop();
}

#[test]
fn an_address_that_is_erased_is_not_among_what_is_noted() {
    let sandbox = Sandbox::new();
    let access = Listener::start(&sandbox, "access");
    suppress(&sandbox, &["add", "ann@rcpt.example"]);
    remember(&sandbox, &access, 1);
    suppress(&sandbox, &["add", "joe.unique@rcpt.example"]);
    let there = || {
        let files = fs::read_dir(sandbox.path("state")).unwrap().flatten();
        let has = |path: &Path| {
            let bytes = fs::read(path).unwrap_or_default();
            bytes.windows(10).any(|some| some == b"joe.unique")
        };
        files.filter(|file| has(&file.path())).count()
    };
    assert!(there() > 0);
    access.stop();
    let ran = sandbox.run(&["erase", "joe.unique@rcpt.example"], b"");
    assert_eq!((ran.code, there()), (0, 0), "{ran:?}");
}
