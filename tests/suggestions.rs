//! `carom rules suggest` from the outside: what it drafts is a valid rule, installs nothing, makes nobody hard, and decides
//! what it was drafted from. The lines are invented.

use crate::harness::Sandbox;
use crate::logs::{append, deliveries, sandbox, sent};
use serde_json::Value;

/// A delivery to `to` that ended with this reply, an hour before now.
fn failed(n: u32, to: &str, host: &str, dsn: &str, status: &str, reply: &str) -> String {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(3600);
    let (at, id) = (at.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00"), format!("4Xn0y8{n:06}zZ1f"));
    format!(
        "{at} mx postfix/qmgr[9]: {id}: from=<news@shop.example>, size=1000, nrcpt=1 (queue active)\n\
         {at} mx postfix/smtp[9]: {id}: to=<{to}>, relay={host}[192.0.2.9]:25, delay=1.5, dsn={dsn}, status={status} \
         ({reply})\n"
    )
}

/// As another server said it.
fn said(host: &str, reply: &str) -> String {
    format!("host {host}[192.0.2.9] said: {reply} (in reply to end of DATA command)")
}

/// Three replies of a kind at one provider, two at several, one with signs, and one that a rule knows.
fn odd() -> String {
    let mut lines = String::new();
    for n in 0..3 {
        let to = format!("u{n}@dest.example");
        let reply =
            format!("554 <{to}>: the parrot {n}17 (of mx{n}.dest.example) is resting; id=Zq{n}77f4a9c1");
        let host = format!("mx{n}.dest.example");
        lines += &failed(n, &to, &host, "5.0.0", "bounced", &said(&host, &reply));
    }
    for (n, host) in [(3, "mx.one.example"), (4, "mx.two.example")] {
        lines += &failed(
            n,
            "v@x.example",
            host,
            "4.0.0",
            "deferred",
            &said(host, "451 zweifelhafte Lage, morgen vielleicht"),
        );
    }
    let signs = r#"550 what? (5*3) is "odd" | ^here$ {and} \d+ [a-z] ~ there"#;
    lines += &failed(5, "w@x.example", "mx.one.example", "5.0.0", "bounced", &said("mx.one.example", signs));
    let known = said("mx.one.example", "550 5.1.1 <gone@x.example>: User unknown");
    lines + &failed(6, "gone@x.example", "mx.one.example", "5.1.1", "bounced", &known)
}

fn with_log(text: &str) -> Sandbox {
    let sandbox = sandbox().config("[index]\nact = false\nkeep_days = 0\n");
    append(&sandbox.path("mail.log"), text);
    sandbox.run(&["cron"], b"").silent();
    sandbox
}

#[track_caller]
fn suggest(sandbox: &Sandbox, more: &[&str]) -> Value {
    let ran = sandbox.run(&[&["rules", "suggest", "--json"], more].concat(), b"");
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_draft_says_what_it_would_change_and_decides_it_once_it_is_installed() {
    let sandbox = with_log(&odd());
    let suggested = suggest(&sandbox, &[]);
    assert_eq!(
        (&suggested["deliveries"], &suggested["shapes"], &suggested["days"]),
        (&6.into(), &3.into(), &30.into())
    );
    let rules = suggested["rules"].as_array().unwrap();
    assert_eq!((rules.len(), suggested["left_out"].as_array().unwrap().len()), (3, 0), "{suggested}");
    let first = &rules[0];
    for (key, value) in [
        ("name", "suggested-the-parrot-of-is"),
        ("pattern", "the parrot * of * is resting"),
        ("codes", "554"),
        ("provider", "dest.example"),
    ] {
        assert_eq!(first[key], value, "{first}");
    }
    let changes = |rule: &Value| {
        ["deliveries", "addresses", "known", "hard"].map(|key| rule["changes"][key].as_u64().unwrap())
    };
    assert_eq!(
        (changes(first), changes(&rules[1]), changes(&rules[2])),
        ([3, 3, 0, 0], [2, 1, 0, 0], [1, 1, 0, 0])
    );
    assert!(rules[1].get("provider").is_none() && rules[1]["codes"] == "451", "{}", rules[1]);
    assert!(rules.iter().all(|rule| rule["severity"] != "hard"));
    // Nothing is installed until the operator does it.
    assert_eq!(suggest(&sandbox, &[])["deliveries"], 6);
    let file = sandbox.path("drafts.toml");
    let ran = sandbox.run(&["rules", "suggest", "--output", file.to_str().unwrap()], b"");
    assert!(ran.code == 0 && ran.stdout.contains("3 rules drafted in"), "{ran:?}");
    let draft = std::fs::read_to_string(&file).unwrap();
    assert!(draft.contains("# 3 deliveries to 3 addresses; 0 would become hard.\n"), "{draft}");
    assert!(draft.contains("#   host mx2.dest.example[192.0.2.9] said: 554"), "{draft}");
    let sandbox = sandbox.config(&draft);
    let ran = sandbox.run(&["reclassify", "--json"], b"");
    assert_eq!(ran.stdout, "{\"changed\":6,\"looked_at\":7}\n", "{ran:?}");
    let mut found = deliveries(&sandbox, &["--status", "bounced,deferred"]);
    found.retain(|one| one["recipient"] != "gone@x.example");
    assert_eq!(found.len(), 6);
    for one in found {
        assert!(
            one["rule"].as_str().unwrap().starts_with("suggested-") && one["severity"] != "hard",
            "{one}"
        );
    }
    let ran = sandbox.run(&["rules", "suggest"], b"");
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "every failure of the last 30 days has a rule\n"),
        "{ran:?}"
    );
}

#[test]
fn a_draft_has_the_most_frequent_shapes_of_its_period() {
    let old = odd().replace(&jiff::Timestamp::now().strftime("%Y-").to_string(), "2020-");
    let many: String = (20..32)
        .map(|n| {
            let word: String = format!("{n}").bytes().map(|b| char::from(b'a' + b - b'0')).collect();
            let reply = said("mx.one.example", &format!("550 the {word}{word}{word} parrot rests"));
            failed(n, "u@x.example", "mx.one.example", "5.0.0", "bounced", &reply)
        })
        .collect();
    let sandbox = with_log(&(old + &many));
    let suggested = suggest(&sandbox, &[]);
    assert_eq!((&suggested["deliveries"], &suggested["shapes"]), (&12.into(), &12.into()), "{suggested}");
    assert_eq!(suggested["rules"].as_array().unwrap().len(), 10);
    assert_eq!(suggest(&sandbox, &["--limit", "2"])["rules"].as_array().unwrap().len(), 2);
    assert_eq!(suggest(&sandbox, &["--days", "3650"])["deliveries"], 18);
}

#[test]
fn what_has_no_words_has_no_draft_and_nothing_unknown_is_said() {
    let sandbox =
        with_log(&failed(1, "u@x.example", "mx.one.example", "5.0.0", "bounced", "550 12345 u@x.example"));
    let suggested = suggest(&sandbox, &[]);
    assert_eq!(suggested["rules"], Value::Array(Vec::new()), "{suggested}");
    assert_eq!(suggested["left_out"][0]["why"], "it has no words to recognize it by");
    let shown = sandbox.run(&["rules", "suggest"], b"").stdout;
    assert!(shown.contains("# Without a draft, because it has no words"), "{shown}");
    let empty = with_log(&sent(1));
    let ran = empty.run(&["rules", "suggest", "--days", "3"], b"");
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "every failure of the last 3 days has a rule\n"),
        "{ran:?}"
    );
    let unread = Sandbox::new();
    let ran = unread.run(&["rules", "suggest"], b"");
    assert!(ran.code == 0 && ran.stderr.contains("no log was read yet"), "{ran:?}");
}
