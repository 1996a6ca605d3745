//! docs/notifications.md: it lists every key that an application gets.
//!
//! Not here: when an application is notified (`bounces`, `complaints`, `undone`).

use crate::bounces::{OWN, STRANGER, bounce, dsn, dsn_of, hard, sandbox, signed_path};
use crate::cron::signature_by;
use crate::harness::application::Application;
use crate::harness::{DAY_MS, Sandbox, free_port};
use serde_json::Value;
use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

#[test]
fn an_answer_without_an_end_is_not_read_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sandbox = sandbox(listener.local_addr().unwrap().port(), "threshold = 1");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 65536]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
        let trailers = b"X: y\r\n".repeat(10_000);
        (0..500).any(|_| stream.write_all(&trailers).is_err())
    });
    hard(&sandbox, "gone@x.example");
    assert!(server.join().unwrap(), "30 MB of trailers were read");
}

#[test]
fn every_key_of_a_notification_is_documented() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "threshold = 1");
    hard(&sandbox, "gone@x.example");
    let full = dsn("full@x.example", "5.2.2", "552 5.2.2 mailbox full");
    bounce(&sandbox, &signed_path(&sandbox, "full@x.example"), STRANGER, &full);
    sandbox.run(&["suppress", "undo", "--since", "1d"], b"");
    let to = signed_path(&sandbox, "ann@x.example");
    let request = format!("From: ann@x.example\r\nTo: {to}\r\nSubject: unsubscribe\r\n\r\n");
    let arguments = ["pipe", "--policy", "bounce", "--sender", "ann@x.example", "--recipient", &to];
    sandbox.run(&arguments, request.as_bytes()).silent();
    let complaint = "From: fbl@isp.example\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
        --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n\r\n\
        --b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: shop@shop.example\r\nMessage-ID: <c1@shop.example>\r\n";
    let header = sandbox.run(&["verp", "header", "bob@x.example"], b"").stdout;
    let complaint = format!("{complaint}{}\r\n\r\n--b--\r\n", header.trim_end());
    bounce(&sandbox, "fbl@shop.example", STRANGER, complaint.as_bytes());

    let page = include_str!("../docs/notifications.md");
    let bodies: Vec<Value> =
        application.told().iter().map(|told| serde_json::from_str(&told.body).unwrap()).collect();
    for event in ["bounce.hard", "bounce.soft", "bounce.undone", "unsubscribe", "complaint"] {
        let body = bodies.iter().find(|body| body["event"] == event);
        let body = body.unwrap_or_else(|| panic!("{event}: {bodies:?}")).as_object().unwrap();
        for key in body.keys() {
            assert!(page.contains(&format!("`{key}`")), "{event} has {key}");
        }
    }
}

#[test]
fn a_token_in_the_url_of_a_notification_is_shown_nowhere() {
    let application = Application::at(0);
    let url = format!("http://127.0.0.1:{}/b/{{address}}?token=S3CRET&x=1", application.port);
    let config =
        format!("[auth]\nown_servers = [\"{OWN}/32\"]\n[[notify]]\nsender_domain = \"*\"\nurl = \"{url}\"\n");
    let sandbox = Sandbox::new().config(&config);
    bounce(
        &sandbox,
        "b@bounces.example.com",
        OWN,
        &dsn("joe@there.example", "5.1.1", "550 5.1.1 User unknown"),
    );
    assert!(application.told()[0].path.contains("token=S3CRET"), "it is sent");
    let shown = [["log"].as_slice(), &["find", "joe@there.example"], &["outbox"], &["log", "--json"]]
        .map(|arguments| sandbox.run(arguments, b"").stdout)
        .concat();
    assert!(shown.contains("answered 200") && !shown.contains("S3CRET"), "{shown}");
    let wrong = url.replace("127.0.0.1", "user:S3CRET@127.0.0.1");
    let sandbox = Sandbox::new().config(&format!("[[notify]]\nsender_domain = \"*\"\nurl = \"{wrong}\"\n"));
    let ran = sandbox.run(&["check"], b"");
    assert!(ran.code == 1 && ran.stderr.contains("user names") && !ran.stderr.contains("S3CRET"), "{ran:?}");
}

#[test]
fn the_same_report_again_says_where_the_notification_waits_and_sends_one_that_was_given_up() {
    let port = free_port();
    let sandbox = sandbox(port, "");
    let path = signed_path(&sandbox, "gone@there.example");
    let report = || dsn_of("sent1@shop.example", "gone@there.example", "5.1.1", "550 5.1.1 User unknown");
    bounce(&sandbox, &path, STRANGER, &report());
    bounce(&sandbox, &path, STRANGER, &report());
    let found = sandbox.run(&["find", "gone@there.example"], b"").stdout;
    assert!(found.contains("noted: bounce.hard gone@there.example waits in the step "), "{found}");
    assert!(!found.contains("was notified before"), "{found}");
    assert_eq!(sandbox.run(&["outbox", "drop", "--all"], b"").code, 0);
    let application = Application::at(port);
    bounce(&sandbox, &path, STRANGER, &report());
    assert_eq!(application.told().len(), 1, "the first never was");
    bounce(&sandbox, &path, STRANGER, &report());
    assert_eq!(application.told().len(), 1);
    let found = sandbox.run(&["find", "gone@there.example"], b"").stdout;
    assert!(found.contains("was notified before"), "{found}");
}

/// The application is down and then harmful: nothing reaches it, and nothing is lost.
#[test]
fn notifications_of_a_paused_application_wait_without_a_try_and_without_an_end() {
    let application = Application::at(0);
    application.answer(500);
    let sandbox = sandbox(application.port, "threshold = 1");
    let config = sandbox.path("carom.toml");
    let running = fs::read_to_string(&config).unwrap();
    let paused = running.replacen("[[notify]]\n", "[[notify]]\npaused = true\n", 1);
    assert_ne!(running, paused);
    hard(&sandbox, "first@x.example");
    assert_eq!(application.told().len(), 1);
    fs::write(&config, &paused).unwrap();
    hard(&sandbox, "second@x.example");
    let step = |address: &str| -> Value {
        let steps = sandbox.run(&["outbox", "--json"], b"").stdout;
        let steps = steps.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        steps.into_iter().find(|step| step["address"] == address).unwrap_or_default()
    };
    // Longer than give_up_days.
    for _ in 0..8 {
        sandbox.advance(DAY_MS);
        let ran = sandbox.run(&["cron"], b"");
        assert!(ran.code == 0 && !ran.stdout.contains("given up"), "{ran:?}");
    }
    assert_eq!(application.told().len(), 1, "nothing is sent");
    for (address, tries) in [("first@x.example", 1), ("second@x.example", 0)] {
        let step = step(address);
        assert_eq!((&step["state"], &step["attempts"]), (&"pending".into(), &tries.into()), "{step}");
        assert!(step["note"].as_str().unwrap().starts_with("paused: bounce.hard"), "{step}");
    }
    let shown =
        |status: &str| sandbox.run(&["outbox", "--status", status, "--json"], b"").stdout.lines().count();
    assert_eq!((shown("paused"), shown("pending"), shown("parked")), (2, 2, 0));
    let checked = sandbox.run(&["check"], b"").stdout;
    assert!(checked.contains("[[notify]] for * is paused"), "{checked}");
    assert!(checked.contains("2 steps are held back; the first, notify"), "{checked}");
    let metrics = sandbox.run(&["export", "prometheus"], b"").stdout;
    assert!(metrics.contains("carom_outbox_steps{state=\"paused\"} 2\n"), "{metrics}");
    let rows = sandbox.run(&["log"], b"").stdout;
    assert_eq!(rows.lines().count(), 2, "a wait is no event: {rows}");

    // It is still broken: the days begin again.
    fs::write(&config, &running).unwrap();
    assert!(sandbox.run(&["outbox", "retry", "--all"], b"").stdout.starts_with("2 due now"));
    for _ in 0..3 {
        sandbox.run(&["cron"], b"");
        sandbox.advance(DAY_MS);
    }
    assert_eq!(step("second@x.example")["state"], "pending");
    application.answer(200);
    sandbox.run(&["cron"], b"");
    assert_eq!(step("second@x.example"), Value::Null);
    let told = application.told();
    let ids: HashSet<&str> = told.iter().map(|one| one.header("webhook-id")).collect();
    assert_eq!(ids.len(), 2, "each has the id that it had: {ids:?}");
}

#[test]
fn while_a_secret_is_changed_each_request_is_signed_with_both_so_that_either_receiver_takes_it() {
    let application = Application::at(0);
    let secret = || Sandbox::new().run(&["secret", "new", "--webhook"], b"").stdout.trim().to_owned();
    let (old, new) = (secret(), secret());
    let port = application.port;
    let config = |secrets: &[&str]| {
        format!(
            "[verp]\nkeys = [\"a key of at least sixteen octets\"]\ndomain = \"bounces.example.com\"\n\
             [[notify]]\nsender_domain = \"*\"\nurl = \"http://127.0.0.1:{port}/b\"\nsecrets = {secrets:?}\n"
        )
    };
    let sandbox = Sandbox::new().config(&config(&[&old]));
    let file = sandbox.path("carom.toml");
    let before = fs::read_to_string(&file).unwrap();
    // Step by step, as the page says.
    let steps: [(&[&str], &[&str]); 3] =
        [(&[&old], &[&old]), (&[&old, &new], &[&old, &new]), (&[&new], &[&new])];
    for (number, (secrets, fitting)) in steps.into_iter().enumerate() {
        fs::write(&file, before.replace(&format!("{:?}", [&old]), &format!("{secrets:?}"))).unwrap();
        hard(&sandbox, &format!("gone{number}@x.example"));
        let told = application.told().pop().unwrap();
        let (id, timestamp) = (told.header("webhook-id"), told.header("webhook-timestamp"));
        let given: Vec<&str> = told.header("webhook-signature").split(' ').collect();
        let expected: Vec<String> =
            fitting.iter().map(|secret| signature_by(secret, id, timestamp, &told.body)).collect();
        assert_eq!(given, expected, "step {number}");
    }
}
