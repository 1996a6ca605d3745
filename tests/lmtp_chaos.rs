//! What goes wrong on purpose in sessions of `carom lmtp`: by address, by settings, and the same with the same seed.

use crate::harness::lmtp::Listener;
use crate::harness::{SENDER, Sandbox, plain, wait_for};
use crate::lmtp::ACCEPTED;

/// A sandbox with this in `[lmtp]`.
fn chaotic(lmtp: &str) -> Sandbox {
    Sandbox::new().config(&format!("[lmtp]\n{lmtp}\n"))
}

/// One mishap.
fn setting(at: &str, what: &str, more: &str) -> String {
    format!("[[lmtp.chaos]]\nat = \"{at}\"\nwhat = \"{what}\"\n{more}\n")
}

#[test]
fn an_address_asks_for_what_goes_wrong() {
    let sandbox = chaotic("chaos_by_address = true");
    let listener = Listener::start(&sandbox, &[]);
    let send = |wish: &str| {
        let to = format!("x+{wish}@accept.sink.example");
        let mut client = listener.tcp().hello();
        let replies = client.send(SENDER, &[&to], &plain(&to));
        (replies[0].get(..3).unwrap_or_default().to_owned(), client.reply())
    };
    let nothing = (String::new(), String::new());
    assert_eq!(send("chaos-drop"), nothing);
    assert_eq!(send("chaos-reset"), nothing);
    assert_eq!(sandbox.counter("accept"), 0, "the client has heard nothing, and nothing was done");
    assert_eq!(send("chaos-lose"), nothing);
    wait_for(30, "the message to be on record", || sandbox.counter("accept") == 1);
    assert_eq!(send("chaos-drop-after"), ("250".to_owned(), String::new()));
    assert_eq!(send("chaos-reset-after").0, "250");
    let mut client = listener.unix().hello();
    client.expect(&format!("MAIL FROM:<{SENDER}>"), "250");
    client.expect("RCPT TO:<chaos-421@accept.sink.example>", "421");
    assert_eq!(client.reply(), "");
    let mut client = listener.unix().hello();
    let replies = client.send(SENDER, &["chaos-delay-1@accept.sink.example"], &plain(ACCEPTED));
    assert!(replies[0].starts_with("250"));
    let replies = client.send(SENDER, &["chaos-slow-5000@accept.sink.example"], &plain(ACCEPTED));
    assert!(replies[0].starts_with("250"));
    listener.stop();
    assert_eq!(sandbox.counter("accept"), 5);
}

#[test]
fn a_reply_that_was_lost_makes_the_message_come_again_and_count_once() {
    let sandbox = chaotic("chaos_by_address = true");
    let listener = Listener::start(&sandbox, &[]);
    let to = "x+chaos-lose@accept.sink.example";
    let message = plain(to);
    for _ in 0..3 {
        assert_eq!(listener.unix().hello().send(SENDER, &[to], &message), [""]);
    }
    listener.stop();
    assert_eq!(sandbox.counter("accept"), 1);
}

#[test]
fn settings_make_each_verb_go_wrong() {
    for (at, what, command, reply) in [
        ("hello", "refuse", "LHLO x", "451"),
        ("mail", "unavailable", "MAIL FROM:<>", "421"),
        ("rcpt", "refuse", "RCPT TO:<a@accept.sink.example>", "451"),
        ("data", "refuse", "DATA", "451"),
        ("auth", "refuse", "AUTH PLAIN AGEAYg==", "535"),
        ("quit", "drop", "QUIT", ""),
    ] {
        let sandbox = chaotic(&setting(at, what, ""));
        let listener = Listener::start(&sandbox, &[]);
        let mut client = listener.unix();
        for said in
            ["LHLO x", "MAIL FROM:<>", "RCPT TO:<b@accept.sink.example>", "AUTH LOGIN", "DATA", "QUIT"]
        {
            let verb = said.split(' ').next().unwrap();
            if command.starts_with(verb) {
                let heard = client.say(command);
                assert!(heard.starts_with(reply) && heard.is_empty() == reply.is_empty(), "{at}: {heard}");
                break;
            }
            if verb != "AUTH" && verb != "DATA" {
                client.expect(said, "250");
            }
        }
        listener.stop();
    }
    let sandbox = chaotic(&setting("connect", "reset", ""));
    let listener = Listener::start(&sandbox, &[]);
    assert_eq!(listener.tcp().greeting, "");
    listener.stop();
}

/// Which of thirty messages are refused with this seed.
fn refused(seed: u32, messages: &[(String, Vec<u8>)]) -> Vec<String> {
    let sandbox = chaotic(&format!("seed = {seed}\n{}", setting("text", "refuse", "percent = 50.0")));
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.unix().hello();
    let mut answers = Vec::new();
    for (to, message) in messages {
        answers.push(client.send(SENDER, &[to], message)[0][..3].to_owned());
    }
    listener.stop();
    answers
}

#[test]
fn the_same_seed_gives_the_same_answers_on_every_run_and_host() {
    let messages: Vec<_> = (0..30)
        .map(|number| format!("x{number}@accept.sink.example"))
        .map(|to| (to.clone(), plain(&to)))
        .collect();
    let first = refused(7, &messages);
    assert_eq!(first, refused(7, &messages));
    assert_ne!(first, refused(8, &messages));
    assert!(first.contains(&"250".to_owned()) && first.contains(&"451".to_owned()), "{first:?}");
}

#[test]
fn with_a_seed_the_policy_chooses_the_same_for_a_message_whenever_it_comes() {
    let chosen = || {
        let sandbox = Sandbox::new().config("[lmtp]\nseed = 3\n");
        let listener = Listener::start(&sandbox, &[]);
        let message = b"Message-ID: <m1@sender.example>\r\n\r\nx\r\n";
        listener.unix().hello().send(SENDER, &[ACCEPTED], message);
        listener.stop();
        let line: serde_json::Value =
            serde_json::from_str(sandbox.run(&["log", "--json"], b"").stdout.lines().next().unwrap())
                .unwrap();
        line["seed"].clone()
    };
    let first = chosen();
    assert!(!first.is_null());
    assert_eq!(first, chosen());
}

#[test]
fn each_domain_has_its_own_refusals_by_chance() {
    let of = |domain: &str, percent: f64, reply: &str| {
        setting("rcpt", "refuse", &format!("domain = {domain:?}\npercent = {percent:?}\nreply = {reply:?}"))
    };
    let sandbox = chaotic(&format!(
        "seed = 5\n{}{}",
        of("half.sink.example", 50.0, "550 5.1.1 not here"),
        of("later.sink.example", 100.0, "450 4.2.1 later")
    ));
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.unix().hello();
    client.expect(&format!("MAIL FROM:<{SENDER}>"), "250");
    let mut said = |to: &str| client.say(&format!("RCPT TO:<{to}>"));
    let refused =
        (0..60).filter(|n| said(&format!("x{n}@half.sink.example")).starts_with("550 5.1.1 not here"));
    let refused = refused.count();
    assert!((15..46).contains(&refused), "{refused}");
    for to in ["x@later.sink.example", "x@below.Later.sink.example"] {
        assert_eq!(said(to).trim_end(), "450 4.2.1 later");
    }
    for to in ["x@accept.sink.example", "x@not-later.sink.example"] {
        assert!(said(to).starts_with("250"), "{to}");
    }
    listener.stop();
}

#[test]
fn a_setting_that_makes_no_sense_is_refused_with_its_place() {
    for wrong in [
        setting("rcpt", "explode", ""),
        setting("sometimes", "drop", ""),
        setting("rcpt", "drop", "percent = 101.0"),
        setting("rcpt", "lose", ""),
        setting("text", "slow-read", ""),
        setting("mail", "refuse", "domain = \"slow.example\""),
    ] {
        let ran = chaotic(&wrong).run(&["lmtp"], b"");
        assert!(ran.code == 1 && ran.stderr.contains("carom.toml: line "), "{ran:?}");
    }
}

#[test]
fn a_command_is_refused_with_a_reply_of_ones_own() {
    let own = |at: &str, reply: &str| setting(at, "refuse", &format!("reply = \"{reply}\""));
    let from = own("mail", "553 5.1.8 not from there");
    let sandbox = chaotic(&from);
    let listener = Listener::start(&sandbox, &["--smtp"]);
    let mut client = listener.tcp().hello();
    client.expect(&format!("MAIL FROM:<{SENDER}>"), "553 5.1.8 not from there\r\n");
    client.expect("RCPT TO:<x@accept.sink.example>", "503");
    listener.stop();
    let late = own("text", "554 5.7.1 not that") + &setting("rcpt", "delay", "seconds = 0.1\nup_to = 0.2");
    let sandbox = chaotic(&late);
    let listener = Listener::start(&sandbox, &["--smtp"]);
    assert_eq!(
        listener.tcp().hello().send(SENDER, &[ACCEPTED], &plain(ACCEPTED)),
        ["554 5.7.1 not that\r\n"]
    );
    listener.stop();
    for wrong in ["250 2.0.0 ok", "550 4.7.1 x", "550 no"] {
        let ran = chaotic(&own("mail", wrong)).run(&["check", "--quick"], b"");
        assert!(ran.code != 0 && (ran.stdout + &ran.stderr).contains("reply does not refuse"), "{wrong}");
    }
}
