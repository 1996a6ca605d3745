//! What is never answered, so that no two programs write to each other for ever.

use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{SENDER, Sandbox, signed};

/// Delivers a signed message with these fields on top, and tells whether anything was sent because of it.
fn is_answered(sandbox: &Sandbox, peer: &SmtpPeer, sender: &str, recipient: &str, top: &str) -> bool {
    let before = peer.mails().len();
    let message = [top.as_bytes(), &signed(recipient, "", b"hello\r\n")].concat();
    let arguments = ["pipe", "--sender", sender, "--recipient", recipient, "--client-address", "192.0.2.1"];
    sandbox.run(&arguments, &message).silent();
    peer.mails().len() > before
}

const HOP: &str =
    "Received: from a.example (a.example [192.0.2.1]) by b.example; Sat, 21 Nov 2026 10:00:00 +0000\r\n";

#[test]
fn mail_that_goes_in_circles_is_not_answered_and_that_is_counted_and_logged() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    for (recipient, counter) in [
        ("x@oob.sink.example", "oob_loop"),
        ("x@fbl.sink.example", "fbl_loop"),
        ("ooto@sink.example", "autoreply_loop"),
    ] {
        let delivered = format!("Delivered-To: {recipient}\r\n");
        assert!(is_answered(&sandbox, &peer, SENDER, recipient, &HOP.repeat(50)), "{recipient}");
        assert!(is_answered(&sandbox, &peer, SENDER, recipient, &delivered), "{recipient}");
        assert_eq!(sandbox.counter(counter), 0);
        assert!(!is_answered(&sandbox, &peer, SENDER, recipient, &HOP.repeat(51)), "{recipient}");
        assert!(!is_answered(&sandbox, &peer, SENDER, recipient, &delivered.repeat(2)), "{recipient}");
        assert_eq!(sandbox.counter(counter), 2, "{:?}", sandbox.counters());
    }
    let log = sandbox.run(&["log"], b"").stdout;
    assert!(log.contains("goes in circles, it has 51 Received headers"), "{log}");
    let strict = Sandbox::new().smtp_port(peer.port).config("[send]\nmax_received = 2\n");
    assert!(!is_answered(&strict, &peer, SENDER, "x@oob.sink.example", &HOP.repeat(3)));
}

#[test]
fn null_senders_lists_and_automatic_mail_get_no_automatic_reply() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let recipient = "ooto@sink.example";
    for top in [
        "Auto-Submitted: auto-replied\r\n",
        "Precedence: bulk\r\n",
        "List-Id: <list.sender.example>\r\n",
        "List-Unsubscribe: <https://sender.example/off>\r\n",
        "X-Auto-Response-Suppress: All\r\n",
    ] {
        assert!(!is_answered(&sandbox, &peer, SENDER, recipient, top), "{top}");
    }
    assert_eq!(sandbox.counter("autoreply_suppressed"), 5);
    for recipient in [recipient, "x@oob.sink.example", "x@fbl.sink.example"] {
        assert!(!is_answered(&sandbox, &peer, "", recipient, ""), "{recipient}");
    }
}
