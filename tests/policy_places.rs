//! Policies that are asked in the SMTP dialogue, by `carom access` and `carom lmtp`: whose DNS or store does not answer
//! holds up nobody else.

use crate::access::{rcpt, suppress};
use crate::access_policy::{answer, guest};
use crate::harness::guest::Guest;
use crate::harness::lmtp::{Client, Listener};
use crate::harness::{Sandbox, listener, wait_for};
use rustix::fs::{FlockOperation, fcntl_lock};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::net::UdpSocket;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

/// A DNS server without an answer for names in `dead.example`; it knows no other name. The names that it was asked for.
struct DeadDns {
    port: u16,
    dead: Arc<Mutex<BTreeSet<String>>>,
}

impl DeadDns {
    fn start() -> DeadDns {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let dead: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let asked = dead.clone();
        std::thread::spawn(move || {
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                let name = query[12..length].split(|byte| *byte == 0).next().unwrap();
                let name = String::from_utf8_lossy(name).to_lowercase();
                if name.contains("dead") {
                    asked.lock().unwrap().insert(name);
                    continue;
                }
                let mut answer = query[..length].to_vec();
                // QR, RA; NXDOMAIN.
                (answer[2], answer[3]) = (answer[2] | 0x80, 0x83);
                let _ = socket.send_to(&answer, from);
            }
        });
        DeadDns { port, dead }
    }

    /// Waits until it has been asked for this many names, for less time than carom waits for one answer.
    fn is_asked_for(&self, names: usize) {
        wait_for(8, "all questions to be with DNS", || self.dead.lock().unwrap().len() >= names);
    }
}

/// A policy that does this before it refuses a recipient.
fn refusing(does: &str, tables: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let texts = "(data (i32.const 600) \"5.7.1\") (data (i32.const 612) \"no\")";
    let refusing: Guest = guest(&format!("{does} (i32.const 3000)"))
        .import("facts", "spf", "$spf", "(result i32)")
        .import("host", "is-suppressed", "$suppressed", "(param i32 i32 i32 i32) (result i32)")
        .import("host", "log", "$log", "(param i32 i32 i32)")
        .data(texts)
        .data(&answer(2, [550, 600, 5, 612, 2]));
    let file = refusing.write(&sandbox.path("guest.wasm")).display().to_string();
    sandbox.config(&format!("[policy.guest]\npath = \"{file}\"\n{tables}"))
}

/// A policy that wants to know SPF, and says something before and after that.
fn asking_for_spf(dns: &DeadDns, tables: &str) -> Sandbox {
    let dns = format!("[dns]\nservers = [\"127.0.0.1:{}\"]\ntimeout = 60\n", dns.port);
    let does = "(call $log (i32.const 1) (i32.const 600) (i32.const 5)) (drop (call $spf))
        (call $log (i32.const 1) (i32.const 612) (i32.const 2))";
    refusing(does, &format!("{dns}{tables}"))
}

/// Sessions that have named their sender, and next their recipient.
fn senders(listener: &Listener, names: impl Iterator<Item = String>) -> Vec<Client> {
    let begin = |name: String| {
        let mut client = listener.unix().hello();
        client.expect("XFORWARD NAME=client.example ADDR=192.0.2.1", "250");
        client.expect(&format!("MAIL FROM:<a@{name}.example>"), "250");
        client
    };
    names.map(begin).collect()
}

const RCPT: &str = "RCPT TO:<b@here.example>";

#[test]
fn senders_whose_dns_is_dead_hold_up_no_other_recipient() {
    let dns = DeadDns::start();
    let sandbox = asking_for_spf(&dns, "[lmtp]\nask_at_rcpt = true\n");
    let listener = Listener::start(&sandbox, &["--policy", "guest"]);
    // More than are asked about at a time.
    let mut dead = senders(&listener, (0..6).map(|number| format!("{number}.dead")));
    let mut live = senders(&listener, ["live".to_owned()].into_iter());
    dead.iter_mut().for_each(|client| assert!(client.write(format!("{RCPT}\r\n").as_bytes())));
    dns.is_asked_for(6);
    live[0].expect(RCPT, "550 5.7.1 no");
    // They get their answers as well.
    for client in &mut dead {
        let reply = client.reply();
        assert!(reply.starts_with("550 5.7.1 no"), "{reply}");
    }
    listener.stop();
}

#[test]
fn senders_whose_dns_is_dead_hold_up_no_other_policy_request() {
    let dns = DeadDns::start();
    let sandbox = asking_for_spf(&dns, "[access]\npolicy = \"guest\"\n");
    let access = listener::Listener::start(&sandbox, "access");
    // More than are asked about at a time.
    let dead: Vec<_> = (0..20)
        .map(|number| {
            let mut connection = access.connect();
            let from = format!("a@{number}.dead.example");
            connection.write_all(rcpt(&from, "b@here.example").as_bytes()).unwrap();
            connection
        })
        .collect();
    dns.is_asked_for(20);
    let answer = access.all(rcpt("a@live.example", "b@here.example").as_bytes());
    assert_eq!(answer, "action=550 5.7.1 no\n\n");
    drop(dead);
    assert_eq!(access.stop(), 0);
    assert_eq!((sandbox.counter("access_failed"), sandbox.counter("access_rejected")), (0, 21));
    // A policy that is asked again after DNS says what it has said before only once.
    let log = std::fs::read_to_string(sandbox.path("state/log/carom.log")).unwrap();
    let said = |text: &str| log.matches(&format!(" INFO {text} policy=")).count();
    assert_eq!((said("5.7.1"), said("no")), (21, 21), "{log}");
}

#[test]
fn a_recipient_that_the_policy_cannot_be_asked_about_in_time_comes_again() {
    let does = "(drop (call $suppressed (i32.const 612) (i32.const 2) (i32.const 612) (i32.const 2)))";
    let sandbox = refusing(does, "[lmtp]\nask_at_rcpt = true\n");
    suppress(&sandbox, &["add", "ann@rcpt.example"]);
    // As a process that has the store for itself alone: a question to it takes longer than the wait for a place.
    let store = File::options().read(true).write(true).open(sandbox.path("state/carom.db")).unwrap();
    fcntl_lock(&store, FlockOperation::NonBlockingLockExclusive).unwrap();
    let listener = Listener::start(&sandbox, &["--policy", "guest"]);
    let (replies, each) = channel();
    for mut client in senders(&listener, (0..5).map(|number| format!("{number}.live"))) {
        let replies = replies.clone();
        std::thread::spawn(move || drop(replies.send(client.say(RCPT))));
    }
    let first = each.recv().unwrap();
    assert!(first.starts_with("451 4.3.0 "), "{first}");
    drop(store);
    for reply in each.iter().take(4) {
        assert!(reply.starts_with("550 5.7.1 no"), "{reply}");
    }
    listener.stop();
}
