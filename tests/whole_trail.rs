//! What a trail must not miss: whoever names an address in a message that is kept, forwarded or under way, the Message-ID
//! of a message that was handled, failures in the mail log, and lines that were cut off. Times have one form.

use crate::bounces::{OWN, STRANGER, bounce, dsn_of, sandbox, signed_path};
use crate::complaints::complaint;
use crate::harness::application::Application;
use crate::harness::mail_log::{self, ago};
use crate::harness::{DAY_MS, HOUR_MS, Sandbox, finish, free_port, names, plain, queued, start};
use crate::statistics::{OTHER, UNKNOWN_USER, append, delivery, tick};
use crate::unproven::{Sent, letter, send};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

const ANN: &str = "ann@there.example";

fn found(sandbox: &Sandbox, key: &str) -> String {
    let ran = sandbox.run(&["find", key], b"");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout
}

fn export(sandbox: &Sandbox, key: &str) -> Value {
    serde_json::from_str(&sandbox.run(&["find", key, "--export"], b"").stdout).unwrap()
}

#[test]
fn a_complaint_that_matches_nobody_is_found_and_erased_by_the_addresses_that_it_names() {
    let sandbox = sandbox(free_port(), "");
    let header = format!("To: <{ANN}>\r\nMessage-ID: <m7@shop.example>\r\n");
    let arguments =
        ["pipe", "--policy", "bounce", "--sender", "feedback@isp.example", "--recipient", "fbl@shop.example"];
    sandbox
        .run(&[&arguments[..], &["--client-address", STRANGER]].concat(), &complaint("abuse", "", &header))
        .silent();
    assert_eq!(sandbox.counter("complaint_unmatched"), 1, "{:?}", sandbox.counters());
    assert!(found(&sandbox, ANN).contains("kept "), "{}", found(&sandbox, ANN));
    let whole = export(&sandbox, ANN);
    assert!(whole["reports"][0].as_str().unwrap().contains("Feedback-Type: abuse"), "{whole}");
    assert!(found(&sandbox, "joann@there.example").starts_with("nothing is known"));
    let erased = sandbox.run(&["erase", ANN], b"");
    assert!(erased.code == 0 && erased.stdout.contains("1 kept report"), "{erased:?}");
    assert!(found(&sandbox, ANN).starts_with("nothing is known"), "{}", found(&sandbox, ANN));
}

#[test]
fn a_message_that_is_still_to_be_forwarded_is_found_by_the_addresses_in_it() {
    let sandbox = crate::unproven::sandbox(&format!(
        "[unproven]\naction = \"forward\"\nto = \"postmaster@sender.example\"\nserver = \"127.0.0.1:{}\"\n",
        free_port()
    ));
    let from = Sent {
        from: "bob@there.example",
        to: "bounces@bounces.example.com",
        client: OWN,
        queue_id: "4Qfwd9",
        policy: "bounce",
    };
    send(&sandbox, &from, &letter("Re: your order", &format!("Write to {ANN} instead."))).silent();
    let shown = found(&sandbox, ANN);
    assert!(shown.starts_with("message ") && shown.contains("forward pending"), "{shown}");
    let whole = export(&sandbox, ANN);
    assert_eq!(whole["log"][0]["steps"][0]["action"], "forward", "{whole}");
    let erased = sandbox.run(&["erase", ANN], b"");
    assert!(erased.code == 1 && erased.stdout.contains("1 pending in the outbox"), "{erased:?}");
    assert!(found(&sandbox, "joann@there.example").starts_with("nothing is known"));
}

#[test]
fn a_message_in_the_queue_of_the_mail_server_is_found_by_its_log() {
    let sandbox = mail_log::sandbox(None, "");
    let lines = delivery(540, 1, ANN, OTHER, 1.0, UNKNOWN_USER);
    let begun: String = lines.lines().take(2).map(|line| format!("{line}\n")).collect();
    append(&sandbox, &ago(5, &begun));
    tick(&sandbox, &[]);
    let sender = "news@mail.shop.example";
    let shown = found(&sandbox, sender);
    assert!(shown.starts_with("under way    4Xn0y8000001zZ1f on mx"), "{shown}");
    assert_eq!(export(&sandbox, sender)["under_way"][0]["queue_id"], "4Xn0y8000001zZ1f");
    assert!(found(&sandbox, ANN).starts_with("nothing is known"));
}

#[test]
fn a_message_is_found_by_its_message_id_whatever_became_of_it() {
    let sandbox = Sandbox::new();
    let with_id = |to: &str, id: &str| [format!("Message-ID: <{id}>\r\n").as_bytes(), &plain(to)].concat();
    for (to, id, word) in [
        ("x@accept.sink.example", "one.1@sender.example", "accepted"),
        ("550-no+x@reject.sink.example", "two.2@sender.example", ""),
        ("x@oob.sink.example", "three.3@sender.example", "accepted"),
    ] {
        let queue_id = id.replace(['.', '@'], "");
        sandbox.run(&queued(to, &queue_id), &with_id(to, id));
        for key in [id.to_owned(), format!("<{id}>")] {
            let shown = found(&sandbox, &key);
            assert!(
                shown.starts_with("message ") && shown.contains(&queue_id) && shown.contains(word),
                "{shown}"
            );
        }
    }
}

#[test]
fn a_failure_in_the_mail_log_has_its_queue_id_and_says_what_it_is_and_what_was_counted() {
    let application = Application::at(0);
    let verp = "[verp]\nkeys = [\"a key of this test, long enough\"]\ndomain = \"bounces.example.com\"\n";
    let sandbox = mail_log::sandbox(Some(&application), "").config(verp);
    append(&sandbox, &ago(50, &delivery(540, 1, ANN, OTHER, 1.0, UNKNOWN_USER)));
    tick(&sandbox, &[]);
    let log = |arguments: &[&str]| sandbox.run(&[&["log"], arguments].concat(), b"").stdout;
    let row = log(&[]);
    assert!(row.contains("4Xn0y8000001zZ1f") && row.contains("a failure in the mail log"), "{row}");
    assert!(row.contains("counted: bounce_hard"), "{row}");
    let json: Value = serde_json::from_str(log(&["--json"]).lines().next().unwrap()).unwrap();
    assert!(json["from_log"] == true && json["message_id"] == "98494.1.7@shop", "{json}");
    // The report of the same bounce: counters and log agree.
    let report = dsn_of("98494.1.7@shop", ANN, "5.1.1", "550 5.1.1 User unknown");
    bounce(&sandbox, &signed_path(&sandbox, ANN), STRANGER, &report);
    let counters = sandbox.counters();
    let row = log(&[]).lines().last().unwrap().to_owned();
    for name in ["bounce_hard", "bounce_again"] {
        let logged = log(&[]).lines().filter(|row| row.contains(&format!(" {name}"))).count() as u64;
        assert_eq!(
            counters.get(name).and_then(Value::as_u64).unwrap_or(0),
            logged,
            "{name}: {row} {counters:?}"
        );
    }
    assert_eq!(counters["bounce_again"], 1, "{counters:?}");
}

#[test]
fn a_line_that_was_cut_off_is_named_and_every_line_of_json_is_json() {
    let sandbox = Sandbox::new();
    let to = "x@accept.sink.example";
    sandbox.run(&queued(to, "4Awhole"), &plain(to)).silent();
    let directory = fs::read_dir(sandbox.path("state/log")).unwrap().flatten();
    let file = directory
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().contains("messages-"))
        .unwrap();
    let torn = "{\"time\":\"2026-03-01T09:00:07.250Z\",\"sender\":\"a@b.example\",\"recipient\":\"torn@sink.example\",\"queue_id\":\"4Atorn\",\"poli\n";
    File::options().append(true).open(file).unwrap().write_all(torn.as_bytes()).unwrap();
    let shown = sandbox.run(&["log"], b"").stdout;
    let row = shown.lines().find(|line| line.contains("4Atorn")).unwrap();
    assert!(
        row.starts_with("2026-03-01T09:00:07.250Z  4Atorn  to <torn@sink.example>  its line was cut off"),
        "{row}"
    );
    assert!(!shown.contains('{'), "{shown}");
    let json: Vec<Value> = sandbox
        .run(&["log", "--json"], b"")
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        json.iter().any(|row| row["cut_off"].as_str().is_some_and(|cut| cut.contains("4Atorn"))),
        "{json:?}"
    );
}

/// Whether a text has only times like 2026-03-01T09:00:07.250Z.
#[track_caller]
fn has_one_form_of_time(text: &str) {
    let mut times = 0;
    for (at, _) in text.match_indices('T') {
        let digits = |range: std::ops::Range<usize>| {
            text.get(range).is_some_and(|part| part.bytes().all(|c| c.is_ascii_digit()))
        };
        if at < 10 || !digits(at - 2..at) || !digits(at + 1..at + 3) || text.as_bytes()[at - 3] != b'-' {
            continue;
        }
        times += 1;
        let rest = &text[at..];
        assert!(
            rest.get(9..10) == Some(".") && digits(at + 10..at + 13) && rest.get(13..14) == Some("Z"),
            "{}: {text}",
            &rest[..rest.len().min(30)]
        );
    }
    assert!(times > 0, "{text}");
}

#[test]
fn times_have_one_form_wherever_they_are_shown() {
    let sandbox = mail_log::sandbox(None, "threshold = 3");
    append(&sandbox, &ago(50, &delivery(540, 1, ANN, OTHER, 1.0, UNKNOWN_USER)));
    tick(&sandbox, &[]);
    let to = "x@oob.sink.example";
    sandbox.run(&queued(to, "4Aoob"), &crate::harness::signed(to, "", b"hello\r\n")).silent();
    for words in [
        &["log"][..],
        &["log", "--json"],
        &["find", ANN],
        &["find", ANN, "--json"],
        &["find", "4Aoob"],
        &["outbox"],
        &["deliveries"],
        &["deliveries", "--json"],
        &["suppress", "list"],
        &["suppress", "export"],
        &["report", "--json"],
        &["check", "--json"],
    ] {
        has_one_form_of_time(&sandbox.run(words, b"").stdout);
    }
}

#[test]
fn an_alert_that_reached_nobody_is_found() {
    let sandbox = Sandbox::new().config(&format!(
        "[[alert]]\nname = \"steps\"\nwhen = \"outbox\"\nabove = 0\nwebhook = \"http://127.0.0.1:{}/alert\"\n",
        free_port()
    ));
    let to = "x@oob.sink.example";
    sandbox.run(&queued(to, "4Aoob"), &crate::harness::signed(to, "", b"hello\r\n")).silent();
    sandbox.run(&["cron"], b"");
    let check = || sandbox.run(&["check"], b"").stdout;
    assert!(!check().contains("given up in the last"), "{}", check());
    for _ in 0..40 {
        sandbox.advance(6 * HOUR_MS);
        sandbox.run(&["cron"], b"");
        if check().contains("given up in the last") {
            break;
        }
    }
    let said = check();
    let line = said
        .lines()
        .find(|line| line.contains("given up in the last 7 days; the last, steps of "))
        .unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("alert"), "{line}");
    let log = sandbox.run(&["log", "--since", "30d", "--status", "given-up"], b"").stdout;
    assert!(log.contains("alert given up"), "{log}");
    sandbox.advance(9 * DAY_MS);
    assert!(!check().contains("the last, steps of "), "{}", check());
}

/// Where no byte can be written into a file, as on a full disk.
#[test]
fn what_is_known_can_be_read_on_a_full_disk() {
    let sandbox = mail_log::sandbox(None, "");
    append(&sandbox, &ago(50, &delivery(540, 1, ANN, OTHER, 1.0, UNKNOWN_USER)));
    let to = "x@oob.sink.example";
    sandbox.run(&queued(to, "4Aoob"), &crate::harness::signed(to, "", b"hello\r\n")).silent();
    // The second tick is the first one that finds the index complete.
    (0..2).for_each(|_| drop(sandbox.run(&["cron"], b"")));
    sandbox.run(&queued("x@accept.sink.example", "4Anew"), &plain("x@accept.sink.example")).silent();
    for (words, shown) in [
        (&["outbox"][..], "bounce"),
        (&["stats"], "total_messages"),
        (&["log"], "4Anew"),
        (&["find", "4Aoob"], "bounce pending"),
        (&["find", ANN], "delivery "),
        (&["deliveries"], ANN),
        (&["report"], "bounced"),
        (&["alerts"], "no [[alert]]"),
        (&["suppress", "list"], ANN),
        (&["suppress", "export"], ANN),
        (&["find", ANN, "--export"], ANN),
    ] {
        let carom = sandbox.command(words);
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]).arg(carom.get_program());
        shell.args(carom.get_args()).envs(carom.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ran = finish(start(shell, b""), Duration::from_secs(60));
        assert!(ran.code == 0 && ran.stdout.contains(shown), "{words:?}: {ran:?}");
    }
}

#[test]
fn what_a_long_log_says_is_found_by_its_outlines_and_erased_with_them() {
    let sandbox = Sandbox::new();
    let send = |queue_id: &str| {
        let recipient = "joe@accept.sink.example";
        assert_eq!(sandbox.run(&queued(recipient, queue_id), &plain(recipient)).code, 0);
    };
    let log = |text: &str| {
        let day = fs::read_dir(sandbox.path("state/log")).unwrap().flatten().map(|entry| entry.path());
        let day = day.filter(|path| path.to_string_lossy().contains("messages-")).max().unwrap();
        File::options().append(true).open(day).unwrap().write_all(text.as_bytes()).unwrap();
    };
    let filler = |from: usize| {
        let line = |n: usize| {
            format!(
                "{{\"time\":\"2026-01-01T00:00:00Z\",\"event\":\"outbox\",\"id\":\"filler{n}\",\"results\":[]}}\n"
            )
        };
        (from..from + 30_000).map(line).collect::<String>()
    };
    send("4Along1");
    log(&filler(0));
    send("4Along2");
    log(&filler(30_000));
    let outlines = || crate::harness::names(&sandbox.path("state/outlines")).len();
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(outlines(), 1);
    send("4Along3");
    for queue_id in ["4Along1", "4Along2", "4Along3"] {
        let all = found(&sandbox, queue_id);
        assert!(all.contains("joe@accept.sink.example") && all.matches("4Along").count() == 1, "{all}");
    }
    assert_eq!(found(&sandbox, "joe@accept.sink.example").matches("4Along").count(), 3);
    assert!(found(&sandbox, "4Along").starts_with("nothing is known"), "a part of a word");
    assert!(found(&sandbox, "filler31000").contains("outbox"));
    assert_eq!(sandbox.run(&["erase", "joe@accept.sink.example"], b"").code, 0);
    assert_eq!(outlines(), 0, "they say which words there were");
    assert!(found(&sandbox, "joe@accept.sink.example").starts_with("nothing is known"));
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(outlines(), 1);
    assert!(found(&sandbox, "4Along2").contains("4Along2"));
    // A file without its log goes.
    fs::write(sandbox.path("state/outlines/messages-2020-01-01.log"), "x").unwrap();
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(outlines(), 1);
}

#[test]
fn a_log_that_cannot_be_written_loses_no_line_and_the_tick_says_so() {
    let application = Application::at(0);
    let sandbox = crate::bounces::sandbox(application.port, "keep = true");
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let in_the_way = sandbox.path(&format!("state/log/messages-{today}.log"));
    fs::create_dir_all(&in_the_way).unwrap();
    let joe = "joe@there.example";
    let path = crate::bounces::signed_path(&sandbox, joe);
    let words = ["pipe", "--policy", "bounce", "--sender", "", "--recipient", &path, "--queue-id"];
    let report = crate::bounces::dsn(joe, "5.1.1", "550 5.1.1 User unknown");
    sandbox.run(&[&words[..], &["4QNOLOG1"]].concat(), &report).silent();
    // Nothing follows from this one: its line is its record.
    sandbox.run(&[&words[..], &["4QNOLOG2"]].concat(), b"From: a@b.example\r\n\r\nhello\r\n").silent();
    let shows_all = || {
        for queue_id in ["4QNOLOG1", "4QNOLOG2"] {
            let found = sandbox.run(&["find", queue_id], b"").stdout;
            assert!(found.contains(queue_id) && !found.contains("nothing is known"), "{found}");
            let log = sandbox.run(&["log"], b"").stdout;
            assert_eq!(log.matches(queue_id).count(), 1, "{log}");
        }
    };
    shows_all();
    for _ in 0..3 {
        let ran = sandbox.run(&["cron"], b"");
        assert!(ran.code == 1 && ran.stderr.contains("message log: "), "{ran:?}");
        assert!(ran.stderr.contains("[log] directory") && ran.stderr.contains("unwritten"), "{ran:?}");
        shows_all();
    }
    fs::remove_dir(&in_the_way).unwrap();
    for _ in 0..3 {
        assert_eq!(sandbox.run(&["cron"], b"").code, 0);
        shows_all();
    }
    let log = fs::read_to_string(&in_the_way).unwrap();
    assert!(log.contains("4QNOLOG1") && log.contains("4QNOLOG2"), "{log}");
    assert!(names(&sandbox.path("state/unwritten")).is_empty());
    assert_eq!(sandbox.counter("total_messages"), 2);
}

/// As a killed tick leaves it: the lines are in the log, and the file they came from is there.
#[test]
fn lines_that_a_killed_tick_has_written_are_not_written_again() {
    let sandbox = Sandbox::new();
    let to = "x@accept.sink.example";
    sandbox.run(&queued(to, "4QONCE"), &plain(to)).silent();
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let log = sandbox.path(&format!("state/log/messages-{today}.log"));
    let left = sandbox.path(&format!("state/unwritten/messages-{today}.log.moving"));
    fs::create_dir_all(left.parent().unwrap()).unwrap();
    fs::copy(&log, &left).unwrap();
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(fs::read_to_string(&log).unwrap().matches("4QONCE").count(), 1);
    assert!(!left.exists());
}

#[test]
fn a_key_is_found_as_it_is_pasted_and_an_empty_one_is_an_error() {
    let sandbox = Sandbox::new();
    let to = "ann@accept.sink.example";
    sandbox.run(&queued(to, "4Qp1"), &plain(to)).silent();
    for typed in [" ann@accept.sink.example ", "<ann@accept.sink.example>", "mailto:ann@accept.sink.example"]
    {
        assert!(found(&sandbox, typed).contains("4Qp1"), "{typed}");
        let log = sandbox.run(&["log", "--recipient", typed], b"").stdout;
        assert_eq!(log.lines().count(), 1, "{typed}: {log}");
    }
    for empty in ["", " ", "<>"] {
        let ran = sandbox.run(&["find", empty], b"");
        assert!(ran.code != 0 && ran.stderr.contains("give an address"), "{ran:?}");
    }
}
