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

#[test]
fn after_a_greeting_that_refuses_the_client_can_only_quit() {
    for (more, greeting) in [("", "451 4.3.0"), ("reply = \"554 5.3.2 no mail here\"", "554 5.3.2")] {
        let sandbox = chaotic(&setting("connect", "refuse", more));
        let listener = Listener::start(&sandbox, &[]);
        let mut client = listener.tcp();
        assert!(client.greeting.starts_with(greeting), "{}", client.greeting);
        for command in ["LHLO client.sender.example", "MAIL FROM:<>", "NOOP", "FOO", "DATA"] {
            client.expect(command, "503 5.5.1");
        }
        client.expect("QUIT", "221");
        listener.stop();
    }
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
fn a_wrong_setting_is_named_with_its_own_line_and_key() {
    for (at, what, more, key) in [
        ("rcpt", "delay", "seconds = inf", "seconds"),
        ("rcpt", "delay", "seconds = 1e300", "seconds"),
        ("rcpt", "delay", "up_to = nan", "up_to"),
        ("rcpt", "drop", "percent = -1.0", "percent"),
        ("rcpt", "drop", "domain = \"\"", "domain"),
        ("rcpt", "drop", "domain = \"a b\"", "domain"),
        ("data", "slow-read", "bytes = 0", "bytes"),
        ("rcpt", "refuse", "reply = \"250 2.0.0 ok\"", "reply"),
        ("starttls", "refuse", "", "at"),
        ("rcpt", "lose", "", "what"),
    ] {
        let good = setting("rcpt", "drop", "");
        let sandbox = chaotic(&format!("{good}{good}{}", setting(at, what, more)));
        let config = std::fs::read_to_string(sandbox.path("carom.toml")).unwrap();
        let line = config.lines().enumerate().filter(|(_, line)| line.split(' ').next() == Some(key)).last();
        let place = format!("line {}: [[lmtp.chaos]] {key}: ", line.unwrap().0 + 1);
        let ran = sandbox.run(&["lmtp"], b"");
        assert!(ran.code == 1 && ran.stderr.contains(&place), "{place}: {ran:?}");
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

#[test]
fn a_refused_recipient_takes_no_other_with_it() {
    let bad =
        |reply: &str| setting("rcpt", "refuse", &format!("domain = \"bad.sink.example\"\nreply = {reply:?}"));
    let (good, other, refused) = (ACCEPTED, "y@accept.sink.example", "x@bad.sink.example");
    let sandbox = chaotic(&(bad("450 4.2.1 r0") + &bad("451 4.2.1 r1")));
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.unix().hello();
    client.envelope(SENDER, &[good, other]);
    client.expect(&format!("RCPT TO:<{refused}>"), "450 4.2.1 r0\r\n");
    client.data(&plain(good));
    assert_eq!([client.reply(), client.reply()].map(|reply| reply[..3].to_owned()), ["250", "250"]);
    client.expect("NOOP", "250");
    listener.stop();
    assert_eq!(sandbox.counter("accept"), 2);
    // What carom refuses itself does not go wrong, and is not what a setting is about.
    let sandbox = chaotic(&format!(
        "recipients = 2\n{}",
        bad("450 4.2.1 r0") + &setting("mail", "refuse", "percent = 0.0")
    ));
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.unix().hello();
    client.envelope(SENDER, &[good]);
    client.expect("RCPT TO:<\u{e4}@bad.sink.example>", "553 5.6.7");
    client.expect(&format!("RCPT TO:<{other}>"), "250");
    client.expect(&format!("RCPT TO:<{refused}>"), "452 4.5.3");
    client.data(&plain(good));
    assert_eq!([client.reply(), client.reply()].map(|reply| reply[..3].to_owned()), ["250", "250"]);
    listener.stop();
}

#[test]
fn a_command_that_carom_refuses_takes_nothing_back() {
    let sandbox = chaotic(&format!(
        "seed = 1\n{}{}",
        setting("mail", "refuse", "percent = 60.0"),
        setting("text", "refuse", "")
    ));
    let sandbox = sandbox.config("[message]\nmax_size = 20000\n");
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.unix().hello();
    let sender = (0..50).map(|number| format!("s{number}@sender.example"));
    let sender =
        sender.into_iter().find(|from| client.say(&format!("MAIL FROM:<{from}>")).starts_with("250"));
    // A sender for whom MAIL goes wrong, within the transaction of another.
    for number in 0..4 {
        client.expect(&format!("MAIL FROM:<other{number}@sender.example>"), "503");
    }
    assert!(sender.is_some());
    for to in [ACCEPTED, "y@accept.sink.example"] {
        client.expect(&format!("RCPT TO:<{to}>"), "250");
    }
    client.data("x\r\n".repeat(10_000).as_bytes());
    assert_eq!([client.reply(), client.reply()].map(|reply| reply[..3].to_owned()), ["452", "452"]);
    client.expect("NOOP", "250");
    listener.stop();
}

/// The answers to these recipients, in one transaction: at RCPT, or at the end of the text.
fn answers(listener: &Listener, message: &[u8], recipients: &[&str]) -> Vec<String> {
    let mut client = listener.unix().hello();
    client.expect(&format!("MAIL FROM:<{SENDER}>"), "250");
    let mut heard: Vec<String> =
        recipients.iter().map(|to| client.say(&format!("RCPT TO:<{to}>"))[..3].to_owned()).collect();
    let taken: Vec<usize> = (0..heard.len()).filter(|&number| heard[number] == "250").collect();
    if !taken.is_empty() {
        client.data(message);
        taken.iter().for_each(|&number| heard[number] = client.reply()[..3].to_owned());
    }
    heard
}

#[test]
fn with_a_seed_an_answer_does_not_depend_on_the_other_recipients() {
    for at in ["rcpt", "data", "text"] {
        let what = if at == "data" { "delay" } else { "refuse" };
        let more = "percent = 50.0\nseconds = 0.0";
        let sandbox = chaotic(&format!("seed = 7\n{}", setting(at, what, more)));
        let listener = Listener::start(&sandbox, &[]);
        let recipients: Vec<String> =
            (0..20).map(|number| format!("r{number}@accept.sink.example")).collect();
        let all: Vec<&str> = recipients.iter().map(String::as_str).collect();
        let message = plain(ACCEPTED);
        let together = answers(&listener, &message, &all);
        let alone: Vec<String> = all.iter().flat_map(|one| answers(&listener, &message, &[one])).collect();
        assert_eq!(together, alone, "{at}");
        let mixed = together.contains(&"250".to_owned()) && together.contains(&"451".to_owned());
        assert_eq!(mixed, at == "rcpt", "{together:?}");
        let spelled: Vec<String> =
            all.iter().map(|one| one.replace("sink.example", "Sink.EXAMPLE")).collect();
        let spelled: Vec<&str> = spelled.iter().map(String::as_str).collect();
        assert_eq!(answers(&listener, &message, &spelled), together, "{at}");
        listener.stop();
    }
}

#[test]
fn with_a_seed_some_sessions_go_wrong_and_not_all() {
    let sandbox = chaotic(&format!("seed = 7\n{}", setting("connect", "drop", "percent = 50.0")));
    let listener = Listener::start(&sandbox, &[]);
    let greeted: Vec<bool> = (0..20).map(|_| !listener.tcp().greeting.is_empty()).collect();
    listener.stop();
    assert!(greeted.contains(&true) && greeted.contains(&false), "{greeted:?}");
}

#[test]
fn what_goes_wrong_at_data_goes_wrong_at_bdat() {
    let message = plain(ACCEPTED);
    let in_pieces = |chaos: &str, pieces: usize| {
        let sandbox = chaotic(chaos);
        let listener = Listener::start(&sandbox, &["--smtp"]);
        let mut client = listener.tcp().hello();
        client.envelope(SENDER, &[ACCEPTED]);
        let mut replies = Vec::new();
        for (number, text) in message.chunks(message.len().div_ceil(pieces)).enumerate() {
            let last = if number + 1 == pieces { " LAST" } else { "" };
            client.write(&[format!("BDAT {}{last}\r\n", text.len()).as_bytes(), text].concat());
            replies.push(client.reply().trim_end().to_owned());
        }
        // After a refusal, the session goes on with the next command.
        let next = client.say("NOOP").get(..3).unwrap_or_default().to_owned();
        listener.stop();
        (replies, next)
    };
    let refused = setting("data", "refuse", "reply = \"450 4.2.1 not now\"");
    for pieces in [1, 2] {
        let (replies, next) = in_pieces(&refused, pieces);
        assert!(replies.iter().all(|reply| reply == "450 4.2.1 not now") && next == "250", "{replies:?}");
    }
    let left = setting("data", "refuse", "reply = \"421 4.3.2 not now\"");
    assert_eq!(in_pieces(&left, 1), (vec!["421 4.3.2 not now".to_owned()], String::new()));
    assert_eq!(in_pieces(&setting("data", "drop", ""), 1), (vec![String::new()], String::new()));
    let (replies, next) = in_pieces(&setting("data", "drop-after", ""), 1);
    assert!(replies[0].starts_with("250") && next.is_empty(), "{replies:?} {next}");
    let (replies, next) = in_pieces(&setting("data", "delay", "seconds = 0.1"), 2);
    assert!(replies.iter().all(|reply| reply.starts_with("250")) && next == "250", "{replies:?}");
}
