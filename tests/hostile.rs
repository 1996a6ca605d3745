//! Anyone can send us mail: no panic, bounded memory and time, and never a lost message.

use crate::harness::{CAROM, SENDER, Sandbox, sign, signed};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The most that heap and stacks may take.
const MEMORY: u64 = 256 << 20;

/// Runs `carom pipe` on a message, with a limit of `MEMORY` and of 10 s of processor time.
fn endures(name: &str, message: &[u8], recipient: &str) {
    let sandbox = Sandbox::new();
    let arguments = ["pipe", "--sender", SENDER, "--recipient", recipient, "--client-address", "192.0.2.1"];
    let mut command = Command::new("prlimit");
    command.arg(format!("--data={MEMORY}")).arg(CAROM);
    command.arg("--config").arg(sandbox.path("carom.toml")).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let id = child.id();
    let mut pipe = child.stdin.take().unwrap();
    let bytes = message.to_vec();
    let writer = std::thread::spawn(move || pipe.write_all(&bytes).is_ok());
    let mut peak = 0;
    let status = loop {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = peak
            .max(high.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        // Its own time, because the machine may be busy with something else.
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        if ticks(11) + ticks(12) > 1000 || began.elapsed() > Duration::from_secs(60) {
            let kept = std::env::temp_dir().join("carom-too-slow.eml");
            std::fs::write(&kept, message).unwrap();
            panic!("{name}: not done in 10 s; the message is kept as {}", kept.display());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(matches!(status.code(), Some(0 | 65 | 67 | 69 | 75 | 77)), "{name}: {status:?} {out}");
    assert!(!out.contains("carom failed"), "{name}: {out}");
    assert!(peak < MEMORY >> 10, "{name}: {peak} kB");
    assert!(writer.join().unwrap(), "{name}: all of the message is read");
}

fn page(body: &[u8]) -> Vec<u8> {
    signed("x@y.example", "MIME-Version: 1.0\r\nContent-Type: text/html\r\n", body)
}

#[test]
fn big_messages() {
    let mut body = Vec::new();
    while body.len() < 50 << 20 {
        body.extend_from_slice(
            b"<p>some text that goes on and on <img src=\"http://nowhere.example/x\"></p>\r\n",
        );
    }
    endures("50 MB", &page(&body), "x@openclick.sink.example");
    endures("50 MB bounced", &page(&body), "x@oob.sink.example");
    endures("more than allowed", &vec![b'x'; 70 << 20], "x@accept.sink.example");
}

#[test]
fn ten_thousand_links_and_two_thousand_levels() {
    let links: String =
        (0..10_000).map(|n| format!("<a href=\"http://nowhere.example/{n}\">x</a>")).collect();
    endures("links", &page(links.as_bytes()), "x@openclick.sink.example");
    let mut nested = String::new();
    for level in 0..2000 {
        nested.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"));
    }
    let message =
        sign(format!("From: a@sender.example\r\nMIME-Version: 1.0\r\n{nested}\r\nx\r\n").as_bytes());
    endures("b14 nested", &message, "x@openclick.sink.example");
    endures("b14 nested", &message, "x@oob.sink.example");
}

#[test]
fn headers_of_every_bad_kind() {
    let to: String = (0..10_000).map(|n| format!("a{n}@example.com,\r\n ")).collect();
    endures(
        "b25 ten thousand To",
        &sign(format!("From: a@sender.example\r\nTo: {to}b@example.com\r\n\r\nx\r\n").as_bytes()),
        "x@accept.sink.example",
    );
    endures("no To", &sign(b"From: a@sender.example\r\n\r\nx\r\n"), "x@fbl.sink.example");
    let long = format!(
        "From: a@sender.example\r\nX-Long: {}\r\nSubject: {}\r\n\r\nx\r\n",
        "y".repeat(1 << 20),
        "=?utf-8?q?=41?= ".repeat(50_000)
    );
    endures("1 MB header", &sign(long.as_bytes()), "x@fbl.sink.example");
    let many: String = (0..100_000).map(|n| format!("X-{n}: y\r\n")).collect();
    endures(
        "many fields",
        &sign(format!("From: a@sender.example\r\n{many}\r\nx\r\n").as_bytes()),
        "x@fbl.sink.example",
    );
    let signatures =
        "DKIM-Signature: v=1; a=rsa-sha256; d=sender.example; s=s1; h=from; bh=AAAA; b=AAAA\r\n".repeat(1000);
    endures(
        "a thousand signatures",
        format!("{signatures}From: a@sender.example\r\n\r\nx\r\n").as_bytes(),
        "x@accept.sink.example",
    );
}

#[test]
fn bytes_of_every_bad_kind() {
    endures("empty", b"", "x@oob.sink.example");
    endures("no message", b"\x00\x01\x02 nothing like a message", "x@oob.sink.example");
    endures(
        "NUL and bare CR",
        &sign(b"From: a@sender.example\r\nSubject: a\0b\rc\r\n\r\nx\0\r\ry\r\n"),
        "x@oob.sink.example",
    );
    let eight: Vec<u8> = (0..=255u8).cycle().take(100_000).collect();
    endures(
        "8-bit everything",
        &[b"From: \xff\xfe@sender.example\r\nSubject: \x80\x81\r\n\r\n".to_vec(), eight.clone()].concat(),
        "x@oob.sink.example",
    );
    endures("only line ends", &b"\r\n".repeat(100_000), "x@oob.sink.example");
    endures("only colons", &b":\r\n".repeat(100_000), "x@oob.sink.example");
    endures(
        "unknown charset",
        &signed("x@y.example", "Content-Type: text/html; charset=\"x-é\"\r\n", &eight),
        "x@openclick.sink.example",
    );
    for recipient in [
        "",
        "@",
        "x",
        "x@",
        "@y",
        "\"a b\"@oob.sink.example",
        "<x@oob.sink.example>",
        "x\0y@oob.sink.example",
    ] {
        let recipient = recipient.replace('\0', "\u{1}");
        endures("odd recipient", &crate::harness::plain("x@y.example"), &recipient);
    }
}

#[test]
fn mutated_messages_never_break_it() {
    let mut random = fastrand::Rng::with_seed(11);
    let base = page(b"<html><base href=\"http://a.example/\"><img src=\"x\"><a href='y'>z</a></html>\r\n");
    for round in 0..60 {
        let mut message = base.clone();
        for _ in 0..random.usize(1..30) {
            let at = random.usize(..message.len());
            match random.u8(..4) {
                0 => message[at] = random.u8(..),
                1 => message.insert(at, *random.choice(b"\r\n:;<>@\"=?()\0\xff").unwrap()),
                2 => drop(message.remove(at)),
                _ => {
                    let end = (at + random.usize(..40)).min(message.len());
                    let copy = message[at..end].to_vec();
                    message.splice(at..at, copy);
                }
            }
        }
        endures(&format!("mutant {round}"), &message, "x@openclick.sink.example");
    }
}
