//! Kills at random moments: of pipe, relay and cron, which all work for the same peer, and deliveries that come again.

use super::each_call::ids;
use super::tally::Tally;
use crate::batches::left;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{SENDER, Sandbox, finish, plain, start};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// A message of each kind in turn, killed and delivered again; a relay and a tick are killed beside it.
pub(super) fn random_kills(name: &str, budget: Duration) -> Tally {
    let mut tally = Tally::new(name);
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port).config("[relay]\nsettle = 0");
    let inbox = sandbox.path("inbox");
    fs::create_dir_all(&inbox).unwrap();
    let (relay, began) = (["relay", inbox.to_str().unwrap()], Instant::now());
    let (mut bounces, mut relays, mut ticks) = (0, 0, 0);
    while began.elapsed() < budget {
        let number = tally.tries;
        let to = ["x@accept.sink.example", "x@oob.sink.example"][number % 2];
        let (id, message) = (format!("R{number}"), plain(to));
        let arguments = ["pipe", "--sender", SENDER, "--recipient", to, "--client-address", "192.0.2.1"];
        let arguments = [&arguments[..], &["--queue-id", &id]].concat();
        if number.is_multiple_of(4) {
            fs::write(inbox.join(format!("{number}.msg")), left("x@oob.sink.example")).unwrap();
            bounces += 1;
            relays += usize::from(kill(&sandbox, &relay, b""));
            ticks += usize::from(kill(&sandbox, &["cron"], b""));
        }
        for _ in 0..fastrand::usize(1..4) {
            tally.kills += usize::from(kill(&sandbox, &arguments, &message));
        }
        let again = Instant::now();
        let ran = finish(start(sandbox.command(&arguments), &message), Duration::from_secs(90));
        tally.took(again.elapsed(), Duration::from_secs(60));
        if ran.code != 0 {
            tally.notes.push(format!("deferred: {}", ran.stdout.trim_end()));
        }
        bounces += number % 2;
        tally.tries += 1;
    }
    for arguments in [&relay[..], &["cron"], &["cron"]] {
        finish(start(sandbox.command(arguments), b""), Duration::from_secs(90));
    }
    tally.notes.push(format!("kills of pipe {}, of relay {relays}, of cron {ticks}", tally.kills));
    tally.kills += relays + ticks;
    judge(&mut tally, &ids(&peer), bounces);
    let (relayed, counted) = (tally.tries.div_ceil(4), sandbox.counter("total_messages") as usize);
    let expected = tally.tries + relayed;
    tally.lost += expected.saturating_sub(counted);
    tally.doubled += counted.saturating_sub(expected);
    tally
}

/// Each bounce has an id: what arrived twice has the same.
pub(super) fn judge(tally: &mut Tally, arrived: &[String], expected: usize) {
    let mut by_id: BTreeMap<&String, usize> = BTreeMap::new();
    arrived.iter().for_each(|id| *by_id.entry(id).or_default() += 1);
    tally.lost += expected.saturating_sub(by_id.len());
    // A second id for the same bounce could not be told apart from a new one.
    tally.doubled += by_id.len().saturating_sub(expected);
    let repeated = arrived.len() - by_id.len();
    tally.doubled += repeated;
    tally.in_window += repeated.min(tally.kills);
}

/// Starts a command, and kills it at a moment of its run. Returns whether it still ran.
fn kill(sandbox: &Sandbox, arguments: &[&str], message: &[u8]) -> bool {
    let mut child = start(sandbox.command(arguments), message);
    std::thread::sleep(Duration::from_micros(fastrand::u64(0..40_000)));
    let ran = child.try_wait().unwrap().is_none();
    let _ = child.kill();
    child.wait().unwrap();
    ran
}
