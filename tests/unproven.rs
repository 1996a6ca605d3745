//! What is accepted without an effect is never gone: it is kept, forwarded or refused, and the reason is in log, find and counter.
//! The table of the reasons in docs/proof.md is walked.

use crate::bounces::{OWN, STRANGER, dsn, dsn_of, signed_path};
use crate::complaints::complaint;
use crate::guide::shell;
use crate::harness::peers::{ACCEPT, Manner, SmtpPeer};
use crate::harness::{DAY_MS, HOUR_MS, Ran, SENDER, Sandbox, free_port, names, plain};
use crate::proof::{BOUNCES, NO_USER, created};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

const ANN: &str = "ann@there.example";

pub(crate) fn sandbox(tables: &str) -> Sandbox {
    let misfit = fs::canonicalize("policies/dist/misfit.wasm").unwrap();
    Sandbox::new().config(&format!(
        "[auth]\nown_servers = [\"{OWN}/32\"]\n[verp]\nkeys = [\"a key of at least sixteen octets\"]\ndomain = \"bounces.example.com\"\n\
         [policy.bounce.settings]\nthreshold = 2\n[policy.misfit]\npath = \"{}\"\non_trap = \"accept\"\n\
         [policy.misfit.settings]\nmode = \"trap\"\n{tables}\n",
        misfit.display()
    ))
}

/// A message on its way.
pub(crate) struct Sent<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) client: &'a str,
    pub(crate) queue_id: &'a str,
    pub(crate) policy: &'a str,
}

pub(crate) fn send(
    sandbox: &Sandbox,
    Sent { from, to, client, queue_id, policy }: &Sent<'_>,
    raw: &[u8],
) -> Ran {
    let envelope = ["--sender", from, "--recipient", to, "--client-address", client, "--queue-id", queue_id];
    sandbox.run(&[&["pipe", "--policy", policy], &envelope[..]].concat(), raw)
}

pub(crate) fn letter(subject: &str, text: &str) -> Vec<u8> {
    let id = fastrand::u64(..);
    format!(
        "From: Alice <{SENDER}>\r\nTo: <{BOUNCES}>\r\nSubject: {subject}\r\nMessage-ID: <{id:x}@sender.example>\r\n\r\n{text}\r\n"
    )
    .into_bytes()
}

/// For each reason, a message that has it.
fn samples(sandbox: &Sandbox) -> Vec<(&'static str, Sent<'static>, Vec<u8>)> {
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let signed = leak(signed_path(sandbox, ANN));
    let at = |ahead_ms: i64| {
        sandbox.set_clock(ahead_ms);
        let path = leak(signed_path(sandbox, ANN));
        sandbox.set_clock(0);
        path
    };
    let (expired, ahead) = (at(-40 * DAY_MS), at(10 * DAY_MS));
    // One digit of the tag.
    let place = signed.find('-').unwrap() + 3;
    let other = if &signed[place..=place] == "a" { "b" } else { "a" };
    let forged = leak(format!("{}{other}{}", &signed[..place], &signed[place + 1..]));
    let gone = || dsn(ANN, "5.1.1", NO_USER);
    let to = |to: &'static str| Sent { from: "", to, client: STRANGER, queue_id: "", policy: "bounce" };
    let own = || Sent { client: OWN, ..to(BOUNCES) };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let foreign =
        "Received: from x (unknown [203.0.113.9]) by mx.example.com (Postfix) with ESMTP id 4Q1; d\r\n";
    let not_sent_here = text(gone()).replace("(localhost [127.0.0.1])", "(x [203.0.113.9])").into_bytes();
    let note = |header: &str| letter(&format!("Re: your order\r\n{header}"), "I am away until Monday.");
    let person = || Sent { from: SENDER, ..to(BOUNCES) };
    let challenge = letter(
        "Please confirm your message\r\nAuto-Submitted: auto-replied",
        "Your message is being held until you confirm that you are a person.\r\nhttp://confirm.there.example/challenge/4f2a",
    );
    let no_address =
        text(gone()).replace(&format!("Final-Recipient: rfc822; {ANN}\r\n"), "").replace(ANN, "undisclosed");
    vec![
        ("no-signed-path", Sent { from: "daemon@there.example", ..to(BOUNCES) }, gone()),
        ("bad-signature", to(forged), gone()),
        ("signature-expired", to(expired), gone()),
        ("signature-ahead", to(ahead), gone()),
        ("other-address", to(signed), dsn("bob@there.example", "5.1.1", NO_USER)),
        ("not-own-server", to(BOUNCES), gone()),
        ("foreign-trace", own(), [foreign.as_bytes(), &gone()].concat()),
        ("not-our-message", own(), not_sent_here),
        ("no-queue-id", Sent { client: "", ..to(BOUNCES) }, [created("4Q1").as_bytes(), &gone()].concat()),
        ("no-complainant", person(), complaint("abuse", "", "To: <ann@there.example>\r\n")),
        (
            "no-author",
            person(),
            text(letter("unsubscribe", "unsubscribe")).replace("From: ", "From: x@y.example, ").into_bytes(),
        ),
        ("no-report", person(), letter("Re: your order", "Where is it?")),
        ("no-application", to(signed), letter("unsubscribe", "unsubscribe")),
        ("policy-failed", Sent { policy: "misfit", ..person() }, plain(BOUNCES)),
        ("no-address", to(signed), no_address.into_bytes()),
        ("no-failure", to(signed), text(gone()).replace("Action: failed", "Action: delayed").into_bytes()),
        ("no-consequence", to(signed), dsn(ANN, "5.7.1", "550 5.7.1 rejected: your message looks like spam")),
        ("complaint-type", person(), complaint("not-spam", "", "")),
        ("auto-reply", to(BOUNCES), note("Auto-Submitted: auto-replied")),
        ("challenge", person(), challenge),
    ]
}

/// The rows of the table: key, text, forwarded.
fn table() -> Vec<(String, String, String)> {
    let page = fs::read_to_string("docs/proof.md").unwrap();
    let rows = page.lines().skip_while(|line| *line != "| reason | text | forwarded |").skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells =
        |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().replace('`', "")).collect() };
    rows.map(cells).map(|cells| (cells[1].clone(), cells[2].clone(), cells[3].clone())).collect()
}

#[test]
fn each_reason_of_the_page_is_logged_counted_and_found_with_the_message_as_it_came() {
    let sandbox = sandbox("");
    let samples = samples(&sandbox);
    let (known, sampled): (BTreeSet<String>, BTreeSet<String>) = (
        table().into_iter().map(|row| row.0).collect(),
        samples.iter().map(|one| one.0.to_owned()).collect(),
    );
    assert_eq!(known, sampled, "the page and the samples");
    for ((number, (key, sent, raw)), (_, text, _)) in (1..).zip(&samples).zip(table()) {
        let queue_id = if *key == "no-queue-id" { String::new() } else { format!("4QKx{number:02}reason") };
        send(&sandbox, &Sent { queue_id: &queue_id, ..*sent }, raw).silent();
        assert_eq!(sandbox.counter(&format!("unproven_{}", key.replace('-', "_"))), 1, "{key}");
        let id = String::from_utf8_lossy(raw);
        let id = id
            .lines()
            .find_map(|line| line.strip_prefix("Message-ID: <")?.strip_suffix('>'))
            .unwrap()
            .to_owned();
        let named = if queue_id.is_empty() { ANN.to_owned() } else { queue_id };
        let line: Value =
            serde_json::from_str(&sandbox.run(&["log", "--json", "-n", "1"], b"").stdout).unwrap();
        assert_eq!((&line["unproven"], &line["verdict"]), (&(*key).into(), &"accept".into()), "{line}");
        let steps = line["steps"].as_array().into_iter().flatten();
        assert!(steps.filter(|step| step["action"] == "keep-unproven").count() <= 1, "{line}");
        let found = sandbox.run(&["find", &named], b"").stdout;
        let logged = sandbox.run(&["log", "-n", "1"], b"").stdout;
        assert!(logged.matches("keep-unproven succeeded").count() <= 1, "{logged}");
        let said = if *key == "policy-failed" { "policy misfit" } else { text.as_str() };
        assert!(found.contains(said), "{key}: {found}");
        // What matches nobody is kept under the ids of the message.
        let key_of_mail = if *key == "no-complainant" { "complaint-unmatched" } else { &named };
        let printed = sandbox.run(&["find", key_of_mail, "--mail"], b"");
        assert_eq!((printed.code, printed.stdout.as_bytes()), (0, raw.as_slice()), "{key} {id}: {printed:?}");
    }
    assert!(sandbox.run(&["suppress", "export"], b"").stdout.lines().count() < 2, "nobody is suppressed");
}

#[test]
fn a_dry_run_says_why_nothing_would_follow_and_keeps_nothing() {
    let sandbox = sandbox("");
    let words = ["pipe", "--dry-run", "--json", "--policy", "bounce", "--sender", "", "--recipient", BOUNCES];
    let dry = [&words[..], &["--client-address", STRANGER]].concat();
    let ran = sandbox.run(&dry, &dsn(ANN, "5.1.1", NO_USER));
    let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(shown["unproven"], "not-own-server", "{ran:?}");
    assert!(shown["reason"].as_str().unwrap().contains("[auth] own_servers"), "{ran:?}");
    assert!(!sandbox.path("state/unproven").exists());
}

#[test]
fn a_message_that_comes_again_is_kept_once_and_what_is_old_goes() {
    let sandbox = sandbox("[unproven]\ndays = 7\nper_reason = 2\n");
    let reply = letter("Re: your order", "Where is it?");
    let from = |queue_id: &'static str| Sent {
        from: SENDER,
        to: BOUNCES,
        client: STRANGER,
        queue_id,
        policy: "bounce",
    };
    let kept = || names(&sandbox.path("state/unproven/no-report")).len();
    for _ in 0..3 {
        send(&sandbox, &from("4Qsame"), &reply).silent();
    }
    assert_eq!((kept(), sandbox.counter("unproven_kept")), (1, 1));
    for queue_id in ["4Q2", "4Q3", "4Q4"] {
        send(&sandbox, &from(queue_id), &reply).silent();
    }
    assert_eq!(kept(), 2, "the newest");
    sandbox.advance(8 * DAY_MS);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(kept(), 0);
}

#[test]
fn what_cannot_be_kept_is_deferred_and_not_gone() {
    let sandbox = sandbox("");
    fs::create_dir_all(sandbox.path("state")).unwrap();
    fs::write(sandbox.path("state/unproven"), "in the way").unwrap();
    let reply = letter("Re: your order", "Where is it?");
    let sent = Sent { from: SENDER, to: BOUNCES, client: STRANGER, queue_id: "4Qdefer", policy: "bounce" };
    for _ in 0..2 {
        let ran = send(&sandbox, &sent, &reply);
        ran.says(75, "4.3.0 ");
        assert!(ran.stdout.contains("[unproven] directory"), "{ran:?}");
    }
    let found = sandbox.run(&["find", "4Qdefer"], b"").stdout;
    assert!(found.contains("deferred") && found.contains("unproven"), "{found}");
    fs::remove_file(sandbox.path("state/unproven")).unwrap();
    send(&sandbox, &sent, &reply).silent();
    assert_eq!(sandbox.run(&["find", "4Qdefer", "--mail"], b"").stdout.as_bytes(), reply);
}

#[test]
fn forwarded_messages_reach_the_operator_once_and_never_go_in_circles() {
    let peer = SmtpPeer::start(Manner { at: "RCPT", reply: "450 4.2.1 not now" });
    let sandbox = sandbox(&format!(
        "[unproven]\naction = \"forward\"\nto = \"postmaster@sender.example\"\nserver = \"127.0.0.1:{}\"\n",
        peer.port
    ));
    let reply = letter("Re: your order", ".Where is it?\r\n.\r\nBest, Alice");
    let from = |queue_id: &'static str| Sent {
        from: SENDER,
        to: BOUNCES,
        client: STRANGER,
        queue_id,
        policy: "bounce",
    };
    send(&sandbox, &from("4Qfwd1"), &reply).silent();
    assert!(peer.mails().is_empty());
    // The copy that is kept if it cannot be forwarded is no step before that.
    let shown = [&["outbox"][..], &["find", "4Qfwd1"]].map(|arguments| sandbox.run(arguments, b"").stdout);
    assert!(
        shown.iter().all(|text| text.contains("forward") && !text.contains("keep-unproven")),
        "{shown:?}"
    );
    peer.behave(ACCEPT);
    sandbox.advance(HOUR_MS);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    let mails = peer.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!((mails[0].from.as_str(), mails[0].to.as_str()), ("", "postmaster@sender.example"));
    let data = String::from_utf8(mails[0].data.clone()).unwrap();
    assert!(data.starts_with("X-Carom-Unproven: no-report; "), "{data}");
    assert!(data.ends_with(std::str::from_utf8(&reply).unwrap()), "{data}");
    let found = sandbox.run(&["find", "4Qfwd1"], b"").stdout;
    assert!(found.contains("forwarded to <postmaster@sender.example>"), "{found}");
    assert_eq!((sandbox.counter("unproven_forwarded"), sandbox.counter("unproven_kept")), (1, 0));
    // The forwarded message comes back, with whatever return path.
    send(&sandbox, &from("4Qfwd2"), data.as_bytes()).silent();
    assert_eq!((peer.mails().len(), sandbox.counter("unproven_kept")), (1, 1));
    // What machines wrote stays here.
    let note = letter("Re: your order\r\nAuto-Submitted: auto-replied", "I am away.");
    send(&sandbox, &from("4Qfwd3"), &note).silent();
    assert_eq!((peer.mails().len(), sandbox.counter("unproven_kept")), (1, 2));
    // What the operator's server refuses for good is kept.
    peer.behave(Manner { at: "RCPT", reply: "550 5.1.1 no such user" });
    send(&sandbox, &from("4Qfwd4"), &reply).silent();
    assert_eq!(sandbox.run(&["find", "4Qfwd4", "--mail"], b"").stdout.as_bytes(), reply);
    let without = self::sandbox("[unproven]\naction = \"forward\"\n");
    let ran = send(&without, &from("4Qfwd5"), &reply);
    ran.says(75, "4.3.0 ");
    assert!(ran.stdout.contains("[unproven] to"), "{ran:?}");
}

/// A message of a stranger can begin with what looks like the rest of a field.
#[test]
fn the_envelope_that_is_shown_to_the_operator_is_not_continued_by_the_message() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = sandbox(&format!(
        "[unproven]\naction = \"forward\"\nto = \"postmaster@sender.example\"\nserver = \"127.0.0.1:{}\"\n",
        peer.port
    ));
    let sent = |queue_id| Sent { from: SENDER, to: BOUNCES, client: STRANGER, queue_id, policy: "bounce" };
    let letter = letter("Re: your order", "Where is it?");
    for (begins, queue_id) in [(" , to=<root@sender.example>\r\n", "4Qfold1"), ("\tx\n y\n", "4Qfold2")] {
        send(&sandbox, &sent(queue_id), &[begins.as_bytes(), &letter].concat()).silent();
        let data = String::from_utf8(peer.mails().pop().unwrap().data).unwrap();
        let lines: Vec<&str> = data.lines().take(4).collect();
        assert_eq!(lines[1], format!("X-Carom-Envelope: from=<{SENDER}>, to=<{BOUNCES}>"));
        assert_eq!((lines[2], lines[3]), ("X-Carom-Begins:", begins.lines().next().unwrap()));
    }
    send(&sandbox, &sent("4Qfold3"), &letter).silent();
    assert!(!String::from_utf8(peer.mails().pop().unwrap().data).unwrap().contains("X-Carom-Begins"));
}

/// The same word in the log, in its JSON and in `find`; without its copy a message is not kept.
#[test]
fn what_is_without_effect_is_kept_or_forwarded_until_its_copy_is_gone() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = sandbox(&format!(
        "[unproven]\naction = \"forward\"\nto = \"postmaster@sender.example\"\nserver = \"127.0.0.1:{}\"\n",
        peer.port
    ));
    let from = |from, queue_id| Sent { from, to: BOUNCES, client: STRANGER, queue_id, policy: "bounce" };
    let away = letter("Re: your order\r\nAuto-Submitted: auto-replied", "I am away.");
    send(&sandbox, &from(SENDER, "4Qstate1"), &letter("Re: your order", "Where is it?")).silent();
    send(&sandbox, &from(SENDER, "4Qstate2"), &away).silent();
    let unmatched = complaint("abuse", "", "To: <ann@there.example>\r\n");
    send(&sandbox, &from("feedback@isp.example", "4Qstate3"), &unmatched).silent();
    let shown = sandbox.run(&["find", "4Qstate3", "--mail"], b"");
    assert!(shown.code == 0 && shown.stdout.contains("ann@there.example"), "{shown:?}");
    let states = || {
        let json = sandbox.run(&["log", "--json"], b"").stdout;
        let text = sandbox.run(&["log"], b"").stdout;
        let row = |(line, text): (&str, &str)| {
            let line: Value = serde_json::from_str(line).unwrap();
            let (queue_id, status) = (line["queue_id"].as_str().unwrap(), line["status"].as_str().unwrap());
            let found = sandbox.run(&["find", queue_id], b"").stdout;
            assert!(text.contains(&format!("  {status}  ")), "{text}");
            assert!(found.contains(&format!("  {status}  ")), "{status}: {found}");
            let chosen = sandbox.run(&["log", "--status", status], b"").stdout;
            assert!(chosen.contains(queue_id), "{status}: {chosen}");
            status.to_owned()
        };
        json.lines().zip(text.lines()).map(row).collect::<Vec<_>>()
    };
    assert_eq!(states(), ["forwarded", "kept", "kept"]);
    let log = sandbox.run(&["log"], b"").stdout;
    assert!(log.contains("counted: ") && log.contains(", unproven_kept"), "{log}");
    assert_eq!(sandbox.run(&["erase", SENDER], b"").code, 0);
    assert_eq!(states(), ["forwarded", "accepted", "kept"]);
    assert!(sandbox.run(&["find", "4Qstate2"], b"").stdout.contains("its copy is gone"));
    sandbox.advance(91 * DAY_MS);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(sandbox.run(&["log", "--status", "kept"], b"").stdout, "");
}

/// A refusal makes the mail server write a bounce: only the true sender may get it.
#[test]
fn only_what_reaches_its_true_sender_is_refused_and_the_rest_is_kept() {
    let sandbox = sandbox("[unproven]\naction = \"refuse\"\n");
    let reply = letter("Re: your order", "Where is it?");
    let honest =
        || Sent { from: SENDER, to: BOUNCES, client: "192.0.2.1", queue_id: "4Qref1", policy: "bounce" };
    let ran = send(&sandbox, &honest(), &reply);
    ran.says(77, "5.7.1 ");
    assert!(sandbox.run(&["find", "4Qref1"], b"").stdout.contains("refused"));
    for (number, sent, raw) in [
        (2, Sent { client: STRANGER, queue_id: "4Qref2", ..honest() }, &reply),
        (3, Sent { client: "", queue_id: "4Qref3", ..honest() }, &reply),
        (4, Sent { from: "", queue_id: "4Qref4", ..honest() }, &reply),
        (5, Sent { queue_id: "", ..honest() }, &reply),
        (6, Sent { queue_id: "4Qref6", ..honest() }, &dsn_of("1@x.example", ANN, "5.1.1", NO_USER)),
    ] {
        send(&sandbox, &sent, raw).silent();
        assert_eq!(sandbox.counter("unproven_kept"), number - 1, "{number}");
    }
    assert_eq!((sandbox.counter("unproven_refused"), sandbox.counter("rejected")), (1, 1));
}

/// The sink is meant to let go of what it accepts.
#[test]
fn the_sink_keeps_nothing_of_what_it_is_asked_to_accept() {
    let sandbox = Sandbox::new().smtp_port(free_port());
    sandbox.pipe("x@accept.sink.example", &plain("x@accept.sink.example")).silent();
    assert!(!sandbox.path("state/unproven").exists() && !sandbox.path("state/carom.db").exists());
}

/// The loop of docs/proof.md, as it is written there.
#[test]
fn kept_reports_are_handed_in_again_by_the_loop_of_the_page() {
    let sandbox = sandbox("");
    let config = fs::read_to_string(sandbox.path("carom.toml")).unwrap();
    let first = "keys = [\"a key of at least sixteen octets\"]";
    let paths = [ANN, "bob@there.example", "joe@there.example"].map(|to| (to, signed_path(&sandbox, to)));
    let write = |keys: &str| fs::write(sandbox.path("carom.toml"), config.replace(first, keys)).unwrap();
    write("keys = [\"another key of sixteen octets\"]");
    // Two of one queue id, and one without.
    for ((address, path), queue_id) in paths.iter().zip(["4QTWICE", "4QTWICE", ""]) {
        let sent = Sent { from: "", to: path, client: STRANGER, queue_id, policy: "bounce" };
        send(&sandbox, &sent, &dsn(address, "5.1.1", NO_USER)).silent();
    }
    assert_eq!(sandbox.counter("unproven_bad_signature"), 3);
    write("keys = [\"another key of sixteen octets\", \"a key of at least sixteen octets\"]");
    let page = fs::read_to_string("docs/proof.md").unwrap();
    let block = page.split("```console\n").find(|block| block.contains("while IFS")).unwrap();
    let commands = block.split("```").next().unwrap();
    let config = sandbox.path("carom.toml").display().to_string();
    let run = || shell(&sandbox, &sandbox.dir, &format!("export CAROM_CONFIG={config}\n{commands}"));
    assert_eq!((run(), run()), (String::new(), String::new()));
    for (address, _) in &paths {
        let ran = sandbox.run(&["suppress", "check", address], b"");
        assert_eq!(ran.code, 1, "{address} is suppressed: {ran:?}");
    }
    assert_eq!(sandbox.counter("bounce_hard"), 3, "each counts once");
    // Copies may be deleted: nothing counts by them.
    fs::remove_dir_all(sandbox.path("state/unproven")).unwrap();
    let log = sandbox.run(&["log", "--since", "1d"], b"").stdout;
    assert!(log.contains("its copy is gone"), "{log}");
    let forged = "b+aaa-bbbbbbbbbbbb-ann=there.example@bounces.example.com";
    let sent = Sent { from: "", to: forged, client: STRANGER, queue_id: "4QLATER", policy: "bounce" };
    send(&sandbox, &sent, &dsn(ANN, "5.1.1", NO_USER)).silent();
    assert!(sandbox.run(&["log", "--status", "kept"], b"").stdout.contains("4QLATER"));
}
