//! A thousand messages of every outcome that a real Postfix hands over: `carom find` gives the true story of each, as it is now,
//! compared with Postfix's log and with what the peers have on record themselves.

use crate::bounces::{dsn, signed_path};
use crate::harness::application::Application;
use crate::harness::peers::{ACCEPT, Manner, SmtpPeer};
use crate::harness::postfix::Postfix;
use crate::harness::{HOUR_MS, SENDER, SILENT, Sandbox, plain, wait_for};
use crate::stories::{NEVER, NOT_NOW, Story, sandbox, told};
use crate::unproven::letter;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashMap;
use std::fs;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::sleep;
use std::time::Duration;

/// A message that is handed in.
struct Sent {
    from: &'static str,
    to: String,
    raw: Vec<u8>,
}

/// A step, and its state.
type StepState = (&'static str, &'static str);

/// What the night is made of.
struct Night<'n> {
    sandbox: &'n Sandbox,
    postfix: &'n Postfix,
    /// By recipient: the status, and the step, if there is one.
    expected: HashMap<String, (&'static str, Option<StepState>)>,
}

impl Night<'_> {
    /// Hands in `many` messages of a kind, each with a recipient of its own, side by side.
    fn send(
        &mut self,
        many: usize,
        status: &'static str,
        step: Option<StepState>,
        make: &(dyn Fn(usize) -> Sent + Sync),
    ) {
        let postfix = self.postfix;
        let sent: Vec<String> = std::thread::scope(|scope| {
            let part = |first: usize| {
                scope.spawn(move || {
                    let handed = |number: usize| {
                        let Sent { from, to, raw } = make(number);
                        let reply = postfix.send(from, &to, &raw);
                        assert!(reply.starts_with("250"), "{to}: {reply}");
                        to
                    };
                    (first..many).step_by(4).map(handed).collect::<Vec<_>>()
                })
            };
            let parts: Vec<_> = (0..4).map(part).collect();
            parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
        });
        self.expected.extend(sent.into_iter().map(|to| (to, (status, step))));
    }

    fn settle(&self) {
        self.wait("an empty queue", &|| self.postfix.queued() == 0);
    }

    /// Looks seldom: looking starts a process.
    fn wait(&self, what: &str, is_over: &dyn Fn() -> bool) {
        wait_for(200, what, || {
            sleep(Duration::from_millis(300));
            is_over()
        });
    }

    fn tick(&self) {
        self.sandbox.advance(HOUR_MS);
        assert_eq!(self.sandbox.run(&["cron"], b"").code, 0);
    }

    /// The processes that Postfix has started for messages.
    fn running(&self) -> Vec<Pid> {
        let binary = self.sandbox.path("carom");
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let ids = entries.filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            (fs::read_link(entry.path().join("exe")).ok()? == binary).then(|| Pid::from_raw(id))?
        });
        ids.collect()
    }
}

fn sink(label: &'static str, kind: &'static str) -> impl Fn(usize) -> Sent + Sync {
    move |number| {
        let to = format!("{kind}{number}@{label}.sink.example");
        Sent { from: SENDER, raw: plain(&to), to }
    }
}

/// What Postfix's log says of each recipient: the queue id, and how often carom asked for another try.
fn handed_over(log: &str) -> HashMap<String, (String, u64)> {
    let mut found: HashMap<String, (String, u64)> = HashMap::new();
    let between = |line: &str, start: &str, end: char| {
        line.split(start).nth(1).map(|rest| rest.split(end).next().unwrap_or_default().to_owned())
    };
    for line in log.lines().filter(|line| line.contains("/pipe[")) {
        let (Some(id), Some(to)) = (between(line, "]: ", ':'), between(line, "to=<", '>')) else { continue };
        let (_, deferred) = found.entry(to).or_insert((id, 0));
        *deferred += u64::from(line.contains("status=deferred") && !line.contains("died with signal"));
    }
    found
}

#[test]
fn the_story_of_each_of_a_thousand_messages_agrees_with_postfix_and_with_the_peers() {
    let (peer, bounces, application) = (SmtpPeer::start(ACCEPT), SmtpPeer::start(ACCEPT), Application::at(0));
    let sandbox = &sandbox(peer.port, application.port);
    let policies =
        [("bounce", "bounces.example.com"), ("lenient", "lenient.example"), ("misfit", "misfit.example")];
    // A message whose next try comes while it is still being delivered waits for a minute.
    let slow = "minimal_backoff_time = 10s\nmaximal_backoff_time = 10s";
    let postfix = &Postfix::start_with_policies(sandbox, bounces.port, slow, &policies);
    let mut night = Night { sandbox, postfix, expected: HashMap::new() };
    // Deferred twice or more, and then accepted.
    let config = sandbox.path("carom.toml");
    let good = fs::read_to_string(&config).unwrap();
    let configure = |text: &str| {
        // In one step: messages are on their way.
        fs::write(sandbox.path("carom.new"), text).unwrap();
        fs::rename(sandbox.path("carom.new"), &config).unwrap();
    };
    configure(&good.replace("domains = [\"sink.example\"]", "domains = []"));
    night.send(100, "accepted", Some(("bounce", "succeeded")), &sink("oob", "twice"));
    night.wait("two deferrals of each", &|| {
        let tried = handed_over(&postfix.log());
        tried.len() == 100 && tried.values().all(|(_, deferred)| *deferred >= 2)
    });
    configure(&good);
    night.settle();
    night.send(300, "accepted", None, &sink("accept", "plain"));
    night.send(100, "refused", None, &sink("reject", "gone"));
    night.send(150, "accepted", Some(("bounce", "succeeded")), &sink("oob", "bounced"));
    night.send(80, "kept", None, &|number| Sent {
        from: SENDER,
        to: format!("reply{number}@bounces.example.com"),
        raw: letter("Re: your order", "Where is it?"),
    });
    night.send(50, "kept", None, &|number| Sent {
        from: SENDER,
        to: format!("trap{number}@lenient.example"),
        raw: letter("hello", "hello"),
    });
    night.settle();
    let report = |kind: &'static str| {
        move |number: usize| {
            let address = format!("{kind}{number}@there.example");
            let raw = dsn(&address, "5.1.1", "550 5.1.1 user unknown");
            Sent { from: "", to: signed_path(sandbox, &address), raw }
        }
    };
    let notified =
        |night: &mut Night<'_>, answer: u16, kind: &'static str, many: usize, state: &'static str| {
            application.answer(answer);
            night.send(many, "accepted", Some(("notify", state)), &report(kind));
            night.settle();
        };
    let bounced = |night: &mut Night<'_>, manner: Manner, kind: &'static str, state: &'static str| {
        peer.behave(manner);
        night.send(35, "accepted", Some(("bounce", state)), &sink("oob", kind));
        night.settle();
    };
    notified(&mut night, 200, "nfy", 50, "succeeded");
    notified(&mut night, 403, "prk", 40, "parked");
    bounced(&mut night, NEVER, "never", "given up");
    // On a busy host a peer may be too slow for a message: a tick hears the same answer from it.
    night.tick();
    notified(&mut night, 503, "ret", 40, "succeeded");
    bounced(&mut night, NOT_NOW, "tick", "succeeded");
    // Killed while the peer is silent: Postfix hands them over again.
    peer.behave(SILENT);
    let before = peer.connections.load(SeqCst);
    night.send(10, "accepted", Some(("bounce", "succeeded")), &sink("oob", "killed"));
    wait_for(60, "the dialogues", || peer.connections.load(SeqCst) >= before + 10);
    night.running().into_iter().for_each(|id| kill_process(id, Signal::KILL).unwrap());
    peer.behave(ACCEPT);
    night.settle();
    assert_eq!(postfix.log().matches("died with signal 9").count(), 10);
    // The policy fails on these: Postfix has them still.
    night.send(15, "deferred", None, &|number| Sent {
        from: SENDER,
        to: format!("late{number}@misfit.example"),
        raw: letter("hello", "hello"),
    });
    night.wait("a deferral of each", &|| {
        handed_over(&postfix.log()).keys().filter(|to| to.ends_with("@misfit.example")).count() == 15
    });
    postfix.defer_transport("carom-misfit");
    night.wait("no more deliveries", &|| night.running().is_empty());
    application.answer(200);
    night.tick();
    assert!(night.expected.len() >= 1000, "{}", night.expected.len());
    compare(&night, &peer, &application);
}

/// What Postfix and carom have written about a message.
fn evidence(night: &Night<'_>, queue_id: &str) -> String {
    let log = night.postfix.log();
    let lines =
        log.lines().filter(|line| line.contains(queue_id)).fold(String::new(), |all, line| all + line + "\n");
    lines + &night.sandbox.run(&["find", queue_id], b"").stdout
}

fn compare(night: &Night<'_>, peer: &SmtpPeer, application: &Application) {
    let mut bounced: HashMap<String, usize> = HashMap::new();
    for mail in peer.mails() {
        let text = String::from_utf8_lossy(&mail.data).into_owned();
        let named = text.lines().find_map(|line| line.strip_prefix("Final-Recipient: rfc822; "));
        *bounced.entry(named.unwrap_or_default().trim().to_owned()).or_default() += 1;
    }
    let posts = application.told();
    let handed_over = handed_over(&night.postfix.log());
    let expected: Vec<_> = night.expected.iter().collect();
    std::thread::scope(|scope| {
        for part in expected.chunks(expected.len().div_ceil(4)) {
            let (bounced, posts, handed_over) = (&bounced, &posts, &handed_over);
            scope.spawn(move || {
                for (to, (status, step)) in part {
                    let (queue_id, deferred) = &handed_over[*to];
                    let mut found = told(night.sandbox, queue_id);
                    // Its own line was never written: the kill came before.
                    if found.status == "redelivery" && to.starts_with("killed") {
                        found.status = "accepted".into();
                    }
                    assert_eq!(
                        found,
                        Story::new(status, *deferred, *step),
                        "{queue_id} to {to}\n{}",
                        evidence(night, queue_id)
                    );
                    let is_bounced = *step == Some(("bounce", "succeeded"));
                    assert_eq!(bounced.get(*to).copied().unwrap_or(0), usize::from(is_bounced), "{to}");
                    if let Some(("notify", _)) = step {
                        let local = to.split('=').next().unwrap().rsplit('-').next().unwrap();
                        let told = posts.iter().filter(|one| one.path == format!("/{local}%40there.example"));
                        assert!(told.count() > 0, "{to}");
                    }
                }
            });
        }
    });
}
