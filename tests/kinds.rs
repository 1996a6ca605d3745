//! What kind of message carom takes a mail for: reports, answers of programs, requests, ordinary mail.

use crate::bounces::{STRANGER, bounce, is_suppressed, sandbox};
use crate::harness::{Sandbox, free_port};
use serde_json::Value;

fn classified(message: &str) -> Value {
    let ran = Sandbox::new().run(&["classify", "--json"], message.as_bytes());
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

fn mail(header: &str, text: &str) -> String {
    format!("From: Zoe <zoe@there.example>\r\nMessage-ID: <z1@there.example>\r\n{header}\r\n\r\n{text}\r\n")
}

#[test]
fn a_request_to_unsubscribe_names_who_asks_where_and_for_what() {
    for (header, text, to, token) in [
        (
            "To: unsubscribe+4f2a@shop.example\r\nSubject: unsubscribe",
            "This message was generated automatically.",
            "unsubscribe+4f2a@shop.example",
            Some("4f2a"),
        ),
        ("To: news@shop.example\r\nSubject: unsubscribe 4f2a-9", "", "news@shop.example", Some("4f2a-9")),
        (
            "To: news@shop.example\r\nSubject: Re: Autumn",
            "Please unsubscribe me.\r\n\r\n> Autumn\r\n> sale",
            "news@shop.example",
            None,
        ),
    ] {
        let found = classified(&mail(header, text));
        assert_eq!(found["kind"], "unsubscribe", "{found}");
        assert_eq!(found["unsubscribe"]["to"], to, "{found}");
        assert_eq!(found["unsubscribe"]["token"].as_str(), token, "{found}");
        let recipient = &found["recipients"][0];
        assert_eq!(recipient["address"], "zoe@there.example");
        assert_eq!((&recipient["severity"], &recipient["action"]), (&"none".into(), &"delivered".into()));
    }
    let question = classified(&mail("Subject: unsubscribe", "Where is the button?"));
    assert!(question["kind"] == "other" && question["unsubscribe"].is_null(), "{question}");
}

/// Web mail puts a line of spaces before the source of a message that it shows.
#[test]
fn a_report_is_read_behind_a_line_of_spaces_and_a_question_below_its_fields_is_ordinary() {
    let fields = "Final-Recipient: rfc822; lea@there.example\r\nAction: failed\r\nStatus: 5.1.1";
    let report = mail("Subject: Failed", fields);
    for message in [report.clone(), format!("  \t    \r\n{report}")] {
        let found = classified(&message);
        assert_eq!(found["kind"], "delivery-status", "{found}");
        assert_eq!(found["recipients"][0]["address"], "lea@there.example");
    }
    let asked = classified(&mail("Subject: Failed", &format!("{fields}\r\n\r\nWhy?")));
    assert!(asked["kind"] == "other" && asked["recipients"] == serde_json::json!([]), "{asked}");
}

/// The subject alone is a person's, or a program's; the return path of the envelope tells.
#[test]
fn the_null_sender_of_the_envelope_makes_an_absence_note_of_a_subject() {
    let sandbox = sandbox(free_port(), "");
    let note = mail("To: shop@shop.example\r\nSubject: Out of office", "Until Monday.");
    bounce(&sandbox, "bounces@bounces.example.com", STRANGER, note.as_bytes());
    assert_eq!((sandbox.counter("auto_reply"), sandbox.counter("no_report")), (1, 0));
    let from = ["--sender", "zoe@there.example", "--recipient", "bounces@bounces.example.com"];
    let ran = sandbox.run(&[&["pipe", "--policy", "bounce"][..], &from].concat(), note.as_bytes());
    ran.silent();
    assert_eq!((sandbox.counter("auto_reply"), sandbox.counter("no_report")), (1, 1));
}

/// Nobody is suppressed by what somebody writes about a bounce, even if anybody is believed.
#[test]
fn a_letter_that_quotes_a_bounce_suppresses_nobody() {
    let sandbox = sandbox(free_port(), "trust = \"off\"\nthreshold = 1");
    let quoted =
        "<alive@there.example>: host mx.there.example[192.0.2.8] said: 550 5.1.1\r\n    User unknown";
    for (header, before, after) in [
        ("Subject: Help", "Hello,\r\n\r\nI get this since Monday:\r\n\r\n", "\r\n\r\nWhat is wrong?"),
        ("Subject: bounce\r\nUser-Agent: Mozilla Thunderbird", "", ""),
        ("Subject: [t-1] could not be delivered\r\nX-Zammad-Ticket-ID: 1", "", ""),
        ("Subject: Re: not delivered\r\nList-Id: <mail.lists.example>", "", ""),
    ] {
        let letter = mail(header, &format!("{before}{quoted}{after}"));
        let from = ["--sender", "zoe@there.example", "--recipient", "bounces@bounces.example.com"];
        sandbox.run(&[&["pipe", "--policy", "bounce"][..], &from].concat(), letter.as_bytes()).silent();
        assert!(!is_suppressed(&sandbox, "alive@there.example"), "{header}");
    }
    assert_eq!(sandbox.counter("no_report"), 4);
}
