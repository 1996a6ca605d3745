//! The sink refuses at RCPT what real providers refuse there, in `carom access` and `carom lmtp --smtp`, and the rest
//! with the message.

use crate::access::{asked, rcpt};
use crate::harness::lmtp::{Client, Listener};
use crate::harness::{SENDER, Sandbox, plain};
use std::fs;

const REFUSED: &str = "x@reject.sink.example";
const FULL: &str = "x+mailbox-full@gmail.sink.example";
/// Only the message shows it.
const FORGED: &str = "x+5.7.26@gmail.sink.example";

fn sandbox(settings: &str, tables: &str) -> Sandbox {
    Sandbox::new().settings(&format!("refuse_at_rcpt = true\n{settings}")).config(tables)
}

fn log(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("state/log/messages.log")).unwrap_or_default()
}

fn answer(sandbox: &Sandbox, from: &str, to: &str) -> String {
    asked(sandbox, &rcpt(from, to)).remove(0)
}

#[test]
fn postfix_hears_at_rcpt_what_a_provider_refuses_there() {
    let named = "[access]\npolicy = \"sink\"\n";
    let sink = sandbox("", named);
    assert_eq!(answer(&sink, SENDER, REFUSED), "550 5.1.1 user unknown");
    assert_eq!(answer(&sink, SENDER, "x+4.2.2@defer.sink.example"), "452 4.2.2 mailbox full");
    let one_line = answer(&sink, SENDER, "x+google-no-such-user@gmail.sink.example");
    assert!(one_line.contains(" does not exist. https://support.google.com/"), "{one_line}");
    let full = answer(&sink, SENDER, FULL);
    assert!(full.starts_with("552 5.2.2 ") || full.starts_with("452 4.2.2 "), "{full}");
    assert!(log(&sink).contains("\"expect\":\"reason=mailbox-full; severity=soft; rule="), "{}", log(&sink));
    assert_eq!(log(&sink).matches("; stage=rcpt\"").count(), 4, "{}", log(&sink));
    for (from, to) in [
        (SENDER, FORGED),
        (SENDER, "x@accept.sink.example"),
        (SENDER, "x@oob.sink.example"),
        (SENDER, "x@greylist.sink.example"),
        // Its mail server might return the message to somebody else.
        ("a@stranger.example", REFUSED),
    ] {
        assert_eq!(answer(&sink, from, to), "DUNNO", "{from} {to}");
    }
    // Without the setting, or where nobody has named the policy, all of it comes with the message.
    for other in [Sandbox::new().config(named), sandbox("", "")] {
        assert_eq!(answer(&other, SENDER, REFUSED), "DUNNO");
    }
}

#[test]
fn with_a_word_every_host_draws_the_same_for_a_sender_and_a_recipient() {
    let host = |word: &str| {
        sandbox(
            "provider_percent = 50",
            &format!("[access]\npolicy = \"sink\"\n[message]\nseed = \"{word}\"\n"),
        )
    };
    let requests: String = (0..32).map(|n| rcpt(SENDER, &format!("x{n}@gmail.sink.example"))).collect();
    let first = asked(&host("w"), &requests);
    assert_eq!(first, asked(&host("w"), &requests));
    assert_ne!(first, asked(&host("v"), &requests));
    let refused = first.iter().filter(|action| *action != "DUNNO").count();
    assert!((2..24).contains(&refused), "{first:?}");
}

/// What a recipient hears at RCPT, and if that is no refusal, after the message.
fn hears(client: &mut Client, to: &str) -> (String, Option<String>) {
    client.expect(&format!("MAIL FROM:<{SENDER}>"), "250");
    let at_rcpt = client.say(&format!("RCPT TO:<{to}>")).trim_end().to_owned();
    if !at_rcpt.starts_with("250") {
        client.expect("DATA", "503");
        client.expect("RSET", "250");
        return (at_rcpt, None);
    }
    client.data(&plain(to));
    (at_rcpt, Some(client.reply().trim_end().to_owned()))
}

#[test]
fn smtp_clients_hear_each_refusal_at_its_stage() {
    let sink = sandbox("", "[lmtp]\nask_at_rcpt = true\n");
    let listener = Listener::start(&sink, &["--smtp"]);
    let mut client = listener.tcp().hello();
    assert_eq!(hears(&mut client, REFUSED), ("550 5.1.1 user unknown".into(), None));
    let (at_rcpt, after) = hears(&mut client, FORGED);
    assert!(at_rcpt.starts_with("250") && after.unwrap().starts_with("55"), "{at_rcpt}");
    let two_lines = hears(&mut client, "x+google-no-such-user@gmail.sink.example").0;
    assert!(
        two_lines.starts_with("550-5.1.1 The ") && two_lines.contains("\r\n550 5.1.1 https"),
        "{two_lines}"
    );
    // What the message says, or the provider says only after it.
    for (tag, provider) in [
        ("google-blocked-content", "gmail"),
        ("proofpoint-content", "proofpoint"),
        ("microsoft-all-recipients-rejected", "outlook"),
    ] {
        let (at_rcpt, after) = hears(&mut client, &format!("x+{tag}@{provider}.sink.example"));
        assert!(at_rcpt.starts_with("250") && after.is_some_and(|after| after.starts_with("55")), "{tag}");
    }
    // One that is refused takes nothing from the others.
    client.expect(&format!("MAIL FROM:<{SENDER}>"), "250");
    client.expect(&format!("RCPT TO:<{REFUSED}>"), "550");
    client.expect("RCPT TO:<x@accept.sink.example>", "250");
    client.data(&plain("x@accept.sink.example"));
    assert!(client.reply().starts_with("250"));
    // Sent ahead, they are answered in order.
    let ahead =
        format!("MAIL FROM:<{SENDER}>\r\nRCPT TO:<x@accept.sink.example>\r\nRCPT TO:<{REFUSED}>\r\nRSET\r\n");
    client.write(ahead.as_bytes());
    let codes: Vec<String> = (0..4).map(|_| client.reply()[..3].to_owned()).collect();
    assert_eq!(codes, ["250", "250", "550", "250"]);
    listener.stop();
    let lines = log(&sink);
    let stage = |to: &str| {
        let line = lines.lines().find(|line| line.contains(&format!("\"recipient\":\"{to}\""))).unwrap();
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["expect"].as_str().unwrap().rsplit_once("; ").unwrap().1.to_owned()
    };
    assert_eq!((stage(REFUSED), stage(FORGED)), ("stage=rcpt".into(), "stage=data".into()), "{lines}");
    assert_eq!((sink.counter("accept"), sink.counter("lmtp_answers_5xx")), (1, 8));
    let metrics = sink.run(&["export", "prometheus"], b"").stdout;
    let by_code =
        metrics.lines().filter(|line| line.starts_with("carom_lmtp_answers_by_code_total{code=\"5"));
    let counts = by_code.map(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap());
    assert_eq!(counts.sum::<u32>(), 8, "{metrics}");
}

#[test]
fn what_is_left_to_the_message_has_its_share_as_if_nobody_had_asked_before() {
    let settings = "in_band_percent = 100\noob_percent = 0\nfbl_percent = 0\nreplies = [\
         { reply = \"550 5.1.1 nobody here\", expect = \"reason=user-unknown\" }, \
         { reply = \"554 5.6.0 bad content\", expect = \"reason=content-error\" }]";
    let sink = sandbox(settings, "[lmtp]\nask_at_rcpt = true\nseed = 5\n");
    let listener = Listener::start(&sink, &["--smtp"]);
    let mut client = listener.tcp().hello();
    let (mut at_rcpt, mut after_data) = (0, 0);
    for number in 0..24 {
        match hears(&mut client, &format!("r{number}@sink.example")) {
            (reply, None) if reply == "550 5.1.1 nobody here" => at_rcpt += 1,
            (_, Some(reply)) if reply == "554 5.6.0 bad content" => after_data += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(at_rcpt > 3 && after_data > 3, "{at_rcpt} at RCPT, {after_data} after DATA");
    listener.stop();
}
