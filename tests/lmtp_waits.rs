//! What `carom lmtp` waits for, and what it does meanwhile: a store that is locked, memory that others have, clients that leave.

use crate::harness::lmtp::{Client, Listener};
use crate::harness::{SENDER, Sandbox, plain, wait_for};
use crate::lmtp::ACCEPTED;
use rustix::fs::FlockOperation;
use rustix::process::Signal;
use std::fs::File;
use std::time::{Duration, Instant};

/// It needs the store.
const BOUNCED: &str = "x@oob.sink.example";

/// Locks the store, as a process would that hangs in the middle of a write.
fn locked(sandbox: &Sandbox) -> File {
    let shared = File::options().read(true).write(true).open(sandbox.path("state/carom.db-shm")).unwrap();
    rustix::fs::fcntl_lock(&shared, FlockOperation::NonBlockingLockExclusive).unwrap();
    shared
}

#[test]
fn a_locked_store_holds_up_no_greeting_and_moves_no_deadline() {
    let sandbox = Sandbox::new().config("[message]\ndeadline = 14\n");
    let listener = Listener::start(&sandbox, &[]);
    listener.unix().hello().send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
    assert_eq!(sandbox.counter("accept"), 1);
    let locked = locked(&sandbox);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let answered = scope.spawn(|| listener.tcp().hello().send(SENDER, &[BOUNCED], &plain(BOUNCED)));
        while !answered.is_finished() {
            let connected = Instant::now();
            assert!(listener.unix().greeting.starts_with("220"));
            assert!(connected.elapsed() < Duration::from_secs(8), "{:?}", connected.elapsed());
            std::thread::sleep(Duration::from_millis(200));
        }
        let replies = answered.join().unwrap();
        // What a client elsewhere hears names no files of this host.
        assert!(replies[0].starts_with("451 4.3.0 ") && !replies[0].contains('/'), "{replies:?}");
    });
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    drop(locked);
    let replies = listener.unix().hello().send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
    assert!(replies[0].starts_with("250"), "{replies:?}");
    listener.stop();
}

#[test]
fn a_stop_ends_in_time_while_the_store_is_locked_and_the_message_comes_again() {
    let sandbox = Sandbox::new().config("[lmtp]\nstop_time = 3\n");
    let listener = Listener::start(&sandbox, &[]);
    listener.unix().hello().send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
    assert_eq!(sandbox.counter("accept"), 1);
    let locked = locked(&sandbox);
    let mut client = listener.tcp().hello();
    client.envelope(SENDER, &[BOUNCED]);
    client.data(&plain(BOUNCED));
    let began = Instant::now();
    listener.signal(Signal::TERM);
    let reply = client.reply();
    assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    let ran = listener.end();
    assert!(ran.code == 0 && began.elapsed() < Duration::from_secs(30), "{ran:?} {:?}", began.elapsed());
    drop(locked);
    let listener = Listener::start(&sandbox, &[]);
    let replies = listener.tcp().hello().send(SENDER, &[BOUNCED], &plain(BOUNCED));
    assert!(replies[0].starts_with("250"), "{replies:?}");
    listener.stop();
    assert_eq!(sandbox.counter("total_messages"), 2);
}

/// A body of this many million bytes.
fn large(millions: usize) -> Vec<u8> {
    let line = [&[b'x'; 998][..], b"\r\n"].concat();
    [plain(ACCEPTED), line.repeat(millions * 1000)].concat()
}

#[test]
fn a_large_message_that_stands_still_holds_up_no_small_one() {
    let sandbox = Sandbox::new().config("[message]\nmemory = 134217728\n");
    let listener = Listener::start(&sandbox, &[]);
    let mut slow = listener.tcp().hello();
    slow.envelope(SENDER, &[ACCEPTED]);
    slow.expect("DATA", "354");
    assert!(slow.write(&large(10)));
    let mut others: Vec<Client> = (0..20).map(|_| listener.tcp().hello()).collect();
    for client in &mut others {
        let replies = client.send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
        assert!(replies[0].starts_with("250"), "{replies:?}");
    }
    slow.write(b".\r\n");
    assert!(slow.reply().starts_with("250"));
    listener.stop();
    assert_eq!(sandbox.counter("total_messages"), 21);
}

#[test]
fn messages_whose_size_is_announced_wait_for_memory_before_they_hold_any() {
    let sandbox = Sandbox::new().config("[message]\nmemory = 134217728\n");
    let listener = Listener::start(&sandbox, &[]);
    let body = large(6);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = listener.unix().hello();
                client.expect(&format!("MAIL FROM:<{SENDER}> SIZE={}", body.len()), "250");
                client.expect(&format!("RCPT TO:<{ACCEPTED}>"), "250");
                client.data(&body);
                let reply = client.reply();
                assert!(reply.starts_with("250"), "{reply}");
            });
        }
    });
    listener.stop();
    assert_eq!(sandbox.counter("total_messages"), 3);
}

#[test]
fn a_message_that_grows_waits_for_the_memory_of_others() {
    let sandbox = Sandbox::new().config("[message]\nmemory = 134217728\n");
    let listener = Listener::start(&sandbox, &[]);
    let mut first = listener.unix().hello();
    first.envelope(SENDER, &[ACCEPTED]);
    first.expect("DATA", "354");
    assert!(first.write(&large(6)));
    std::thread::scope(|scope| {
        let (begun, has_begun) = std::sync::mpsc::channel();
        let second = scope.spawn({
            let listener = &listener;
            move || {
                let mut second = listener.unix().hello();
                second.envelope(SENDER, &[ACCEPTED]);
                second.expect("DATA", "354");
                begun.send(()).unwrap();
                second.write(&large(4));
                second.write(b".\r\n");
                second.reply()
            }
        });
        has_begun.recv().unwrap();
        std::thread::sleep(Duration::from_secs(1));
        first.write(b".\r\n");
        assert!(first.reply().starts_with("250"));
        let reply = second.join().unwrap();
        assert!(reply.starts_with("250"), "{reply}");
    });
    listener.stop();
}

#[test]
fn the_large_messages_of_one_client_leave_room_for_those_of_others() {
    let sandbox = Sandbox::new().config("[message]\nmemory = 134217728\n");
    let listener = Listener::start(&sandbox, &[]);
    let (mut first, mut second) = (listener.tcp().hello(), listener.tcp().hello());
    // With its size, the memory is taken before the message.
    first.expect(&format!("MAIL FROM:<{SENDER}> SIZE=3000000"), "250");
    first.expect(&format!("RCPT TO:<{ACCEPTED}>"), "250");
    first.expect("DATA", "354");
    let replies = second.send(SENDER, &[ACCEPTED], &large(2));
    assert!(replies[0].starts_with("452 4.3.1"), "more than its share: {replies:?}");
    let replies = listener.from([127, 0, 0, 2]).hello().send(SENDER, &[ACCEPTED], &large(3));
    assert!(replies[0].starts_with("250"), "{replies:?}");
    first.write(&plain(ACCEPTED));
    first.write(b".\r\n");
    assert!(first.reply().starts_with("250"));
    listener.stop();
}

#[test]
fn a_client_that_has_left_before_its_answer_counts_once_when_it_comes_again() {
    let sandbox = Sandbox::new().config("[lmtp]\nsessions = 1\n");
    let listener = Listener::start(&sandbox, &[]);
    let message = plain(ACCEPTED);
    wait_for(30, "the harness's own session to end", || listener.tcp().greeting.starts_with("220"));
    let enter = || {
        let mut entered = None;
        wait_for(30, "the session before to end", || {
            entered = Some(listener.tcp()).filter(|client| client.greeting.starts_with("220"));
            entered.is_some()
        });
        entered.unwrap().hello()
    };
    let mut client = enter();
    client.envelope(SENDER, &[ACCEPTED]);
    listener.pause();
    client.write(&[b"DATA\r\n", &message[..], b".\r\n"].concat());
    drop(client);
    listener.signal(Signal::CONT);
    wait_for(30, "the message to be on record", || sandbox.counter("accept") == 1);
    let replies = enter().send(SENDER, &[ACCEPTED], &message);
    assert!(replies[0].starts_with("250"), "{replies:?}");
    listener.stop();
    assert_eq!(sandbox.counter("accept"), 1);
}

#[test]
fn hosts_that_may_not_connect_take_no_place_of_others() {
    let sandbox = Sandbox::new().config("[lmtp]\nclients = [\"127.0.0.1/32\"]\nsessions = 2\n");
    let listener = Listener::start(&sandbox, &[]);
    let mut strangers = Vec::new();
    for _ in 0..20 {
        strangers.push(listener.from([127, 0, 0, 9]));
    }
    assert!(strangers.iter().all(|one| one.greeting.starts_with("554 5.7.1")));
    let replies = listener.tcp().hello().send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
    assert!(replies[0].starts_with("250"), "{replies:?}");
    listener.stop();
}

#[test]
fn a_page_that_posts_to_the_port_hands_in_nothing() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &["--smtp"]);
    for first in ["POST / HTTP/1.1", "get /", "Host: sink.example"] {
        let mut client = listener.tcp();
        let rest = format!("EHLO x\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{ACCEPTED}>\r\nDATA\r\n\r\n.\r\n");
        client.write(format!("{first}\r\n{rest}").as_bytes());
        assert!(client.reply().starts_with("521 "), "{first}");
        assert_eq!(client.reply(), "", "{first}");
    }
    listener.stop();
    assert_eq!(sandbox.counter("total_messages"), 0);
}

#[test]
fn nobody_can_connect_before_the_policy_is_loaded() {
    let sandbox = Sandbox::new().config("[limits]\nmemory = 65536\n");
    let path = sandbox.path("early.sock");
    let ran = sandbox.run(&["lmtp", "--listen", &path.display().to_string()], b"");
    assert!(ran.code != 0 && !path.exists(), "{ran:?}");
}
