//! The sink in the dialogue: replies of providers, by chance and by weight, deferrals that end, and what each should be
//! classified as.

use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{DAY_MS, Ran, SENDER, Sandbox, plain, queued, wait_for};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const PROVIDERS: [&str; 8] = ["gmail", "outlook", "yahoo", "gmx", "mailru", "comcast", "mimecast", "postfix"];

/// What would be done, with this seed.
fn plan(sandbox: &Sandbox, seed: u32, recipient: &str) -> Value {
    let seed = seed.to_string();
    let arguments = [
        "pipe",
        "--dry-run",
        "--json",
        "--seed",
        &seed,
        "--sender",
        SENDER,
        "--recipient",
        recipient,
        "--client-address",
        "192.0.2.1",
    ];
    let ran = sandbox.run(&arguments, &plain(recipient));
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Code, status and text of a refusal.
fn reply(plan: &Value) -> Option<String> {
    let verdict = &plan["verdict"];
    let reply = verdict.get("reject").or(verdict.get("defer"))?;
    let text = |key: &str| reply[key].as_str().unwrap().to_owned();
    Some(format!("{} {} {}", reply["code"], text("enhanced"), text("text")))
}

/// What the bounce policy makes of replies: as the sink says it of refusals after DATA.
fn classified(sandbox: &Sandbox, replies: &[String]) -> Vec<String> {
    let lines = replies.join("\n") + "\n";
    let ran = sandbox.run(&["classify", "--text", "--json", "--policy", "bounce"], lines.as_bytes());
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = |line: &str| {
        let class: Value = serde_json::from_str(line).unwrap();
        let of = |key: &str| class[key].as_str().unwrap().to_owned();
        format!("reason={}; severity={}; rule={}; stage=data", of("reason"), of("severity"), of("rule"))
    };
    ran.stdout.lines().map(said).collect()
}

#[test]
fn a_providers_label_gives_its_replies_and_the_classifier_takes_each_for_what_the_sink_says() {
    let sandbox = Sandbox::new();
    let (mut replies, mut expected) = (Vec::new(), Vec::new());
    for provider in PROVIDERS {
        let mut texts = BTreeSet::new();
        for seed in 0..12 {
            let plan = plan(&sandbox, seed, &format!("x{seed}@{provider}.sink.example"));
            let reply = reply(&plan).unwrap_or_else(|| panic!("{provider}: {plan}"));
            texts.insert(reply.clone());
            replies.push(reply);
            expected.push(plan["expect"].as_str().unwrap().to_owned());
        }
        assert!(texts.len() > 1, "{provider} has many replies: {texts:?}");
    }
    let found = classified(&sandbox, &replies);
    for ((reply, expected), found) in replies.iter().zip(&expected).zip(&found) {
        assert_eq!(found, expected, "{reply}");
    }
    let named = plan(&sandbox, 1, "x+mailbox-full@gmail.sink.example");
    assert!(named["expect"].as_str().unwrap().starts_with("reason=mailbox-full; severity=soft; "), "{named}");
}

#[test]
fn what_is_drawn_is_the_same_for_a_message_and_recipient_on_every_host_with_a_word() {
    let settings = "in_band_percent = 50\nrequire_dkim = false\nrequire_spf = false\nrequire_owner_in_mix = false\n\
         oob_percent = 20\nopen_percent = 0\nopen_again_percent = 0\nclick_percent = 0\nclick_again_percent = 0";
    let host =
        |word: &str| Sandbox::new().settings(settings).config(&format!("[message]\nseed = \"{word}\"\n"));
    let (one, another, other_word) = (host("x"), host("x"), host("y"));
    let plans = |sandbox: &Sandbox| -> Vec<(String, String)> {
        let of = |number: u32| {
            let message = format!("Message-ID: <{number}@a.example>\r\n\r\nx\r\n");
            let recipient = format!("r{number}@sink.example");
            let arguments = ["pipe", "--dry-run", "--json", "--sender", SENDER, "--recipient", &recipient];
            let ran = sandbox.run(&arguments, message.as_bytes());
            let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
            (plan["verdict"].to_string(), plan["seed"].to_string())
        };
        (0..24).map(of).collect()
    };
    let first = plans(&one);
    assert_eq!(first, plans(&one));
    assert_eq!(first, plans(&another));
    assert_ne!(first, plans(&other_word));
    let refused = first.iter().filter(|(verdict, _)| verdict != "\"accept\"").count();
    assert!((4..=20).contains(&refused), "{refused} of 24");
}

#[test]
fn own_replies_come_by_weight_with_their_macros_filled_in() {
    let sandbox = Sandbox::new().settings(
        "in_band_percent = 100\noob_percent = 0\nfbl_percent = 0\n\
         replies = [{ reply = \"550 5.1.1 <RCPT_USER> at <RCPT_DOMAIN> is gone, said <RCPT_SERVER> to <SENDER_IPADDRESS>\", \
         weight = 3, expect = \"reason=user-unknown\" }, \"421 4.3.2 too busy for <ORIG>\"]",
    );
    let mut drawn: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..40 {
        let plan = plan(&sandbox, seed, "ann@sink.example");
        *drawn.entry(reply(&plan).unwrap()).or_default() += 1;
    }
    let gone = "550 5.1.1 ann at sink.example is gone, said mx.sink.example to 192.0.2.1";
    let busy = format!("421 4.3.2 too busy for {SENDER}");
    assert_eq!(drawn.len(), 2, "{drawn:?}");
    assert!(drawn[gone] > drawn[&busy] && drawn[&busy] > 2, "{drawn:?}");
    let refused: Vec<&str> =
        vec!["replies = [\"250 2.0.0 ok\"]", "replies = [{ reply = \"550 5.0.0 x\", wait = 3 }]"];
    for settings in refused {
        let ran = Sandbox::new().settings(settings).run(&["check", "--quick"], b"");
        assert!(ran.code == 1 && ran.stdout.contains("give a list of replies"), "{ran:?}");
    }
}

#[test]
fn the_rate_follows_the_day_of_the_week() {
    let weekly = |rates: &str| {
        Sandbox::new().settings(&format!(
            "weekly_cycle_bounce_rate = [{rates}]\noob_percent = 0\nfbl_percent = 0\nopen_percent = 0\n\
             open_again_percent = 0\nclick_percent = 0\nclick_again_percent = 0"
        ))
    };
    // Monday 2026-11-23, 12:00 UTC.
    let at = |sandbox: &Sandbox, day: i64| {
        sandbox.set_clock(1_795_435_200_000 - jiff::Timestamp::now().as_millisecond() + day * DAY_MS);
    };
    let sandbox = weekly("100, 0, 100, 0, 0, 0, 0");
    for (day, refused) in [(0, true), (1, false), (2, true), (6, false), (7, true)] {
        at(&sandbox, day);
        let plan = plan(&sandbox, 7, "ann@sink.example");
        assert_eq!(reply(&plan).is_some(), refused, "day {day}: {plan}");
    }
}

/// A message that is tried again is the same.
fn again(sandbox: &Sandbox, recipient: &str, message: &[u8]) -> Ran {
    sandbox.run(&queued(recipient, "4ABC"), message)
}

#[test]
fn a_message_is_deferred_so_often_and_then_accepted() {
    let sandbox = Sandbox::new();
    let recipient = "fail-3+x@sink.example";
    let (one, another) = (plain(recipient), plain(recipient));
    for _ in 0..3 {
        again(&sandbox, recipient, &one).says(75, "4.3.0 try again later");
    }
    again(&sandbox, recipient, &another).says(75, "4.3.0 try again later");
    again(&sandbox, recipient, &one).silent();
    assert_eq!(sandbox.counter("deferred"), 4);
    assert_eq!(sandbox.counter("accept"), 1);
    let dry = [
        "pipe",
        "--dry-run",
        "--sender",
        SENDER,
        "--recipient",
        "fail-1@sink.example",
        "--client-address",
        "192.0.2.1",
    ];
    for _ in 0..3 {
        let ran = sandbox.run(&dry, &plain("fail-1@sink.example"));
        assert!(ran.stdout.contains("try again later"), "a dry run remembers nothing: {ran:?}");
    }
}

#[test]
fn greylisting_knows_network_sender_and_recipient() {
    let sandbox = Sandbox::new().settings("greylist_delay = 300");
    let recipient = "x@greylist.sink.example";
    let from = |address: &str, sender: &str| {
        let arguments = ["pipe", "--sender", sender, "--recipient", recipient, "--client-address", address];
        sandbox.run(&arguments, &plain(recipient)).code
    };
    assert_eq!(from("192.0.2.1", SENDER), 75);
    assert_eq!(from("192.0.2.1", SENDER), 75, "too soon");
    sandbox.advance(301_000);
    assert_eq!(from("192.0.2.9", SENDER), 0, "the same network");
    assert_eq!(from("192.0.2.1", "bob@sender.example"), 75);
    sandbox.advance(40 * DAY_MS);
    assert_eq!(from("192.0.2.1", SENDER), 75, "forgotten");
}

#[test]
fn a_bounce_that_is_sent_and_the_log_say_what_it_means() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    for recipient in ["x+5.2.2@oob.sink.example", "x+gmail@oob.sink.example"] {
        sandbox.pipe(recipient, &plain(recipient)).silent();
    }
    wait_for(20, "two bounces", || peer.mails().len() == 2);
    for mail in peer.mails() {
        let text = String::from_utf8_lossy(&mail.data).into_owned();
        let expected = text.lines().find_map(|line| line.strip_prefix("X-Carom-Expect: ")).expect("a field");
        let ran = sandbox.run(&["classify", "--json", "--policy", "bounce"], &mail.data);
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        let recipient = &found["recipients"][0];
        let of = |key: &str| recipient[key].as_str().unwrap().to_owned();
        let found = format!("reason={}; severity={}; rule={}", of("reason"), of("severity"), of("rule"));
        assert_eq!(found, expected, "{text}");
    }
    let log = fs::read_to_string(sandbox.path("state/log/messages.log")).unwrap();
    assert!(log.contains("\"expect\":\"reason=mailbox-full; severity=soft; rule="), "{log}");
}

#[test]
fn powermtas_list_of_bounces_becomes_replies_with_weights() {
    let sandbox = Sandbox::new();
    let ini = "[Sink]\nOOB_percent = 0\nFBL_percent = 0\nOpen_percent = 0\nOpen_Again_percent = 0\nClick_percent = 0\n\
         Click_Again_percent = 0\nUpstream_Handled = 0\nWeekly_Cycle_Bounce_Rate = 4,4,4,4,4,2,2\n";
    fs::write(sandbox.path("consume-mail.ini"), ini).unwrap();
    let list = "random_bounce:550 5.1.1 <<RCPT_USER>@<RCPT_DOMAIN>>... User unknown\n\
         random_bounce:421 4.3.2 busy\nrandom_bounce:421 4.3.2 busy\nodd\n\
         random_bounce:550 5.1.1 <RCPT_USER> of <HOST_NAME>: <ORIG_DOMAIN> <sic> <>\n";
    fs::write(sandbox.path("blacklist.dat"), list).unwrap();
    let path = |name: &str| sandbox.path(name).display().to_string();
    let ran = sandbox
        .run(&["sink", "import", &path("consume-mail.ini"), "--blacklist", &path("blacklist.dat")], b"");
    assert!(ran.code == 0 && ran.stderr.contains("blacklist, line 4: odd: not a random_bounce"), "{ran:?}");
    let macros = "blacklist, line 5: random_bounce:550 5.1.1 <RCPT_USER> of <HOST_NAME>: <ORIG_DOMAIN> <sic> <>: \
                  <HOST_NAME> is not a macro of the sink: it stays as it is\n";
    assert!(ran.stderr.contains(macros) && ran.stderr.matches("not a macro").count() == 1, "{ran:?}");
    for line in ["weekly_cycle_bounce_rate = [4.0, 4.0, 4.0, 4.0, 4.0, 2.0, 2.0]", "weight = 2"] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
    let text = ran.stdout.replace("# domains =", "domains =");
    fs::write(sandbox.path("carom.toml"), format!("state = \"{}\"\n{text}", path("state"))).unwrap();
    let checked = sandbox.run(&["check", "--quick"], b"");
    assert!(!checked.stdout.contains("give a list of replies"), "{checked:?}");
}
