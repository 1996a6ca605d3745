//! `carom pipe` as a mail server sees it: exit codes, the one line, and what survives.

use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{CAROM, SENDER, SILENT, Sandbox, finish, plain, queued, start, wait_for};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn an_accepted_message_leaves_no_word_and_is_counted() {
    let sandbox = Sandbox::new();
    sandbox.pipe("x@accept.sink.example", &plain("x@accept.sink.example")).silent();
    assert_eq!((sandbox.counter("accept"), sandbox.counter("total_messages")), (1, 1));
}

#[test]
fn the_null_sender_is_written_in_three_ways() {
    let sandbox = Sandbox::new();
    for sender in ["", "<>", "MAILER-DAEMON"] {
        let ran = sandbox.run(
            &["pipe", "--sender", sender, "--recipient", "x@oob.sink.example", "--dry-run", "--json"],
            &plain("x@oob.sink.example"),
        );
        let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(plan["envelope"]["sender"], "", "{ran:?}");
    }
}

#[test]
fn whatever_is_wrong_with_the_call_is_try_again_later() {
    let sandbox = Sandbox::new();
    let message = vec![b'x'; 1 << 20];
    sandbox.run(&["pipe"], &message).says(75, "4.3.0 ");
    sandbox.run(&["pipe", "--no-such-flag", "--recipient", "x"], &message).says(75, "4.3.0 ");
    sandbox.run(&["pipe", "--recipient", "x", "--policy", "nothing"], &message).says(75, "4.3.0 ");
    sandbox.run(&["pipe", "--recipient", "x", "--seed", "many"], &message).says(75, "4.3.0 ");
    std::fs::write(sandbox.path("carom.toml"), "[relay]\nthreds = 3\n").unwrap();
    let ran = sandbox.run(&["pipe", "--recipient", "x"], &message);
    ran.says(75, "4.3.0 ");
    assert!(ran.stdout.contains("line 2") && ran.stdout.contains("threds"), "{ran:?}");
}

#[test]
fn all_of_the_input_is_read_even_when_it_is_not_looked_at() {
    let sandbox = Sandbox::new();
    let script =
        format!("head -c 3000000 /dev/zero | {CAROM} pipe --wrong >/dev/null; echo ${{PIPESTATUS[0]}}");
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "0", "head was not cut off");
    drop(sandbox);
}

#[test]
fn a_dry_run_does_nothing_and_a_seed_repeats_it() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let message = plain("x@oob.sink.example");
    let dry = |seed: &str, recipient: &str| {
        let arguments = queued(recipient, "4Adry");
        sandbox.run(&[&arguments[..], &["--dry-run", "--seed", seed]].concat(), &message).stdout
    };
    let plan: serde_json::Value = serde_json::from_str(&dry("7", "x@oob.sink.example")).unwrap();
    assert_eq!(plan["steps"][1]["action"], "bounce", "{plan}");
    assert_eq!(plan["steps"][1]["route"]["hosts"][0], "mx1.sender.example");
    assert_eq!(plan["seed"], 7);
    assert_eq!(dry("7", "x@mix.sink.example"), dry("7", "x@mix.sink.example"));
    assert_eq!(peer.mails().len(), 0);
    assert_eq!(sandbox.counter("total_messages"), 0);
}

#[test]
fn rejections_carry_their_enhanced_code_and_its_exit_code() {
    let sandbox = Sandbox::new();
    let to = |recipient: &str| sandbox.pipe(recipient, &plain(recipient));
    to("x@reject.sink.example").says(67, "5.1.1 user unknown");
    to("x+5.2.2@reject.sink.example").says(69, "5.2.2 mailbox full");
    to("x+5.7.1@reject.sink.example").says(77, "5.7.1 ");
    to("x+5.6.0@reject.sink.example").says(65, "5.6.0 ");
    to("x@defer.sink.example").says(75, "4.3.0 ");
    to("x+4.2.2@sink.example").says(75, "4.2.2 mailbox full");
    assert_eq!((sandbox.counter("rejected"), sandbox.counter("deferred")), (4, 2));
}

#[test]
fn b9_a_silent_name_server_costs_no_more_than_the_deadline() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = silent.local_addr().unwrap();
    let sandbox = Sandbox::new()
        .config(&format!("[dns]\nservers = [\"{server}\"]\ntimeout = 30\n[message]\ndeadline = 2"));
    let began = Instant::now();
    sandbox.pipe("x@accept.sink.example", &plain("x@accept.sink.example")).says(75, "4.");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn b8_a_dead_store_is_try_again_later() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("state/carom.db")).unwrap();
    sandbox.pipe("x@oob.sink.example", &plain("x@oob.sink.example")).says(75, "4.3.0 ");
    // A message without side effects is on record in the log.
    sandbox.pipe("x@accept.sink.example", &plain("x@accept.sink.example")).silent();
    let checked = sandbox.run(&["check"], b"").stdout;
    assert!(checked.contains("carom.db"), "the fault is found: {checked}");
    std::fs::remove_dir(sandbox.path("state/carom.db")).unwrap();
    assert_eq!((sandbox.counter("accept"), sandbox.counter("total_messages")), (1, 1));
}

#[test]
fn a_full_disk_is_try_again_later() {
    let sandbox = Sandbox::new();
    sandbox.pipe("x@accept.sink.example", &plain("x@accept.sink.example")).silent();
    let config = sandbox.path("carom.toml");
    let script = format!(
        "trap '' XFSZ; ulimit -f 0; exec {CAROM} --config {} pipe --sender {SENDER} --recipient x@accept.sink.example --client-address 192.0.2.1",
        config.display()
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(start(command, &plain("x@accept.sink.example")), Duration::from_secs(30)).says(75, "4.3.0 ");
    assert_eq!(sandbox.counter("accept"), 1);
}

#[test]
fn b7_kill_9_in_the_middle_then_redelivery_does_the_work_once() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let message = plain("x@oob.sink.example");
    let arguments =
        ["pipe", "--sender", SENDER, "--recipient", "x@oob.sink.example", "--client-address", "192.0.2.1"];
    let mut child = start(sandbox.command(&arguments), &message);
    wait_for(20, "the connection", || peer.connections.load(std::sync::atomic::Ordering::SeqCst) > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(sandbox.counter("oob_sent"), 0);
    peer.behave(ACCEPT);
    sandbox.run(&arguments, &message).silent();
    assert_eq!(peer.mails().len(), 1);
    assert_eq!((sandbox.counter("total_messages"), sandbox.counter("oob_sent")), (1, 1));
    sandbox.run(&["cron"], b"").silent();
    assert_eq!(peer.mails().len(), 1);
}

#[test]
fn a_redelivery_with_its_queue_id_repeats_nothing() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    for recipient in ["x@oob.sink.example", "x@accept.sink.example"] {
        let message = plain(recipient);
        for _ in 0..2 {
            sandbox.run(&queued(recipient, "4ABC"), &message).silent();
        }
    }
    assert_eq!(peer.mails().len(), 1);
    assert_eq!((sandbox.counter("total_messages"), sandbox.counter("accept")), (2, 1));
}

#[test]
fn the_same_bytes_without_a_queue_id_are_two_messages() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let message = plain("x@oob.sink.example");
    sandbox.pipe("x@oob.sink.example", &message).silent();
    sandbox.pipe("x@oob.sink.example", &message).silent();
    assert_eq!((peer.mails().len(), sandbox.counter("oob_sent")), (2, 2));
}

#[test]
fn sixty_four_processes_at_once_lose_no_count() {
    let sandbox = Sandbox::new();
    let message = plain("x@accept.sink.example");
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                for _ in 0..5 {
                    sandbox.pipe("x@accept.sink.example", &message).silent();
                }
            });
        }
    });
    assert_eq!((sandbox.counter("accept"), sandbox.counter("total_messages")), (320, 320));
}

#[test]
fn a_policy_that_fails_is_named_with_its_hash_and_the_message_deferred_or_taken() {
    let misfit = std::fs::canonicalize("policies/dist/misfit.wasm").unwrap();
    let causes = [
        ("trap", "as asked for"),
        ("loop", "ms"),
        ("hog", "bytes of memory"),
        ("recurse", "memory access"),
        ("steps", "steps"),
        ("refuse", "as asked"),
        ("nonsense", "makes no sense"),
    ];
    for (mode, cause) in causes {
        let table = |on_trap: &str| {
            format!(
                "[limits]\ntime = 1000\nmemory = 8388608\n[policy.misfit]\npath = \"{}\"\n{on_trap}[policy.misfit.settings]\nmode = \"{mode}\"",
                misfit.display()
            )
        };
        let sandbox = Sandbox::new().config(&table(""));
        let began = Instant::now();
        let ran =
            sandbox.run(&["pipe", "--recipient", "x@y.example", "--policy", "misfit"], &plain("x@y.example"));
        ran.says(75, "4.3.0 policy misfit (");
        assert!(ran.stdout.contains(cause), "{mode}: {ran:?}");
        assert!(began.elapsed() < Duration::from_secs(30), "{mode}");
        let counted = sandbox.counters();
        assert!(counted.keys().any(|name| name.starts_with("policy_")), "{mode}: {counted:?}");
        sandbox.pipe("x@accept.sink.example", &plain("x@accept.sink.example")).silent();
        let lenient = Sandbox::new().config(&table("on-trap = \"accept\"\n"));
        lenient
            .run(&["pipe", "--recipient", "x@y.example", "--policy", "misfit"], &plain("x@y.example"))
            .silent();
    }
    for mode in ["flood", "string", "none"] {
        let sandbox = Sandbox::new().config(&format!(
            "[policy.misfit]\npath = \"{}\"\n[policy.misfit.settings]\nmode = \"{mode}\"",
            misfit.display()
        ));
        let ran =
            sandbox.run(&["pipe", "--recipient", "x@y.example", "--policy", "misfit"], &plain("x@y.example"));
        assert!(matches!(ran.code, 0 | 75), "{mode}: {ran:?}");
        let log: u64 = crate::harness::names(&sandbox.path("state/log"))
            .iter()
            .map(|name| std::fs::metadata(sandbox.path("state/log").join(name)).unwrap().len())
            .sum();
        assert!(log < 200_000, "{mode} logged {log} bytes");
    }
}

/// An operator looks at the counters as root before the first message has come: what that makes is the mail user's.
#[test]
fn what_root_makes_belongs_to_whom_the_state_belongs() {
    let sandbox = Sandbox::new();
    let state = sandbox.path("state");
    std::fs::create_dir_all(&state).unwrap();
    if std::os::unix::fs::chown(&state, Some(65534), Some(65534)).is_err() {
        eprintln!("skipped: only root can give files away");
        return;
    }
    sandbox.pipe("x@accept.sink.example", &plain("x@accept.sink.example")).silent();
    assert_eq!(sandbox.counter("accept"), 1);
    let owner =
        |name: &str| std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(state.join(name)).unwrap());
    for name in ["carom.db", "carom.db-wal", "log", "log/messages.log"] {
        assert_eq!(owner(name), 65534, "{name}");
    }
}
