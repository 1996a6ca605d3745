//! Where the system lets no thread start, gives few file descriptors, little address space or no room in a file: what
//! can be done is done, the rest is an error with its name and is deferred. Nothing panics and nothing is removed.

use crate::harness::lmtp::Listener;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{Ran, SENDER, Sandbox, finish, names, plain, signed, start};
use std::fs;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const TO: &str = "x@accept.sink.example";
/// Two steps: a bounce, and a copy that is kept.
const BOUNCED: &str = "x@oob.sink.example";

/// Everything below a directory becomes this user's.
fn give(path: &Path, user: u32) {
    lchown(path, Some(user), Some(user)).unwrap();
    for name in names(path) {
        let inner = path.join(name);
        if inner.is_dir() { give(&inner, user) } else { lchown(&inner, Some(user), Some(user)).unwrap() }
    }
}

/// carom, with a limit of prlimit(1).
fn limited(sandbox: &Sandbox, limit: &str, arguments: &[&str]) -> Command {
    let carom = sandbox.command(arguments);
    let mut limited = Command::new("prlimit");
    limited.arg(limit).arg(carom.get_program()).args(carom.get_args());
    limited.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    limited
}

fn run(command: Command, stdin: &[u8]) -> Ran {
    let ran = finish(start(command, stdin), Duration::from_secs(60));
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    ran
}

/// A user without any process, who may have one without another thread.
fn alone(sandbox: &Sandbox, arguments: &[&str], stdin: &[u8]) -> Ran {
    with_threads(1, sandbox, arguments, stdin)
}

/// A user who may have this many threads. Root may have as many as it wants.
fn with_threads(most: u32, sandbox: &Sandbox, arguments: &[&str], stdin: &[u8]) -> Ran {
    let limited = limited(sandbox, &format!("--nproc={most}"), arguments);
    run(somebody(sandbox)(&limited), stdin)
}

/// Has commands run as somebody who owns the sandbox and has limits: another user than root.
fn somebody(sandbox: &Sandbox) -> impl Fn(&Command) -> Command + use<> {
    let user = rustix::process::geteuid().is_root().then(|| fastrand::u32(100_000..1_000_000_000));
    user.iter().for_each(|user| give(&sandbox.dir, *user));
    move |command| {
        let mut own = Command::new("setpriv");
        if let Some(user) = user {
            own.args([format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()]);
        }
        own.arg(command.get_program()).args(command.get_args());
        own.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        own
    }
}

/// A sandbox with a directory of three messages.
fn with_spool() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new().config("[relay]\nsettle = 0\n");
    let spool = sandbox.path("spool");
    fs::create_dir(&spool).unwrap();
    fill(&spool);
    fs::create_dir(sandbox.path("state")).unwrap();
    (sandbox, spool)
}

/// Three messages.
fn fill(spool: &Path) {
    for number in 1..4 {
        let from = format!("Return-Path: <{SENDER}>\r\nDelivered-To: {TO}\r\n").into_bytes();
        fs::write(spool.join(format!("{number}.msg")), [from, plain(TO)].concat()).unwrap();
    }
}

#[test]
fn a_message_is_handled_where_no_thread_can_be_started() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    fs::create_dir(sandbox.path("state")).unwrap();
    let message = signed(BOUNCED, "X-Bouncy-Sink: store-done\r\n", b"hello\r\n");
    let arguments = ["pipe", "--sender", SENDER, "--recipient", BOUNCED, "--client-address", "192.0.2.1"];
    // The policy is compiled, too.
    let ran = alone(&sandbox, &arguments, &message);
    assert!(ran.code == 0 && ran.stdout.is_empty(), "{ran:?}");
    assert_eq!((peer.mails().len(), names(&sandbox.path("state/done")).len()), (1, 1));
    let left = sandbox.run(&["outbox"], b"").stdout;
    assert_eq!(left, "nothing is pending\n");
}

#[test]
fn servers_and_the_relay_say_that_no_thread_can_be_started_and_keep_the_mail() {
    let (sandbox, spool) = with_spool();
    let directory = spool.to_str().unwrap().to_owned();
    for command in [&["relay", &directory][..], &["relay", "--follow", &directory], &["lmtp"]] {
        let ran = alone(&sandbox, command, b"");
        assert!(ran.code == 1 && ran.stderr.contains("cannot start"), "{command:?} {ran:?}");
    }
    assert_eq!(names(&spool), ["1.msg", "2.msg", "3.msg"]);
    sandbox.run(&["relay", &directory], b"");
    assert_eq!((names(&spool).len(), sandbox.counter("accept")), (0, 3));
}

#[test]
fn a_client_that_would_need_a_thread_hears_that_it_has_to_come_again() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("state")).unwrap();
    sandbox.verify_policy();
    let socket = sandbox.path("lmtp.sock");
    let carom = sandbox.command(&["lmtp", "--listen", &socket.display().to_string()]);
    let somebody = somebody(&sandbox);
    let listener = Listener::of(somebody(&carom), socket);
    let mut large = listener.unix().hello();
    // From now on it may start none.
    let mut limit = Command::new("prlimit");
    limit.args([format!("--pid={}", listener.id()), "--nproc=1".to_owned()]);
    assert!(somebody(&limit).status().unwrap().success());
    large.envelope(SENDER, &[TO]);
    large.expect("DATA", "354");
    large.write(&[plain(TO), b"a line of a large message\r\n".repeat(16_000)].concat());
    let reply = large.reply();
    assert!(reply.starts_with("421 4.3.2 "), "{reply}");
    assert_eq!(large.reply(), "", "the session is over");
    // Who needs none is served.
    let replies = listener.unix().hello().send(SENDER, &[TO], &plain(TO));
    assert!(replies[0].starts_with("250"), "{replies:?}");
    listener.stop();
    assert_eq!(sandbox.counter("accept"), 1);
}

#[test]
fn the_relay_does_steps_with_the_threads_that_it_gets() {
    for most in [2, 20, 34, 36, 50, 66] {
        let (sandbox, spool) = with_spool();
        for name in names(&spool) {
            let from = format!("Return-Path: <{SENDER}>\r\nDelivered-To: {TO}\r\n").into_bytes();
            let kept = signed(TO, "X-Bouncy-Sink: store-done\r\n", b"hello\r\n");
            fs::write(spool.join(name), [from, kept].concat()).unwrap();
        }
        let ran = with_threads(most, &sandbox, &["relay", spool.to_str().unwrap()], b"");
        let left = messages(&spool) - messages(&spool.join("done"));
        assert!(ran.code == 0 && left == 0 || ran.code == 1 && left > 0, "{most}: {ran:?}");
        assert_eq!(sandbox.counter("accept") as usize + left, 3, "{most}: {ran:?}");
        assert_eq!(sandbox.counter("kept") as usize + left, 3, "{most}: {ran:?}");
    }
}

#[test]
fn a_tick_does_what_it_can_where_no_thread_can_be_started() {
    let sandbox = Sandbox::new();
    let log = sandbox.path("mail.log");
    fs::write(&log, "").unwrap();
    let sandbox = sandbox.config(&format!("[[logs]]\nkind = \"postfix\"\npath = \"{}\"\n", log.display()));
    sandbox.pipe(BOUNCED, &signed(BOUNCED, "X-Bouncy-Sink: store-done\r\n", b"hello\r\n")).silent();
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = sandbox.smtp_port(peer.port);
    sandbox.advance(crate::harness::HOUR_MS);
    let line = format!(
        "{} mx postfix/smtp[2]: 4QFkX00001z1: to=<u@there.example>, relay=mx.there.example[192.0.2.9]:25, delay=1, \
         delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n",
        jiff::Timestamp::now()
    );
    fs::write(&log, line).unwrap();
    let ran = alone(&sandbox, &["cron"], b"");
    assert!(ran.code == 0 || ran.stderr.contains("thread"), "{ran:?}");
    assert_eq!(peer.mails().len(), 1, "the step that was due is done: {ran:?}");
    let (classified, shown) =
        (alone(&sandbox, &["classify", "mail.log"], b""), alone(&sandbox, &["report"], b""));
    assert!(classified.code <= 1 && shown.code == 0, "{classified:?} {shown:?}");
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert!(sandbox.run(&["deliveries"], b"").stdout.contains("u@there.example"), "the log is read later");
}

#[test]
fn with_few_file_descriptors_a_message_is_deferred_or_on_record() {
    let sandbox = Sandbox::new();
    sandbox.verify_policy();
    let mut accepted = 0;
    for most in 4..24 {
        let number = format!("4Q{most}");
        let arguments = crate::harness::queued(TO, &number);
        let ran = run(limited(&sandbox, &format!("--nofile={most}"), &arguments), &plain(TO));
        assert!(ran.code == 0 || ran.code == 75 && ran.stdout.starts_with("4."), "{most}: {ran:?}");
        accepted += u64::from(ran.code == 0);
    }
    assert!((1..20).contains(&accepted), "{accepted}");
    assert_eq!(sandbox.counter("accept"), accepted);
}

/// Messages in the files of a directory and those below it, whatever their names are by now.
fn messages(directory: &Path) -> usize {
    let count = |name: String| {
        let path = directory.join(&name);
        if path.is_dir() { messages(&path) } else { usize::from(name.ends_with(".msg")) }
    };
    names(directory).into_iter().map(count).sum()
}

#[test]
fn with_few_file_descriptors_the_relay_removes_nothing_that_it_has_not_handled() {
    let (sandbox, spool) = with_spool();
    let directory = spool.to_str().unwrap();
    sandbox.verify_policy();
    let mut refused = 0;
    for most in 4..30 {
        let before = messages(&spool);
        let ran = run(limited(&sandbox, &format!("--nofile={most}"), &["relay", directory]), b"");
        let after = messages(&spool);
        assert!(ran.code == 0 && after == 0 || ran.code == 1, "{most}: {ran:?}");
        assert!(names(&spool.join("failed")).is_empty(), "nothing is wrong with the files: {most}: {ran:?}");
        refused += usize::from(ran.code == 1 && after == before && before > 0);
        assert_eq!(sandbox.counter("accept") as usize + after, 3, "{most}: {ran:?}");
    }
    assert!(refused > 0);
    assert_eq!(sandbox.run(&["relay", directory], b"").code, 0);
    assert_eq!((messages(&spool), sandbox.counter("accept")), (0, 3));
}

/// Workers take each other's last file descriptor at any moment, also between a commit and its
/// sync: a message that was committed was left once, and counted again.
#[test]
fn with_few_file_descriptors_what_is_left_was_not_counted() {
    let (sandbox, spool) = with_spool();
    let directory = spool.to_str().unwrap();
    sandbox.verify_policy();
    for round in 1..=20 {
        fill(&spool);
        for most in 11..15 {
            let ran = run(limited(&sandbox, &format!("--nofile={most}"), &["relay", directory]), b"");
            let all = sandbox.counter("accept") as usize + messages(&spool);
            assert_eq!(all, 3 * round, "round {round}, {most}: {ran:?}");
        }
        assert_eq!(sandbox.run(&["relay", directory], b"").code, 0);
    }
}

/// What is left is tried again under another name: only its last try may count.
#[test]
fn a_message_that_neither_log_nor_store_can_take_counts_when_it_is_taken() {
    let (sandbox, spool) = with_spool();
    let directory = spool.to_str().unwrap();
    sandbox.verify_policy();
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let in_the_way = [format!("state/log/messages-{today}.log"), "state/carom.db".to_owned()]
        .map(|name| sandbox.path(&name));
    in_the_way.iter().for_each(|path| fs::create_dir_all(path).unwrap());
    for _ in 0..2 {
        assert_eq!(sandbox.run(&["relay", directory], b"").code, 1);
        assert_eq!(messages(&spool), 3);
    }
    in_the_way.iter().for_each(|path| fs::remove_dir(path).unwrap());
    assert_eq!(sandbox.run(&["relay", directory], b"").code, 0);
    for _ in 0..4 {
        assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    }
    assert_eq!((messages(&spool), sandbox.counter("accept")), (0, 3));
}

#[test]
fn a_limit_of_address_space_is_named_and_the_message_is_deferred() {
    let (sandbox, spool) = with_spool();
    sandbox.verify_policy();
    let limit = "--as=1500000000";
    let ran = run(limited(&sandbox, limit, &crate::harness::queued(TO, "4Q1")), &plain(TO));
    ran.says(75, "4.3.0 ");
    assert!(ran.stdout.contains("1430 MiB of address space") && ran.stdout.contains("ulimit -v"), "{ran:?}");
    let ran = run(limited(&sandbox, limit, &["relay", spool.to_str().unwrap()]), b"");
    assert!(ran.code == 1 && ran.stderr.contains("1430 MiB of address space"), "{ran:?}");
    assert_eq!(names(&spool).len(), 3);
}

/// As on a full disk: the page of before stays, and nothing is left of a new one.
#[test]
fn a_page_that_has_no_room_is_an_error_with_its_name_and_replaces_nothing() {
    let sandbox = Sandbox::new();
    let place = sandbox.path("man");
    let written =
        |limit: &str| run(limited(&sandbox, limit, &["man", "--out", place.to_str().unwrap()]), b"");
    assert_eq!(written("--fsize=unlimited").code, 0);
    let before: Vec<_> = names(&place).iter().map(|name| fs::read(place.join(name)).unwrap()).collect();
    assert!(before.len() > 30, "{}", before.len());
    let ran = written("--fsize=64");
    assert!(ran.code == 1 && ran.stderr.contains("File too large"), "{ran:?}");
    assert!(ran.stderr.contains(place.to_str().unwrap()), "{ran:?}");
    let after: Vec<_> = names(&place).iter().map(|name| fs::read(place.join(name)).unwrap()).collect();
    assert!(before == after, "{:?}", names(&place));
}
