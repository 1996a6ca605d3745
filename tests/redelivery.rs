//! A redelivery is answered with the verdict that was promised, not with a second decision.

use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{Ran, SENDER, Sandbox, plain};

/// Delivers the message of a queue id.
fn deliver(sandbox: &Sandbox, recipient: &str, message: &[u8], more: &[&str]) -> Ran {
    let mut arguments = vec!["pipe", "--sender", SENDER, "--recipient", recipient];
    arguments.extend(["--client-address", "192.0.2.1", "--queue-id", "4ABC"]);
    arguments.extend(more);
    sandbox.run(&arguments, message)
}

/// The config now has a policy that fails at every message.
fn with_a_failing_policy(sandbox: Sandbox) -> Sandbox {
    let misfit = std::fs::canonicalize("policies/dist/misfit.wasm").unwrap();
    sandbox.config(&format!(
        "[policy.misfit]\npath = \"{}\"\n[policy.misfit.settings]\nmode = \"refuse\"",
        misfit.display()
    ))
}

#[test]
fn a_redelivery_is_answered_with_the_verdict_that_was_promised() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = with_a_failing_policy(Sandbox::new().smtp_port(peer.port));
    let recipient = "x@oob.sink.example";
    let message = plain(recipient);
    deliver(&sandbox, recipient, &message, &[]).silent();
    assert_eq!(peer.mails().len(), 1);
    deliver(&sandbox, recipient, &message, &["--policy", "misfit"]).silent();
    assert_eq!((peer.mails().len(), sandbox.counter("deferred")), (1, 0));
}

/// Nobody has heard the first verdict, and nothing was done.
#[test]
fn a_redelivery_of_what_was_only_recorded_is_decided_again_and_counts_once() {
    let sandbox = Sandbox::new();
    let recipient = "x@reject.sink.example";
    let message = plain(recipient);
    deliver(&sandbox, recipient, &message, &[]).says(67, "5.1.1 user unknown");
    let sandbox = sandbox.settings("bounce_status = \"5.7.1\"\nbounce_text = \"go away\"");
    let other = sandbox.pipe(recipient, &plain(recipient));
    other.says(77, "5.7.1 go away");
    deliver(&sandbox, recipient, &message, &[]).says(77, "5.7.1 go away");
    assert_eq!((sandbox.counter("rejected"), sandbox.counter("total_messages")), (2, 2));
    // One that cannot be decided now has the verdict that is on record.
    let sandbox = with_a_failing_policy(sandbox);
    deliver(&sandbox, recipient, &message, &["--policy", "misfit"]).says(67, "5.1.1 user unknown");
    assert_eq!((sandbox.counter("rejected"), sandbox.counter("total_messages")), (2, 2));
}

#[test]
fn what_was_deferred_is_decided_again() {
    let sandbox = with_a_failing_policy(Sandbox::new());
    let recipient = "x@accept.sink.example";
    let message = plain(recipient);
    deliver(&sandbox, recipient, &message, &["--policy", "misfit"]).says(75, "4.3.0 policy misfit");
    deliver(&sandbox, recipient, &message, &[]).silent();
    assert_eq!(sandbox.counter("accept"), 1);
}

#[test]
fn a_first_delivery_that_was_killed_before_its_line_is_in_the_log_after_the_second() {
    let sandbox = Sandbox::new();
    let recipient = "x@reject.sink.example";
    let message = plain(recipient);
    deliver(&sandbox, recipient, &message, &[]).says(67, "5.1.1 user unknown");
    // As after kill -9 between the record and the line.
    std::fs::remove_dir_all(sandbox.path("state/log")).unwrap();
    deliver(&sandbox, recipient, &message, &[]).says(67, "5.1.1 user unknown");
    let log = sandbox.run(&["log"], b"").stdout;
    assert!(log.contains(recipient) && log.contains("reject"), "{log}");
    assert_eq!(sandbox.counter("total_messages"), 1);
}
