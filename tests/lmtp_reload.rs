//! What a server takes up without a restart: the config, installed rules, the certificate, a store that was replaced.
//! And what it tells the service manager.

use crate::bounces::{self, dsn, is_suppressed, signed_path};
use crate::harness::lmtp::{Client, Listener};
use crate::harness::{SENDER, Sandbox, plain, wait_for};
use crate::lmtp::ACCEPTED;
use crate::lmtp_clients::tls;
use rustix::process::Signal;
use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

const BOUNCED: &str = "x@oob.sink.example";
/// What comes before a message, sent ahead.
const MAIL: &str = "MAIL FROM:<alice@sender.example>\r\nRCPT TO:<x@accept.sink.example>\r\nDATA\r\n";

/// Replaces a part of the config in one step.
pub(crate) fn rewrite(sandbox: &Sandbox, old: &str, new: &str) {
    let path = sandbox.path("carom.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{text}");
    fs::write(sandbox.path("new.toml"), text.replace(old, new)).unwrap();
    fs::rename(sandbox.path("new.toml"), path).unwrap();
}

/// Waits until the log says that a server has not taken up the config.
pub(crate) fn goes_on_as_before(sandbox: &Sandbox) {
    wait_for(30, "the log to say what is wrong", || {
        let log = fs::read_dir(sandbox.path("state/log")).unwrap().flatten();
        let mut texts = log.filter_map(|entry| fs::read_to_string(entry.path()).ok());
        texts.any(|text| text.contains("going on with the config that was read before"))
    });
}

/// How many recipients a new session may name.
fn recipients(listener: &Listener) -> usize {
    let mut client = listener.unix();
    // A session that has just begun may be sent away.
    client.say("LHLO client.example");
    client.say(&format!("MAIL FROM:<{SENDER}>"));
    (0..9).take_while(|_| client.say(&format!("RCPT TO:<{ACCEPTED}>")).starts_with("250")).count()
}

fn hands_in(client: &mut Client) {
    let replies = client.send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
    assert!(replies[0].starts_with("250"), "{replies:?}");
}

#[test]
fn a_changed_config_is_in_force_after_a_signal_and_no_client_is_refused() {
    let sandbox = Sandbox::new().config("[lmtp]\nrecipients = 2\n");
    let listener = Listener::start(&sandbox, &[]);
    let mut before = listener.unix().hello();
    // Nothing has changed: sessions go on.
    listener.signal(Signal::HUP);
    assert_eq!(recipients(&listener), 2);
    hands_in(&mut before);
    rewrite(&sandbox, "recipients = 2", "recipients = \"two\"");
    listener.signal(Signal::HUP);
    goes_on_as_before(&sandbox);
    hands_in(&mut before);
    // A message in hand is taken by what it began with.
    let mut busy = listener.tcp().hello();
    busy.envelope(SENDER, &[ACCEPTED]);
    busy.expect("DATA", "354");
    rewrite(&sandbox, "recipients = \"two\"", "recipients = 3");
    listener.signal(Signal::HUP);
    assert!(before.reply().starts_with("421 4.3.2"), "an idle session is to come again");
    busy.write(&plain(ACCEPTED));
    busy.write(b".\r\n");
    assert!(busy.reply().starts_with("250"));
    wait_for(30, "the new config", || recipients(&listener) == 3);
    listener.stop();
    assert_eq!(sandbox.counter("accept"), 3);
}

/// A listener with an answered message whose step waits for a greeting that does not come, on this connection.
fn with_slow_step(lmtp: &str) -> (Sandbox, Listener, TcpStream) {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let sandbox = Sandbox::new().smtp_port(peer.local_addr().unwrap().port());
    let patient = "[message]\ndeadline = 300\n[send]\ntimeout = 300\n";
    let sandbox = sandbox.config(&format!("{patient}[lmtp]\n{lmtp}"));
    let listener = Listener::start(&sandbox, &[]);
    let replies = listener.tcp().hello().send(SENDER, &[BOUNCED], &plain(BOUNCED));
    assert!(replies[0].starts_with("250"), "{replies:?}");
    peer.set_nonblocking(true).unwrap();
    let mut step = None;
    wait_for(60, "the step to begin", || {
        step = peer.accept().ok();
        step.is_some()
    });
    (sandbox, listener, step.unwrap().0)
}

#[test]
fn a_slow_step_of_an_answered_message_holds_up_no_new_config() {
    let (sandbox, listener, step) = with_slow_step("recipients = 2\n");
    rewrite(&sandbox, "recipients = 2", "recipients = 3");
    listener.signal(Signal::HUP);
    wait_for(60, "the new config", || recipients(&listener) == 3);
    hands_in(&mut listener.unix().hello());
    step.set_nonblocking(true).unwrap();
    let waits = step.peek(&mut [0]).unwrap_err();
    assert_eq!(waits.kind(), ErrorKind::WouldBlock, "the step goes on");
    // The next change is in force when what the first config has begun is over.
    rewrite(&sandbox, "recipients = 3", "recipients = 4");
    listener.signal(Signal::HUP);
    drop(step);
    wait_for(60, "the next config", || recipients(&listener) == 4);
    listener.stop();
}

#[test]
fn a_stop_does_not_wait_for_what_an_earlier_config_has_begun() {
    let (sandbox, listener, step) = with_slow_step("recipients = 2\nstop_time = 1\n");
    rewrite(&sandbox, "recipients = 2", "recipients = 3");
    listener.signal(Signal::HUP);
    wait_for(60, "the new config", || recipients(&listener) == 3);
    listener.signal(Signal::TERM);
    let ran = listener.end();
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    // The step is on record, for the next tick.
    drop(step);
    let left = sandbox.run(&["outbox"], b"").stdout;
    assert!(left.contains(BOUNCED), "{left}");
}

#[test]
fn a_stop_takes_the_time_that_the_new_config_gives() {
    let sandbox = Sandbox::new().config("[lmtp]\nrecipients = 2\nstop_time = 1\n");
    let listener = Listener::start(&sandbox, &[]);
    rewrite(&sandbox, "recipients = 2\nstop_time = 1", "recipients = 3\nstop_time = 50");
    listener.signal(Signal::HUP);
    wait_for(30, "the new config", || recipients(&listener) == 3);
    let mut busy = listener.unix().hello();
    busy.envelope(SENDER, &[ACCEPTED]);
    busy.expect("DATA", "354");
    listener.signal(Signal::TERM);
    // Longer than the first config gives.
    std::thread::sleep(Duration::from_secs(6));
    busy.write(&plain(ACCEPTED));
    busy.write(b".\r\n");
    let reply = busy.reply();
    assert!(reply.starts_with("250"), "{reply}");
    let ran = listener.end();
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
}

#[test]
fn a_store_that_is_replaced_gets_what_comes_after() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    hands_in(&mut listener.unix().hello());
    wait_for(30, "counts in the store", || sandbox.counter("lmtp_messages") == 1);
    for name in ["carom.db", "carom.db-wal", "carom.db-shm"] {
        fs::rename(sandbox.path("state").join(name), sandbox.path(name)).unwrap();
    }
    // The usual command makes the new file.
    assert_eq!(sandbox.counter("lmtp_messages"), 0);
    wait_for(30, "the server to notice", || {
        // A session that has just begun may be sent away.
        let message = [&b"LHLO client.example\r\n"[..], MAIL.as_bytes(), &plain(ACCEPTED), b".\r\nQUIT\r\n"];
        let mut client = listener.unix();
        client.write(&message.concat());
        while !client.reply().is_empty() {}
        sandbox.counter("lmtp_messages") > 0
    });
    listener.stop();
    assert!(sandbox.path("state/carom.db").exists());
}

#[test]
fn what_sessions_have_counted_goes_into_the_store_that_is_there_then() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    hands_in(&mut listener.unix().hello());
    wait_for(30, "counts in the store", || sandbox.counter("lmtp_messages") == 1);
    // Counted in memory.
    hands_in(&mut listener.unix().hello());
    for name in ["carom.db", "carom.db-wal", "carom.db-shm"] {
        fs::rename(sandbox.path("state").join(name), sandbox.path(name)).unwrap();
    }
    assert_eq!(sandbox.counter("lmtp_messages"), 0);
    wait_for(60, "its count in the new store", || sandbox.counter("lmtp_messages") == 1);
    listener.stop();
}

#[test]
fn rules_that_are_installed_decide_without_a_signal() {
    let sandbox = bounces::sandbox(9, "");
    let listener = Listener::start(&sandbox, &["--policy", "bounce"]);
    let bounced = |address: &str| {
        let path = signed_path(&sandbox, address);
        let envelope = format!("LHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<{path}>\r\nDATA\r\n");
        let report = dsn(address, "5.0.0", "599 5.0.0 xyzzy plugh");
        // A session that has just begun may be sent away.
        let mut client = listener.unix();
        client.write(&[envelope.as_bytes(), &report, b".\r\nQUIT\r\n"].concat());
        while !client.reply().is_empty() {}
        is_suppressed(&sandbox, address)
    };
    assert!(!bounced("before@there.example"));
    let rule =
        "[[rules]]\nname = \"parrot\"\npattern = \"xyzzy\"\nreason = \"user-unknown\"\nseverity = \"hard\"\n";
    fs::write(sandbox.path("new.toml"), rule).unwrap();
    fs::rename(sandbox.path("new.toml"), sandbox.path("state/rules.toml")).unwrap();
    let mut tries = 0..;
    wait_for(60, "the rule to decide", || bounced(&format!("n{}@there.example", tries.next().unwrap())));
    listener.stop();
}

#[test]
fn a_new_certificate_is_used_when_its_files_are_there() {
    let sandbox = Sandbox::new();
    let config = tls(&sandbox, "first.example");
    let sandbox = sandbox.config(&config);
    let listener = Listener::start(&sandbox, &["--smtp"]);
    let connect = format!("127.0.0.1:{}", listener.port);
    let shown = || {
        let arguments = ["s_client", "-starttls", "smtp", "-connect", &connect];
        let shown = Command::new("openssl").args(arguments).stdin(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&shown.stdout).into_owned()
    };
    assert!(shown().contains("first.example"));
    tls(&sandbox, "second.example");
    wait_for(60, "the new certificate", || shown().contains("second.example"));
    listener.stop();
}

#[test]
fn the_service_manager_hears_of_start_reload_and_stop() {
    for command in ["lmtp", "access", "socketmap"] {
        let sandbox = Sandbox::new();
        let (socket, manager) = (sandbox.path("listening"), sandbox.path("manager"));
        let heard = UnixDatagram::bind(&manager).unwrap();
        heard.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let next = || {
            let mut datagram = [0; 200];
            let length = heard.recv(&mut datagram).unwrap();
            String::from_utf8(datagram[..length].to_vec()).unwrap()
        };
        let mut started = sandbox.command(&[command, "--listen", &socket.display().to_string()]);
        started.env("NOTIFY_SOCKET", &manager);
        let listener = Listener::of(started, socket);
        assert!(next().starts_with("READY=1\n"), "{command}");
        listener.signal(Signal::HUP);
        let reloading = next();
        assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{command}: {reloading}");
        assert!(next().starts_with("READY=1\n"), "{command}");
        listener.signal(Signal::TERM);
        assert!(next().starts_with("STOPPING=1\n"), "{command}");
        assert_eq!(listener.end().code, 0, "{command}");
    }
}
