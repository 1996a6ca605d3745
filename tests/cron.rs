//! The tick from the outside: operators are told once of what changes, values follow the day of the week, what is old goes, and a part
//! that fails, or is killed, keeps nothing else from being done.

use crate::harness::application::Application;
use crate::harness::peers::{ACCEPT, Arrived, Manner, SmtpPeer};
use crate::harness::{DAY_MS, HOUR_MS, MINUTE_MS, Ran, Sandbox, finish, names, plain, start, wait_for};
use data_encoding::BASE64;
use jiff::{Timestamp, ToSpan};
use ring::hmac;
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn append(path: &Path, text: &str) {
    File::options().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// The lines of message `n`, some minutes ago.
fn message(n: u32, id: &str, sender: &str, status: &str) -> String {
    let time = (Timestamp::now() - 5.minutes()).strftime("%Y-%m-%dT%H:%M:%S.000000+00:00").to_string();
    let queue = format!("4Xn0y8{n:06}zZ1f");
    let (dsn, reply) = match status {
        "sent" => ("2.0.0", "250 2.0.0 Ok".to_owned()),
        _ => ("5.1.1", "host mx.dest.example[192.0.2.9] said: 550 5.1.1 no such user".to_owned()),
    };
    format!(
        "{time} mx postfix/cleanup[11]: {queue}: message-id=<{id}>\n\
         {time} mx postfix/qmgr[12]: {queue}: from=<{sender}>, size=1000, nrcpt=1 (queue active)\n\
         {time} mx postfix/smtp[13]: {queue}: to=<user{n}@dest.example>, relay=mx.dest.example[192.0.2.9]:25, delay=1.5, \
         delays=0.1/0/0.4/1, dsn={dsn}, status={status} ({reply})\n\
         {time} mx postfix/qmgr[12]: {queue}: removed\n"
    )
}

fn many(range: std::ops::Range<u32>, status: &str) -> String {
    range.map(|n| message(n, &format!("{n}@shop.example"), "me@shop.example", status)).collect()
}

fn logs(sandbox: &Sandbox) -> String {
    let path = sandbox.path("mail.log");
    format!("[[logs]]\nkind = \"postfix\"\npath = \"{}\"\ntimezone = \"UTC\"\n", path.display())
}

/// A sample of the exposition for Prometheus.
fn sample(sandbox: &Sandbox, name: &str) -> f64 {
    let text = sandbox.run(&["export", "prometheus"], b"").stdout;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// What `carom check` says of the tick.
fn checked_tick(sandbox: &Sandbox) -> String {
    let text = sandbox.run(&["check"], b"").stdout;
    text.lines().find(|line| line.contains(" tick ")).unwrap_or_default().to_owned()
}

/// The signature of a Standard Webhooks request, by the specification.
fn signature(id: &str, timestamp: &str, body: &str) -> String {
    signature_by(SECRET, id, timestamp, body)
}

/// The same with another secret.
pub(crate) fn signature_by(secret: &str, id: &str, timestamp: &str, body: &str) -> String {
    let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap().as_bytes()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signed = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", BASE64.encode(signed.as_ref()))
}

/// A tick that goes well; what it told, `RULE SUBJECT STATE`.
#[track_caller]
fn tick(sandbox: &Sandbox) -> Vec<String> {
    let ran = sandbox.run(&["cron", "--json"], b"");
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    let done: Value = serde_json::from_str(&ran.stdout).unwrap();
    let word = |change: &Value, key: &str| change[key].as_str().unwrap().to_owned();
    let told = done["alerts"].as_array().unwrap().iter();
    told.map(|c| [word(c, "alert"), word(c, "subject"), word(c, "state")].join(" ")).collect()
}

fn field(mail: &Arrived, name: &str) -> String {
    let text = String::from_utf8_lossy(&mail.data).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

#[test]
fn an_alert_is_told_once_when_it_fires_and_once_when_it_is_over() {
    let (peer, application) = (SmtpPeer::start(ACCEPT), Application::at(0));
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let config = logs(&sandbox)
        + &format!(
            "[[alert]]\nname = \"bounces\"\nwhen = \"bounce-rate\"\nof = \"recipient-domain:each\"\nabove = 10\n\
             mail = [\"ops@sender.example\"]\nwebhook = \"http://127.0.0.1:{}/alerts\"\nsecrets = [\"{SECRET}\"]\n",
            application.port
        );
    let sandbox = sandbox.config(&config);
    let log = sandbox.path("mail.log");
    // Mail of alerts that comes back says nothing about the operators' mail.
    append(&log, &(900..940).map(|n| message(n, "carom-alert.1@mx", "", "bounced")).collect::<String>());
    append(&log, &many(1..20, "bounced"));
    assert_eq!(tick(&sandbox), Vec::<String>::new(), "nineteen deliveries say nothing");
    assert_eq!(sandbox.run(&["alerts"], b"").code, 0);

    append(&log, &many(20..31, "bounced"));
    assert_eq!(tick(&sandbox), ["bounces dest.example firing"]);
    let [mail] = peer.mails().try_into().unwrap();
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("", "ops@sender.example"));
    assert_eq!(field(&mail, "Auto-Submitted"), "auto-generated");
    assert_eq!(field(&mail, "From"), "<carom@sink.example>");
    assert!(field(&mail, "Message-ID").starts_with("<carom-alert."), "{mail:?}");
    assert_eq!(
        field(&mail, "Subject"),
        "[carom sink.example] FIRING bounces: bounce-rate of recipient domain dest.example is 100 %"
    );
    let text = String::from_utf8_lossy(&mail.data).into_owned();
    for said in
        ["100 % in the last 1h", "above 10 %", "since      20", "carom deliveries --failed --since 1h"]
    {
        assert!(text.contains(said), "{said}: {text}");
    }
    let [told] = application.told().try_into().unwrap();
    let body: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!((&body["event"], &body["value"]), (&"alert.firing".into(), &100.0.into()));
    let signed = signature(told.header("webhook-id"), told.header("webhook-timestamp"), &told.body);
    assert_eq!(told.header("webhook-signature"), signed);

    let shown = sandbox.run(&["alerts"], b"");
    assert!(shown.code == 1 && shown.stdout.starts_with("firing   bounces  bounce-rate"), "{shown:?}");
    for _ in 0..2 {
        assert_eq!(tick(&sandbox), Vec::<String>::new());
    }
    assert_eq!((peer.mails().len(), application.told().len()), (1, 1));

    append(&log, &many(31..600, "sent"));
    assert_eq!(tick(&sandbox), ["bounces dest.example resolved"]);
    assert!(field(&peer.mails()[1], "Subject").contains("resolved bounces"));
    assert!(application.told()[1].body.contains("alert.resolved"));
    assert_eq!(tick(&sandbox), Vec::<String>::new());
    let shown = sandbox.run(&["alerts", "--json"], b"");
    let standing: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(
        (shown.code, &standing["state"], &standing["threshold"]),
        (0, &"quiet".into(), &"above 10 %".into())
    );
    assert_eq!((peer.mails().len(), sandbox.counter("alert_sent")), (2, 4));
    assert_eq!(sandbox.run(&["stats", "--minutes", "--json"], b"").stdout, "[]\n", "alerts are no messages");
}

#[test]
fn an_alert_that_cannot_be_told_is_owed_and_makes_no_other() {
    let peer = SmtpPeer::start(Manner { at: "RCPT", reply: "451 4.3.0 later" });
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let config = logs(&sandbox)
        + "[[alert]]\nname = \"silent\"\nwhen = \"log-silent\"\nabove = 30\nmail = [\"ops@sender.example\"]\n\
           [[alert]]\nname = \"outbox\"\nwhen = \"outbox\"\nabove = 0\nmail = [\"ops@sender.example\"]\n";
    let sandbox = sandbox.config(&config);
    append(&sandbox.path("mail.log"), "");
    assert_eq!(tick(&sandbox), [format!("silent postfix:{} firing", sandbox.path("mail.log").display())]);
    for _ in 0..2 {
        assert_eq!(tick(&sandbox), Vec::<String>::new());
    }
    let owed = sandbox.run(&["outbox", "--json"], b"").stdout;
    assert!(owed.lines().count() == 1 && owed.contains("\"action\":\"alert\""), "{owed}");
    assert!(
        owed.contains("\"attempts\":1") && owed.contains("silent not sent to <ops@sender.example>"),
        "{owed}"
    );
    append(&sandbox.path("mail.log"), &many(1..2, "sent"));
    assert_eq!(tick(&sandbox).len(), 1, "it is read again");
}

#[test]
fn a_server_that_the_operator_names_may_be_a_private_one() {
    let peer = SmtpPeer::start(ACCEPT);
    let config = format!(
        "[alerts]\nfrom = \"watch@example.com\"\nserver = \"127.0.0.1:{}\"\n\
         [[alert]]\nname = \"queue\"\nwhen = \"queue\"\nbelow = 1\nmail = [\"a@nowhere.example\", \"b@nowhere.example\"]\n",
        peer.port
    );
    let sandbox = Sandbox::new().config(&config);
    let path = sandbox.path("carom.toml");
    let strict = fs::read_to_string(&path).unwrap().replace("allow_private = [\"127.0.0.0/8\"]", "");
    fs::write(&path, strict).unwrap();
    assert_eq!(tick(&sandbox), ["queue  firing"]);
    let mut mails = peer.mails();
    mails.sort_by(|a, b| a.to.cmp(&b.to));
    assert_eq!(
        mails.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(),
        ["a@nowhere.example", "b@nowhere.example"]
    );
    assert_eq!(field(&mails[0], "From"), "<watch@example.com>");
}

/// A cycle whose reload command leaves a line in `reloads`, and then does `more`.
fn cycle(sandbox: &Sandbox, more: &str) -> String {
    let dir = sandbox.dir.display();
    format!(
        "[[cycle]]\nname = \"rate\"\nvalues = [4, 4, 4, 4, 4, 4, 4]\nfile = \"{dir}/rate.conf\"\ntext = \"percent {{value}}\"\n\
         reload = [\"sh\", \"-c\", \"echo x >> {dir}/reloads; {more}\"]\n"
    )
}

fn lines(sandbox: &Sandbox, name: &str) -> usize {
    fs::read_to_string(sandbox.path(name)).unwrap_or_default().lines().count()
}

#[test]
fn a_part_that_fails_keeps_no_other_from_being_done_and_is_told() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let config = logs(&sandbox)
        + &cycle(&sandbox, "true")
        + "[[alert]]\nname = \"tick\"\nwhen = \"tick-failed\"\nmail = [\"ops@sender.example\"]\n\
           [[alert]]\nname = \"no-mail\"\nwhen = \"volume\"\nbelow = 1\nmail = [\"ops@sender.example\"]\n";
    let sandbox = sandbox.config(&config);
    let index = sandbox.path("state/index.db");
    append(&sandbox.path("mail.log"), &many(1..3, "sent"));
    assert_eq!(tick(&sandbox), Vec::<String>::new());
    let (last, success) = ("carom_tick_timestamp_seconds", "carom_tick_last_success_timestamp_seconds");
    let whole = sample(&sandbox, last);
    assert_eq!((sample(&sandbox, success), sample(&sandbox, "carom_tick_failed_parts")), (whole, 0.0));

    fs::remove_file(sandbox.path("rate.conf")).unwrap();
    let good = fs::read(&index).unwrap();
    for name in names(&sandbox.path("state")).iter().filter(|name| name.starts_with("index.db-")) {
        fs::remove_file(sandbox.path("state").join(name)).unwrap();
    }
    let damaged: Vec<u8> =
        good.iter().enumerate().map(|(at, byte)| if at < 4096 { *byte } else { 0xa5 }).collect();
    fs::write(&index, damaged).unwrap();
    let checked = sandbox.run(&["check"], b"");
    let is_found =
        |line: &str| line.starts_with("wrong") && line.contains(" index ") && line.contains("damaged");
    assert!(checked.code == 1 && checked.stdout.lines().any(is_found), "{checked:?}");
    fs::write(&index, "this is no database, whatever its name says".repeat(100)).unwrap();
    let ran = sandbox.run(&["cron"], b"");
    assert!(ran.code == 1 && ran.stdout.is_empty(), "{ran:?}");
    assert!(
        ran.stderr.starts_with("carom: logs: index ") && ran.stderr.contains("; move it away: mv "),
        "{ran:?}"
    );
    assert_eq!((lines(&sandbox, "rate.conf"), lines(&sandbox, "reloads")), (2, 2), "the cycle goes on");
    let failed = checked_tick(&sandbox);
    assert!(failed.contains("failed in part: ") && failed.contains("logs"), "{failed}");

    fs::write(&index, good).unwrap();
    assert!(sample(&sandbox, last) > whole && sample(&sandbox, success) == whole);
    tick(&sandbox);
    let (at, duration) = (sample(&sandbox, last), sample(&sandbox, "carom_tick_duration_seconds"));
    assert!(at == sample(&sandbox, success) && at > whole && duration < 50.0, "{at} {duration}");
    assert_eq!(sample(&sandbox, "carom_tick_failed_parts"), 0.0);
    // With the index the rules on deliveries could not be looked at; those on the tick were.
    let subjects: Vec<String> = peer.mails().iter().map(|mail| field(mail, "Subject")).collect();
    assert!(
        subjects.len() == 2 && subjects[0].contains("FIRING tick") && subjects[1].contains("resolved tick"),
        "{subjects:?}"
    );
}

#[test]
fn ticks_at_once_write_run_and_tell_once() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let config = cycle(&sandbox, "sleep 0.3")
        + "[[alert]]\nname = \"queue\"\nwhen = \"queue\"\nbelow = 1\nmail = [\"ops@sender.example\"]\n";
    let sandbox = sandbox.config(&config);
    let ticks: Vec<_> = (0..6).map(|_| start(sandbox.command(&["cron"]), b"")).collect();
    let ran: Vec<Ran> = ticks.into_iter().map(|tick| finish(tick, Duration::from_secs(60))).collect();
    assert!(ran.iter().all(|ran| ran.code == 0 && ran.stderr.is_empty()), "{ran:?}");
    // A tick that found the others gone may find everything done, never the same to do again.
    assert_eq!((lines(&sandbox, "reloads"), peer.mails().len()), (1, 1));
}

#[test]
fn a_tick_that_is_killed_owes_its_reload_and_its_alerts() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let config = cycle(&sandbox, "sleep 1")
        + "[[alert]]\nname = \"queue\"\nwhen = \"queue\"\nbelow = 1\nmail = [\"ops@sender.example\"]\n";
    let sandbox = sandbox.config(&config);
    let mut child = start(sandbox.command(&["cron"]), b"");
    wait_for(30, "the reload command", || lines(&sandbox, "reloads") == 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((lines(&sandbox, "rate.conf"), peer.mails().len()), (2, 0));
    sandbox.run(&["cron"], b"").silent();
    assert_eq!((lines(&sandbox, "reloads"), peer.mails().len()), (2, 1));
    sandbox.run(&["cron"], b"").silent();
    assert_eq!((lines(&sandbox, "reloads"), peer.mails().len()), (2, 1));
}

#[test]
fn check_says_how_ticks_go() {
    let sandbox = Sandbox::new();
    let place = sandbox.path("nowhere");
    let sandbox = sandbox.config(&format!(
        "[[cycle]]\nname = \"a\"\nvalues = [1, 1, 1, 1, 1, 1, 1]\nfile = \"{}/x\"\ntext = \"{{value}}\"\n",
        place.display()
    ));
    assert_eq!(checked_tick(&sandbox), "", "there was none yet");
    let missing = sandbox.run(&["check"], b"");
    assert!(
        missing.code == 1 && missing.stdout.contains("/nowhere: there is no such directory"),
        "{missing:?}"
    );
    let ran = sandbox.run(&["cron"], b"");
    let wrong = format!("carom: cycle: [[cycle]] a: {}/x: ", place.display());
    assert!(ran.code == 1 && ran.stderr.starts_with(&wrong), "{ran:?}");
    assert!(checked_tick(&sandbox).contains("failed in part: cycle"));
    fs::create_dir(&place).unwrap();
    sandbox.set_clock(-11 * MINUTE_MS);
    sandbox.run(&["cron"], b"").silent();
    sandbox.set_clock(0);
    assert!(checked_tick(&sandbox).contains("the last one was at 20"));
    assert_eq!(sandbox.run(&["check"], b"").code, 1, "no tick for ten minutes");
    sandbox.run(&["cron"], b"").silent();
    let took = checked_tick(&sandbox);
    let words: Vec<&str> = took.rsplit(' ').take(3).collect();
    assert!(matches!(words[..], ["ms", many, "took"] if many.parse::<u32>().is_ok()), "{took}");
}

#[test]
fn what_is_old_goes_with_the_tick() {
    let sandbox = Sandbox::new().config("[log]\nkeep_days = 3\nmax_size = 100000\n[relay]\nkeep_days = 5\n");
    let message = plain("x@accept.sink.example");
    let recipient = "x@accept.sink.example";
    let deliver = |id: &str| {
        sandbox.run(&["pipe", "--sender", "", "--recipient", recipient, "--queue-id", id], &message)
    };
    let suppress = |arguments: &[&str]| {
        let ran = sandbox.run(&[&["suppress", "add"], arguments].concat(), b"");
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    let minutes = || sandbox.run(&["stats", "--minutes", "--json"], b"").stdout.matches("time").count();
    sandbox.set_clock(-11 * DAY_MS);
    suppress(&["gone@a.example", "--days", "10"]);
    suppress(&["here@a.example"]);
    deliver("4Xn0y80000001zZ1f").silent();
    sandbox.set_clock(-HOUR_MS);
    sandbox.run(&["cron"], b"").silent();
    sandbox.set_clock(0);
    deliver("4Xn0y80000002zZ1f").silent();
    let log = sandbox.path("state/log");
    fs::create_dir_all(&log).unwrap();
    for date in ["messages-2026-01-01.log", "carom-2026-01-01.log"] {
        fs::write(log.join(date), "x").unwrap();
    }
    let today = Timestamp::now().strftime("messages-%Y-%m-%d.log").to_string();
    // The second message is on record in this file: what follows its line is cut off.
    append(&log.join(&today), &"x".repeat(200_000));
    let yesterday = (Timestamp::now() - 24.hours()).strftime("messages-%Y-%m-%d.log").to_string();
    fs::write(log.join(&yesterday), "x").unwrap();
    let kept = sandbox.path("state/done");
    fs::create_dir_all(&kept).unwrap();
    for (name, days) in [("old.eml", 6), ("new.eml", 4)] {
        let old = std::time::SystemTime::now() - Duration::from_secs(days * 86_400);
        File::create(kept.join(name)).unwrap().set_modified(old).unwrap();
    }
    let compiled = sandbox.path("state/compiled");
    fs::create_dir_all(&compiled).unwrap();
    let code = File::create(compiled.join("aa-0.0.1-native.cwasm")).unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(40 * 86_400);
    code.set_times(fs::FileTimes::new().set_accessed(long_ago).set_modified(long_ago)).unwrap();

    sandbox.run(&["cron"], b"").silent();
    assert_eq!(names(&log).iter().filter(|name| name.starts_with("messages-")).collect::<Vec<_>>(), [&today]);
    assert!(!log.join("carom-2026-01-01.log").exists());
    assert_eq!(names(&kept), ["new.eml"]);
    assert!(!names(&compiled).iter().any(|name| name.contains("0.0.1")));
    let listed = sandbox.run(&["suppress", "list"], b"").stdout;
    assert!(listed.contains("here@a.example") && !listed.contains("gone@a.example"), "{listed}");
    assert_eq!((minutes(), sandbox.counter("total_messages")), (1, 2), "what was counted stays");
    // A journal row makes the second delivery of a queue id change nothing; the old one is gone.
    for (id, total) in [("4Xn0y80000002zZ1f", 2), ("4Xn0y80000001zZ1f", 3)] {
        deliver(id).silent();
        assert_eq!(sandbox.counter("total_messages"), total, "{id}");
    }
}
