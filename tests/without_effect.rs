//! Messages without an effect are found by the addresses that they are about: kept, forwarded or refused, and also after a kill.

use crate::bounces::{OWN, STRANGER, dsn};

use crate::harness::peers::{ACCEPT, Manner, SmtpPeer};
use crate::harness::{HOUR_MS, SILENT, Sandbox, free_port, start, wait_for};
use crate::unproven::{Sent, letter, sandbox, send};
use serde_json::Value;
use std::sync::atomic::Ordering;

const ANN: &str = "ann@there.example";
const BOUNCES: &str = "bounces@bounces.example.com";

fn found(sandbox: &Sandbox, key: &str) -> String {
    sandbox.run(&["find", key], b"").stdout
}

/// The rows of the message log about her.
fn rows(sandbox: &Sandbox) -> Vec<Value> {
    let whole = sandbox.run(&["find", ANN, "--export"], b"").stdout;
    serde_json::from_str::<Value>(&whole).unwrap()["log"].as_array().unwrap().clone()
}

fn sent(from: &'static str, client: &'static str, queue_id: &'static str) -> Sent<'static> {
    Sent { from, to: BOUNCES, client, queue_id, policy: "bounce" }
}

#[test]
fn an_unproven_report_that_is_kept_has_its_row_where_its_address_is_looked_for() {
    let sandbox = sandbox("");
    send(&sandbox, &sent("", STRANGER, "4Qkept"), &dsn(ANN, "5.1.1", "550 5.1.1 user unknown")).silent();
    let shown = found(&sandbox, ANN);
    assert!(shown.contains("kept ") && shown.contains("message ") && shown.contains("4Qkept"), "{shown}");
    let row = &rows(&sandbox)[0];
    assert!(row["status"] == "kept" && row["addresses"][0] == ANN, "{row}");
    let listed = sandbox.run(&["log", "--recipient", ANN], b"").stdout;
    assert!(listed.contains("4Qkept"), "{listed}");
    assert!(found(&sandbox, "joann@there.example").starts_with("nothing is known"));
    assert_eq!(sandbox.run(&["erase", ANN], b"").code, 0);
    assert!(found(&sandbox, ANN).starts_with("nothing is known"), "{}", found(&sandbox, ANN));
    assert!(sandbox.run(&["log"], b"").stdout.contains("4Qkept"), "the row is there without her");
}

#[test]
fn a_message_that_is_forwarded_has_its_row_before_and_after() {
    let peer = SmtpPeer::start(Manner { at: "RCPT", reply: "450 4.2.1 not now" });
    let sandbox = sandbox(&format!(
        "[unproven]\naction = \"forward\"\nto = \"postmaster@sender.example\"\nserver = \"127.0.0.1:{}\"\n",
        peer.port
    ));
    let text = String::from_utf8(letter("Re: your order", "Where is it?")).unwrap();
    let text = text.replace("alice@sender.example", ANN);
    send(&sandbox, &sent("bounce-7@there.example", OWN, "4Qfwd"), text.as_bytes()).silent();
    // Another one names her only in its text.
    let other = letter("Re: your order", &format!("Write to {ANN} instead."));
    send(&sandbox, &sent("bob@there.example", OWN, "4Qtext"), &other).silent();
    for row in rows(&sandbox) {
        assert!(row["steps"][0]["action"] == "forward" && row["steps"][0]["state"] == "pending", "{row}");
    }
    assert_eq!(rows(&sandbox).len(), 2);
    peer.behave(ACCEPT);
    sandbox.advance(HOUR_MS);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    let after = rows(&sandbox);
    assert!(after[0]["queue_id"] == "4Qfwd" && after[0]["status"] == "forwarded", "{after:#?}");
    let shown = found(&sandbox, ANN);
    assert!(shown.contains("4Qfwd") && !shown.contains("4Qtext"), "{shown}");
}

#[test]
fn a_forwarding_that_was_killed_before_its_line_has_its_row_when_the_message_comes_again() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = sandbox(&format!(
        "[unproven]\naction = \"forward\"\nto = \"postmaster@sender.example\"\nserver = \"127.0.0.1:{}\"\n",
        peer.port
    ));
    let text = String::from_utf8(letter("Re: your order", "Where is it?")).unwrap();
    let text = text.replace("alice@sender.example", ANN);
    let words = ["pipe", "--policy", "bounce", "--sender", "bounce-7@there.example", "--recipient", BOUNCES];
    let words = [&words[..], &["--client-address", OWN, "--queue-id", "4KILLED"]].concat();
    let mut child = start(sandbox.command(&words), text.as_bytes());
    wait_for(20, "the connection", || peer.connections.load(Ordering::SeqCst) > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    peer.behave(ACCEPT);
    sandbox.run(&words, text.as_bytes()).silent();
    let rows = rows(&sandbox);
    assert!(
        rows.len() == 1 && rows[0]["queue_id"] == "4KILLED" && rows[0]["status"] == "forwarded",
        "{rows:#?}"
    );
}

#[test]
fn a_complaint_that_matches_nobody_has_its_row_too() {
    let sandbox = crate::bounces::sandbox(free_port(), "");
    let header = format!("To: <{ANN}>\r\nMessage-ID: <m7@shop.example>\r\n");
    let complaint = crate::complaints::complaint("abuse", "", &header);
    send(
        &sandbox,
        &Sent { to: "fbl@shop.example", ..sent("feedback@isp.example", STRANGER, "4Qfbl") },
        &complaint,
    )
    .silent();
    let shown = found(&sandbox, ANN);
    assert!(shown.contains("kept ") && shown.contains("4Qfbl"), "{shown}");
}
