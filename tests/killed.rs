//! Kills between any two system calls of one message's life: what was done is done once or is recognizable, what was kept is
//! kept once, and a message counts once, with or without a queue id.

use crate::bounces;
use crate::harness::application::Application;
use crate::harness::peers::{ACCEPT, Arrived, SmtpPeer};
use crate::harness::tracer::{self, Traced};
use crate::harness::{DAY_MS, HOUR_MS, SENDER, SILENT, Sandbox, names, plain, signed, start, wait_for};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

const ACCEPTED: &str = "x@accept.sink.example";
const BOUNCED: &str = "x@oob.sink.example";

/// A sandbox in which messages are delivered by processes that are killed.
struct Life {
    sandbox: Sandbox,
    message: PathBuf,
    recipient: &'static str,
}

impl Life {
    fn new(sandbox: Sandbox, recipient: &'static str, message: &[u8]) -> Life {
        let file = sandbox.path("message");
        fs::write(&file, message).unwrap();
        Life { sandbox, message: file, recipient }
    }

    fn arguments<'a>(&self, queue_id: Option<&'a str>) -> Vec<&'a str> {
        let mut words = vec!["pipe", "--sender", SENDER, "--recipient", self.recipient];
        words.extend(["--client-address", "192.0.2.1"]);
        words.extend(queue_id.iter().flat_map(|id| ["--queue-id", *id]));
        words
    }

    fn deliver(&self, queue_id: Option<&str>) {
        let message = fs::read(&self.message).unwrap();
        self.sandbox.run(&self.arguments(queue_id), &message).silent();
    }

    /// System calls of a delivery to a store and logs that are there; `None`: nobody may trace here.
    fn calls(&self) -> Option<usize> {
        self.warm_up();
        match self.traced(usize::MAX) {
            Traced::Ended { code: 0, calls } => Some(calls),
            Traced::Impossible => {
                eprintln!("skipped: nobody may trace here");
                None
            }
            other => panic!("{other:?}"),
        }
    }

    /// Makes the store and the logs.
    fn warm_up(&self) {
        self.deliver(None);
        self.sandbox.verify_policy();
        // With a store: root looks at each file in the state directory.
        self.total();
    }

    fn traced(&self, kill_at: usize) -> Traced {
        tracer::run(self.sandbox.command(&self.arguments(None)), &self.message, kill_at)
    }

    fn traced_past_first_sync(&self, queue_id: Option<&str>, kill_after: usize) -> Traced {
        tracer::run_past_first_sync(
            self.sandbox.command(&self.arguments(queue_id)),
            &self.message,
            kill_after,
        )
    }

    fn total(&self) -> u64 {
        self.sandbox.counter("total_messages")
    }

    /// Whatever is left to do.
    fn tick(&self) {
        self.sandbox.advance(HOUR_MS);
        self.sandbox.run(&["cron"], b"").silent();
    }
}

/// Kills deliveries at each of their system calls from the first one that waits for the disk on, until one comes to its end:
/// nothing before that one has an effect. `at` takes the number of system calls between that one and the kill. Returns how
/// many were killed.
fn killed_everywhere(mut at: impl FnMut(usize) -> Traced) -> usize {
    let ended = (0..).map(|after| (after, at(after))).find(|(_, traced)| *traced != Traced::Killed);
    match ended.unwrap() {
        (killed, Traced::Ended { code: 0, .. }) => killed,
        (0, Traced::Impossible) => {
            eprintln!("skipped: nobody may trace here");
            0
        }
        other => panic!("{other:?}"),
    }
}

/// System calls after the file of an unanswered delivery is gone: a kill there comes too late to be seen.
const ANSWERING: usize = 1;

#[test]
fn a_message_without_a_queue_id_counts_once_when_it_comes_again_after_a_kill() {
    let life = Life::new(Sandbox::new(), ACCEPTED, &plain(ACCEPTED));
    let Some(calls) = life.calls() else { return };
    let unanswered = || names(&life.sandbox.path("state/unanswered")).len();
    let (mut delivered, mut recognized, mut too_late) = (life.total(), 0, 0);
    for at in calls.saturating_sub(60)..calls {
        if life.traced(at) != Traced::Killed {
            delivered += 1;
            continue;
        }
        let on_record = life.total() > delivered;
        match unanswered() {
            0 if on_record => {
                too_late += 1;
                delivered += 1;
            }
            0 => {}
            _ => recognized += usize::from(on_record),
        }
        life.deliver(None);
        delivered += 1;
        assert_eq!((life.total(), unanswered()), (delivered, 0), "{at}");
    }
    assert!(recognized > 5 && (1..=ANSWERING).contains(&too_late), "{recognized}, {too_late}");
}

#[test]
fn two_messages_of_the_same_bytes_count_twice_and_so_does_one_that_comes_again_too_late() {
    let life = Life::new(Sandbox::new(), ACCEPTED, &plain(ACCEPTED));
    let Some(calls) = life.calls() else { return };
    let before = life.total();
    (0..3).for_each(|_| life.deliver(None));
    assert_eq!(life.total(), before + 3);
    assert_eq!(life.traced(calls - ANSWERING - 4), Traced::Killed);
    assert_eq!(life.total(), before + 4, "it is on record");
    life.sandbox.advance(6 * DAY_MS);
    life.deliver(None);
    assert_eq!(life.total(), before + 5);
}

#[test]
fn a_bounce_of_a_message_without_a_queue_id_is_one_after_a_kill() {
    let peer = SmtpPeer::start(ACCEPT);
    let life = Life::new(Sandbox::new().smtp_port(peer.port), BOUNCED, &plain(BOUNCED));
    life.warm_up();
    let mut sent = life.sandbox.counter("oob_sent");
    killed_everywhere(|after| {
        let traced = life.traced_past_first_sync(None, after);
        // Without a file of its own it would be another message.
        let is_recognized = life.total() == sent || !names(&life.sandbox.path("state/unanswered")).is_empty();
        if traced == Traced::Killed && is_recognized {
            life.deliver(None);
        }
        sent += 1;
        assert_eq!((life.total(), life.sandbox.counter("oob_sent")), (sent, sent), "{after}");
        traced
    });
}

/// A content filter gives a message without a Message-ID another one each time.
#[test]
fn a_message_with_another_message_id_counts_once_when_it_comes_again_after_a_kill() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let words = ["pipe", "--sender", SENDER, "--recipient", BOUNCED, "--client-address", "192.0.2.1"];
    let message = plain(BOUNCED);
    let filtered = |number: u32| {
        let fields = format!(
            "Received: from mx by filter\r\n\tid {number}; today\r\nMessage-Id: <{number}@filter.example>\r\n"
        );
        [fields.as_bytes(), &message].concat()
    };
    let mut child = start(sandbox.command(&words), &filtered(1));
    wait_for(20, "the connection", || peer.connections.load(Ordering::SeqCst) > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    peer.behave(ACCEPT);
    sandbox.run(&words, &filtered(2)).silent();
    assert_eq!((sandbox.counter("total_messages"), peer.mails().len()), (1, 1));
    let data = String::from_utf8(peer.mails()[0].data.clone()).unwrap();
    assert!(data.contains("<1@filter.example>") && !data.contains("<2@filter.example>"), "{data}");
    // It was answered: the same once more is another message.
    sandbox.run(&words, &filtered(3)).silent();
    assert_eq!((sandbox.counter("total_messages"), peer.mails().len()), (2, 2));
}

#[test]
fn a_bounce_repeated_after_a_kill_is_the_same_byte_for_byte() {
    let peer = SmtpPeer::start(ACCEPT);
    let life = Life::new(Sandbox::new().smtp_port(peer.port), BOUNCED, &plain(BOUNCED));
    life.warm_up();
    let before = (peer.mails().len(), life.sandbox.counter("oob_sent"));
    let killed = killed_everywhere(|after| {
        let id = format!("{after}");
        let traced = life.traced_past_first_sync(Some(&id), after);
        life.deliver(Some(&id));
        traced
    });
    if killed == 0 {
        return;
    }
    let log = life.sandbox.run(&["log", "--json", "-n", "100000"], b"").stdout;
    for number in 0..=killed {
        let id = format!("\"queue_id\":\"{number}\"");
        let line =
            log.lines().rfind(|line| line.contains(&id)).unwrap_or_else(|| panic!("no line for {number}"));
        assert!(line.contains("\"verdict\":\"accept\""), "{line}");
    }
    life.tick();
    let mut by_bytes: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for Arrived { data, .. } in peer.mails().into_iter().skip(before.0) {
        *by_bytes.entry(data).or_default() += 1;
    }
    let repeated = by_bytes.values().filter(|times| **times > 1).count();
    assert!(repeated > 0 && repeated < killed, "{killed} kills, {repeated} repeated");
    assert_eq!(by_bytes.len(), killed + 1, "each message has one bounce, whole, however often it came");
    assert_eq!(life.sandbox.counter("oob_sent"), before.1 + killed as u64 + 1);
}

#[test]
fn a_notification_repeated_after_a_kill_has_the_same_id_and_says_the_same() {
    let application = Application::at(0);
    let sandbox = bounces::sandbox(application.port, "");
    let (reply, file) = ("550 5.1.1 user unknown", sandbox.path("message"));
    let deliver = |after: usize| {
        let address = format!("a{after}@there.example");
        let (report, path) =
            (bounces::dsn(&address, "5.1.1", reply), bounces::signed_path(&sandbox, &address));
        let mut words = vec!["pipe", "--policy", "bounce", "--sender", "", "--recipient", &path];
        let id = format!("{after}");
        words.extend(["--client-address", bounces::STRANGER, "--queue-id", &id]);
        fs::write(&file, &report).unwrap();
        let traced = tracer::run_past_first_sync(sandbox.command(&words), &file, after);
        if traced == Traced::Killed {
            sandbox.run(&words, &report).silent();
        }
        traced
    };
    sandbox.run(&["cron"], b"").silent();
    let killed = killed_everywhere(deliver);
    if killed == 0 {
        return;
    }
    let mut by_id: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for told in application.told() {
        by_id.entry(told.header("webhook-id").to_owned()).or_default().push(told.body);
    }
    assert!(by_id.values().any(|bodies| bodies.len() > 1), "some were repeated");
    assert!(by_id.values().all(|bodies| bodies.iter().all(|body| *body == bodies[0])), "{by_id:?}");
    assert_eq!(by_id.len(), killed + 1);
}

#[test]
fn a_copy_is_kept_once_wherever_the_process_is_killed_and_the_scraps_go() {
    let message = signed(ACCEPTED, "X-Bouncy-Sink: store-done\r\n", b"hello\r\n");
    let life = Life::new(Sandbox::new().config("[relay]\nkeep_days = 0"), ACCEPTED, &message);
    life.warm_up();
    let done = life.sandbox.path("state/done");
    let copies = || names(&done).into_iter().filter(|name| !name.starts_with('.')).count();
    let mut messages = copies();
    let killed = killed_everywhere(|after| {
        let id = format!("{after}");
        let traced = life.traced_past_first_sync(Some(&id), after);
        life.deliver(Some(&id));
        messages += 1;
        assert_eq!(copies(), messages, "{after}");
        traced
    });
    if killed == 0 {
        return;
    }
    let scraps: Vec<_> = names(&done).into_iter().filter(|name| name.starts_with('.')).collect();
    assert!(!scraps.is_empty(), "some were killed between");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    for name in &scraps {
        fs::File::options().write(true).open(done.join(name)).unwrap().set_modified(long_ago).unwrap();
    }
    life.tick();
    assert_eq!((names(&done).len(), copies()), (messages, messages));
    assert_eq!(life.sandbox.counter("kept"), messages as u64);
}
