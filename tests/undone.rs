//! Suppressions that were wrong: one bad hour is undone, and living addresses are released.

use crate::bounces::{
    OWN, STRANGER, bounce, dsn, dsn_of, hard, is_suppressed, sandbox, sandbox_with, signed_path,
};
use crate::harness::application::Application;
use crate::harness::mail_log::{self, ago};
use crate::harness::{DAY_MS, HOUR_MS, MINUTE_MS, Ran, SENDER, Sandbox, plain, sign_for, signed};
use crate::statistics::{OTHER, SENT, UNKNOWN_USER, append, delivery, tick};
use serde_json::Value;

/// The end of a delivery in the log.
const FULL: &str = "dsn=5.2.2, status=bounced (host mx[192.0.2.9] said: 552 5.2.2 Mailbox full (in reply to RCPT TO command))";

fn at(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap().to_string()
}

/// The events that the application got, with their addresses.
fn told(application: &Application) -> Vec<(String, String)> {
    let bodies =
        application.told().into_iter().map(|told| serde_json::from_str::<Value>(&told.body).unwrap());
    let text = |body: &Value, key: &str| body[key].as_str().unwrap().to_owned();
    bodies.map(|body| (text(&body, "event"), text(&body, "address"))).collect()
}

fn undo(sandbox: &Sandbox, since: i64, until: i64, more: &[&str]) -> Ran {
    let (since, until) = (at(since), at(until));
    sandbox.run(&[&["suppress", "undo", "--since", &since, "--until", &until], more].concat(), b"")
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// A soft bounce that our own mail server reports.
fn soft(sandbox: &Sandbox, address: &str) {
    let full = dsn(address, "5.2.2", "552 5.2.2 mailbox full");
    bounce(sandbox, "bounces@bounces.example.com", OWN, &full);
}

#[test]
fn one_bad_hour_is_undone_and_nothing_else() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "");
    hard(&sandbox, "before@x.example");
    sandbox.advance(3 * HOUR_MS);
    let since = sandbox.now_ms() - MINUTE_MS;
    hard(&sandbox, "wrong@x.example");
    hard(&sandbox, "again@x.example");
    let refused = dsn("unaccepted@x.example", "5.1.1", "550 5.1.1 the account is closed");
    let path = signed_path(&sandbox, "unaccepted@x.example");
    bounce(&sandbox, &path, STRANGER, &refused);
    sandbox.run(&["suppress", "add", "by-hand@x.example"], b"");
    let until = sandbox.now_ms() + MINUTE_MS;
    sandbox.advance(3 * HOUR_MS);
    hard(&sandbox, "again@x.example");
    hard(&sandbox, "after@x.example");
    let notified = application.told().len();

    let rehearsal = undo(&sandbox, since, until, &["--reason", "user-unknown", "--dry-run"]);
    assert!(rehearsal.code == 0 && rehearsal.stdout.contains("release  wrong@x.example"), "{rehearsal:?}");
    assert!(!rehearsal.stdout.contains("by-hand@") && !rehearsal.stdout.contains("again@"), "{rehearsal:?}");
    assert!(is_suppressed(&sandbox, "wrong@x.example"), "nothing is changed");
    let none = json(&undo(&sandbox, since, until, &["--rule", "no-such-rule", "--json"]));
    assert_eq!(none["released"], 0);
    let entry = &json(&undo(&sandbox, since, until, &["--dry-run", "--json"]))["entries"][0]["entry"];
    let rule = entry["rule"].as_str().unwrap().to_owned();
    assert_eq!(
        (entry["provider"].as_str(), entry["status"].as_str()),
        (Some("there.example"), Some("5.1.1"))
    );

    let done = undo(&sandbox, since, until, &["--provider", "There.example", "--json"]);
    assert!(json(&done)["released"].as_u64() >= Some(1) && !rule.is_empty(), "{done:?}");
    for (address, stays) in
        [("before", true), ("wrong", false), ("again", true), ("by-hand", true), ("after", true)]
    {
        assert_eq!(is_suppressed(&sandbox, &format!("{address}@x.example")), stays, "{address}");
    }
    let events = told(&application);
    let undone: Vec<_> =
        events[notified..].iter().filter(|(_, address)| address == "wrong@x.example").collect();
    assert_eq!(undone, [&("bounce.undone".to_owned(), "wrong@x.example".to_owned())], "once");
    let last = application.told().pop().unwrap();
    assert!(last.header("webhook-signature").starts_with("v1,"), "{last:?}");
    assert_eq!(json(&undo(&sandbox, since, until, &["--json"]))["released"], 0, "it is done");

    let before = application.told().len();
    hard(&sandbox, "wrong@x.example");
    assert!(is_suppressed(&sandbox, "wrong@x.example"), "the same failure counts again");
    assert_eq!(told(&application)[before..], [("bounce.hard".to_owned(), "wrong@x.example".to_owned())]);
}

/// A report that is redelivered hours later is no later failure.
#[test]
fn a_report_that_comes_again_after_the_bad_hour_keeps_nobody_suppressed() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "");
    let address = "wrong@x.example";
    let path = signed_path(&sandbox, address);
    let report = dsn_of("sent1@shop.example", address, "5.1.1", "550 5.1.1 user unknown");
    let since = sandbox.now_ms() - MINUTE_MS;
    bounce(&sandbox, &path, STRANGER, &report);
    let until = sandbox.now_ms() + MINUTE_MS;
    sandbox.advance(3 * HOUR_MS);
    bounce(&sandbox, &path, STRANGER, &report);
    assert_eq!((sandbox.counter("suppressed"), sandbox.counter("suppressed_before")), (1, 1));

    let strangers = undo(&sandbox, since, until, &["--provider", "mx.elsewhere.example", "--json"]);
    assert_eq!(json(&strangers)["released"], 0, "{strangers:?}");
    let done = undo(&sandbox, since, until, &["--provider", "mx1.there.example", "--json"]);
    assert_eq!(json(&done)["released"], 1, "a server of the provider names it: {done:?}");
    assert!(!is_suppressed(&sandbox, address));
    bounce(&sandbox, &path, STRANGER, &report);
    assert!(is_suppressed(&sandbox, address), "after the undo it counts again");
}

#[test]
fn an_undone_entry_brings_back_the_one_that_it_replaced() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "suppress_days = 7");
    let address = "asked@x.example";
    sandbox.run(&["suppress", "add", address, "--sender-domain", "shop.example", "--reason", "asked"], b"");
    sandbox.advance(HOUR_MS);
    let since = sandbox.now_ms() - MINUTE_MS;
    hard(&sandbox, address);
    let done = json(&undo(&sandbox, since, sandbox.now_ms() + MINUTE_MS, &["--json"]));
    assert_eq!((&done["released"], &done["restored"]), (&0.into(), &1.into()), "{done}");
    assert!(sandbox.run(&["suppress", "check", address], b"").stdout.contains("asked"));
    assert!(!told(&application).iter().any(|(event, _)| event == "bounce.undone"));
    let all = sandbox.run(&["suppress", "undo", "--since", "2d", "--source", "operator", "--json"], b"");
    assert_eq!(json(&all)["released"], 1, "{all:?}");
}

#[test]
fn the_soft_bounces_of_a_bad_hour_are_forgotten_with_what_they_led_to() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "threshold = 2");
    let since = sandbox.now_ms() - MINUTE_MS;
    soft(&sandbox, "full@x.example");
    soft(&sandbox, "full@x.example");
    assert!(is_suppressed(&sandbox, "full@x.example"));
    sandbox.advance(MINUTE_MS);
    let done = json(&undo(&sandbox, since, sandbox.now_ms(), &["--json"]));
    assert_eq!(done["released"], 1, "{done}");
    soft(&sandbox, "full@x.example");
    assert!(!is_suppressed(&sandbox, "full@x.example"), "the count begins again");
    soft(&sandbox, "full@x.example");
    assert!(is_suppressed(&sandbox, "full@x.example"));
}

#[test]
fn soft_bounces_of_a_bad_hour_that_suppressed_nobody_yet_are_forgotten_too() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "threshold = 2");
    let since = sandbox.now_ms() - MINUTE_MS;
    soft(&sandbox, "full@x.example");
    let is_counted = || {
        let found = sandbox.run(&["find", "full@x.example"], b"").stdout;
        found.lines().any(|line| line.starts_with("soft bounce "))
    };
    sandbox.advance(MINUTE_MS);
    let some = undo(&sandbox, since, sandbox.now_ms(), &["--reason", "mailbox-full"]);
    assert!(some.code == 0 && is_counted());
    undo(&sandbox, since, sandbox.now_ms(), &["--dry-run"]);
    assert!(is_counted());
    undo(&sandbox, since, sandbox.now_ms(), &[]);
    assert!(!is_counted());
}

#[test]
fn an_entry_of_an_operator_outlives_a_report_with_a_term() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "suppress_days = 7");
    let address = "asked@x.example";
    sandbox.run(&["suppress", "add", address, "--sender-domain", "shop.example", "--reason", "asked"], b"");
    hard(&sandbox, address);
    sandbox.advance(8 * DAY_MS);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    let check = sandbox.run(&["suppress", "check", address], b"");
    assert!(check.code == 1 && check.stdout.contains("asked"), "{check:?}");
}

/// A message from the mail of `sender`, as `carom pipe` gets it.
fn arrives(sandbox: &Sandbox, sender: &str, client: &str, message: &[u8]) {
    let to = "help@shop.example";
    let arguments =
        ["pipe", "--policy", "bounce", "--sender", sender, "--recipient", to, "--client-address", client];
    sandbox.run(&arguments, message).silent();
}

/// A message of this author, signed by a domain, as a server hands it on that has verified it.
fn from_trusted(results: &str, author: &str, domain: &str) -> Vec<u8> {
    let message = format!(
        "From: {author}\r\nTo: <help@shop.example>\r\nSubject: a question\r\n\r\nHello, where is my order?\r\n"
    );
    let message = sign_for(domain, message.as_bytes());
    [format!("Authentication-Results: mx.shop.example; {results}\r\n").as_bytes(), &message].concat()
}

#[test]
fn an_address_that_writes_to_us_itself_is_released_if_only_soft_bounces_suppressed_it() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "threshold = 1");
    soft(&sandbox, SENDER);
    sandbox.advance(HOUR_MS);
    let forged = String::from_utf8(plain("help@shop.example")).unwrap();
    let unsigned = forged[forged.find("From: ").unwrap()..].to_owned();
    arrives(&sandbox, "someone@stranger.example", "192.0.2.77", unsigned.as_bytes());
    let away = signed("help@shop.example", "Auto-Submitted: auto-replied\r\n", b"I am away.\r\n");
    arrives(&sandbox, SENDER, "192.0.2.1", &away);
    assert!(is_suppressed(&sandbox, SENDER), "a forged message and an automatic reply prove nothing");
    arrives(&sandbox, "someone@stranger.example", "192.0.2.77", &plain("help@shop.example"));
    assert!(!is_suppressed(&sandbox, SENDER));
    assert_eq!(told(&application).last().unwrap(), &("bounce.undone".to_owned(), SENDER.to_owned()));
    assert!(application.told().pop().unwrap().body.contains("\"because\":\"message\""));
    assert_eq!(sandbox.counter("released"), 1);
    // SPF of the sender's own domain proves it too.
    soft(&sandbox, SENDER);
    assert!(is_suppressed(&sandbox, SENDER));
    sandbox.advance(HOUR_MS);
    arrives(&sandbox, SENDER, "192.0.2.1", unsigned.as_bytes());
    assert!(!is_suppressed(&sandbox, SENDER));
}

#[test]
fn a_domain_of_the_same_organization_vouches_for_an_address_and_no_other() {
    let application = Application::at(0);
    let trusted = "trusted_authserv_ids = [\"mx.shop.example\"]";
    let sandbox = sandbox_with(trusted, application.port, "threshold = 1");
    let address = "ann@office.x.example";
    soft(&sandbox, address);
    let none = "dmarc=none header.from=office.x.example";
    let pass = "dmarc=pass header.from=office.x.example";
    for (domain, dmarc, stays) in [
        ("notx.example", none, true),
        ("example", none, true),
        ("notx.example", "dmarc=pass header.from=notx.example", true),
        ("mail.x.example", none, true),
        ("mail.x.example", pass, false),
    ] {
        let message = from_trusted(&format!("dkim=pass header.d={domain}; {dmarc}"), address, domain);
        arrives(&sandbox, "someone@stranger.example", "192.0.2.77", &message);
        assert_eq!(is_suppressed(&sandbox, address), stays, "{domain} {dmarc}");
    }
}

#[test]
fn what_is_no_soft_bounce_is_never_released_by_a_sign_of_life() {
    let application = Application::at(0);
    let hard_one = sandbox(application.port, "threshold = 1");
    hard(&hard_one, SENDER);
    let by_hand = sandbox(application.port, "threshold = 1");
    by_hand.run(&["suppress", "add", SENDER, "--sender-domain", "shop.example"], b"");
    let both = sandbox(application.port, "threshold = 1");
    both.run(&["suppress", "add", SENDER, "--sender-domain", "shop.example"], b"");
    soft(&both, SENDER);
    let off = sandbox(application.port, "threshold = 1").config("[suppression]\nrelease_alive = false");
    soft(&off, SENDER);
    for (why, sandbox) in [("hard", hard_one), ("by hand", by_hand), ("both", both), ("off", off)] {
        sandbox.advance(HOUR_MS);
        arrives(&sandbox, SENDER, "192.0.2.1", &plain("help@shop.example"));
        assert!(is_suppressed(&sandbox, SENDER), "{why}");
    }
}

#[test]
fn soft_bounces_never_push_out_a_hard_bounce_however_many_they_are() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "threshold = 1");
    hard(&sandbox, SENDER);
    for _ in 0..15 {
        soft(&sandbox, SENDER);
    }
    sandbox.advance(HOUR_MS);
    arrives(&sandbox, SENDER, "192.0.2.1", &plain("help@shop.example"));
    assert!(is_suppressed(&sandbox, SENDER));
}

#[test]
fn what_a_program_sends_is_no_sign_of_life() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "threshold = 1");
    soft(&sandbox, SENDER);
    sandbox.advance(HOUR_MS);
    for field in [
        "Auto-Submitted: (by a program) auto-generated",
        "X-Auto-Response-Suppress: All",
        "List-Id: <talk.lists.example>",
        "List-Unsubscribe: <mailto:leave@lists.example>",
        "Precedence: bulk",
    ] {
        let message = signed("help@shop.example", &format!("{field}\r\n"), b"Hello.\r\n");
        arrives(&sandbox, SENDER, "192.0.2.1", &message);
        assert!(is_suppressed(&sandbox, SENDER), "{field}");
    }
    arrives(
        &sandbox,
        SENDER,
        "192.0.2.1",
        &signed("help@shop.example", "Auto-Submitted: no\r\n", b"Hello.\r\n"),
    );
    assert!(!is_suppressed(&sandbox, SENDER), "a person");
}

#[test]
fn an_address_that_takes_mail_again_is_released_if_only_soft_bounces_suppressed_it() {
    let application = Application::at(0);
    let sandbox = mail_log::sandbox(Some(&application), "threshold = 1");
    append(&sandbox, &ago(50, &delivery(540, 1, "gone@dest.example", OTHER, 1.0, UNKNOWN_USER)));
    append(&sandbox, &ago(49, &delivery(540, 2, "full@dest.example", OTHER, 1.0, FULL)));
    tick(&sandbox, &[]);
    let listed = || sandbox.run(&["suppress", "list"], b"").stdout;
    assert!(listed().contains("gone@dest.example") && listed().contains("full@dest.example"));
    append(&sandbox, &ago(40, &delivery(540, 3, "gone@dest.example", OTHER, 1.0, SENT)));
    append(&sandbox, &ago(39, &delivery(540, 4, "full@dest.example", OTHER, 1.0, SENT)));
    tick(&sandbox, &[]);
    assert!(
        listed().contains("gone@dest.example") && !listed().contains("full@dest.example"),
        "{}",
        listed()
    );
    tick(&sandbox, &[]);
    let events: Vec<_> =
        told(&application).into_iter().filter(|(event, _)| event == "bounce.undone").collect();
    assert_eq!(events, [("bounce.undone".to_owned(), "full@dest.example".to_owned())]);
}

#[test]
fn an_address_that_the_log_has_suppressed_is_released_by_its_message_right_after_that_tick() {
    let trusted = "[auth]\ntrusted_authserv_ids = [\"mx.shop.example\"]";
    let sandbox = mail_log::sandbox(None, "threshold = 1").config(trusted);
    append(&sandbox, &ago(50, &delivery(540, 2, "gone@dest.example", OTHER, 1.0, UNKNOWN_USER)));
    tick(&sandbox, &[]);
    let address = "full@dest.example";
    let listed = || sandbox.run(&["suppress", "list"], b"").stdout;
    append(&sandbox, &ago(30, &delivery(540, 1, address, OTHER, 1.0, FULL)));
    tick(&sandbox, &[]);
    assert!(listed().contains(address), "by a failure that is older than the tick before");
    let results = "dkim=pass header.d=dest.example; dmarc=pass header.from=dest.example";
    let message = from_trusted(results, address, "dest.example");
    arrives(&sandbox, "someone@stranger.example", "192.0.2.77", &message);
    assert!(!listed().contains(address));
}

#[test]
fn an_operators_entry_that_is_undone_brings_back_the_one_that_it_replaced() {
    let sandbox = sandbox(1, "");
    let says = |address: &str| sandbox.run(&["suppress", "check", address], b"").stdout;
    let add = |address: &str, more: &[&str]| {
        let ran = sandbox.run(&[&["suppress", "add", address], more].concat(), b"");
        assert_eq!(ran.code, 0, "{ran:?}");
        sandbox.advance(HOUR_MS);
    };
    add("a@x.example", &["--reason", "first"]);
    add("same@x.example", &[]);
    for reason in ["second", "third", "fourth"] {
        add("a@x.example", &["--reason", reason]);
    }
    add("same@x.example", &[]);
    let ago = |hours: i64| sandbox.now_ms() - hours * HOUR_MS - MINUTE_MS;
    let operators = &["--source", "operator", "--json"];
    // The fourth of the one, and what says the same of the other.
    let done = json(&undo(&sandbox, ago(2), sandbox.now_ms(), operators));
    assert_eq!((&done["released"], &done["restored"]), (&0.into(), &1.into()), "{done}");
    assert!(says("a@x.example").contains("third") && !says("same@x.example").contains("is not suppressed"));
    let done = json(&undo(&sandbox, ago(4), sandbox.now_ms(), operators));
    assert_eq!(done["restored"], 1, "{done}");
    assert!(says("a@x.example").contains("first"), "both later ones: {}", says("a@x.example"));
    let listed = sandbox.run(&["suppress", "list", "--json"], b"").stdout;
    assert!(!listed.contains("report"), "{listed}");
}
