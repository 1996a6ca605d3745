//! A real Postfix in front of carom: what its pipe(8) makes of every answer.

use crate::harness::peers::{ACCEPT, SmtpPeer, Tracker};
use crate::harness::postfix::Postfix;
use crate::harness::{SENDER, SILENT, Sandbox, html, plain, wait_for};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// Waits until Postfix has nothing left.
fn settled(postfix: &Postfix) {
    wait_for(30, "an empty queue", || postfix.queued() == 0);
}

#[test]
fn every_answer_arrives_as_postfix_understands_it() {
    let answers = SmtpPeer::start(ACCEPT);
    let bounces = SmtpPeer::start(ACCEPT);
    let tracker = Tracker::start();
    let sandbox = Sandbox::new()
        .smtp_port(answers.port)
        .settings(&tracker.allowed())
        .settings("open_again_percent = 0\nclick_percent = 0\nclick_again_percent = 0");
    let postfix = Postfix::start(&sandbox, bounces.port);
    let send = |recipient: &str, message: Vec<u8>| {
        let reply = postfix.send(SENDER, recipient, &message);
        assert!(reply.starts_with("250"), "{reply}");
        settled(&postfix);
    };
    send("x@accept.sink.example", plain("x@accept.sink.example"));
    send("x@oob.sink.example", plain("x@oob.sink.example"));
    send("x@fbl.sink.example", plain("x@fbl.sink.example"));
    send("x@openclick.sink.example", html("x@openclick.sink.example", &[tracker.url("/i")], &[]));
    assert!(bounces.mails().is_empty(), "Postfix had nothing to bounce: {}", postfix.log());
    send("x+5.2.2@reject.sink.example", plain("x@reject.sink.example"));
    wait_for(20, "Postfix's own bounce", || bounces.mails().len() == 1);
    let bounce = &bounces.mails()[0];
    let text = String::from_utf8_lossy(&bounce.data);
    assert_eq!((bounce.from.as_str(), bounce.to.as_str()), ("", SENDER));
    assert!(text.contains("Status: 5.2.2") && text.contains("mailbox full"), "{text}");
    let counted = |name| sandbox.counter(name);
    assert_eq!(
        (counted("accept"), counted("oob_sent"), counted("fbl_sent"), counted("open"), counted("rejected")),
        (1, 1, 1, 1, 1),
        "{}",
        postfix.log()
    );
    let to: Vec<String> = answers.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, [SENDER, "fbl@sender.example"]);
    let dsn = String::from_utf8_lossy(&answers.mails()[0].data).into_owned();
    assert!(
        dsn.contains("Final-Recipient: rfc822; x@oob.sink.example") && dsn.contains("Status: 5.1.1"),
        "{dsn}"
    );
    let complaint = String::from_utf8_lossy(&answers.mails()[1].data).into_owned();
    assert!(
        complaint.contains("Original-Mail-From: <alice@sender.example>")
            && complaint.contains("Source-IP: 127.0.0.1"),
        "{complaint}"
    );
    assert_eq!(tracker.paths(), ["/i"]);
    let log = sandbox.run(&["log", "--json"], b"").stdout;
    assert!(log.contains("\"queue_id\":\""), "{log}");
}

#[test]
fn what_goes_wrong_with_carom_is_deferred_and_delivered_later() {
    let answers = SmtpPeer::start(ACCEPT);
    let bounces = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(answers.port);
    let postfix = Postfix::start(&sandbox, bounces.port);
    let config = sandbox.path("carom.toml");
    let good = fs::read_to_string(&config).unwrap();
    let misfit = fs::canonicalize("policies/dist/misfit.wasm").unwrap();
    fs::copy(&misfit, sandbox.path("misfit.wasm")).unwrap();
    let trap = format!(
        "default_policy = \"misfit\"\n{good}\n[policy.misfit]\npath = \"{}\"\n[policy.misfit.settings]\nmode = \"trap\"\n",
        sandbox.path("misfit.wasm").display()
    );
    let dead_store = format!("{good}\n[store]\npath = \"{}\"\n", sandbox.dir.display());
    let full = format!("{good}\n[store]\npath = \"/dev/full/carom.db\"\n");
    // A message with a side effect: only such a message needs the store.
    let recipient = "x@oob.sink.example";
    for (delivered, (name, broken, word)) in [
        ("config", "nonsense = 1\n".to_owned(), "nonsense"),
        ("trap", trap, "policy misfit"),
        ("store", dead_store, "store"),
        ("disk", full, "store"),
    ]
    .into_iter()
    .enumerate()
    {
        fs::write(&config, broken).unwrap();
        let before = postfix.log().len();
        postfix.send(SENDER, recipient, &plain(recipient));
        wait_for(20, name, || {
            let log = postfix.log();
            log[before..].lines().any(|line| line.contains("status=deferred") && line.contains(word))
        });
        assert_eq!(postfix.queued(), 1, "{name}");
        fs::write(&config, &good).unwrap();
        postfix.flush();
        settled(&postfix);
        assert_eq!(sandbox.counter("oob_sent"), delivered as u64 + 1, "{name}: {}", postfix.log());
    }
    assert!(bounces.mails().is_empty(), "nothing was returned to its sender");
}

#[test]
fn b7_kill_9_in_the_middle_is_deferred_and_delivered_once() {
    let answers = SmtpPeer::start(SILENT);
    let bounces = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(answers.port);
    let postfix = Postfix::start(&sandbox, bounces.port);
    postfix.send(SENDER, "x@oob.sink.example", &plain("x@oob.sink.example"));
    wait_for(20, "carom to talk", || answers.connections.load(std::sync::atomic::Ordering::SeqCst) > 0);
    answers.behave(ACCEPT);
    let binary = sandbox.path("carom");
    let killed =
        Command::new("pkill").args(["-9", "-f", &format!("^{}", binary.display())]).status().unwrap();
    assert!(killed.success());
    wait_for(30, "the bounce", || {
        postfix.flush();
        answers.mails().len() == 1
    });
    settled(&postfix);
    assert_eq!((sandbox.counter("total_messages"), sandbox.counter("oob_sent")), (1, 1), "{}", postfix.log());
    assert!(postfix.log().contains("status=deferred") && bounces.mails().is_empty(), "{}", postfix.log());
}

/// The lines of a Postfix log that the page shows below this heading.
fn shown_below(heading: &str) -> Vec<String> {
    let page = fs::read_to_string("docs/troubleshooting.md").unwrap();
    let section = page.split(&format!("### {heading}\n")).nth(1).unwrap();
    section.split("```").nth(1).unwrap().trim().lines().map(str::to_owned).collect()
}

/// Whether a line of the log is the one that is shown; `…`, ids and the path of the program differ.
fn is_as_shown(line: &str, shown: &str, program: &str) -> bool {
    let shown = shown.replace("/usr/bin/carom", program);
    let shown = shown
        .split_once(": ")
        .filter(|(start, _)| start.starts_with("postfix/"))
        .map_or(&*shown, |(_, it)| it);
    let mut rest = line;
    shown.split('…').map(|part| part.trim_start_matches("4QABC1:").trim()).all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

#[test]
fn what_postfix_logs_when_carom_cannot_answer_is_what_the_page_shows() {
    let bounces = SmtpPeer::start(ACCEPT);
    for (heading, script, more) in [
        ("temporary failure: the program cannot be run", None, ""),
        ("Command died with a signal", Some("kill -9 $$"), ""),
        ("Command time limit exceeded", Some("sleep 30"), "carom_time_limit = 1s\n"),
        ("status=bounced (user unknown)", Some("cat > /dev/null; echo 5.1.1 user unknown; exit 67"), ""),
    ] {
        let sandbox = Sandbox::new();
        let snippet = |name: &str| fs::read_to_string(format!("examples/postfix/{name}")).unwrap();
        let main = snippet("main.cf").replace("sink.example.com", "sink.example");
        let main =
            if more.is_empty() { main } else { main.replace("carom_time_limit = 120s", more.trim_end()) };
        let program = sandbox.path("program").display().to_string();
        if let Some(script) = script {
            fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let services = snippet("master.cf").replace("/usr/bin/carom", &program);
        let postfix = Postfix::start_bouncing(&sandbox, bounces.port, &main, &services);
        postfix.send(SENDER, "x@accept.sink.example", &plain("x@accept.sink.example"));
        let shown = shown_below(heading);
        wait_for(20, heading, || {
            let log = postfix.log();
            shown.iter().all(|shown| log.lines().any(|line| is_as_shown(line, shown, &program)))
        });
    }
}
