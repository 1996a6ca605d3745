//! Reports that were damaged in a thousand ways: the reader and the shipped bounce policy endure them all, in this process and
//! through the real binary. The same seed makes the same messages on every run.

use crate::harness::Sandbox;
use carom::fuzz::Dialogue;
use fastrand::Rng;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// How many messages are made.
const COUNT: usize = 3_000;
/// A message grows no longer than this.
const LONGEST: usize = 64 * 1024;

/// The fixtures of `tests/reports`.
fn fixtures() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "eml"));
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// A piece of a message.
fn piece<'a>(of: &'a [u8], longest: usize, random: &mut Rng) -> &'a [u8] {
    let from = random.usize(..of.len());
    &of[from..(from + random.usize(1..longest)).min(of.len())]
}

/// Damages a message in one way.
fn damage(raw: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Rng) {
    let at = random.usize(..raw.len());
    match random.u8(..9) {
        0 => raw[at] = random.u8(..),
        1 => raw[at] = random.choice(b"\r\n:;=?\"'<>()[]\\ \0-@,".iter().copied()).unwrap_or(0),
        2 => raw.truncate(at),
        3 => _ = raw.drain(at..(at + random.usize(1..200)).min(raw.len())),
        4 => {
            let repeated = piece(raw, 2_000, random).repeat(random.usize(1..5));
            raw.splice(at..at, repeated);
        }
        5 => {
            let strange = piece(&others[random.usize(..others.len())], 1_000, random).to_vec();
            raw.splice(at..at, strange);
        }
        6 if random.u8(..4) == 0 => raw.retain(|&byte| byte != b'\n'),
        7 => raw.extend_from_within(at..),
        _ => {
            let encodings = ["base64", "quoted-printable", "7bit", "x-uuencode"];
            let encoding = encodings[random.usize(..encodings.len())];
            raw.splice(..0, format!("Content-Transfer-Encoding: {encoding}\r\n").into_bytes());
        }
    }
    raw.truncate(LONGEST);
    raw.push(b'.');
}

/// All of the messages.
fn mutated() -> impl Iterator<Item = Vec<u8>> {
    let fixtures = fixtures();
    let mut random = Rng::with_seed(3464);
    (0..COUNT).map(move |number| {
        let mut raw = fixtures[number % fixtures.len()].clone();
        for _ in 0..random.usize(1..30) {
            damage(&mut raw, &fixtures, &mut random);
        }
        raw
    })
}

fn is_plausible(address: &str) -> bool {
    address.contains('@') && address.len() < 400 && !address.contains(char::is_control)
}

#[test]
fn damaged_reports_are_read_at_once_and_name_only_addresses() {
    let mut named = 0;
    for (number, raw) in mutated().enumerate() {
        let started = Instant::now();
        let report = carom::fuzz::report(&raw);
        assert!(started.elapsed() < Duration::from_secs(2), "message {number}: {:?}", started.elapsed());
        for found in &report {
            assert!(is_plausible(&found.address), "message {number}: {:?}", found.address);
            assert!(!found.diagnostic.contains(['\n', '\r']), "message {number}: {:?}", found.diagnostic);
        }
        named += usize::from(!report.is_empty());
    }
    assert!(named > COUNT / 4, "the damage leaves many of them readable: {named}");
}

#[test]
fn damaged_reports_are_classified_by_one_process_without_a_panic() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("damaged");
    fs::create_dir(&folder).unwrap();
    for (number, raw) in mutated().enumerate() {
        fs::write(folder.join(format!("{number:04}.eml")), raw).unwrap();
    }
    let ran = sandbox.run(&["classify", "--json", &folder.display().to_string()], b"");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "nothing fails and nothing is said");
    let mut lines = 0;
    for line in ran.stdout.lines() {
        let verdict: serde_json::Value = serde_json::from_str(line).unwrap();
        for found in verdict["recipients"].as_array().unwrap() {
            assert!(is_plausible(found["address"].as_str().unwrap()), "{line}");
            assert!(found["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{line}");
        }
        lines += 1;
    }
    assert_eq!(lines, COUNT, "every message has its line");
}

/// What clients say, of a fuzz target, damaged.
fn damaged_sessions(target: &str) -> impl Iterator<Item = Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let mut random = Rng::with_seed(5321);
    (0..COUNT).map(move |number| {
        let mut raw = seeds[number % seeds.len()].clone();
        for _ in 0..random.usize(1..6) {
            damage(&mut raw, &seeds, &mut random);
        }
        raw
    })
}

/// Holds damaged sessions to what is true of every session; returns how many messages or requests
/// are left in them.
fn endured(dialogues: [Dialogue; 2], target: &str) -> usize {
    let sessions = damaged_sessions(target).enumerate();
    let heard = sessions.map(|(number, raw)| {
        let of = dialogues.map(|dialogue| {
            let text = || String::from_utf8_lossy(&raw).into_owned();
            assert_eq!(dialogue.fault(&raw), None, "{dialogue:?} {number}: {:?}", text());
            dialogue.session([&raw[..]]).0.heard.len()
        });
        of.iter().sum::<usize>()
    });
    heard.sum()
}

#[test]
fn damaged_conversations_end_and_are_the_same_however_they_are_cut() {
    let messages = endured([Dialogue::Lmtp, Dialogue::Smtp], "conversation");
    assert!(messages > COUNT / 10, "the damage leaves messages: {messages}");
}

#[test]
fn damaged_requests_are_answered_the_same_however_they_are_cut() {
    let requests = endured([Dialogue::Policy, Dialogue::Socketmap], "requests");
    assert!(requests > COUNT / 10, "the damage leaves requests: {requests}");
}
