//! One message's life, killed before each of its system calls, and then what a mail server and cron do: it comes again.
//!
//! Not here: the process under the knife (`tracer`). Invariant of a row: an effect comes twice only if its step was promised and
//! its end was not on record when the process was killed, and then with the same id.

use super::remains::Remains;
use super::tally::Tally;
use crate::bounces::{self, STRANGER, dsn, signed_path};
use crate::harness::application::Application;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::tracer::{self, Traced};
use crate::harness::{SENDER, SILENT, Sandbox, finish, mail_log, plain, start};
use crate::statistics::{OTHER, UNKNOWN_USER, append, delivery};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// What one trial runs, and what shows its effects.
struct Life<'a> {
    name: &'a str,
    sandbox: &'a Sandbox,
    /// Prepares the trial of this number: the arguments, and the message on standard input.
    prepare: &'a dyn Fn(usize) -> (Vec<String>, Vec<u8>),
    /// The ids of all effects so far.
    effects: &'a dyn Fn() -> Vec<String>,
    /// How many effects each trial has.
    each: usize,
    /// The actions of those that may come twice.
    repeatable: &'a [&'a str],
}

impl Life<'_> {
    fn torture(&self, budget: Duration) -> Tally {
        let mut tally = Tally::new(self.name);
        let Some(calls) = self.undisturbed(&mut tally) else { return tally };
        let began = Instant::now();
        let mut doubled_at = Vec::new();
        let mut at = 0;
        while at <= calls + 3 {
            let (before, remains) = ((self.effects)().len(), self.one(at, &mut tally));
            tally.kills += usize::from(remains.is_some());
            let effects = (self.effects)();
            let (now, new) = (effects.len() - before, &effects[before..]);
            if now < self.each {
                tally.lost += self.each - now;
                tally.notes.push(format!("lost: killed before call {at} of {calls}"));
            }
            if now > self.each {
                tally.doubled += now - self.each;
                let open = remains.map_or(0, |remains| remains.open_steps(self.repeatable));
                if new.iter().collect::<BTreeSet<_>>().len() > self.each {
                    tally.notes.push(format!("doubled with another id: killed before call {at} of {calls}"));
                } else if now - self.each > open {
                    tally
                        .notes
                        .push(format!("doubled, {open} not on record: killed before call {at} of {calls}"));
                } else {
                    tally.in_window += now - self.each;
                }
                doubled_at.push(at);
            }
            // What is left of the time decides how many calls are skipped.
            let (done, left) = (tally.tries.max(1) as u32, budget.saturating_sub(began.elapsed()));
            let affordable = (left.as_micros() / (began.elapsed() / done).as_micros().max(1)).max(1) as usize;
            at += (calls + 3).saturating_sub(at).div_ceil(affordable).max(1);
        }
        let every = if tally.tries >= calls { "each".to_owned() } else { format!("{} of", tally.tries) };
        let window = doubled_at
            .first()
            .map_or("none".into(), |first| format!("{first} to {}", doubled_at.last().unwrap()));
        tally
            .notes
            .push(format!("killed before {every} {calls} calls; an effect is doubled at calls: {window}"));
        tally
    }

    fn undisturbed(&self, tally: &mut Tally) -> Option<usize> {
        let mut calls = 0;
        // Twice: the first makes what a later one finds.
        for warm in 0..2 {
            let (arguments, message) = (self.prepare)(1_000_000 + warm);
            match self.traced(&arguments, &message, usize::MAX) {
                Traced::Ended { code: 0, calls: made } => calls = made,
                Traced::Impossible => {
                    tally.notes.push("skipped: nobody may trace here".into());
                    return None;
                }
                other => panic!("{}: {other:?}", self.name),
            }
        }
        Some(calls)
    }

    /// Kills one trial, and lets it come again. Returns what was on record when it was killed.
    fn one(&self, at: usize, tally: &mut Tally) -> Option<Remains> {
        tally.tries += 1;
        let (arguments, message) = (self.prepare)(at);
        let killed = self.traced(&arguments, &message, at) == Traced::Killed;
        let remains = killed.then(|| Remains::of(self.sandbox));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        for _ in 0..2 {
            let began = Instant::now();
            finish(start(self.sandbox.command(&arguments), &message), Duration::from_secs(90));
            tally.took(began.elapsed(), Duration::from_secs(60));
        }
        finish(start(self.sandbox.command(&["cron"]), b""), Duration::from_secs(90));
        remains
    }

    fn traced(&self, arguments: &[String], message: &[u8], at: usize) -> Traced {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let file = self.sandbox.path("standard-input");
        fs::write(&file, message).unwrap();
        tracer::run(self.sandbox.command(&arguments), &file, at)
    }
}

/// The arguments of a delivery under a queue id like no other.
fn pipe(to: &str, policy: &str, sender: &str, client: &str, trial: usize) -> Vec<String> {
    let id = format!("Q{trial}");
    let arguments = ["pipe", "--policy", policy, "--sender", sender, "--recipient", to];
    let more = ["--client-address", client, "--queue-id", &id];
    arguments.iter().chain(&more).map(|text| (*text).to_owned()).collect()
}

/// The Message-IDs of what arrived.
pub(super) fn ids(peer: &SmtpPeer) -> Vec<String> {
    let id = |data: &[u8]| {
        let text = String::from_utf8_lossy(data).into_owned();
        let line = text.lines().find(|line| line.to_ascii_lowercase().starts_with("message-id:"));
        line.unwrap_or_default().to_owned()
    };
    peer.mails().iter().map(|mail| id(&mail.data)).collect()
}

/// The messages that the counter has, each as an effect.
fn counted(sandbox: &Sandbox) -> Vec<String> {
    (0..sandbox.counter("total_messages")).map(|number| number.to_string()).collect()
}

pub(super) fn without_effects(name: &str, budget: Duration) -> Tally {
    let sandbox = Sandbox::new();
    let to = "x@accept.sink.example";
    let prepare = |trial| (pipe(to, "sink", SENDER, "192.0.2.1", trial), plain(to));
    let effects = || counted(&sandbox);
    Life { name, sandbox: &sandbox, prepare: &prepare, effects: &effects, each: 1, repeatable: &[] }
        .torture(budget)
}

pub(super) fn with_a_bounce(name: &str, budget: Duration) -> Tally {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let to = "x@oob.sink.example";
    let prepare = |trial| (pipe(to, "sink", SENDER, "192.0.2.1", trial), plain(to));
    let effects = || ids(&peer);
    Life { name, sandbox: &sandbox, prepare: &prepare, effects: &effects, each: 1, repeatable: &["bounce"] }
        .torture(budget)
}

/// A message of which a copy is kept: a copy never comes twice.
pub(super) fn with_a_kept_copy(name: &str, budget: Duration) -> Tally {
    let sandbox = Sandbox::new();
    let to = "x@accept.sink.example";
    let kept = || [b"X-Bouncy-Sink: store-done\r\n", &*plain(to)].concat();
    let prepare = |trial| (pipe(to, "sink", SENDER, "192.0.2.1", trial), kept());
    let effects = || copies(&sandbox.path("state/done"));
    Life { name, sandbox: &sandbox, prepare: &prepare, effects: &effects, each: 1, repeatable: &[] }
        .torture(budget)
}

/// The names of the copies in a directory, without what is left of one.
fn copies(dir: &Path) -> Vec<String> {
    let is_copy = |name: &String| name.ends_with("ml") || name.ends_with("sg");
    crate::harness::names(dir).into_iter().filter(is_copy).collect()
}

pub(super) fn with_a_notification(name: &str, budget: Duration) -> Tally {
    let application = Application::at(0);
    let sandbox = bounces::sandbox(application.port, "");
    let prepare = |trial: usize| {
        let address = format!("gone{trial}@there.example");
        let path = signed_path(&sandbox, &address);
        (pipe(&path, "bounce", "", STRANGER, trial), dsn(&address, "5.1.1", "550 5.1.1 user unknown"))
    };
    let effects = || application.told().iter().map(|told| told.header("webhook-id").to_owned()).collect();
    Life { name, sandbox: &sandbox, prepare: &prepare, effects: &effects, each: 1, repeatable: &["notify"] }
        .torture(budget)
}

/// A file with a bounce, of which a copy is kept: a copy counts as an effect, and never comes twice.
pub(super) fn relay_with_a_kept_copy(name: &str, budget: Duration) -> Tally {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port).config("[relay]\nsettle = 0\nthreads = 1");
    let inbox = sandbox.path("inbox");
    fs::create_dir_all(&inbox).unwrap();
    let prepare = |trial: usize| {
        let kept = [b"X-Bouncy-Sink: store-done\r\n", &*crate::batches::left("x@oob.sink.example")].concat();
        fs::write(inbox.join(format!("{trial}.msg")), kept).unwrap();
        (["relay", inbox.to_str().unwrap()].map(str::to_owned).to_vec(), Vec::new())
    };
    let effects = || ids(&peer).into_iter().chain(copies(&inbox.join("done"))).collect();
    Life { name, sandbox: &sandbox, prepare: &prepare, effects: &effects, each: 2, repeatable: &["bounce"] }
        .torture(budget)
}

/// A tick with a retry that is due and a failure in the log that is notified.
pub(super) fn tick(name: &str, budget: Duration) -> Tally {
    let (application, peer) = (Application::at(0), SmtpPeer::start(SILENT));
    let sandbox = mail_log::sandbox(Some(&application), "").smtp_port(peer.port);
    let prepare = |trial: usize| {
        let n = trial as u32;
        append(
            &sandbox,
            &mail_log::ago(30, &delivery(540, n, &format!("gone{n}@dest.example"), OTHER, 1.0, UNKNOWN_USER)),
        );
        (vec!["cron".to_owned()], Vec::new())
    };
    let effects = || application.told().iter().map(|told| told.header("webhook-id").to_owned()).collect();
    Life { name, sandbox: &sandbox, prepare: &prepare, effects: &effects, each: 1, repeatable: &["notify"] }
        .torture(budget)
}
