//! Rules that were installed beside the config: one that is wrong is named with its line, and stops no mail.

use crate::bounces::{STRANGER, bounce, dsn, is_suppressed, sandbox, signed_path};
use crate::harness::lmtp::Listener;
use crate::harness::mail_log::{self, ago};
use crate::harness::{Ran, Sandbox, free_port, names, wait_for};
use crate::statistics::{OTHER, append, delivery};
use std::fs;

const RIGHT: &str = "[[rules]]\nname = \"ours\"\npattern = \"no such colleague\"\ncodes = [\"5xx\"]\n\
     reason = \"user-unknown\"\nseverity = \"hard\"\n";
/// Rules that the policy refuses, and a part of why.
const WRONG: [(&str, &str); 4] = [
    ("pattern = \"some words\"\nreason = \"bounced\"", "unknown reason"),
    ("pattern = \".*user.*unknown\"\nreason = \"blocked\"", "looks like a regular expression"),
    ("pattern = \"some words\"\nreason = \"blocked\"\nseverity = \"dead\"", "hard, soft"),
    ("patern = \"some words\"\nreason = \"blocked\"", "unknown key patern"),
];
/// What only `RIGHT` takes for a hard bounce.
const REPLY: &str = "550 5.0.0 no such colleague";

fn install(sandbox: &Sandbox, rules: &str) {
    fs::create_dir_all(sandbox.path("state")).unwrap();
    fs::write(sandbox.path("state/rules.toml"), rules).unwrap();
}

fn with_wrong(wrong: &str) -> String {
    format!("{RIGHT}[[rules]]\nname = \"odd\"\n{wrong}\n")
}

/// The bounce of an address comes to its signed return path, through carom pipe.
fn bounced(sandbox: &Sandbox, address: &str) {
    bounce(sandbox, &signed_path(sandbox, address), STRANGER, &dsn(address, "5.0.0", REPLY));
}

fn logged(sandbox: &Sandbox) -> String {
    let log = sandbox.path("state/log");
    let lines = names(&log).into_iter().filter(|name| name.starts_with("carom"));
    lines.map(|name| fs::read_to_string(log.join(name)).unwrap()).collect()
}

/// A command for people fails, and says what is wrong in which line.
#[track_caller]
fn names_the_rule(ran: &Ran, why: &str) {
    let said = ran.stdout.clone() + &ran.stderr;
    assert!(ran.code == 1 && said.contains("rules.toml: line 7: rules[1] (odd)"), "{ran:?}");
    assert!(said.contains(why) && said.contains("correct or remove this rule"), "{ran:?}");
}

#[test]
fn a_rule_that_is_wrong_is_left_out_alone_and_stops_no_mail() {
    for (wrong, why) in WRONG {
        let sandbox = sandbox(free_port(), "");
        bounced(&sandbox, "before@there.example");
        assert!(!is_suppressed(&sandbox, "before@there.example"), "no shipped rule knows the reply");
        install(&sandbox, &with_wrong(wrong));
        bounced(&sandbox, "gone@there.example");
        assert!(is_suppressed(&sandbox, "gone@there.example"), "the other rule is used: {why}");
        assert!(logged(&sandbox).contains("rules[1] (odd)"), "{}", logged(&sandbox));
        names_the_rule(&sandbox.run(&["cron"], b""), why);
        names_the_rule(&sandbox.run(&["check"], b""), why);
        // It is corrected.
        install(&sandbox, RIGHT);
        assert_eq!(sandbox.run(&["cron"], b"").code, 0);
        let checked = sandbox.run(&["check"], b"").stdout;
        assert!(!checked.contains("rules.toml"), "{checked}");
    }
}

#[test]
fn a_rule_that_is_wrong_stops_neither_lmtp_nor_the_relay() {
    let sandbox = sandbox(free_port(), "").config("[relay]\nsettle = 0\n");
    install(&sandbox, &with_wrong(WRONG[0].0));
    let listener = Listener::start(&sandbox, &["--policy", "bounce"]);
    let path = signed_path(&sandbox, "one@there.example");
    let answers = listener.tcp().hello().send("", &[&path], &dsn("one@there.example", "5.0.0", REPLY));
    assert!(answers[0].starts_with("250"), "{answers:?}");
    wait_for(60, "the step after the answer", || is_suppressed(&sandbox, "one@there.example"));
    listener.stop();
    let spool = sandbox.path("spool");
    fs::create_dir(&spool).unwrap();
    let path = signed_path(&sandbox, "two@there.example");
    let envelope = format!("x-sender: \r\nx-receiver: {path}\r\n").into_bytes();
    fs::write(spool.join("a.msg"), [envelope, dsn("two@there.example", "5.0.0", REPLY)].concat()).unwrap();
    let ran = sandbox.run(&["relay", "--policy", "bounce", spool.to_str().unwrap()], b"");
    assert!(ran.code == 0 && names(&spool).is_empty(), "{ran:?}");
    assert!(is_suppressed(&sandbox, "two@there.example"));
}

#[test]
fn a_tick_acts_on_the_log_with_the_rules_that_are_right() {
    let sandbox = mail_log::sandbox(None, "");
    install(&sandbox, &with_wrong(WRONG[0].0));
    let refused =
        format!("dsn=5.0.0, status=bounced (host mx[192.0.2.9] said: {REPLY} (in reply to RCPT TO command))");
    append(&sandbox, &ago(50, &delivery(540, 1, "gone@dest.example", OTHER, 1.0, &refused)));
    names_the_rule(&sandbox.run(&["cron"], b""), "unknown reason");
    let listed = sandbox.run(&["suppress", "list"], b"").stdout;
    assert!(listed.contains("gone@dest.example"), "{listed}");
}

#[test]
fn what_is_wrong_with_all_rules_or_with_their_file_leaves_them_all_out() {
    let many = "[[rules]]\nname = \"x\"\npattern = \"some words\"\nreason = \"blocked\"\n".repeat(5001);
    for (rules, why) in [
        (many.as_str(), "none of these rules is used: rules: 5001 are too many"),
        ("rules = 1\n", "rules.toml: line 1: rules: not a list of rules"),
        ("[[rule]]\nname = \"x\"\n", "rules.toml: line 1: rule: not a list of rules"),
        ("[[rules]]\nname = \n", "rules.toml: line 2: "),
    ] {
        let sandbox = sandbox(free_port(), "");
        install(&sandbox, rules);
        bounce(
            &sandbox,
            &signed_path(&sandbox, "gone@there.example"),
            STRANGER,
            &dsn("gone@there.example", "5.1.1", "550 5.1.1 user unknown"),
        );
        assert!(is_suppressed(&sandbox, "gone@there.example"), "{why}");
        for command in ["cron", "check"] {
            let ran = sandbox.run(&[command], b"");
            let said = ran.stdout.clone() + &ran.stderr;
            assert!(ran.code == 1 && said.contains(why) && said.contains("correct"), "{why}: {ran:?}");
        }
    }
}
