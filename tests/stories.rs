//! A night's worth of messages, of every outcome: `carom find` gives the true story of each, as it is now, compared with what the
//! peers have on record themselves.

use crate::bounces::{STRANGER, dsn, signed_path};
use crate::harness::application::Application;
use crate::harness::peers::{ACCEPT, Manner, SmtpPeer};
use crate::harness::postfix::Postfix;
use crate::harness::{HOUR_MS, SENDER, SILENT, Sandbox, finish, plain, queued, start, wait_for};
use crate::unproven::{Sent, letter, send};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

const BOUNCES: &str = "bounces@bounces.example.com";
pub(crate) const NOT_NOW: Manner = Manner { at: "RCPT", reply: "450 4.2.1 not now" };
pub(crate) const NEVER: Manner = Manner { at: "RCPT", reply: "550 5.1.1 no such user" };

/// What is to be seen of a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Story {
    /// The last word about the message.
    pub(crate) status: String,
    /// How often it was deferred before.
    pub(crate) deferred: u64,
    /// The action and the state of each step that somebody outside sees.
    pub(crate) step: Option<(String, String)>,
}

impl Story {
    pub(crate) fn new(status: &str, deferred: u64, step: Option<(&str, &str)>) -> Story {
        let step = step.map(|(action, state)| (action.to_owned(), state.to_owned()));
        Story { status: status.into(), deferred, step }
    }
}

/// The story that `carom find` tells.
pub(crate) fn told(sandbox: &Sandbox, queue_id: &str) -> Story {
    let ran = sandbox.run(&["find", queue_id, "--json"], b"");
    let known: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    let log = known["log"].as_array().unwrap();
    let deferred = log.iter().map(|line| line["tries"].as_u64().unwrap_or(0)).sum();
    let last = log.iter().rfind(|line| line["event"].is_null()).or(log.last());
    let last = last.unwrap_or_else(|| panic!("{queue_id} is not there: {known}"));
    let seen = |step: &&Value| ["bounce", "notify"].contains(&step["action"].as_str().unwrap());
    let step = last["steps"].as_array().and_then(|steps| steps.iter().find(seen));
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Story {
        status: word(&last["status"]),
        deferred,
        step: step.map(|step| (word(&step["action"]), word(&step["state"]))),
    }
}

pub(crate) fn sandbox(smtp: u16, application: u16) -> Sandbox {
    let misfit = fs::canonicalize("policies/dist/misfit.wasm").unwrap();
    Sandbox::new().smtp_port(smtp).config(&format!(
        "[verp]\nkeys = [\"a key of at least sixteen octets\"]\ndomain = \"bounces.example.com\"\n\
         [[notify]]\nsender_domain = \"*\"\nurl = \"http://127.0.0.1:{application}/{{address}}\"\n\
         [policy.misfit]\npath = \"{0}\"\n[policy.misfit.settings]\nmode = \"trap\"\n\
         [policy.lenient]\npath = \"{0}\"\non_trap = \"accept\"\n[policy.lenient.settings]\nmode = \"trap\"\n",
        misfit.display()
    ))
}

/// How often the peer has the bounce about a recipient.
fn bounced(peer: &SmtpPeer, recipient: &str) -> usize {
    let named = format!("Final-Recipient: rfc822; {recipient}");
    peer.mails().iter().filter(|mail| String::from_utf8_lossy(&mail.data).contains(&named)).count()
}

#[test]
fn the_story_of_each_of_two_hundred_messages_is_true_and_current() {
    const EACH: usize = 20;
    let (peer, application) = (SmtpPeer::start(ACCEPT), Application::at(0));
    let sandbox = &sandbox(peer.port, application.port);
    let mut expected: HashMap<String, (String, Story)> = HashMap::new();
    let mut number = 0;
    let mut next = |kind: &str| {
        number += 1;
        format!("4Q{kind}{number:04}z")
    };
    let sink = |label: &str, queue_id: &str| format!("{}@{label}.sink.example", queue_id.to_lowercase());
    let deliver = |policy: &str, from: &str, to: &str, queue_id: &str, raw: &[u8], code: i32| {
        let client = if from.is_empty() { STRANGER } else { "192.0.2.1" };
        let ran = send(sandbox, &Sent { from, to, client, queue_id, policy }, raw);
        assert_eq!(ran.code, code, "{queue_id}: {ran:?}");
    };
    let mut expect = |queue_id: &str, to: &str, story: Story| {
        expected.insert(queue_id.to_owned(), (to.to_owned(), story));
    };
    for (kind, label, policy, code, story) in [
        ("acc", "accept", "sink", 0, Story::new("accepted", 0, None)),
        ("ref", "reject", "sink", 67, Story::new("refused", 0, None)),
        ("dfr", "defer", "sink", 75, Story::new("deferred", 1, None)),
        ("trp", "accept", "misfit", 75, Story::new("deferred", 1, None)),
        ("len", "accept", "lenient", 0, Story::new("kept", 0, None)),
        ("oob", "oob", "sink", 0, Story::new("accepted", 0, Some(("bounce", "succeeded")))),
    ] {
        for _ in 0..EACH {
            let queue_id = next(kind);
            let to = sink(label, &queue_id);
            deliver(policy, SENDER, &to, &queue_id, &plain(&to), code);
            expect(&queue_id, &to, story.clone());
        }
    }
    for _ in 0..EACH {
        let queue_id = next("kpt");
        deliver("bounce", SENDER, BOUNCES, &queue_id, &letter("Re: your order", "Where is it?"), 0);
        expect(&queue_id, BOUNCES, Story::new("kept", 0, None));
        // Deferred twice, by two faults, then delivered.
        let queue_id = next("twi");
        let to = sink("oob", &queue_id);
        let message = plain(&to);
        for policy in ["misfit", "unheard-of"] {
            deliver(policy, SENDER, &to, &queue_id, &message, 75);
        }
        deliver("sink", SENDER, &to, &queue_id, &message, 0);
        expect(&queue_id, &to, Story::new("accepted", 2, Some(("bounce", "succeeded"))));
    }
    let report = |kind: &str,
                  state: &str,
                  next: &mut dyn FnMut(&str) -> String,
                  expect: &mut dyn FnMut(&str, &str, Story)| {
        let queue_id = next(kind);
        let address = format!("{}@there.example", queue_id.to_lowercase());
        let path = signed_path(sandbox, &address);
        deliver("bounce", "", &path, &queue_id, &dsn(&address, "5.1.1", "550 5.1.1 user unknown"), 0);
        expect(&queue_id, &address, Story::new("accepted", 0, Some(("notify", state))));
    };
    for (status, kind, state) in
        [(200, "nfy", "succeeded"), (403, "prk", "parked"), (503, "ret", "succeeded")]
    {
        application.answer(status);
        (0..EACH / 2).for_each(|_| report(kind, state, &mut next, &mut expect));
    }
    // What the tick retries, and what the peer refuses for good.
    for (manner, kind, state) in [(NOT_NOW, "tck", "succeeded"), (NEVER, "giv", "given up")] {
        peer.behave(manner);
        for _ in 0..EACH / 2 {
            let queue_id = next(kind);
            let to = sink("oob", &queue_id);
            deliver("sink", SENDER, &to, &queue_id, &plain(&to), 0);
            expect(&queue_id, &to, Story::new("accepted", 0, Some(("bounce", state))));
        }
    }
    // Killed while the peer is silent; the mail server delivers one again, the tick does the rest.
    peer.behave(SILENT);
    for redelivered in [true, false, true, false] {
        let queue_id = next("kil");
        let to = sink("oob", &queue_id);
        let message = plain(&to);
        let words = queued(&to, &queue_id);
        let before = peer.connections.load(SeqCst);
        let mut running = start(sandbox.command(&words), &message);
        wait_for(30, "the dialogue", || peer.connections.load(SeqCst) > before);
        running.kill().unwrap();
        finish(running, std::time::Duration::from_secs(30));
        let pending = sandbox.run(&["find", &queue_id], b"").stdout;
        assert!(
            pending.starts_with("message ") && pending.contains("  step       bounce pending (not tried yet"),
            "before its line: {pending}"
        );
        if redelivered {
            peer.behave(ACCEPT);
            assert_eq!(sandbox.run(&words, &message).code, 0);
            peer.behave(SILENT);
        }
        // With or without a redelivery, what was promised is told.
        expect(&queue_id, &to, Story::new("accepted", 0, Some(("bounce", "succeeded"))));
    }
    peer.behave(ACCEPT);
    application.answer(200);
    sandbox.advance(HOUR_MS);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert!(expected.len() >= 200, "{}", expected.len());
    let ids: Vec<&String> = expected.keys().collect();
    std::thread::scope(|scope| {
        for ids in ids.chunks(ids.len().div_ceil(4)) {
            let (expected, peer, application) = (&expected, &peer, &application);
            scope.spawn(move || {
                let posts = application.told();
                for id in ids {
                    let (to, story) = &expected[*id];
                    let mut found = told(sandbox, id);
                    if found.status == "redelivery" {
                        found.status = "accepted".into();
                    }
                    assert_eq!(found, *story, "{id} to {to}");
                    let done = |action: &str| story.step == Some((action.into(), "succeeded".into()));
                    assert_eq!(bounced(peer, to), usize::from(done("bounce")), "{id}: what the peer has");
                    let path = format!("/{}", to.replace('@', "%40"));
                    let posted = posts.iter().filter(|one| one.path == path).count();
                    assert_eq!(
                        posted > 0,
                        story.step.as_ref().is_some_and(|step| step.0 == "notify"),
                        "{id}"
                    );
                }
            });
        }
    });
    let parked = sandbox.run(&["log", "--status", "parked", "-n", "1000"], b"").stdout;
    assert_eq!(parked.lines().count(), EACH / 2, "{parked}");
}

/// The queue ids are Postfix's own, and so is the other side of the story: its log.
#[test]
fn the_story_of_what_a_real_postfix_hands_over_agrees_with_its_log() {
    let (peer, bounces) = (SmtpPeer::start(ACCEPT), SmtpPeer::start(ACCEPT));
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let postfix = Postfix::start(&sandbox, bounces.port);
    let config = sandbox.path("carom.toml");
    let good = fs::read_to_string(&config).unwrap();
    fs::write(&config, good.replace("domains = [\"sink.example\"]", "domains = []")).unwrap();
    let to = "twice@oob.sink.example";
    postfix.send(SENDER, to, &plain(to));
    // A queue run passes over a message that is still being delivered.
    let tried_again = |is_over: &dyn Fn() -> bool| {
        postfix.flush();
        std::thread::sleep(Duration::from_secs(1));
        is_over()
    };
    let is_deferred_twice = || postfix.log().matches("status=deferred").count() >= 2;
    wait_for(90, "two deferrals", || tried_again(&is_deferred_twice));
    fs::write(&config, &good).unwrap();
    wait_for(60, "an empty queue", || tried_again(&|| postfix.queued() == 0));
    for to in ["plain@accept.sink.example", "gone@reject.sink.example"] {
        postfix.send(SENDER, to, &plain(to));
    }
    wait_for(30, "an empty queue", || postfix.queued() == 0);
    let log = postfix.log();
    let of = |to: &str| -> Vec<(String, String)> {
        let lines =
            log.lines().filter(|line| line.contains(&format!("to=<{to}>")) && line.contains("relay=carom"));
        let word = |line: &str, start: &str, ends: &[char]| {
            line.split(start).nth(1).unwrap().split(ends).next().unwrap().to_owned()
        };
        lines.map(|line| (word(line, "]: ", &[':']), word(line, "status=", &[' ']))).collect()
    };
    for (to, status, step) in [
        (to, "accepted", Some(("bounce", "succeeded"))),
        ("plain@accept.sink.example", "accepted", None),
        ("gone@reject.sink.example", "refused", None),
    ] {
        let attempts = of(to);
        let deferred = attempts.iter().filter(|(_, status)| status == "deferred").count() as u64;
        assert_eq!(
            told(&sandbox, &attempts[0].0),
            Story::new(status, deferred, step),
            "{to}: {attempts:?}\n{log}"
        );
        assert_eq!(bounced(&peer, to), usize::from(step.is_some()), "{to}");
    }
}
