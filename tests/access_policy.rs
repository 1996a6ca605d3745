//! A policy that answers in the SMTP dialogue: every answer that it can give, and what happens when it fails.

use crate::access::{asked, at, rcpt, suppress};
use crate::harness::Sandbox;
use crate::harness::guest::Guest;
use crate::harness::listener::Listener;
use crate::harness::{names, wait_for};
use std::fs;

/// An answer at 3000 in the memory of a guest: its case, and four words after it. Texts are at 600.
pub(crate) fn answer(case: u8, words: [u32; 5]) -> String {
    let bytes: String =
        words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("\\{byte:02x}")).collect();
    format!("(data (i32.const 3000) \"\\00\\00\\00\\00\\{case:02x}\\00\\00\\00{bytes}\")")
}

pub(crate) fn guest(receive: &str) -> Guest {
    Guest::new("(drop (call $accept))").version("1.1.0").receives(receive)
}

fn sandbox_with(guest: &Guest) -> Sandbox {
    let sandbox = Sandbox::new();
    let file = guest.write(&sandbox.path("guest.wasm")).display().to_string();
    let sandbox =
        sandbox.config(&format!("[access]\npolicy = \"guest\"\n[policy.guest]\npath = \"{file}\"\n"));
    suppress(&sandbox, &["add", "ann@rcpt.example"]);
    sandbox
}

#[test]
fn a_policy_can_give_every_answer_in_one_safe_line() {
    // 5.7.1 at 600, a text with line ends at 610, X-A at 640, smtp:x at 650.
    let texts = "(data (i32.const 600) \"5.7.1\") (data (i32.const 606) \"4.7.1\") \
         (data (i32.const 612) \"no\\0a\\0aaction=OK\") (data (i32.const 640) \"X-A\") (data (i32.const 650) \"smtp:x\")";
    let (no, five, four) = ((612, 13), (600, 5), (606, 5));
    for (case, words, action) in [
        (0, [0; 5], "550 5.7.1 this address is suppressed: operator"),
        (1, [0; 5], "DUNNO"),
        (2, [550, five.0, five.1, no.0, no.1], "550 5.7.1 no??action=OK"),
        (3, [450, four.0, four.1, no.0, no.1], "450 4.7.1 no??action=OK"),
        (4, [no.0, no.1, 0, 0, 0], "HOLD no??action=OK"),
        (5, [no.0, no.1, 0, 0, 0], "DISCARD no??action=OK"),
        (6, [640, 3, no.0, no.1, 0], "PREPEND X-A: no??action=OK"),
        (7, [650, 6, 0, 0, 0], "FILTER smtp:x"),
    ] {
        let sandbox = sandbox_with(&guest("(i32.const 3000)").data(texts).data(&answer(case, words)));
        assert_eq!(asked(&sandbox, &rcpt("a@any.example", "ann@rcpt.example")), [action]);
        let checked =
            sandbox.run(&["policy", "check", &sandbox.path("guest.wasm").display().to_string()], b"");
        assert_eq!(checked.code, 0, "{checked:?}");
    }
}

#[test]
fn an_author_tries_tests_and_measures_an_answer() {
    let texts = "(data (i32.const 600) \"5.7.1\") (data (i32.const 612) \"not you\")";
    let sandbox =
        sandbox_with(&guest("(i32.const 3000)").data(texts).data(&answer(2, [550, 600, 5, 612, 7])));
    let (file, request) =
        (sandbox.path("guest.wasm").display().to_string(), rcpt("a@any.example", "b@c.example"));
    let ran = sandbox.run(&["policy", "run", &file, "--request", "-"], request.as_bytes());
    assert!(ran.code == 0 && ran.stdout.contains("\nanswer\n  550 5.7.1 not you\n"), "{ran:?}");
    let ran = sandbox.run(&["policy", "run", "--json", &file, "--request", "-"], request.as_bytes());
    let seen: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(seen["answer"], "550 5.7.1 not you", "{ran:?}");
    let wrong = sandbox.run(&["policy", "run", &file, "--request", "-"], b"hello\n");
    assert!(wrong.code != 0 && wrong.stderr.contains("protocol_state=RCPT"), "{wrong:?}");
    let fixture = sandbox.path("case.toml").display().to_string();
    for (expected, code) in [("550 5.7.1 not you", 0), ("usual", 1)] {
        let text = format!("request = \"\"\"\n{request}\"\"\"\n\n[expect]\nanswer = \"{expected}\"\n");
        fs::write(&fixture, text).unwrap();
        let ran = sandbox.run(&["policy", "test", &file, &fixture], b"");
        assert_eq!(ran.code, code, "{expected}: {ran:?}");
    }
    let costs = sandbox.run(&["policy", "bench", "sink", "--runs", "1"], b"");
    assert!(costs.code == 0 && costs.stdout.contains("answer, warm"), "{costs:?}");
    let silent =
        Guest::new("(drop (call $accept))").write(&sandbox.path("silent.wasm")).display().to_string();
    let ran = sandbox.run(&["policy", "run", &silent, "--request", "-"], request.as_bytes());
    assert!(ran.code == 1 && ran.stdout.contains("does not export `reception`"), "{ran:?}");
}

#[test]
fn a_policy_that_fails_or_says_what_no_server_can_say_is_as_if_it_were_not_there() {
    let texts = "(data (i32.const 600) \"5.7.1\") (data (i32.const 612) \"a b\")";
    let two = answer(2, [250, 600, 5, 612, 3]);
    for (receive, data, says) in [
        ("unreachable", String::new(), "policy guest ("),
        ("(loop (br 0)) (i32.const 3000)", String::new(), "used more than 250 ms"),
        ("(i32.const 3000)", two, "replies 250 5.7.1, which is not a reply of class 5"),
        ("(i32.const 3000)", answer(6, [612, 3, 612, 3, 0]), "which is no header field"),
        ("(i32.const 3000)", answer(7, [612, 3, 0, 0, 0]), "which is not transport:destination"),
    ] {
        let sandbox = sandbox_with(&guest(receive).data(texts).data(&data));
        let both = rcpt("a@any.example", "ann@rcpt.example") + &rcpt("a@any.example", "bea@rcpt.example");
        let actions = asked(&sandbox, &both);
        assert_eq!(actions, ["550 5.7.1 this address is suppressed: operator", "DUNNO"], "{receive}");
        let log = fs::read_to_string(sandbox.path("state/log/carom.log")).unwrap();
        assert!(log.contains(says), "{says}: {log}");
        assert_eq!(sandbox.counter("access_failed"), 2);
    }
}

#[test]
fn a_policy_knows_the_session_and_the_envelope() {
    // DUNNO at RCPT only, for a client with a name and a size; carom's own answer elsewhere.
    let receive = "(if (result i32) (i32.and (i32.eq (call $stage) (i32.const 3)) (i32.and (call $has_name) (call $has_size)))
        (then (i32.const 3000)) (else (i32.const 3100)))";
    let helpers = "(func $has_name (result i32) (call $client_name (i32.const 3200)) (i32.load8_u (i32.const 3200)))
        (func $has_size (result i32) (call $declared (i32.const 3304)) (i64.eq (i64.load (i32.const 3312)) (i64.const 1234)))";
    let guest = guest(receive)
        .import("session", "current-stage", "$stage", "(result i32)")
        .import("session", "client-name", "$client_name", "(param i32)")
        .import("session", "declared-size", "$declared", "(param i32)")
        .data(helpers)
        .data(&answer(1, [0; 5]));
    let sandbox = sandbox_with(&guest);
    let ann = "ann@rcpt.example";
    let unnamed = rcpt("a@any.example", ann).replace("client_name=client.example", "client_name=unknown");
    let all = rcpt("a@any.example", ann) + &unnamed + &at("DATA", "a@any.example", ann);
    let actions = asked(&sandbox, &all);
    assert_eq!(actions[0], "DUNNO");
    assert!(actions[1].starts_with("550 ") && actions[2].starts_with("550 "), "{actions:?}");
}

#[test]
fn a_policy_that_asks_a_list_that_cannot_be_read_decides_nothing() {
    // HOLD, unless ann@rcpt.example (at 600) is suppressed for any.example (at 616).
    let receive =
        "(if (result i32) (call $is_suppressed (i32.const 600) (i32.const 16) (i32.const 616) (i32.const 11))
        (then (i32.const 3100)) (else (i32.const 3000)))";
    let guest = guest(receive)
        .import("host", "is-suppressed", "$is_suppressed", "(param i32 i32 i32 i32) (result i32)")
        .data("(data (i32.const 600) \"ann@rcpt.example\") (data (i32.const 616) \"any.example\")")
        .data(&answer(4, [616, 11, 0, 0, 0]));
    let sandbox = sandbox_with(&guest);
    let request = rcpt("a@any.example", "ann@rcpt.example");
    assert_eq!(asked(&sandbox, &request), ["550 5.7.1 this address is suppressed: operator"]);
    suppress(&sandbox, &["remove", "ann@rcpt.example"]);
    assert_eq!(asked(&sandbox, &request), ["HOLD any.example"]);
    let store = sandbox.path("state/carom.db");
    let good = fs::read(&store).unwrap();
    let access = Listener::start(&sandbox, "access");
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(sandbox.path(&format!("state/carom.db{ending}")));
    }
    fs::write(&store, b"this is no database, and it is longer than a header of one").unwrap();
    assert_eq!(access.all(request.as_bytes()), "action=DUNNO\n\n");
    let log = fs::read_to_string(sandbox.path("state/log/carom.log")).unwrap();
    assert!(log.contains("carom.db: "), "{log}");
    fs::remove_file(&store).unwrap();
    fs::write(&store, good).unwrap();
    assert_eq!(access.stop(), 0);
    assert!(sandbox.counter("access_failed") > 0, "{log}");
}

#[test]
fn a_release_that_is_put_in_force_is_asked_by_a_live_process() {
    let sandbox = sandbox_with(&guest("(i32.const 3000)").data(&answer(0, [0; 5])));
    let access = Listener::start(&sandbox, "access");
    let asks = || access.all(rcpt("a@any.example", "ann@rcpt.example").as_bytes());
    assert!(asks().starts_with("action=550 "), "{}", asks());
    guest("(i32.const 3000)").data(&answer(1, [0; 5])).write(&sandbox.path("guest.wasm"));
    wait_for(20, "the new policy", || asks() == "action=DUNNO\n\n");
    assert_eq!(access.stop(), 0);
    assert!(names(&sandbox.path("state")).contains(&"carom.db".to_owned()));
}

#[test]
fn a_policy_that_cannot_be_loaded_leaves_the_answers_to_carom() {
    let sandbox = Sandbox::new().config("[access]\npolicy = \"missing\"\n");
    suppress(&sandbox, &["add", "ann@rcpt.example"]);
    let both = rcpt("a@any.example", "ann@rcpt.example") + &rcpt("a@any.example", "bea@rcpt.example");
    assert_eq!(asked(&sandbox, &both), ["550 5.7.1 this address is suppressed: operator", "DUNNO"]);
    let log = fs::read_to_string(sandbox.path("state/log/carom.log")).unwrap();
    assert!(log.contains("answering without it"), "{log}");
}
