//! Installed policies from outside: releases, swapping under load, rolling back, refusing, compiled code and where it may run.

use crate::harness::guest::Guest;
use crate::harness::policies::{DIST, counting, pipe, policy, sandbox};
use crate::harness::{SENDER, Sandbox, finish, names, plain, start, wait_for};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn install_list_rollback_and_the_next_message_is_decided_by_what_is_in_force() {
    let sandbox = sandbox();
    let (one, two) = (counting(&sandbox, "one"), counting(&sandbox, "two"));
    policy(&sandbox, &["install", "mine", &one]);
    pipe(&sandbox, "mine", b"Subject: x\r\n\r\nx\r\n").silent();
    policy(&sandbox, &["install", "mine", &two]);
    pipe(&sandbox, "mine", b"Subject: y\r\n\r\ny\r\n").silent();
    assert_eq!((sandbox.counter("one"), sandbox.counter("two")), (1, 1));
    let said = policy(&sandbox, &["rollback", "mine"]).stdout;
    assert!(said.contains("release 1"), "{said}");
    pipe(&sandbox, "mine", b"Subject: z\r\n\r\nz\r\n").silent();
    assert_eq!((sandbox.counter("one"), sandbox.counter("two")), (2, 1));
    let list = policy(&sandbox, &["list", "mine"]).stdout;
    assert_eq!(list.lines().count(), 2);
    assert!(list.lines().next().unwrap().contains("in force"), "{list}");
    let end = sandbox.run(&["policy", "rollback", "mine"], b"");
    assert!(end.code == 1 && end.stderr.contains("nothing before"), "{end:?}");
    policy(&sandbox, &["rollback", "mine", "--to", "2"]);
    assert!(policy(&sandbox, &["list", "mine"]).stdout.lines().nth(1).unwrap().contains("in force"));
}

#[test]
fn a_shipped_policy_can_be_replaced_and_comes_back() {
    let sandbox = sandbox();
    policy(&sandbox, &["install", "sink", &counting(&sandbox, "mine")]);
    sandbox.pipe("b@accept.sink.example", &plain("b@accept.sink.example")).silent();
    assert_eq!(sandbox.counter("mine"), 1);
    assert!(policy(&sandbox, &["rollback", "sink"]).stdout.contains("shipped"));
    sandbox.pipe("b@accept.sink.example", &plain("b@accept.sink.example")).silent();
    assert_eq!((sandbox.counter("mine"), sandbox.counter("accept")), (1, 1));
}

#[test]
fn ten_releases_are_kept_and_the_one_in_force_always_is() {
    let sandbox = sandbox();
    let (one, two) = (counting(&sandbox, "one"), counting(&sandbox, "two"));
    for number in 0..13 {
        policy(&sandbox, &["install", "mine", if number % 2 == 0 { &one } else { &two }]);
    }
    let list = policy(&sandbox, &["list", "mine"]).stdout;
    assert_eq!(list.lines().count(), 10, "{list}");
    policy(&sandbox, &["rollback", "mine", "--to", "4"]);
    policy(&sandbox, &["install", "mine", &one]);
    let kept: Vec<String> = names(&sandbox.path("state/policies/mine"));
    assert!(!kept.iter().any(|name| name.starts_with(".staged")), "{kept:?}");
    let numbers: Vec<&String> = kept.iter().filter(|name| name.starts_with("00")).collect();
    assert_eq!(numbers.len(), 10, "{numbers:?}");
}

#[test]
fn swapping_fifty_times_under_eight_processes_loses_and_doubles_nothing() {
    let sandbox = sandbox();
    let (one, two) = (counting(&sandbox, "one"), counting(&sandbox, "two"));
    policy(&sandbox, &["install", "mine", &one]);
    let left = AtomicUsize::new(2000);
    let next = || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while next() {
                    pipe(&sandbox, "mine", b"Subject: x\r\n\r\nhello\r\n").silent();
                }
            });
        }
        for swap in 0..50 {
            policy(&sandbox, &["install", "mine", if swap % 2 == 0 { &two } else { &one }]);
            // The swaps are spread over the messages.
            wait_for(60, "messages", || left.load(Ordering::SeqCst) <= 2000 - (swap + 1) * 38);
        }
    });
    let counters = sandbox.counters();
    let count = |name: &str| counters.get(name).and_then(|value| value.as_u64()).unwrap_or(0);
    assert_eq!(count("one") + count("two"), 2000, "{counters:?}");
    assert_eq!(count("total_messages"), 2000);
    assert!(count("one") > 100 && count("two") > 100, "{counters:?}");
}

#[test]
fn a_following_relay_takes_up_what_is_installed() {
    let sandbox = sandbox().config("[relay]\nthreads = 2\ninterval = 20\nsettle = 0\n");
    let (one, two) = (counting(&sandbox, "one"), counting(&sandbox, "two"));
    policy(&sandbox, &["install", "mine", &one]);
    let inbox = sandbox.path("inbox");
    fs::create_dir_all(&inbox).unwrap();
    let inbox_name = inbox.display().to_string();
    let mut relay =
        start(sandbox.command(&["relay", &inbox_name, "--follow", "--policy", "mine", "--quiet"]), b"");
    let put = |name: &str| {
        let text =
            format!("x-sender: {SENDER}\r\nx-receiver: b@sink.example\r\nSubject: {name}\r\n\r\nhello\r\n");
        fs::write(inbox.join("new.tmp"), text).unwrap();
        fs::rename(inbox.join("new.tmp"), inbox.join(name)).unwrap();
    };
    put("a.msg");
    wait_for(20, "the first message", || sandbox.counter("one") == 1);
    policy(&sandbox, &["install", "mine", &two]);
    wait_for(20, "a message decided by the second policy", || {
        put("b.msg");
        std::thread::sleep(Duration::from_millis(100));
        sandbox.counter("two") > 0
    });
    relay.kill().unwrap();
    relay.wait().unwrap();
}

#[test]
fn what_cannot_be_linked_is_refused_with_a_sentence_and_nothing_changes() {
    let sandbox = sandbox();
    policy(&sandbox, &["install", "mine", &counting(&sandbox, "one")]);
    let refuse = |name: &str, bytes: &[u8], says: &[&str]| {
        let file = sandbox.path(name);
        fs::write(&file, bytes).unwrap();
        for command in [vec!["policy", "install", "mine"], vec!["policy", "check"]] {
            let file = file.display().to_string();
            let ran = sandbox.run(&[&command[..], &[&file]].concat(), b"");
            let all = format!("{}{}", ran.stdout, ran.stderr);
            assert_eq!(ran.code, 1, "{all}");
            for part in says {
                assert!(all.contains(part), "{part}: {all}");
            }
        }
    };
    let newer = Guest::new("(drop (call $accept))").version("2.0.0").build();
    refuse(
        "newer.wasm",
        &newer,
        &["carom:policy@2.0.0", "carom:policy@1.0.0", "install a carom that offers 2.0.0"],
    );
    let minor = Guest::new("(drop (call $accept))").version("1.7.0").build();
    refuse("minor.wasm", &minor, &["carom:policy@1.7.0", "carom:policy@1.0.0"]);
    refuse("text.wasm", b"hello", &["not a WebAssembly file", "carom policy build"]);
    refuse("module.wasm", &wat::parse_str("(module)").unwrap(), &["core module", "wasm-tools component new"]);
    refuse(
        "empty.wasm",
        &wat::parse_str("(component)").unwrap(),
        &["another world", "carom:policy/decision"],
    );
    let foreign = r#"(component (import "my:own/thing" (instance)))"#;
    refuse("foreign.wasm", &wat::parse_str(foreign).unwrap(), &["my:own/thing", "no policy is given"]);
    let traps = Guest::new("(unreachable)").build();
    refuse("traps.wasm", &traps, &["unreachable", "carom policy run"]);
    let large = Guest::new("(drop (call $accept))").pages(2000).build();
    refuse("large.wasm", &large, &["memory"]);
    assert!(policy(&sandbox, &["list", "mine"]).stdout.lines().count() == 1);
    assert_eq!(
        names(&sandbox.path("state/policies/mine")).iter().filter(|name| name.starts_with("00")).count(),
        1
    );
}

#[test]
fn settings_that_the_policy_refuses_are_found_by_check_and_stop_an_installation() {
    let sandbox = sandbox().settings("accept_percent = 250");
    let sink = format!("{DIST}/sink.wasm");
    for command in [vec!["policy", "check", "sink"], vec!["policy", "install", "sink", &sink]] {
        let ran = sandbox.run(&command, b"");
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(
            ran.stdout.contains("accept_percent") && ran.stdout.contains("[policy.sink.settings]"),
            "{ran:?}"
        );
    }
}

#[test]
fn nothing_that_the_mail_user_could_write_is_installed() {
    if !rustix_is_root() {
        eprintln!("skipped: only root can give a file to another user");
        return;
    }
    let sandbox = sandbox();
    let one = counting(&sandbox, "one");
    let refuse = |says: &str| {
        let ran = sandbox.run(&["policy", "install", "mine", &one], b"");
        assert!(
            ran.code == 1 && ran.stderr.contains("replace the policy") && ran.stderr.contains(says),
            "{ran:?}"
        );
    };
    chown(&one, Some(65534), None).unwrap();
    refuse("nobody could write to");
    chown(&one, Some(0), None).unwrap();
    fs::set_permissions(&one, fs::Permissions::from_mode(0o666)).unwrap();
    refuse("anyone could write to");
    fs::set_permissions(&one, fs::Permissions::from_mode(0o644)).unwrap();
    policy(&sandbox, &["install", "mine", &one]);
    let home = sandbox.path("state/policies");
    chown(&home, Some(65534), None).unwrap();
    refuse("nobody could write to");
}

fn rustix_is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[test]
fn compiled_code_that_others_could_write_is_not_run() {
    let sandbox = sandbox();
    policy(&sandbox, &["install", "mine", &counting(&sandbox, "one")]);
    let compiled = release(&sandbox).join(compiled_name(&sandbox));
    fs::set_permissions(&compiled, fs::Permissions::from_mode(0o666)).unwrap();
    fs::write(&compiled, b"not code at all").unwrap();
    let refused = pipe(&sandbox, "mine", b"Subject: x\r\n\r\nx\r\n");
    refused.says(75, "4.3.0 ");
    assert!(refused.stdout.contains("not run where others can write"), "{refused:?}");
    fs::set_permissions(&compiled, fs::Permissions::from_mode(0o640)).unwrap();
    pipe(&sandbox, "mine", b"Subject: x\r\n\r\nx\r\n").silent();
    assert_eq!(sandbox.counter("one"), 1, "its code is not what was compiled, and is compiled again");
}

/// The directory of the release in force of `mine`.
fn release(sandbox: &Sandbox) -> PathBuf {
    fs::canonicalize(sandbox.path("state/policies/mine/current")).unwrap()
}

/// The native code's file name in that release.
fn compiled_name(sandbox: &Sandbox) -> String {
    let found = names(&release(sandbox))
        .into_iter()
        .find(|name| name.ends_with("x86_64.cwasm") || name.ends_with("aarch64.cwasm"));
    found.expect("native code")
}

#[test]
fn after_an_upgrade_a_policy_is_compiled_anew_by_itself_and_once() {
    let sandbox = sandbox();
    policy(&sandbox, &["install", "mine", &counting(&sandbox, "one")]);
    // Code of another carom has another name, or is refused by the engine.
    let release = release(&sandbox);
    for name in names(&release).iter().filter(|name| name.ends_with(".cwasm")) {
        fs::rename(release.join(name), release.join(name.replace(env!("CARGO_PKG_VERSION"), "0.0.1")))
            .unwrap();
    }
    pipe(&sandbox, "mine", b"Subject: x\r\n\r\nx\r\n").silent();
    let mut compiled = names(&sandbox.path("state/compiled"));
    compiled.retain(|name| name.ends_with(".cwasm"));
    assert_eq!(compiled.len(), 1, "{compiled:?}");
    let before = fs::metadata(sandbox.path("state/compiled").join(&compiled[0])).unwrap().ino();
    pipe(&sandbox, "mine", b"Subject: y\r\n\r\ny\r\n").silent();
    assert_eq!(fs::metadata(sandbox.path("state/compiled").join(&compiled[0])).unwrap().ino(), before);
    assert_eq!(sandbox.counter("one"), 2);
}

#[test]
fn a_prepared_policy_begins_with_the_memory_that_its_preparation_left() {
    let sandbox = sandbox();
    let guest = Guest::new(
        "(if (i32.ne (i32.load (i32.const 2000)) (i32.const 7)) (then (unreachable))) (drop (call $accept))",
    )
    .prepare("(i32.store (i32.const 2000) (i32.const 7))");
    let file = guest.write(&sandbox.path("prepared.wasm")).display().to_string();
    let said = policy(&sandbox, &["install", "mine", &file]).stdout;
    assert!(said.contains("prepared"), "{said}");
    pipe(&sandbox, "mine", b"Subject: x\r\n\r\nx\r\n").silent();
    let traps = Guest::new("(drop (call $accept))").prepare("(unreachable)");
    let file = traps.write(&sandbox.path("traps.wasm")).display().to_string();
    let ran = sandbox.run(&["policy", "install", "mine", &file], b"");
    assert!(ran.code == 1 && ran.stderr.contains("cannot be prepared"), "{ran:?}");
}

/// Debian 13 runs Postfix with MemoryDenyWriteExecute: no process below it may make memory executable.
#[test]
fn where_memory_may_not_be_made_executable_the_same_command_works_through_pulley() {
    let sandbox = sandbox();
    let denied = |arguments: &[&str], stdin: &[u8]| {
        let mut command = sandbox.command(arguments);
        // SAFETY: prctl is a plain system call, allowed between fork and exec.
        unsafe {
            command.pre_exec(|| match libc::prctl(libc::PR_SET_MDWE, 1u64, 0u64, 0u64, 0u64) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        match command.spawn() {
            Ok(mut child) => {
                std::io::Write::write_all(&mut child.stdin.take().unwrap(), stdin).unwrap();
                Some(finish(child, Duration::from_secs(60)))
            }
            Err(error) => {
                eprintln!("skipped: this kernel knows no PR_SET_MDWE: {error}");
                None
            }
        }
    };
    let to = "b@accept.sink.example";
    let arguments = ["pipe", "--sender", SENDER, "--recipient", to, "--client-address", "192.0.2.1"];
    let Some(first) = denied(&arguments, &plain(to)) else { return };
    first.silent();
    denied(&arguments, &plain(to)).unwrap().silent();
    assert_eq!(sandbox.counter("accept"), 2);
    let compiled = names(&sandbox.path("state/compiled"));
    assert!(compiled.iter().all(|name| name.contains("pulley64")), "nothing else was tried: {compiled:?}");
    policy(&sandbox, &["install", "mine", &counting(&sandbox, "one")]);
    let mine = ["pipe", "--policy", "mine", "--sender", SENDER, "--recipient", to];
    denied(&mine, &plain(to)).unwrap().silent();
    assert_eq!(sandbox.counter("one"), 1);
    let plan = |ran: crate::harness::Ran| ran.stdout;
    let dry = ["pipe", "--sender", SENDER, "--recipient", to, "--dry-run", "--seed", "7"];
    let message = plain(to);
    assert_eq!(plan(denied(&dry, &message).unwrap()), plan(sandbox.run(&dry, &message)));
}

#[test]
fn where_the_mail_user_writes_no_policy_is_installed_and_the_fix_leaves_the_state_to_it() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give the state directory to another user");
        return;
    }
    let sandbox = Sandbox::new().config("[policies]\nmail_user = \"nobody\"");
    fs::create_dir(sandbox.path("state")).unwrap();
    std::os::unix::fs::chown(sandbox.path("state"), Some(65_534), None).unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/dist/sink.wasm");
    let ran = sandbox.run(&["policy", "install", "mine", file], b"");
    assert_eq!(ran.code, 1, "{ran:?}");
    let said = &ran.stderr;
    assert!(said.contains("could write to") && said.contains("[policies] directory = "), "{ran:?}");
    assert!(!said.contains("chown"), "mail would stop: {ran:?}");
}
