//! Statistics from the outside: what the logs say is counted once, whenever and however it is read, and every form of the report has the
//! same figures.

use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::postfix::Postfix;
use crate::harness::{SENDER, Sandbox, plain, wait_for};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write;

/// A sandbox with a log at `mail.log` and every export.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let config = format!(
        "[[logs]]\nkind = \"postfix\"\npath = \"{0}/mail.log\"\ntimezone = \"UTC\"\n\
         [index]\nkeep_days = 0\n[export]\nprometheus = \"{0}/out/carom.prom\"\nhtml = \"{0}/out/report.html\"\njson = \"{0}/out\"\ncsv = \"{0}/out/csv\"\n\
         [[events]]\nkind = \"file\"\ninclude = [\"delivery\"]\npath = \"{0}/out/events\"\n",
        sandbox.dir.display()
    );
    fs::create_dir(sandbox.path("out")).unwrap();
    sandbox.config(&config)
}

/// `minute` of 1 March 2026, from midnight, for one delivery of message `n`.
pub(crate) fn delivery(minute: u32, n: u32, to: &str, relay: &str, delay: f64, end: &str) -> String {
    let at = format!("2026-03-01T{:02}:{:02}:07.000000+00:00 mx postfix", minute / 60, minute % 60);
    let id = format!("4Xn0y8{n:06}zZ1f");
    format!(
        "{at}/cleanup[11]: {id}: message-id=<98494.{n}.7@shop>\n\
         {at}/qmgr[12]: {id}: from=<news@mail.shop.example>, size=1000, nrcpt=1 (queue active)\n\
         {at}/smtp[13]: {id}: to=<{to}>, relay={relay}, delay={delay}, delays=0/0/0/0, {end}\n"
    )
}

const GOOGLE: &str = "gmail-smtp-in.l.google.com[192.0.2.1]:25";
pub(crate) const OTHER: &str = "mx.dest.example[192.0.2.9]:25";
pub(crate) const SENT: &str = "dsn=2.0.0, status=sent (250 2.0.0 OK)";
pub(crate) const UNKNOWN_USER: &str = "dsn=5.1.1, status=bounced (host mx[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command))";
const TIMED_OUT: &str =
    "dsn=4.4.1, status=deferred (connect to mx.dest.example[192.0.2.9]:25: Connection timed out)";
const STRANGE: &str = "dsn=5.0.0, status=bounced (host mx[192.0.2.9] said: 599 the parrot on 7 is resting (in reply to end of DATA command))";
const REFUSED: &str = "2026-03-01T11:00:00.000000+00:00 mx postfix/smtpd[10]: NOQUEUE: reject: RCPT from bad.example[192.0.2.66]: 554 5.7.1 \
    Service unavailable; Client host [192.0.2.66] blocked using list.example; from=<x@bad.example> to=<me@shop.example> proto=ESMTP \
    helo=<bad.example>\n";

/// Before ten o'clock: three sent, one bounced, one strange, one put off. After: that one is sent, one is refused, one waits.
fn day() -> (String, String) {
    let mut first = delivery(540, 1, "a@gmail.example", GOOGLE, 1.0, SENT)
        + &delivery(541, 2, "b@gmail.example", GOOGLE, 2.0, SENT)
        + &delivery(542, 3, "c@sub.dest.example", OTHER, 300.0, SENT);
    first += &delivery(543, 4, "gone@gmail.example", GOOGLE, 1.0, UNKNOWN_USER);
    first += &delivery(544, 5, "odd@dest.example", OTHER, 1.0, STRANGE);
    first += &delivery(545, 6, "slow@dest.example", "none", 30.0, TIMED_OUT);
    let mut second = delivery(660, 6, "slow@dest.example", OTHER, 6900.0, SENT);
    second += REFUSED;
    second += &delivery(661, 7, "later@dest.example", "none", 30.0, TIMED_OUT);
    (first, second)
}

pub(crate) fn append(sandbox: &Sandbox, text: &str) {
    let file = File::options().create(true).append(true).open(sandbox.path("mail.log"));
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

#[track_caller]
pub(crate) fn tick(sandbox: &Sandbox, more: &[&str]) {
    let ran = sandbox.run(&[&["cron"], more].concat(), b"");
    assert!(ran.code == 0 && ran.stderr.is_empty() && ran.stdout.is_empty(), "{ran:?}");
}

#[track_caller]
fn report(sandbox: &Sandbox, more: &[&str]) -> Value {
    let ran = sandbox.run(&[&["report", "--json"], more].concat(), b"");
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The day in UTC, whatever the zone of this machine.
const DAY: [&str; 4] = ["--since", "2026-03-01T00:00:00Z", "--until", "2026-03-02T00:00:00Z"];

#[track_caller]
fn named<'a>(lines: &'a Value, name: &str) -> &'a Value {
    let found = lines.as_array().unwrap().iter().find(|line| line["name"] == name);
    found.unwrap_or_else(|| panic!("{name} in {lines}"))
}

#[track_caller]
fn is_the_day(figures: &Value) {
    let totals = &figures["totals"];
    let counted =
        ["sent", "bounced", "deferred", "expired", "rejected", "held"].map(|name| totals[name].clone());
    assert_eq!(counted, [4, 2, 1, 0, 1, 0].map(Value::from), "{figures}");
    assert_eq!(figures["deferrals"], 2);
    assert_eq!(figures["bytes"], 4000);
    let google = named(&figures["providers"], "google");
    assert_eq!((&google["outcomes"]["sent"], &google["outcomes"]["bounced"]), (&2.into(), &1.into()));
    let dest = &named(&figures["recipient_domains"], "dest.example")["outcomes"];
    assert_eq!((&dest["sent"], &dest["bounced"], &dest["deferred"]), (&2.into(), &1.into(), &1.into()));
    assert_eq!(named(&figures["sender_domains"], "shop.example")["outcomes"]["sent"], 4);
    assert_eq!(named(&figures["clients"], "shop")["outcomes"]["sent"], 4);
    assert_eq!(named(&figures["relays"], "mx.dest.example")["outcomes"]["sent"], 2);
    let median = figures["delay"]["p50"].as_f64().unwrap();
    assert!((1.5..3.0).contains(&median), "{median}");
    assert!((5000.0..9000.0).contains(&figures["delay"]["p99"].as_f64().unwrap()));
}

#[test]
fn a_day_is_counted_once_however_it_is_read() {
    let (first, second) = day();
    let at_once = sandbox();
    append(&at_once, &(first.clone() + &second));
    tick(&at_once, &[]);
    let whole = report(&at_once, &DAY);
    is_the_day(&whole);
    let line_by_line = sandbox();
    for line in (first + &second).split_inclusive('\n') {
        append(&line_by_line, line);
        tick(&line_by_line, &[]);
    }
    let pieces = report(&line_by_line, &DAY);
    is_the_day(&pieces);
    assert_eq!(whole["series"], pieces["series"]);
    assert_eq!(whole["reasons"], pieces["reasons"]);
    let of = |figures: &Value, list: &str, reason: &str| {
        let found = figures[list].as_array().unwrap().iter().find(|one| one["reason"] == reason);
        found.map_or(0, |one| one["count"].as_u64().unwrap())
    };
    assert_eq!(of(&whole, "reasons", "user-unknown"), 1, "{whole}");
    assert_eq!(of(&whole, "rejects", "user-unknown"), 0);
    assert_eq!(whole["rejects"].as_array().unwrap().len(), 1, "{whole}");
    assert_eq!(whole["unknown"][0]["count"], 1, "{whole}");
    // An hour of it alone.
    let hour = report(&at_once, &["--since", "2026-03-01T11:00:00Z", "--until", "2026-03-01T12:00:00Z"]);
    assert_eq!((&hour["totals"]["sent"], &hour["totals"]["rejected"]), (&1.into(), &1.into()));
}

#[test]
fn counting_alone_keeps_no_delivery() {
    let (first, second) = day();
    let sandbox = sandbox();
    append(&sandbox, &(first + &second));
    tick(&sandbox, &["--no-index"]);
    let figures = report(&sandbox, &DAY);
    assert_eq!(
        (&figures["totals"]["sent"], &figures["totals"]["bounced"]),
        (&4.into(), &2.into()),
        "{figures}"
    );
    assert!(figures["reasons"].as_array().unwrap().iter().any(|one| one["reason"] == "user-unknown"));
    assert_eq!(sandbox.run(&["deliveries", "--json"], b"").stdout, "");
}

#[test]
fn every_export_has_the_figures_of_the_report() {
    let sandbox = sandbox();
    let (first, second) = day();
    // Of today, so that the page of the last 24 hours shows it.
    let now = jiff::Timestamp::now();
    let recent = |text: String| {
        let hour = now - jiff::SignedDuration::from_secs(3600);
        text.replace("2026-03-01T09:0", &hour.strftime("%Y-%m-%dT%H:0").to_string())
    };
    append(&sandbox, &recent(first));
    append(&sandbox, &second);
    tick(&sandbox, &[]);
    let prometheus = fs::read_to_string(sandbox.path("out/carom.prom")).unwrap();
    for line in [
        "carom_deliveries_total{status=\"sent\"} 4",
        "carom_deliveries_total{status=\"bounced\"} 2",
        "carom_deliveries_total{status=\"rejected\"} 1",
        "carom_deliveries_waiting{status=\"deferred\"} ",
        "carom_failures_total{reason=\"user-unknown\",category=\"bad-mailbox\"} 1",
        "carom_provider_deliveries_total{provider=\"google\",status=\"bounced\"} 1",
        "carom_unclassified_total 1",
        "carom_messages_total{outcome=\"taken\"} 0",
    ] {
        assert!(prometheus.contains(line), "{line}\n{prometheus}");
    }
    let page = fs::read_to_string(sandbox.path("out/report.html")).unwrap();
    assert!(page.contains("user-unknown") && page.contains("gmail.example"), "{page}");
    assert!(
        !page.contains("http://") && !page.contains("https://") && !page.contains("<script"),
        "no network"
    );
    let json: Value =
        serde_json::from_str(&fs::read_to_string(sandbox.path("out/report.json")).unwrap()).unwrap();
    assert_eq!((&json["totals"]["sent"], &json["totals"]["bounced"]), (&3.into(), &2.into()), "{json}");
    let sheet = fs::read_to_string(sandbox.path("out/csv/providers.csv")).unwrap();
    assert!(sheet.starts_with("provider,sent,") && sheet.contains("google,2,0,1"), "{sheet}");
    let stats: Value =
        serde_json::from_str(&fs::read_to_string(sandbox.path("out/stats.json")).unwrap()).unwrap();
    assert!(stats["startedRunning"].is_string());
    let minutes = fs::read_to_string(sandbox.path("out/ts-messages.json")).unwrap();
    assert_eq!(minutes.trim(), "[]");
    let told = |sandbox: &Sandbox| -> Vec<Value> {
        let mut files: Vec<_> =
            fs::read_dir(sandbox.path("out/events")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(told(&sandbox).len(), 8);
    tick(&sandbox, &[]);
    assert_eq!(told(&sandbox).len(), 8, "what did not change is not told again");
    append(&sandbox, &delivery(720, 7, "later@dest.example", OTHER, 9.0, SENT));
    tick(&sandbox, &[]);
    let events = told(&sandbox);
    let last = events.last().unwrap();
    assert_eq!(
        (events.len(), &last["data"]["recipient"], &last["data"]["status"]),
        (9, &"later@dest.example".into(), &"sent".into())
    );
    // The same, asked for by hand.
    for what in ["prometheus", "json", "html", "events"] {
        let ran = sandbox.run(&["export", what], b"");
        assert!(ran.code == 0 && ran.stdout.len() > 500, "{what}: {ran:?}");
    }
    let json: Value =
        serde_json::from_str(&sandbox.run(&["export", "json", "--since", "24h"], b"").stdout).unwrap();
    assert!(json["startedRunning"].is_string() && json["ts-messages"].is_array(), "{json}");
    assert_eq!(json["report"]["totals"]["bounced"], 2);
    let series = sandbox.run(&["export", "csv", "--since", "24h"], b"").stdout;
    assert!(series.starts_with("time,sent,") && series.lines().count() > 1, "{series}");
    let lists = sandbox.path("lists");
    sandbox.run(&["export", "csv", "--since", "24h", "--output", lists.to_str().unwrap()], b"").silent();
    assert_eq!(fs::read_dir(&lists).unwrap().count(), 12);
    let ran = sandbox.run(&["export", "csv", "--list", "reasons"], b"");
    assert!(ran.stdout.contains("user-unknown,bad-mailbox,1"), "{ran:?}");
    let terminal = sandbox.run(&["report", "--since", "24h"], b"").stdout;
    assert!(
        terminal.contains("delivered") && terminal.contains("user-unknown") && !terminal.contains('\x1b'),
        "{terminal}"
    );
}

#[test]
fn ticks_of_a_real_postfix_count_what_was_sent_while_logs_rotate() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new();
    let log = sandbox.path("postfix/mail.log");
    let sandbox = sandbox.config(&format!("[[logs]]\nkind = \"postfix\"\npath = \"{}\"\n", log.display()));
    let postfix = Postfix::start(&sandbox, peer.port);
    let (mut good, mut bad) = (0, 0);
    for n in 0..40 {
        let (to, count) = match n % 4 {
            0 => (format!("x{n}+5.1.1@reject.sink.example"), &mut bad),
            _ => (format!("x{n}@accept.sink.example"), &mut good),
        };
        *count += 1;
        assert!(postfix.send(SENDER, &to, &plain(&to)).starts_with("250"));
        if n % 3 == 0 {
            postfix.share_logs();
            tick(&sandbox, &[]);
        }
        if n % 10 == 9 {
            postfix.rotate();
        }
    }
    wait_for(60, "an empty queue", || postfix.queued() == 0);
    postfix.share_logs();
    tick(&sandbox, &[]);
    let figures = report(&sandbox, &["--since", "24h"]);
    let counted =
        |what: &str| ["sent", "bounced", "deferred"].map(|status| figures[what][status].as_u64().unwrap());
    assert_eq!(counted("carom"), [good, bad, 0], "{figures}");
    // Each refusal goes back to its sender, who is ours, as a notification: a delivery with the null sender.
    assert_eq!((counted("totals"), counted("null_sender")), ([bad, 0, 0], [bad, 0, 0]), "{figures}");
    assert_eq!(counted("others"), [0, 0, 0], "{figures}");
    assert_eq!(peer.mails().len() as u64, bad);
    assert_eq!(figures["lines"]["unknown"], 0, "{figures}");
    let rotated = fs::read_dir(sandbox.path("postfix")).unwrap().flatten();
    let rotated =
        rotated.filter(|entry| entry.file_name().to_string_lossy().starts_with("mail.log.")).count();
    assert!(rotated >= 3, "{rotated} rotated logs");
}

#[test]
fn deferrals_count_when_and_where_they_were_logged_however_much_is_read_at_once() {
    let full = "dsn=4.2.2, status=deferred (host mx[192.0.2.1] said: 452 4.2.2 Mailbox full (in reply to RCPT TO command))";
    let day = |day: u32, text: String| text.replace("2026-03-01", &format!("2026-03-0{day}"));
    let attempt = |at: u32, relay: &str, end: &str| {
        let all = delivery(540, 1, "a@gmail.example", relay, 60.0, end);
        day(at, format!("{}\n", all.lines().nth(2).unwrap()))
    };
    let lines = [
        delivery(540, 1, "a@gmail.example", GOOGLE, 60.0, full),
        attempt(2, GOOGLE, full),
        attempt(3, GOOGLE, full),
        attempt(4, OTHER, SENT),
        attempt(4, OTHER, SENT),
    ];
    let read = |at_once: bool| {
        let sandbox = sandbox();
        for line in &lines {
            append(&sandbox, line);
            if !at_once {
                tick(&sandbox, &[]);
            }
        }
        tick(&sandbox, &[]);
        let days = (1..=4).map(|day| {
            let (since, until) =
                (format!("2026-03-0{day}T00:00:00Z"), format!("2026-03-0{}T00:00:00Z", day + 1));
            let figures = report(&sandbox, &["--since", &since, "--until", &until]);
            let google =
                figures["providers"].as_array().unwrap().iter().find(|line| line["name"] == "google");
            let put_off = google.map_or(Value::Null, |line| line["deferrals"].clone());
            (figures["totals"]["sent"].clone(), figures["deferrals"].clone(), put_off)
        });
        days.collect::<Vec<_>>()
    };
    let none = Value::Null;
    let want = [(0, 1, 1.into()), (0, 1, 1.into()), (0, 1, 1.into()), (1, 0, none)];
    let want = want.map(|(sent, put_off, google)| (Value::from(sent), Value::from(put_off), google));
    assert_eq!(read(false), want);
    assert_eq!(read(true), want);
}

#[test]
fn a_line_that_says_absurd_sizes_and_delays_spoils_no_statistics() {
    let sandbox = sandbox();
    for n in 1..4 {
        let absurd = delivery(540, n, "a@dest.example", OTHER, 1e30, SENT);
        append(&sandbox, &absurd.replace("size=1000", "size=9223372036854775807"));
        tick(&sandbox, &[]);
    }
    let figures = report(&sandbox, &DAY);
    assert_eq!((&figures["totals"]["sent"], &figures["bytes"]), (&3.into(), &(3_u64 << 40).into()));
    assert!(figures["delay"]["p99"].as_f64().unwrap() < 1e7, "{figures}");
}

#[test]
fn what_two_logs_say_counts_once() {
    let sandbox = sandbox();
    let (first, second) = day();
    append(&sandbox, &(first + &second));
    tick(&sandbox, &[]);
    is_the_day(&report(&sandbox, &DAY));
    fs::copy(sandbox.path("mail.log"), sandbox.path("maillog")).unwrap();
    let other = format!(
        "[[logs]]\nkind = \"postfix\"\npath = \"{}/maillog\"\ntimezone = \"UTC\"\n",
        sandbox.dir.display()
    );
    let sandbox = sandbox.config(&other);
    tick(&sandbox, &[]);
    is_the_day(&report(&sandbox, &DAY));
}

/// `now` is a time, and what has just begun is a period.
#[test]
fn a_report_since_now_is_one_of_nothing_yet_and_one_since_tomorrow_an_error() {
    let sandbox = crate::harness::mail_log::sandbox(None, "");
    append(
        &sandbox,
        &crate::harness::mail_log::ago(50, &delivery(540, 1, "ann@dest.example", OTHER, 1.0, SENT)),
    );
    tick(&sandbox, &[]);
    for period in [&["--since", "now"][..], &["--since", "now", "--until", "now"], &["--since", "0m"]] {
        for form in [&[][..], &["--json"]] {
            let ran = sandbox.run(&[&["report"], period, form].concat(), b"");
            assert!(ran.code == 0 && ran.stderr.is_empty(), "{period:?} {ran:?}");
        }
    }
    let hour = ["--since", "2026-03-01T08:00:00Z", "--until", "2026-03-01T08:00:00Z"];
    let empty = sandbox.run(&[&["report"], &hour[..], &["--json"]].concat(), b"");
    assert!(empty.code == 0 && !empty.stdout.contains("ann@"), "{empty:?}");
    let wrong = sandbox.run(&["report", "--since", "9999-01-01"], b"");
    assert!(wrong.code == 1 && wrong.stderr.contains("the period ends before it begins"), "{wrong:?}");
}
