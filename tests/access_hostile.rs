//! Clients that are no Postfix: garbage, halves, floods, and too many of them.

use crate::access::rcpt;
use crate::harness::listener::Listener;
use crate::harness::{Sandbox, wait_for};
use std::fs;
use std::io::{Read, Write};

#[test]
fn garbage_is_answered_with_dunno_and_closed_and_everybody_else_is_served() {
    let sandbox = Sandbox::new();
    crate::access::suppress(&sandbox, &["add", "ann@rcpt.example"]);
    let access = Listener::start(&sandbox, "access");
    let good = rcpt("a@any.example", "ann@rcpt.example");
    let long_line = [&b"sender="[..], &vec![b'x'; 200_000]].concat();
    let many = "a=b\n".repeat(5000) + "\n";
    let odd: Vec<u8> = (0..=255).cycle().take(4096).collect();
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\n\n"[..],
        b"\n",
        b"nothing\n\n",
        &long_line,
        many.as_bytes(),
        b"request=junk_policy\n\n",
        &[&odd[..], b"\n\n"].concat(),
    ] {
        assert_eq!(
            access.all(garbage),
            "action=DUNNO\n\n",
            "{}",
            String::from_utf8_lossy(&garbage[..9.min(garbage.len())])
        );
        assert!(access.all(good.as_bytes()).starts_with("action=550 "));
    }
    assert_eq!(access.all(b"request=smtpd_acc"), "", "a half has no answer");
    let after = [good.as_bytes(), b"nothing\n\n", good.as_bytes()].concat();
    let said = access.all(&after);
    assert!(said.starts_with("action=550 ") && said.ends_with("\n\naction=DUNNO\n\n"), "{said}");
    let log = || fs::read_to_string(sandbox.path("state/log/carom.log")).unwrap_or_default();
    wait_for(10, "the log", || log().contains("no policy request: a line without name=value"));
    access.stop();
    assert!(sandbox.counter("access_malformed") >= 8);
    assert!(!log().contains("panicked"));
}

#[test]
fn a_request_in_pieces_is_answered_when_it_is_whole_and_halves_hold_up_nobody() {
    let sandbox = Sandbox::new();
    crate::access::suppress(&sandbox, &["add", "ann@rcpt.example"]);
    let access = Listener::start(&sandbox, "access");
    let good = rcpt("a@any.example", "ann@rcpt.example");
    let halves: Vec<_> = (0..20)
        .map(|_| {
            let mut half = access.connect();
            half.write_all(&good.as_bytes()[..100]).unwrap();
            half
        })
        .collect();
    let mut stream = access.connect();
    for piece in good.as_bytes().chunks(7) {
        stream.write_all(piece).unwrap();
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"action=550 5");
    drop(halves);
    assert_eq!(access.stop(), 0);
}

#[test]
fn connections_beyond_the_limit_are_answered_with_dunno_and_the_others_go_on() {
    let sandbox = Sandbox::new().config("[access]\nsessions = 20\n");
    crate::access::suppress(&sandbox, &["add", "ann@rcpt.example"]);
    let access = Listener::start(&sandbox, "access");
    let good = rcpt("a@any.example", "ann@rcpt.example");
    let mut served = Vec::new();
    // The first connections may have to wait for the end of those that found the socket.
    wait_for(20, "20 sessions", || {
        let mut stream = access.connect();
        let mut answer = [0; 10];
        let is_served = stream.write_all(good.as_bytes()).is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && &answer == b"action=550";
        if is_served {
            served.push(stream);
        }
        served.len() == 20
    });
    for _ in 0..2000 {
        let mut answer = String::new();
        access.connect().read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "action=DUNNO\n\n");
    }
    let threads = fs::read_dir(format!("/proc/{}/task", access.pid())).unwrap().count();
    assert!(threads < 40, "{threads} threads");
    drop(served);
    wait_for(10, "a free place", || access.all(good.as_bytes()).starts_with("action=550 "));
    assert_eq!(access.stop(), 0);
}
