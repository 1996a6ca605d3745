//! Every message can be traced: `carom log` and `carom find` show each with the state of every step now, whatever happened to it, and
//! agree with the records of the peers.

use crate::harness::application::Application;
use crate::harness::peers::{ACCEPT, Manner, SmtpPeer};
use crate::harness::{
    DAY_MS, HOUR_MS, MINUTE_MS, Ran, SENDER, SILENT, Sandbox, finish, free_port, names, plain, queued,
    signed, start, wait_for,
};
use crate::unproven::{Sent, send};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::time::Duration;

pub(crate) fn find(sandbox: &Sandbox, key: &str) -> String {
    let ran = sandbox.run(&["find", key], b"");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout
}

pub(crate) fn log(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let ran = sandbox.run(&[&["log"], arguments].concat(), b"");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout.lines().map(str::to_owned).collect()
}

fn pipe(sandbox: &Sandbox, recipient: &str, queue_id: &str, message: &[u8]) -> Ran {
    sandbox.run(&queued(recipient, queue_id), message)
}

fn tick(sandbox: &Sandbox) -> Ran {
    let ran = sandbox.run(&["cron"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

#[test]
fn a_local_part_that_needs_quotation_marks_is_shown_with_them() {
    let sandbox = Sandbox::new();
    let to = "a b@accept.sink.example";
    pipe(&sandbox, to, "4QAbCd1", &plain(to)).silent();
    assert!(log(&sandbox, &[])[0].contains("to <\"a b\"@accept.sink.example>"), "{:?}", log(&sandbox, &[]));
    let plain_one = "a.b@accept.sink.example";
    pipe(&sandbox, plain_one, "4QAbCd2", &plain(plain_one)).silent();
    assert!(log(&sandbox, &[])[1].contains("to <a.b@accept.sink.example>"));
}

#[test]
fn a_step_that_failed_at_first_and_is_done_by_the_tick_says_so_wherever_it_is_asked() {
    let peer = SmtpPeer::start(Manner { at: "RCPT", reply: "450 4.2.1 not now" });
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let recipient = "x@oob.sink.example";
    pipe(&sandbox, recipient, "4Qlater", &plain(recipient)).silent();
    let first = find(&sandbox, "4Qlater");
    assert!(
        first.contains("bounce pending (1 try, next try ")
            && first.contains("not sent to <alice@sender.example>: mx2.sender.example: "),
        "{first}"
    );
    assert_eq!(log(&sandbox, &["--status", "pending"]).len(), 1);
    peer.behave(ACCEPT);
    sandbox.advance(HOUR_MS);
    tick(&sandbox).silent();
    for now in [
        find(&sandbox, "4Qlater"),
        log(&sandbox, &[]).join("\n"),
        log(&sandbox, &["--recipient", recipient]).join("\n"),
    ] {
        let decision = now.split("outbox").next().unwrap();
        assert!(
            decision.contains("bounce succeeded")
                && decision.contains("(2 tries)")
                && !now.contains("pending"),
            "{now}"
        );
    }
    assert!(log(&sandbox, &["--status", "pending,parked,given-up"]).is_empty());
    let then = log(&sandbox, &["--until", "30m"]);
    assert!(then.len() == 1 && then[0].contains("bounce succeeded"), "what came later is part: {then:?}");
    assert_eq!(peer.mails().len(), 1);
    let json: Vec<Value> =
        log(&sandbox, &["--json"]).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&json[0]["status"], &json[0]["steps"][0]["state"]),
        (&"accepted".into(), &"succeeded".into()),
        "{json:?}"
    );
}

#[test]
fn parked_steps_say_so_with_the_command_that_retries_them_and_given_up_ones_that_nothing_will() {
    let application = Application::at(0);
    application.answer(403);
    let sandbox = crate::bounces::sandbox(application.port, "");
    let victim = ["a@there.example", "b@there.example"];
    for address in victim {
        crate::bounces::hard(&sandbox, address);
    }
    let parked = find(&sandbox, victim[0]);
    let retry =
        parked.split("to retry: carom ").nth(1).unwrap_or_else(|| panic!("{parked}")).lines().next().unwrap();
    assert!(parked.contains("notify parked: "), "{parked}");
    assert_eq!(log(&sandbox, &["--status", "parked"]).len(), 2);
    assert_eq!(sandbox.run(&retry.split(' ').collect::<Vec<_>>(), b"").code, 0);
    assert!(find(&sandbox, victim[0]).contains("notify pending"), "{}", find(&sandbox, victim[0]));
    // The tick tries again, is refused again, and names the step.
    let ran = tick(&sandbox);
    assert!(
        ran.stderr.contains("parked: notify for ")
            && ran.stderr.contains(&format!("to retry: carom {retry}")),
        "{ran:?}"
    );
    application.answer(200);
    assert_eq!(sandbox.run(&retry.split(' ').collect::<Vec<_>>(), b"").code, 0);
    tick(&sandbox).silent();
    let done = find(&sandbox, victim[0]);
    assert!(done.contains("step       notify succeeded 2") && !done.contains("notify parked"), "{done}");
    // Dropped by an operator.
    let id = find(&sandbox, victim[1])
        .split("carom outbox retry ")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(sandbox.run(&["outbox", "drop", &id], b"").code, 0);
    let dropped = find(&sandbox, victim[1]);
    assert!(dropped.contains("notify given up") && dropped.contains("dropped by an operator"), "{dropped}");
    let last = log(&sandbox, &[]).pop().unwrap();
    assert!(last.contains("outbox  notify given up") && last.contains("dropped by an operator"), "{last}");
    // Nobody cares for 90 days.
    application.answer(403);
    crate::bounces::hard(&sandbox, "c@there.example");
    sandbox.advance(91 * DAY_MS);
    let ran = tick(&sandbox);
    assert!(
        ran.stderr.contains("given up: notify for ") && ran.stderr.contains("see carom find "),
        "{ran:?}"
    );
    let words: Vec<&str> = ran.stderr.split("see carom ").nth(1).unwrap().split_whitespace().collect();
    let shown = sandbox.run(&words, b"").stdout;
    assert!(shown.contains("notify given up") && shown.contains("parked for 90 days"), "{shown}");
}

#[test]
fn a_message_that_is_deferred_every_few_minutes_is_one_row_with_its_reason_and_tries() {
    let recipient = "x@defer.sink.example";
    let sandbox = Sandbox::new();
    let message = plain(recipient);
    for _ in 0..12 {
        pipe(&sandbox, recipient, "4Qdeferred", &message).says(75, "4.3.0 ");
        sandbox.advance(5 * MINUTE_MS);
    }
    let rows = log(&sandbox, &[]);
    assert!(!sandbox.path("state/carom.db").exists(), "a deferral opens no store");
    assert!(
        rows.len() == 1 && rows[0].contains("deferred 4") && rows[0].contains("12 tries since "),
        "{rows:?}"
    );
    let found = find(&sandbox, "4Qdeferred");
    assert!(found.contains("12 tries since ") && found.lines().count() == 1, "{found}");
    let json: Value = serde_json::from_str(log(&sandbox, &["--json"]).last().unwrap()).unwrap();
    assert_eq!((&json["tries"], &json["status"]), (&12.into(), &"deferred".into()));
    let bytes: u64 = names(&sandbox.path("state/log"))
        .iter()
        .filter(|name| name.starts_with("messages-"))
        .map(|name| fs::metadata(sandbox.path("state/log").join(name)).unwrap().len())
        .sum();
    assert!(bytes < 12 * 800, "{bytes}");
}

/// DNS, the policy, the store, the time limit, a message that is too long.
#[test]
fn whatever_defers_a_message_is_in_log_and_find_with_the_reason() {
    let misfit = fs::canonicalize("policies/dist/misfit.wasm").unwrap();
    let tables = format!(
        "[message]\nmax_size = 2000\n[policy.misfit]\npath = \"{}\"\n[policy.misfit.settings]\nmode = \"trap\"",
        misfit.display()
    );
    let sandbox = Sandbox::new().smtp_port(free_port()).config(&tables);
    let long = signed("x@accept.sink.example", "", &b"0123456789\r\n".repeat(300));
    pipe(&sandbox, "x@accept.sink.example", "4Qlong", &long).says(75, "4.3.0 ");
    let trapped = Sent {
        from: SENDER,
        to: "x@accept.sink.example",
        client: "192.0.2.1",
        queue_id: "4Qtrap",
        policy: "misfit",
    };
    send(&sandbox, &trapped, &plain("x@accept.sink.example")).says(75, "4.3.0 ");
    let unknown = Sent { policy: "unheard-of", queue_id: "4Qpolicy", ..trapped };
    send(&sandbox, &unknown, &plain("x@accept.sink.example")).says(75, "4.3.0 ");
    // A store that cannot be opened.
    fs::create_dir_all(sandbox.path("state/carom.db")).unwrap();
    pipe(&sandbox, "x@oob.sink.example", "4Qstore", &plain("x@oob.sink.example")).says(75, "4.3.0 ");
    let rows = log(&sandbox, &["--status", "deferred"]).join("\n");
    fs::remove_dir(sandbox.path("state/carom.db")).unwrap();
    for (queue_id, reason) in [
        ("4Qlong", "the message is longer than 2000 bytes"),
        ("4Qtrap", "policy misfit"),
        ("4Qpolicy", "unheard-of"),
        ("4Qstore", "store"),
    ] {
        let found = find(&sandbox, queue_id);
        for shown in [&found, &rows] {
            let row = shown
                .lines()
                .find(|line| line.contains(queue_id))
                .unwrap_or_else(|| panic!("{queue_id}: {shown}"));
            assert!(row.contains("deferred 4") && row.contains(reason), "{row}");
        }
    }
    assert_eq!(log(&sandbox, &["--status", "policy-failed"]).len(), 1);
    // A config that cannot be used, though it says where the log is.
    let config = sandbox.path("carom.toml");
    let good = fs::read_to_string(&config).unwrap();
    for (queue_id, text) in [("4Qkey", format!("nonsense = 1\n{good}")), ("4Qtext", format!("{good}\n[[[\n"))]
    {
        fs::write(&config, text).unwrap();
        pipe(&sandbox, "x@accept.sink.example", queue_id, &plain("x@accept.sink.example")).says(75, "4.3.0 ");
        fs::write(&config, &good).unwrap();
        let found = find(&sandbox, queue_id);
        assert!(found.contains("deferred 4") && found.contains("carom.toml: line "), "{found}");
    }
    let dead = format!("[dns]\nservers = [\"127.0.0.1:{}\"]\ntimeout = 1\n", free_port());
    let sandbox = Sandbox::new().config(&dead);
    let recipient = "x@oob.sink.example";
    pipe(&sandbox, recipient, "4Qdns", &plain(recipient)).says(75, "4.");
    let found = find(&sandbox, "4Qdns");
    assert!(found.contains("deferred 4") && found.contains("sender.example"), "{found}");
}

#[test]
fn a_process_that_is_ended_before_it_decides_leaves_a_line() {
    let sandbox = Sandbox::new().config("[message]\ndeadline = 2\n");
    let mut command = sandbox.command(&queued("x@accept.sink.example", "4Qhung"));
    let mut child = command.spawn().unwrap();
    let input = child.stdin.take();
    let ran = finish(child, Duration::from_secs(30));
    drop(input);
    ran.says(75, "4.3.0 not done within 2 s");
    let found = find(&sandbox, "4Qhung");
    assert!(found.contains("deferred 4") && found.contains("not done within 2 s"), "{found}");
    assert_eq!((sandbox.counter("deferred"), sandbox.counter("total_messages")), (1, 0));
}

#[test]
fn a_log_for_people_hides_nothing_from_find_json_and_replay() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port).config("[log]\nformat = \"text\"");
    for (recipient, queue_id) in [("x@oob.sink.example", "4Qtext1"), ("x@accept.sink.example", "4Qtext2")] {
        pipe(&sandbox, recipient, queue_id, &plain(recipient)).silent();
    }
    assert_eq!(log(&sandbox, &["--json"]).len(), 2);
    assert!(find(&sandbox, "4Qtext1").contains("bounce succeeded"));
    let message = sandbox.path("message");
    fs::write(&message, plain("x@accept.sink.example")).unwrap();
    let ran = sandbox.run(&["policy", "run", "sink", message.to_str().unwrap(), "--replay", "4Qtext2"], b"");
    assert!(!ran.stderr.contains("no message in the log"), "{ran:?}");
}

#[test]
fn lines_are_in_the_order_of_time_and_chosen_by_time_recipient_and_number() {
    let sandbox = Sandbox::new();
    for minutes in [0, 10, 20] {
        sandbox.set_clock(minutes * MINUTE_MS);
        let recipient = format!("x{minutes}@accept.sink.example");
        pipe(&sandbox, &recipient, &format!("4Qtime{minutes}"), &plain(&recipient)).silent();
    }
    // Another thread was quicker to write.
    let log_dir = sandbox.path("state/log");
    for name in names(&log_dir).into_iter().filter(|name| name.starts_with("messages-2")) {
        let text = fs::read_to_string(log_dir.join(&name)).unwrap();
        let turned: String = text.lines().rev().flat_map(|line| [line, "\n"]).collect();
        fs::write(log_dir.join(&name), turned).unwrap();
    }
    let rows = log(&sandbox, &[]);
    let places: Vec<usize> = rows
        .iter()
        .map(|row| ["time0 ", "time10 ", "time20 "].iter().position(|id| row.contains(id)).unwrap())
        .collect();
    assert_eq!(places, [0, 1, 2], "{rows:?}");
    assert_eq!(log(&sandbox, &["--since", "15m"]).len(), 2);
    let early = log(&sandbox, &["--until", "15m"]);
    assert!(early.len() == 1 && early[0].contains("time0 "), "{early:?}");
    let middle = log(&sandbox, &["--since", "15m", "--until", "5m"]);
    assert!(middle.len() == 1 && middle[0].contains("time10 "), "{middle:?}");
    assert_eq!(log(&sandbox, &["--recipient", "X10@Accept.sink.example"]).len(), 1);
    assert_eq!(log(&sandbox, &["-n", "2"]).len(), 2);
    let wrong = sandbox.run(&["log", "--status", "lost"], b"");
    assert!(wrong.code != 0 && wrong.stderr.contains("deferred"), "{wrong:?}");
}

#[test]
fn a_log_that_is_followed_shows_each_new_line_once_until_a_signal() {
    let sandbox = Sandbox::new();
    let recipient = "x@accept.sink.example";
    pipe(&sandbox, recipient, "4Qf1", &plain(recipient)).silent();
    let out = sandbox.path("followed");
    let mut command = sandbox.command(&["log", "--follow"]);
    command.stdout(fs::File::create(&out).unwrap());
    let following = start(command, b"");
    let shown = || fs::read_to_string(&out).unwrap();
    wait_for(30, "the first line", || shown().contains("4Qf1"));
    for queue_id in ["4Qf2", "4Qf3"] {
        pipe(&sandbox, recipient, queue_id, &plain(recipient)).silent();
    }
    let deferred = plain("x@defer.sink.example");
    for _ in 0..2 {
        pipe(&sandbox, "x@defer.sink.example", "4Qf4", &deferred).says(75, "4.3.0 ");
    }
    wait_for(30, "the new lines", || shown().contains("2 tries since"));
    kill_process(Pid::from_raw(following.id() as i32).unwrap(), Signal::TERM).unwrap();
    assert_eq!(finish(following, Duration::from_secs(30)).code, 0);
    assert_eq!(shown().lines().count(), 5, "{}", shown());
}

/// What a command prints on a terminal.
fn on_terminal(sandbox: &Sandbox, command: &str, columns: usize) -> String {
    let inner = sandbox.command(&[command]);
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let line = format!("stty cols {columns}; {}", words.join(" "));
    let ran = Command::new("script").args(["-qec", &line, "/dev/null"]).output().unwrap();
    String::from_utf8_lossy(&ran.stdout).replace('\r', "")
}

#[test]
fn a_terminal_of_any_width_shows_the_reason_the_parked_step_and_its_retry() {
    if Command::new("script").arg("--version").output().is_err() {
        return eprintln!("skipped: script(1) makes the terminal");
    }
    let application = Application::at(0);
    application.answer(422);
    let sandbox = crate::bounces::sandbox(application.port, "");
    crate::bounces::hard(&sandbox, "a-long-address-of-somebody@there.example");
    let owed = sandbox.run(&["outbox", "--json"], b"").stdout;
    let owed: serde_json::Value = serde_json::from_str(owed.lines().next().unwrap()).unwrap();
    let retry = format!("to retry: carom outbox retry {}", owed["id"].as_str().unwrap());
    for columns in [80, 100, 120, 160, 200, 240] {
        let shown = on_terminal(&sandbox, "log", columns);
        let row: String = shown.lines().collect::<Vec<_>>().join(" ");
        let row = row.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(row.contains("notify parked: bounce.hard a-long-address"), "{columns}: {shown}");
        assert!(row.contains("answered 422"), "{columns}: {shown}");
        assert!(shown.lines().any(|line| line.trim() == retry), "{columns}: {shown}");
        let is_retry = |line: &str| line.contains("to retry: ");
        assert!(shown.lines().all(|line| line.chars().count() <= columns || is_retry(line)), "{shown}");
    }
}

/// A terminal of 80 columns.
#[test]
fn rows_are_fitted_to_a_terminal_and_whole_elsewhere() {
    if Command::new("script").arg("--version").output().is_err() {
        return eprintln!("skipped: script(1) makes the terminal");
    }
    let sandbox = crate::bounces::sandbox(free_port(), "");
    crate::bounces::hard(&sandbox, "a-long-address-of-somebody@there.example");
    for command in ["log", "outbox"] {
        let whole = sandbox.run(&[command], b"").stdout;
        assert!(whole.lines().any(|line| line.chars().count() > 150), "{whole}");
        let shown = on_terminal(&sandbox, command, 80);
        let header = if command == "log" { "STATUS" } else { "NEXT TRY" };
        assert!(shown.contains(header), "{shown}");
        let is_id = |line: &str| {
            line.contains("to retry: ") || line.trim().split('/').next().unwrap_or_default().len() >= 32
        };
        assert!(shown.lines().all(|line| line.chars().count() <= 80 || is_id(line)), "{shown}");
    }
}

/// The kill came before the line of the first delivery.
#[test]
fn a_redelivery_that_is_the_only_line_stands_for_the_decision() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let (to, message) = ("x@oob.sink.example", plain("x@oob.sink.example"));
    let words = ["pipe", "--sender", SENDER, "--recipient", to, "--queue-id", "4KILLED"];
    let words = [&words[..], &["--client-address", "192.0.2.1"]].concat();
    let mut child = start(sandbox.command(&words), &message);
    wait_for(20, "the connection", || peer.connections.load(std::sync::atomic::Ordering::SeqCst) > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    peer.behave(ACCEPT);
    sandbox.run(&words, &message).silent();
    let rows = log(&sandbox, &["--status", "accepted"]);
    assert!(rows.len() == 1 && rows[0].contains("4KILLED"), "{rows:?}");
    sandbox.run(&words, &message).silent();
    assert_eq!(log(&sandbox, &["--status", "accepted"]).len(), 1);
}
