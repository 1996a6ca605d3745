//! Many at the same time: 64 `carom pipe` one after the other in as many threads, half of them with a bounce, beside a tick each
//! second, `carom relay --follow` and seven readers.
//!
//! Not here: the verdict over the figures (`mod`). Peers count by Message-ID of the original, so that a doubled bounce is seen.

use crate::batches::left;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{SENDER, Sandbox, finish, plain, start};
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const READERS: [&[&str]; 7] = [
    &["stats"],
    &["log"],
    &["outbox"],
    &["report"],
    &["deliveries"],
    &["suppress", "list"],
    &["find", "somebody@sender.example"],
];

/// What a crowd came to.
pub(crate) struct Crowd {
    /// How long each pipe took, sorted.
    pub(crate) took: Vec<Duration>,
    /// Pipes that did not end with exit code 0, with what they said.
    pub(crate) refused: Vec<String>,
    pub(crate) bounces: usize,
    pub(crate) arrived: usize,
    pub(crate) relayed: u64,
    pub(crate) counted: u64,
    /// Processor time of all processes, as a share of the processors.
    pub(crate) cpu: f64,
}

impl Crowd {
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        self.took.get(self.took.len() * percent / 100).or(self.took.last()).copied().unwrap_or_default()
    }
}

pub(crate) fn crowd(writers: usize, lasts: Duration) -> Crowd {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port).config("[relay]\nsettle = 0");
    let inbox = sandbox.path("inbox");
    fs::create_dir_all(&inbox).unwrap();
    // A server has been running for a while: its policy is compiled, its store is there.
    sandbox.pipe("x@oob.sink.example", &plain("x@oob.sink.example")).silent();
    let relay = start(sandbox.command(&["relay", "--follow", inbox.to_str().unwrap()]), b"");
    let (took, refused) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let (bounces, relayed) = (AtomicU64::new(0), AtomicU64::new(0));
    let (began, busy) = (Instant::now(), busy_ticks());
    let goes_on = || began.elapsed() < lasts;
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let (sandbox, took, refused, bounces) = (&sandbox, &took, &refused, &bounces);
            scope.spawn(move || {
                let to = ["x@accept.sink.example", "x@oob.sink.example"][writer % 2];
                let message = plain(to);
                for number in 0.. {
                    if !goes_on() {
                        return;
                    }
                    let id = format!("{writer}-{number}");
                    let arguments = ["pipe", "--sender", SENDER, "--recipient", to, "--client-address"];
                    let arguments = [&arguments[..], &["192.0.2.1", "--queue-id", &id]].concat();
                    let began = Instant::now();
                    let ran = finish(start(sandbox.command(&arguments), &message), Duration::from_secs(90));
                    took.lock().unwrap().push(began.elapsed());
                    match ran.code {
                        0 => drop(bounces.fetch_add((writer % 2) as u64, Ordering::Relaxed)),
                        _ => refused.lock().unwrap().push(format!("{} {}", ran.code, ran.stdout)),
                    }
                }
            });
        }
        for reader in READERS {
            let sandbox = &sandbox;
            scope.spawn(move || {
                while goes_on() {
                    sandbox.run(reader, b"");
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
        }
        scope.spawn(|| {
            while goes_on() {
                sandbox.run(&["cron"], b"");
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        scope.spawn(|| {
            while goes_on() {
                let number = relayed.fetch_add(1, Ordering::Relaxed);
                let message = left("x@oob.sink.example");
                fs::write(inbox.join(format!("{number}.tmp")), message).unwrap();
                fs::rename(inbox.join(format!("{number}.tmp")), inbox.join(format!("{number}.msg"))).unwrap();
                std::thread::sleep(Duration::from_millis(50));
            }
        });
    });
    let cpu = (busy_ticks() - busy) as f64 / 100.0 / began.elapsed().as_secs_f64() / processors();
    let until = Instant::now() + Duration::from_secs(30);
    while fs::read_dir(&inbox).unwrap().flatten().any(|entry| entry.path().extension().is_some())
        && Instant::now() < until
    {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(2));
    stop(relay);
    sandbox.run(&["cron"], b"");
    let mut took = took.into_inner().unwrap();
    took.sort_unstable();
    Crowd {
        took,
        refused: refused.into_inner().unwrap(),
        // The first one made the store.
        bounces: bounces.into_inner() as usize + 1,
        arrived: peer.mails().len(),
        relayed: relayed.into_inner(),
        counted: sandbox.counter("total_messages"),
        cpu,
    }
}

fn stop(mut relay: std::process::Child) {
    let _ = relay.kill();
    relay.wait().unwrap();
}

fn processors() -> f64 {
    std::thread::available_parallelism().map_or(1, |many| many.get()) as f64
}

/// Hundredths of a second that the processors were not idle.
fn busy_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default().to_owned();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|text| text.parse().ok()).collect();
    ticks.iter().sum::<u64>() - ticks.get(3).unwrap_or(&0) - ticks.get(4).unwrap_or(&0)
}
