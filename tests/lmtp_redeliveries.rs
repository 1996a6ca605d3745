//! A client that did not hear its answer hands in the message again, at once: it is answered as
//! before, and nothing is done twice.

use crate::harness::lmtp::Listener;
use crate::harness::peers::{Manner, SmtpPeer};
use crate::harness::{SENDER, Sandbox, plain, signed, wait_for};
use std::fs;

fn hand_in(listener: &Listener, queue_id: &str, recipient: &str, message: &[u8]) -> String {
    let mut client = listener.unix().hello();
    client.expect("XFORWARD NAME=client.example ADDR=192.0.2.1", "250");
    client.expect(&format!("XFORWARD IDENT={queue_id} HELO=client.example"), "250");
    client.send(SENDER, &[recipient], message).remove(0)
}

#[test]
fn what_comes_again_before_the_tick_has_the_first_verdict_and_is_decided_once() {
    let settings = "in_band_percent = 50\nrequire_dkim = false\nrequire_spf = false\n\
         require_owner_in_mix = false\noob_percent = 0\nfbl_percent = 0\nopen_percent = 0\n\
         open_again_percent = 0\nclick_percent = 0\nclick_again_percent = 0";
    let sandbox = Sandbox::new().settings(settings);
    let listener = Listener::start(&sandbox, &[]);
    let recipient = "x@sink.example";
    let mut refused = 0;
    for number in 0..16 {
        let id = format!("4Q{number}");
        let message = plain(recipient);
        let [first, second, third] = [(); 3].map(|()| hand_in(&listener, &id, recipient, &message));
        refused += u64::from(first.starts_with('5'));
        // A deferral is decided again.
        if !first.starts_with('4') {
            assert!(first == second && second == third, "{first} {second} {third}");
        }
    }
    listener.stop();
    assert!((1..16).contains(&refused), "{refused} of 16");
    let log = fs::read_dir(sandbox.path("state/log")).unwrap().flatten();
    let log = log.map(|file| file.path()).find(|path| path.to_string_lossy().contains("/messages-")).unwrap();
    let text = fs::read_to_string(log).unwrap();
    let decided = |line: &&str| !line.contains("redelivery") && !line.contains("\"defer\"");
    let decided = text.lines().filter(decided).count() as u64;
    let redeliveries = text.lines().filter(|line| line.contains("\"event\":\"redelivery\"")).count();
    assert_eq!(decided, sandbox.counter("accept") + sandbox.counter("rejected"));
    assert!(redeliveries >= 2, "{text}");
}

#[test]
fn a_message_that_comes_again_while_its_bounce_is_sent_is_bounced_once() {
    let peer = SmtpPeer::start(Manner { at: "slow", reply: "" });
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let listener = Listener::start(&sandbox, &[]);
    let recipient = "x@oob.sink.example";
    let message = signed(recipient, "", b"hello\r\n");
    for _ in 0..3 {
        let reply = hand_in(&listener, "4QAgain", recipient, &message);
        assert!(reply.starts_with("250"), "{reply}");
    }
    wait_for(30, "the bounce", || !peer.mails().is_empty());
    listener.stop();
    let ran = sandbox.run(&["cron"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(peer.mails().len(), 1);
    assert_eq!(sandbox.counter("oob_sent"), 1);
}
