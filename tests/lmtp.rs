//! `carom lmtp` by LMTP: what clients hand in is answered for each recipient when it is durable.

use crate::harness::lmtp::Listener;
use crate::harness::policies::{self, counting, policy};
use crate::harness::{SENDER, Sandbox, free_port, plain, signed, wait_for};
use rustix::process::Signal;
use std::net::TcpStream;
use std::process::Command;

pub(crate) const ACCEPTED: &str = "x@accept.sink.example";
pub(crate) const REFUSED: &str = "x@reject.sink.example";

/// Whether the reply begins like this.
fn is(reply: &str, code: &str) -> bool {
    reply.starts_with(code)
}

#[test]
fn a_client_on_standard_input_hands_in_a_message_for_several_recipients() {
    let sandbox = Sandbox::new();
    let message = String::from_utf8(plain(ACCEPTED)).unwrap();
    let dialogue = format!(
        "LHLO client.example\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{ACCEPTED}>\r\nRCPT TO:<{REFUSED}>\r\n\
         RCPT TO:<y@accept.sink.example>\r\nDATA\r\n{message}.\r\nQUIT\r\n"
    );
    let ran = sandbox.run(&["lmtp"], dialogue.as_bytes());
    let replies: Vec<&str> = ran.stdout.lines().filter(|line| line.as_bytes()[3] == b' ').collect();
    let codes: Vec<&str> = replies.iter().map(|line| &line[..3]).collect();
    assert_eq!(
        codes,
        ["220", "250", "250", "250", "250", "250", "354", "250", "550", "250", "221"],
        "{ran:?}"
    );
    assert!((ran.code, &*ran.stderr) == (0, ""), "{ran:?}");
    assert_eq!((sandbox.counter("total_messages"), sandbox.counter("accept")), (3, 2));
}

#[test]
fn many_sessions_by_tcp_and_unix_socket_share_one_process() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let listener = &listener;
            scope.spawn(move || {
                let client = if number % 2 == 0 { listener.tcp() } else { listener.unix() };
                let mut client = client.hello();
                for _ in 0..5 {
                    let replies = client.send(SENDER, &[ACCEPTED, REFUSED], &plain(ACCEPTED));
                    assert!(is(&replies[0], "250 2.0.0") && is(&replies[1], "550 5."), "{replies:?}");
                }
                client.expect("QUIT", "221");
            });
        }
    });
    listener.stop();
    assert_eq!((sandbox.counter("total_messages"), sandbox.counter("accept")), (80, 40));
}

#[test]
fn after_421_the_connection_is_closed_and_every_recipient_has_an_answer() {
    let busy = "x+421-4.7.0@defer.sink.example";
    let at_rcpt = "[lmtp]\nask_at_rcpt = true\n[[lmtp.chaos]]\nat = \"quit\"\nwhat = \"refuse\"\n\
                   reply = \"421 4.3.2 not now\"";
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.unix().hello();
    let replies = client.send(SENDER, &[busy, ACCEPTED, REFUSED], &plain(ACCEPTED));
    assert!(is(&replies[0], "421 4.7.0") && is(&replies[1], "250") && is(&replies[2], "550"), "{replies:?}");
    assert_eq!(client.reply(), "");
    listener.stop();
    // At RCPT, and where it is the answer to any command.
    let sandbox = Sandbox::new().settings("refuse_at_rcpt = true").config(at_rcpt);
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.tcp().hello();
    client.write(format!("MAIL FROM:<{SENDER}>\r\nRCPT TO:<{busy}>\r\nRCPT TO:<{ACCEPTED}>\r\n").as_bytes());
    assert!(is(&client.reply(), "250") && is(&client.reply(), "421 4.7.0"));
    assert_eq!(client.reply(), "");
    let mut client = listener.tcp().hello();
    client.expect("QUIT", "421 4.3.2 not now\r\n");
    assert_eq!(client.reply(), "");
    listener.stop();
    // In SMTP, the one answer.
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &["--smtp"]);
    let mut client = listener.tcp().hello();
    let replies = client.send(SENDER, &[ACCEPTED, busy], &plain(ACCEPTED));
    assert!(is(&replies[0], "421 4.7.0") && client.reply().is_empty(), "{replies:?}");
    listener.stop();
}

#[test]
fn what_was_answered_is_on_record_after_a_kill() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.unix().hello();
    let replies = client.send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
    listener.kill();
    assert!(is(&replies[0], "250"), "{replies:?}");
    assert_eq!(sandbox.counter("accept"), 1);
    // The socket of the dead process is replaced.
    Listener::start(&sandbox, &[]).stop();
    assert!(!sandbox.path("lmtp.sock").exists());
}

#[test]
fn a_client_with_an_ipv4_address_is_one_in_every_spelling() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    for address in ["IPV6:::ffff:192.0.2.1", "ipv6:::FFFF:C000:201", "192.0.2.1"] {
        let mut client = listener.unix().hello();
        client.expect(&format!("XFORWARD ADDR={address}"), "250");
        let replies = client.send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
        assert!(is(&replies[0], "250"), "{address}: {replies:?}");
    }
    listener.stop();
    let logged = sandbox.run(&["log", "--json"], b"").stdout;
    assert_eq!(logged.matches("\"192.0.2.1\"").count(), 3, "{logged}");
}

#[test]
fn a_message_that_comes_again_after_no_answer_counts_once() {
    let sandbox = Sandbox::new();
    let message = plain(ACCEPTED);
    let queued = ["XFORWARD NAME=client.example ADDR=192.0.2.1", "XFORWARD IDENT=4QKid HELO=client.example"];
    for (number, forwards) in [(1, &queued[..]), (2, &[])] {
        // The first delivery is on record, but its answer is never heard: the process dies with it.
        let listener = Listener::start(&sandbox, &[]);
        let mut client = listener.unix().hello();
        forwards.iter().for_each(|line| drop(client.expect(line, "250")));
        client.envelope(SENDER, &[ACCEPTED]);
        listener.pause();
        client.write(b"DATA\r\n");
        client.write(&message);
        client.write(b".\r\n");
        drop(client);
        listener.signal(Signal::CONT);
        wait_for(30, "the message to be on record", || sandbox.counter("accept") == number);
        listener.kill();
        let listener = Listener::start(&sandbox, &[]);
        let mut client = listener.unix().hello();
        forwards.iter().for_each(|line| drop(client.expect(line, "250")));
        let replies = client.send(SENDER, &[ACCEPTED], &message);
        assert!(is(&replies[0], "250"), "{replies:?}");
        listener.stop();
        assert_eq!(sandbox.counter("accept"), number, "with {forwards:?}");
    }
    // Answered, the same bytes without a queue id are another message.
    let listener = Listener::start(&sandbox, &[]);
    listener.unix().hello().send(SENDER, &[ACCEPTED], &message);
    listener.stop();
    assert_eq!(sandbox.counter("accept"), 3);
}

#[test]
fn a_stop_lets_a_message_in_hand_end_and_sends_the_idle_away() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let (mut idle, mut busy) = (listener.unix().hello(), listener.tcp().hello());
    busy.envelope(SENDER, &[ACCEPTED]);
    busy.expect("DATA", "354");
    listener.signal(Signal::TERM);
    assert!(is(&idle.reply(), "421 4.3.2"));
    busy.write(&plain(ACCEPTED));
    busy.write(b".\r\n");
    assert!(is(&busy.reply(), "250"));
    assert!(is(&busy.reply(), "421 4.3.2"));
    assert_eq!(listener.end().code, 0);
    assert_eq!(sandbox.counter("accept"), 1);
}

#[test]
fn another_policy_in_force_decides_without_a_restart() {
    let sandbox = policies::sandbox();
    let install = |name: &str| policy(&sandbox, &["install", "other", &counting(&sandbox, name)]);
    install("old_counts");
    let listener = Listener::start(&sandbox, &["--policy", "other"]);
    let mut client = listener.unix().hello();
    let mut send = || client.send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
    assert!(is(&send()[0], "250"));
    assert_eq!(sandbox.counter("old_counts"), 1);
    install("new_counts");
    listener.signal(Signal::HUP);
    wait_for(30, "the new policy to decide", || {
        assert!(is(&send()[0], "250"));
        sandbox.counter("new_counts") > 0
    });
    listener.stop();
}

#[test]
fn two_recipients_of_a_message_are_decided_alone() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.unix().hello();
    let message = signed(ACCEPTED, "", b"hello\r\n.dots\r\n..\r\n");
    let replies = client.send(SENDER, &["x@defer.sink.example", ACCEPTED], &message);
    assert!(is(&replies[0], "451 4.") && is(&replies[1], "250"), "{replies:?}");
    listener.stop();
}

#[test]
fn in_smtp_one_answer_is_for_all_and_what_was_done_is_not_done_again() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &["--smtp"]);
    let send = |to: &[&str], message: &[u8]| listener.tcp().hello().send(SENDER, to, message);
    let message = plain(ACCEPTED);
    for _ in 0..3 {
        let replies = send(&[ACCEPTED, "x@defer.sink.example"], &message);
        assert!(is(&replies[0], "451 4."), "{replies:?}");
    }
    assert_eq!(sandbox.counter("accept"), 1);
    assert!(is(&send(&[REFUSED, ACCEPTED], &plain(ACCEPTED))[0], "250"));
    assert!(is(&send(&[REFUSED, REFUSED], &plain(ACCEPTED))[0], "550"));
    listener.stop();
    assert_eq!((sandbox.counter("accept"), sandbox.counter("rejected")), (2, 3));
}

/// What systemd does for a service with a socket, and for one of many with `Accept=yes`.
const SYSTEMD: &str = r#"
import os, socket, sys
kind, path, *command = sys.argv[1:]
listening = socket.socket(socket.AF_UNIX)
listening.bind(path)
listening.listen()
if kind == "accept":
    client, _ = listening.accept()
    os.dup2(client.fileno(), 0)
    os.dup2(client.fileno(), 1)
else:
    os.dup2(listening.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(command[0], command)
"#;

/// What systemd does with `Accept=yes` without `StandardInput=socket`.
const CLIENT_ONLY: &str = r#"
import os, socket, sys
client, other = socket.socketpair()
os.dup2(client.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[1], sys.argv[1:])
"#;

#[test]
fn a_client_that_systemd_passes_beside_standard_input_is_refused_with_the_fix() {
    let sandbox = Sandbox::new();
    let carom = sandbox.command(&["lmtp"]);
    let mut command = Command::new("python3");
    command.args(["-c", CLIENT_ONLY]).arg(carom.get_program()).args(carom.get_args());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("StandardInput=socket"), "{said}");
}

#[test]
fn a_listener_is_named_as_postfix_names_it() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let mut carom =
        sandbox.command(&["lmtp", "--listen", &format!("inet:127.0.0.1:{port}")]).spawn().unwrap();
    wait_for(60, "carom lmtp to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    carom.kill().unwrap();
    carom.wait().unwrap();
}

#[test]
fn systemd_passes_a_socket_that_listens_or_one_client() {
    for kind in ["listen", "accept"] {
        let sandbox = Sandbox::new();
        let (script, path) = (sandbox.path("systemd.py"), sandbox.path("passed.sock"));
        std::fs::write(&script, SYSTEMD).unwrap();
        let carom = sandbox.command(&["lmtp"]);
        let mut command = Command::new("python3");
        command.arg(script).arg(kind).arg(&path).arg(carom.get_program()).args(carom.get_args());
        let listener = Listener::of(command, path);
        let mut client = listener.unix().hello();
        let replies = client.send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
        assert!(is(&replies[0], "250"), "{kind}: {replies:?}");
        client.expect("QUIT", "221");
        drop(client);
        match kind {
            "accept" => assert_eq!(listener.end().code, 0, "it ends with its client"),
            _ => listener.stop(),
        }
        assert_eq!(sandbox.counter("accept"), 1);
    }
}
