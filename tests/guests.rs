//! Policies that mean harm, or break: each ends within its limit, is named with its hash and the cause in log, status line and
//! counter, and leaves the next message alone. Each misbehaves for large messages only, in a relay that keeps its process.

use crate::harness::guest::Guest;
use crate::harness::{SENDER, Sandbox};
use std::fs;
use std::time::{Duration, Instant};

/// Misbehaves as `harm` says when the message is large, else accepts and counts `fine`.
fn harmful(harm: &str) -> Guest {
    Guest::new(&format!(
        "(if (i64.gt_u (call $size) (i64.const 3000)) (then {harm}) (else (drop (call $accept)) (call $count_it)))"
    ))
    .counting("fine")
}

struct Seen {
    log: String,
    sandbox: Sandbox,
}

/// A relay of one process and one thread meets the large message first, then small ones.
#[track_caller]
fn relay(guest: &Guest, on_trap: &str) -> Seen {
    let sandbox =
        Sandbox::new().config("[relay]\nthreads = 1\nsettle = 0\n[policy.guest]\npath = \"GUEST\"\n");
    let file = guest.write(&sandbox.path("guest.wasm"));
    let config = fs::read_to_string(sandbox.path("carom.toml")).unwrap();
    let named = format!("{}\"\non_trap = \"{on_trap}", file.display());
    fs::write(sandbox.path("carom.toml"), config.replace("GUEST", &named)).unwrap();
    let inbox = sandbox.path("inbox");
    fs::create_dir_all(&inbox).unwrap();
    for (name, size) in [("a.msg", 5000), ("b.msg", 10), ("c.msg", 20)] {
        let body = "x".repeat(70) + "\r\n";
        let text = format!(
            "x-sender: {SENDER}\r\nx-receiver: b@sink.example\r\nSubject: {name}\r\n\r\n{}",
            body.repeat(size / 70 + 1)
        );
        fs::write(inbox.join(name), text).unwrap();
    }
    let began = Instant::now();
    let ran = sandbox.run(&["relay", &inbox.display().to_string(), "--policy", "guest", "--json"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(sandbox.counter("fine"), 2, "the messages after it are as they should be: {ran:?}");
    let log = fs::read_dir(sandbox.path("state/log")).unwrap().flatten();
    let log = log.filter(|entry| entry.file_name().to_string_lossy().starts_with("carom-"));
    let log = log.map(|entry| fs::read_to_string(entry.path()).unwrap()).collect();
    Seen { log, sandbox }
}

/// It ends as `counter` and `cause` say, with `defer` and with `accept`.
#[track_caller]
fn fails(guest: &Guest, counter: &str, cause: &str) {
    let seen = relay(guest, "defer");
    assert_eq!(seen.sandbox.counter(counter), 1, "{}", seen.log);
    let hash =
        seen.log.split("policy guest (").nth(1).and_then(|rest| rest.split(')').next()).unwrap_or_default();
    assert!(hash.len() == 12 && seen.log.contains(cause), "{}", seen.log);
    assert_eq!(seen.sandbox.counter("total_messages"), 2, "the first is deferred");
    assert_eq!(seen.sandbox.counter("deferred"), 1, "a failure of the policy is a deferral too");
    let seen = relay(guest, "accept");
    assert_eq!(seen.sandbox.counter(counter), 1);
    assert_eq!(seen.sandbox.counter("total_messages"), 3, "the first is taken, and nothing is done");
}

#[test]
fn an_endless_loop() {
    fails(&harmful("(loop (br 0))"), "policy_too_slow", "used more than 250 ms");
}

#[test]
fn memory_that_grows_and_grows() {
    fails(
        &harmful("(loop (drop (memory.grow (i32.const 16))) (br 0))"),
        "policy_too_big",
        "wanted more than 67108864 bytes of memory ([limits] memory)",
    );
}

#[test]
fn deep_recursion() {
    let guest = harmful("(call $deeper (i64.const 1)) drop")
        .data("(func $deeper (param i64) (result i64) (i64.add (call $deeper (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))");
    let said = "call stack exhausted: it recursed deeper than the stack limit of 524288 bytes, in deeper";
    fails(&guest, "policy_trapped", said);
}

#[test]
fn a_string_of_a_gigabyte() {
    let log = |guest: Guest| guest.import("host", "log", "$log", "(param i32 i32 i32)");
    let guest = log(harmful("(call $log (i32.const 1) (i32.const 0) (i32.const 1073741824))"));
    fails(&guest, "policy_trapped", "policy guest (");
}

#[test]
fn a_string_of_all_the_memory_there_is() {
    let guest = harmful("(drop (memory.grow (i32.const 900))) (call $log (i32.const 1) (i32.const 8192) (i32.const 58000000)) (drop (call $accept))")
        .import("host", "log", "$log", "(param i32 i32 i32)");
    let seen = relay(&guest, "defer");
    assert_eq!(seen.sandbox.counter("total_messages"), 3);
    assert!(seen.log.len() < 10_000, "{} bytes of log", seen.log.len());
}

/// Logs 20,000 lines of this many bytes, and then accepts.
fn flood(bytes: u32) -> Guest {
    harmful(&format!(
        "(loop $again (call $log (i32.const 1) (i32.const 0) (i32.const {bytes})) \
         (global.set $n (i32.add (global.get $n) (i32.const 1))) \
         (br_if $again (i32.lt_u (global.get $n) (i32.const 20000)))) (drop (call $accept))"
    ))
    .import("host", "log", "$log", "(param i32 i32 i32)")
    .data("(global $n (mut i32) (i32.const 0))")
}

#[test]
fn a_flood_of_log_lines() {
    let seen = relay(&flood(1000), "defer");
    assert_eq!(seen.sandbox.counter("total_messages"), 3, "it goes on, unheard");
    assert!(seen.log.len() < 40_000 && seen.log.contains("logs too much"), "{} bytes of log", seen.log.len());
}

#[test]
fn a_flood_of_short_log_lines_takes_no_more_of_the_log_than_the_limit() {
    let seen = relay(&flood(1), "defer");
    let messages = seen.sandbox.counter("total_messages") as usize;
    assert!(seen.log.contains("logs too much"), "{}", seen.log);
    assert!(seen.log.len() < messages * (17 << 10), "{} bytes of log", seen.log.len());
}

#[test]
fn ten_thousand_steps() {
    fails(&harmful("(loop (call $count_it) (br 0))"), "policy_too_many_steps", "made more than 256 steps");
}

#[test]
fn a_trap() {
    fails(&harmful("(unreachable)"), "policy_trapped", "unreachable");
    let named = harmful("(call $fill)").data("(func $fill (unreachable))");
    fails(&named, "policy_trapped", "in fill, called by ");
}

#[test]
fn an_exception_that_a_runtime_prints_is_the_cause_with_its_line() {
    // As Python's runtime ends: the traceback on standard error, and a trap.
    let traceback = "Traceback (most recent call last):\\n  File \\22/home/me/policy.py\\22, line 12, in decide\\n    \
                     actions.acept()\\nAttributeError: no attribute 'acept'\\n";
    let length = traceback.replace("\\n", "n").replace("\\22", "q").len();
    let print =
        format!("(drop (call $print (call $stdout) (i32.const 600) (i32.const {length}))) (unreachable)");
    let guest = harmful(&print).wasi().data(&format!("(data (i32.const 600) \"{traceback}\")"));
    let said = "AttributeError: no attribute 'acept' (policy.py, line 12, in decide)";
    fails(&guest, "policy_trapped", said);
}

#[test]
fn a_panic_is_named_with_its_message_and_its_place() {
    let misfit = fs::canonicalize("policies/dist/misfit.wasm").unwrap().display().to_string();
    let sandbox = Sandbox::new()
        .config(&format!("[policy.misfit]\npath = \"{misfit}\"\n[policy.misfit.settings]\nmode = \"trap\""));
    let is_said = |text: &str| {
        let place = text.split("panicked at ").nth(1).unwrap_or_default();
        assert!(place.contains("misfit/src/lib.rs:") && place.contains("as asked for"), "{text}");
    };
    let piped = sandbox
        .run(&["pipe", "--recipient", "x@y.example", "--policy", "misfit"], b"Subject: x\r\n\r\nx\r\n");
    assert_eq!(piped.code, 75);
    is_said(&piped.stdout);
    let message = sandbox.path("x.eml");
    fs::write(&message, "Subject: x\r\n\r\nx\r\n").unwrap();
    is_said(&sandbox.run(&["policy", "run", "misfit", message.to_str().unwrap()], b"").stdout);
    is_said(&sandbox.run(&["policy", "check", "misfit"], b"").stdout);
    is_said(&sandbox.run(&["check"], b"").stdout);
    let logs = fs::read_dir(sandbox.path("state/log")).unwrap().flatten();
    let log = logs.filter(|entry| entry.file_name().to_string_lossy().starts_with("carom-"));
    is_said(&log.map(|entry| fs::read_to_string(entry.path()).unwrap()).collect::<String>());
}

#[test]
fn reading_what_it_may_not() {
    fails(
        &harmful("(drop (i32.load (i32.const 1073741824)))"),
        "policy_trapped",
        "out of bounds memory access",
    );
    let wild = harmful(
        "(drop (call $count (i32.const 2147483000) (i32.const 64) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))",
    );
    fails(&wild, "policy_trapped", "policy guest (");
}

#[test]
fn a_step_that_hangs_on_a_later_one() {
    let guest = harmful(
        "(drop (call $count (i32.const 512) (i32.const 4) (i32.const 1) (i32.const 9) (i32.const 0) (i32.const 0)))",
    );
    fails(&guest, "policy_bad_step", "depends on step 9");
}

#[test]
fn tables_without_end() {
    let guest = harmful("(loop (drop (table.grow $t (ref.null func) (i32.const 10000))) (br 0))")
        .data("(table $t 1 funcref)");
    fails(&guest, "policy_trapped", "wanted a table of more than 100000 elements");
}

/// WASI is there and empty: what is printed goes to the log, chance comes from the seed, and leaving by `exit` is a failure.
#[test]
fn wasi_is_an_empty_world() {
    let print = "(drop (call $print (call $stdout) (i32.const 600) (i32.const 16))) (drop (call $random)) (drop (call $accept))";
    let data = "(data (i32.const 600) \"printed by wasi\\n\")";
    let seen = relay(&harmful(print).wasi().data(data), "defer");
    assert_eq!(seen.sandbox.counter("total_messages"), 3, "{}", seen.log);
    assert!(seen.log.contains("printed by wasi"), "{}", seen.log);
    fails(&harmful("(call $exit (i32.const 0))").wasi(), "policy_trapped", "called exit");
    let file = seen.sandbox.path("guest.wasm").display().to_string();
    let ran = seen.sandbox.run(&["policy", "check", &file], b"");
    assert!(ran.code == 0 && ran.stdout.contains("files, network and environment are empty"), "{ran:?}");
}

/// Its decision leaves something in memory, and it is asked about the return path after that.
#[test]
fn what_a_decision_has_left_behind_makes_no_answer_fail() {
    let parameters = format!("(param{}) (result i32)", " i32".repeat(12));
    let reply = "(i32.const 550) (i32.const 64) (i32.const 5) (i32.const 80) (i32.const 2)";
    let nothing = "(i32.const 0) (i32.const 0) (i32.const 0)";
    let bounce = format!("(drop (call $bounce {reply} {nothing} {nothing} (i32.const 0)))");
    for (after, told) in [
        (
            "(if (i32.load8_u (i32.const 300)) (then unreachable)) (i32.const 1024)",
            "fails, and is asked anew",
        ),
        (
            "(if (i32.eqz (i32.load8_u (i32.const 300))) (then unreachable)) (i32.const 1024)",
            "is asked again",
        ),
    ] {
        let decide = format!("(drop (call $accept)) (i32.store8 (i32.const 300) (i32.const 1)) {bounce}");
        let guest = Guest::new(&decide)
            .import("actions", "bounce", "$bounce", &parameters)
            .text(64, "5.1.1")
            .text(80, "no")
            .answers(after);
        let sandbox = Sandbox::new();
        let file = guest.write(&sandbox.path("guest.wasm"));
        let sandbox = sandbox.config(&format!("[policy.guest]\npath = {file:?}\n"));
        let arguments = ["pipe", "--policy", "guest", "--sender", SENDER, "--recipient", "x@sink.example"];
        let ran = sandbox.run(&arguments, b"Subject: a\r\n\r\nb\r\n");
        assert_eq!(ran.code, 0, "{told}: {ran:?}");
    }
}
