//! Bad clients of `carom lmtp`: slow, silent, greedy, confused, many. Others are served meanwhile, and time and memory are bounded.

use crate::harness::lmtp::{Client, Listener};
use crate::harness::memory::MOST_MIB;
use crate::harness::{SENDER, Sandbox, plain, wait_for};
use crate::lmtp::ACCEPTED;
use fastrand::Rng;
use std::fs;
use std::time::Duration;

/// Somebody else is served.
#[track_caller]
fn others_are_served(listener: &Listener) {
    let replies = listener.unix().hello().send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
    assert!(replies[0].starts_with("250"), "{replies:?}");
}

/// The most memory that the process has taken so far, in MiB.
fn peak(listener: &Listener) -> i64 {
    let status = fs::read_to_string(format!("/proc/{}/status", listener.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<i64>().unwrap() / 1024
}

#[test]
fn slow_and_silent_clients_are_sent_away() {
    let sandbox = Sandbox::new().config("[lmtp]\ncommand_time = 2\ndata_time = 3\n");
    let listener = Listener::start(&sandbox, &[]);
    let mut silent = listener.tcp();
    let mut in_data = listener.tcp().hello();
    in_data.envelope(SENDER, &[ACCEPTED]);
    in_data.expect("DATA", "354");
    let mut dripping = [listener.tcp(), in_data];
    // Bytes that drip gain no time.
    let drip = |client: &mut Client| {
        while client.write(b"x") {
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    std::thread::scope(|scope| {
        let dripping = dripping.each_mut().map(|client| {
            scope.spawn(move || drip(client));
        });
        assert!(silent.reply().starts_with("421 4.4.2"));
        let _ = dripping;
    });
    others_are_served(&listener);
    listener.stop();
    assert_eq!(sandbox.counter("total_messages"), 1);
}

#[test]
fn a_client_whose_message_would_not_be_there_in_time_is_sent_away_early() {
    // The time for a message is longer than this client waits for a reply.
    let sandbox = Sandbox::new().config("[lmtp]\ndata_time = 150\n");
    let listener = Listener::start(&sandbox, &[]);
    let mut slow = listener.tcp().hello();
    slow.envelope(SENDER, &[ACCEPTED]);
    slow.expect("DATA", "354");
    slow.write(b"Subject: x\r\n");
    assert!(slow.reply().starts_with("421 4.4.2"));
    others_are_served(&listener);
    listener.stop();
}

#[test]
fn ten_thousand_recipients_are_as_many_as_the_limit() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.unix().hello();
    client.expect(&format!("MAIL FROM:<{SENDER}>"), "250");
    let mut taken = 0;
    for hundred in 0..100 {
        let many: Vec<String> =
            (0..100).map(|number| format!("RCPT TO:<x{hundred}-{number}@accept.sink.example>\r\n")).collect();
        client.write(many.concat().as_bytes());
        for _ in 0..100 {
            let reply = client.reply();
            taken += usize::from(reply.starts_with("250"));
            assert!(reply.starts_with("250") || reply.starts_with("452 4.5.3"), "{reply}");
        }
    }
    assert_eq!(taken, 1000);
    client.data(&plain(ACCEPTED));
    for _ in 0..taken {
        let reply = client.reply();
        assert!(reply.starts_with("250"), "{reply}");
    }
    listener.stop();
    assert_eq!(sandbox.counter("accept"), 1000);
}

#[test]
fn a_message_that_is_too_large_is_read_to_its_end_and_deferred() {
    let sandbox = Sandbox::new().config("[message]\nmax_size = 1000000\n");
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.unix().hello();
    client.expect(&format!("MAIL FROM:<{SENDER}> SIZE=1000001"), "452 4.3.4");
    client.envelope(SENDER, &[ACCEPTED, "y@accept.sink.example"]);
    client.expect("DATA", "354");
    let line = [&[b'x'; 998][..], b"\r\n"].concat();
    let piece = line.repeat(1000);
    (0..100).for_each(|_| assert!(client.write(&piece)));
    client.write(b".\r\n");
    assert!(client.reply().starts_with("452 4.3.4") && client.reply().starts_with("452 4.3.4"));
    let replies = client.send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
    assert!(replies[0].starts_with("250"), "{replies:?}");
    assert!(peak(&listener) < MOST_MIB, "{} MiB", peak(&listener));
    listener.stop();
}

#[test]
fn large_messages_share_the_memory_and_each_is_taken_in_the_end() {
    let sandbox = Sandbox::new().config("[message]\nmemory = 134217728\n");
    let listener = Listener::start(&sandbox, &[]);
    let line = [&[b'x'; 998][..], b"\r\n"].concat();
    let body = [plain(ACCEPTED), line.repeat(12_000)].concat();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (listener, body) = (&listener, &body);
            scope.spawn(move || {
                wait_for(60, "the message to be taken", || {
                    let replies = listener.unix().hello().send(SENDER, &[ACCEPTED], body);
                    let taken = replies[0].starts_with("250");
                    assert!(taken || replies[0].starts_with("452 4.3.1"), "{replies:?}");
                    taken
                });
            });
        }
    });
    assert!(peak(&listener) < MOST_MIB, "{} MiB", peak(&listener));
    listener.stop();
    assert_eq!(sandbox.counter("total_messages"), 4);
}

#[test]
fn hundreds_of_sessions_are_served_and_more_are_told_to_come_again() {
    let sandbox = Sandbox::new().config("[lmtp]\nsessions = 300\nsessions_per_client = 200\n");
    let listener = Listener::start(&sandbox, &[]);
    let mut by_tcp: Vec<Client> = (0..200).map(|_| listener.tcp().hello()).collect();
    assert!(listener.tcp().greeting.starts_with("421 4.7.0"), "too many of one address");
    let by_unix: Vec<Client> = (0..100).map(|_| listener.unix().hello()).collect();
    assert!(listener.unix().greeting.starts_with("421 4.7.0"), "too many");
    for client in &mut by_tcp {
        let replies = client.send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
        assert!(replies[0].starts_with("250"), "{replies:?}");
    }
    drop(by_unix);
    wait_for(30, "room for another session", || listener.unix().greeting.starts_with("220"));
    assert!(peak(&listener) < MOST_MIB, "{} MiB", peak(&listener));
    drop(by_tcp);
    listener.stop();
    assert_eq!(sandbox.counter("accept"), 200);
}

#[test]
fn garbage_ends_its_session_and_nothing_else() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let mut random = Rng::with_seed(2033);
    for _ in 0..100 {
        let mut client = listener.tcp();
        let words =
            ["LHLO x\r\n", "MAIL FROM:<>\r\n", "RCPT TO:<x@y>\r\n", "DATA\r\n", "BDAT 9\r\n", "\r\n.\r\n"];
        for _ in 0..random.usize(1..10) {
            let garbage: Vec<u8> = match random.bool() {
                true => words[random.usize(..words.len())].into(),
                false => (0..random.usize(1..3000)).map(|_| random.u8(..)).collect(),
            };
            client.write(&garbage);
        }
    }
    others_are_served(&listener);
    listener.stop();
}

#[test]
fn what_is_no_address_is_refused() {
    let long = "a".repeat(500) + "@accept.sink.example";
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.tcp().hello();
    let none = ["x@", "x@@a.example", "x@a..example", "x@.a.example", "a@b@c.example", &long];
    for address in none {
        client.expect(&format!("MAIL FROM:<{address}>"), "501 5.1.7");
    }
    let odd = ["x..y.@my_host.example", "postmaster", "\"x@y\"@a.example.", "x@[192.0.2.1]"];
    for address in odd {
        client.expect(&format!("MAIL FROM:<{address}>"), "250");
        client.expect(&format!("RCPT TO:<{address}>"), "250");
        client.expect("RSET", "250");
    }
    client.expect(&format!("MAIL FROM:<{SENDER}>"), "250");
    for address in none {
        client.expect(&format!("RCPT TO:<{address}>"), "501 5.1.3");
    }
    listener.stop();
}

#[test]
fn as_many_commands_are_refused_as_the_setting_says() {
    let sandbox = Sandbox::new().config("[lmtp]\nerrors = 3\n");
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.tcp().hello();
    client.expect("EXPN list", "502 5.5.1");
    client.expect("FOO", "500");
    client.expect("DATA", "503");
    assert!(client.reply().starts_with("421 4.7.0"));
    assert_eq!(client.reply(), "");
    listener.stop();
}

#[test]
fn a_command_that_is_too_long_is_refused_and_its_client_sent_away() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.tcp().hello();
    assert!(client.say(&"x".repeat(3000)).starts_with("500 5.5.6"));
    assert!(client.reply().starts_with("421 "));
    assert_eq!(client.reply(), "");
    others_are_served(&listener);
    listener.stop();
}

#[test]
fn strangers_may_not_connect_and_nobody_forwards_a_client_by_tcp() {
    let sandbox =
        Sandbox::new().config("[lmtp]\nclients = [\"127.0.0.1/32\"]\nxforward = [\"127.0.0.7/32\"]\n");
    let listener = Listener::start(&sandbox, &[]);
    assert!(listener.from([127, 0, 0, 5]).greeting.starts_with("554 5.7.1"));
    let forward = "XFORWARD ADDR=192.0.2.1 IDENT=4QK";
    let mut client = listener.tcp();
    let offered = client.expect("LHLO client.example", "250");
    assert!(!offered.contains("XFORWARD"), "{offered}");
    client.expect(forward, "550 5.7.1");
    let mut trusted = listener.from([127, 0, 0, 7]);
    let offered = trusted.expect("LHLO client.example", "250");
    assert!(offered.contains("XFORWARD"), "{offered}");
    trusted.expect(forward, "250");
    listener.stop();
}

#[test]
fn check_says_who_may_connect_who_is_believed_and_that_chaos_is_on() {
    let sandbox = Sandbox::new().config(
        "[lmtp]\nclients = [\"0.0.0.0/0\"]\nxforward = [\"127.0.0.1/32\", \"10.0.0.0/8\", \"192.0.2.7/32\"]\n\
         certificate = \"/no/such/certificate\"\nkey = \"/no/such/key\"\nchaos_by_address = true\n",
    );
    let said = sandbox.run(&["check"], b"").stdout;
    for what in [
        "every host may connect",
        "127.0.0.1/32: every",
        "10.0.0.0/8: each",
        "(chaos)",
        "/no/such/certificate",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    assert!(!said.contains("192.0.2.7"), "{said}");
    let said = Sandbox::new().run(&["check"], b"").stdout;
    assert!(!said.contains("lmtp"), "{said}");
}
