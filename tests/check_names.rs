//! `carom check`: settings that can be read and mean something else than was meant: names that nobody has, alerts that
//! never fire, limits that no mail keeps, a log in another time zone.
//!
//! Not here: users, directories, clock and network (`check`), and what the config names (`check_config`, `check_places`).

use crate::check::dns_server;
use crate::harness::checked_host::{GOOD, Host};
use crate::harness::mail_log::ago;
use crate::statistics::{OTHER, SENT, delivery};
use jiff::{SignedDuration, Timestamp};
use std::fs;

/// A host with a mail log that has a delivery of shop.example, and these lines more.
fn with_log(more: &str) -> Host {
    let host = Host::with(&format!(
        "[[logs]]\nkind = \"postfix\"\npath = \"DIR/mail.log\"\ntimezone = \"UTC\"\n{more}"
    ));
    let lines = ago(50, &delivery(540, 1, "ann@dest.example", OTHER, 1.0, SENT));
    fs::write(host.sandbox.path("mail.log"), lines).unwrap();
    host
}

const ALERT: &str = "[[alert]]\nname = \"a\"\nmail = [\"ops@sender.example\"]\n";

#[test]
fn alerts_that_never_fire_are_found() {
    for (wrong, right, level, text, fix) in [
        (
            "when = \"reason:usr-unknown\"\nabove = 1",
            "when = \"reason:user-unknown\"\nabove = 1",
            "wrong",
            "[[alert]] a: no failure has the reason usr-unknown",
            "when = \"reason:user-unknown\"",
        ),
        (
            "when = \"reason:bad-mailbox\"\nabove = 1",
            "when = \"reason:blocked\"\nabove = 1",
            "wrong",
            "[[alert]] a: no failure has the reason bad-mailbox",
            "user-unknown, filtered",
        ),
        (
            "when = \"delay\"\nabove = 9\nof = \"source:vmta\"",
            "when = \"delay\"\nabove = 9\nof = \"source:vmta/mta1\"",
            "note",
            "source:vmta names no source",
            "of = \"source:vmta/NAME\"",
        ),
        (
            "when = \"delay\"\nabove = 9\nof = \"source:vmta/\"",
            "when = \"delay\"\nabove = 9\nof = \"source:mta1\"",
            "note",
            "source:vmta/ names no source",
            "of = \"source:vmta/NAME\"",
        ),
        (
            "when = \"delay\"\nabove = 9\nof = \"provider:google.com\"",
            "when = \"delay\"\nabove = 9\nof = \"provider:google\"",
            "note",
            "servers in google.com count as provider google",
            "of = \"provider:google\"",
        ),
        (
            "when = \"delay\"\nabove = 9\nof = \"recipient-domain:mail.dest.example\"",
            "when = \"delay\"\nabove = 9\nof = \"recipient-domain:dest.example\"",
            "note",
            "mail of mail.dest.example counts under dest.example",
            "of = \"recipient-domain:dest.example\"",
        ),
        (
            "when = \"bounce-rate\"\nabove = 150",
            "when = \"bounce-rate\"\nabove = 15",
            "wrong",
            "is in percent, and never above 150",
            "between 0 and 100",
        ),
        (
            "when = \"bounce-rate\"\nabove = 0.05",
            "when = \"bounce-rate\"\nabove = 5",
            "note",
            "bounce-rate is in percent: 0.05 is",
            "set above = 5",
        ),
    ] {
        let host = with_log(&format!("{ALERT}{wrong}\n"));
        let found = host.finds(&[], level, text);
        assert!(found["fix"].as_str().unwrap().contains(fix), "{found}");
        assert!(found["subject"] == "alert" && found["line"].as_u64().unwrap() > 18, "{found}");
        host.edit(wrong, right);
        host.is_repaired(&[], text);
    }
    let host = Host::with(&format!("{ALERT}when = \"outbox\"\nbelow = 5\n"));
    let found =
        host.finds(&[], "note", "outbox counts what is wrong, and below 5 it fires while all is well");
    assert_eq!(found["fix"], "set above = 5 in place of below", "{found}");
    let host = Host::with(&format!("{ALERT}when = \"volume\"\nbelow = 1\n"));
    let found = host.finds(&[], "note", "volume is counted from mail logs, and there are no [[logs]]");
    assert!(found["fix"].as_str().unwrap().contains("[[logs]] with kind and path"), "{found}");
}

#[test]
fn names_that_the_logs_have_under_another_spelling_are_found() {
    let host = with_log("");
    assert_eq!(host.sandbox.run(&["cron"], b"").code, 0);
    let alert = |of: &str| format!("{ALERT}when = \"delay\"\nabove = 9\nof = \"{of}\"\n");
    let notify = "[[notify]]\nsender_domain = \"mail.shpo.example\"\nurl = \"http://127.0.0.1/{address}\"\n";
    for (lines, typo, meant, text) in [
        (
            alert("recipient-domain:dset.example"),
            "dset.example",
            "dest.example",
            "counted under recipient-domain dset.example yet",
        ),
        (alert("client:shpo"), "client:shpo", "client:shop", "no delivery has counted under client shpo yet"),
        (notify.into(), "mail.shpo.example", "shop.example", "no mail of mail.shpo.example is in the logs"),
        (
            "[[access.senders]]\ndomain = \"shpo.example\"\n".into(),
            "shpo.example",
            "shop.example",
            "no mail of shpo.example is in the logs",
        ),
    ] {
        let log = "[[logs]]\nkind = \"postfix\"\npath = \"DIR/mail.log\"\ntimezone = \"UTC\"\n";
        host.write(&format!("{GOOD}{log}{lines}"));
        let found = host.finds(&[], "note", text);
        assert!(found["fix"].as_str().unwrap().contains(meant) && found["line"].is_u64(), "{found}");
        host.edit(typo, meant);
        host.is_repaired(&[], text);
    }
}

#[test]
fn names_that_dns_does_not_have_are_found() {
    let (port, _) = dns_server();
    let servers = format!("servers = [\"127.0.0.1:{port}\"]\ntimeout = 5");
    let more = "[unproven]\naction = \"forward\"\nto = \"ops@far.example\"\nserver = \"mail.far.example\"\n\
                [[notify]]\nsender_domain = \"shop.far.example\"\nurl = \"https://app.far.example/{address}\"\n\
                [[logs]]\nkind = \"postfix\"\npath = \"DIR/mail.log\"\nown = [\"own.far.example\", \"local\"]\n\
                [[cycle]]\nname = \"c\"\nvalues = [1, 1, 1, 1, 1, 1, 1]\n[cycle.purge]\nsources = [\"report\"]\n\
                sender_domains = [\"old.far.example\"]\n";
    let host = Host::new();
    host.write(&format!("{}{more}", GOOD.replace("zone = \"DIR/zone\"", &servers)));
    fs::write(host.sandbox.path("mail.log"), ago(9, &delivery(540, 1, "a@b.example", OTHER, 1.0, SENT)))
        .unwrap();
    for (level, text, fix) in [
        ("wrong", "[unproven] server: mail.far.example has no address", "name a host that DNS has"),
        ("wrong", "https://app.far.example/", "correct [[notify]] url"),
        ("note", "the sender domain shop.far.example has neither MX nor address", "correct shop.far.example"),
        ("note", "the sender domain own.far.example has neither MX nor address", "correct own.far.example"),
        ("note", "the sender domain old.far.example has neither MX nor address", "correct old.far.example"),
        (
            "note",
            "mx_allowlist has mx1.sender.example, which has no address in DNS",
            "correct mx1.sender.example",
        ),
        (
            "note",
            "mx_allowlist sends complaints to sender.example, which has neither MX",
            "correct sender.example",
        ),
    ] {
        let found = host.finds(&[], level, text);
        assert!(found["fix"].as_str().unwrap().contains(fix) && found["line"].is_u64(), "{found}");
    }
    let host = Host::but("mx1.sender.example", "mx1.sendr.example");
    let found = host.finds(&[], "note", "mx_allowlist has mx1.sendr.example, which is not in ");
    assert_eq!(found["fix"], "correct mx1.sendr.example, if you mean mx1.sender.example", "{found}");
    host.edit("mx1.sendr.example", "mx1.sender.example");
    host.is_repaired(&[], "mx_allowlist");
    // An entry of the other form, pasted as one text.
    host.edit("\"mx1.sender.example\" = ", "\"mx1.sender.example=fbl@sender.example\" = ");
    let found = host.finds(&[], "wrong", "which cannot be the name of a host");
    assert!(found["fix"].as_str().unwrap().contains("\"mx.example.com\" = "), "{found}");
}

#[test]
fn values_that_cannot_work_are_refused_and_those_that_seldom_do_are_found() {
    for (wrong, right, level, text) in [
        (
            "[message]\nmax_size = 10\n",
            "[message]\nmax_size = 67108864\n",
            "note",
            "[message] max_size is 10: bounces",
        ),
        ("[log]\nmax_size = 10\n", "[log]\nmax_size = 0\n", "note", "[log] max_size is 10: the log of a day"),
        (
            "[unproven]\nper_reason = 1\n",
            "[unproven]\nper_reason = 100\n",
            "note",
            "[unproven] per_reason is 1",
        ),
        ("[index]\nkeep_days = 1\n", "[index]\nkeep_days = 30\n", "note", "[index] keep_days is 1"),
        ("[limits]\ntime = 1\n", "[limits]\ntime = 250\n", "note", "[limits] time is 1: on a busy host"),
        (
            "[relay]\ngive_up_hours = 0\n",
            "",
            "note",
            "[relay] give_up_hours is 0: what fails once is given up",
        ),
        (
            "[index]\nanonymous_days = 200\n",
            "[index]\nanonymous_days = 30\n",
            "note",
            "[index] anonymous_days is 200, and deliveries are deleted after keep_days, 90",
        ),
        (
            "[access]\npolicy = \"typo\"\n",
            "[access]\npolicy = \"sink\"\n",
            "wrong",
            "there is no policy `typo`",
        ),
        (
            "[access]\nreply = \"550 5.7.1 no {raeson}\"\n",
            "[access]\nreply = \"550 5.7.1 no {reason}\"\n",
            "wrong",
            "[access] reply: has a variable that does not exist",
        ),
        (
            "[auth]\ntrusted_authserv_ids = [\"mx.example.com; spf=pass\"]\n",
            "[auth]\ntrusted_authserv_ids = [\"mx.example.com\"]\n",
            "wrong",
            "[auth] trusted_authserv_ids: \"mx.example.com; spf=pass\" is more than a name",
        ),
        (
            "[[notify]]\nsender_domain = \"shop.example.\"\nurl = \"https://app.example.com/{address}\"\n",
            "",
            "wrong",
            "\"shop.example.\" is not a domain",
        ),
        (
            "[[logs]]\nkind = \"postfix\"\npath = \"DIR/mail.log\"\nclient_header = \"client id:\"\n",
            "",
            "wrong",
            "\"client id:\" is not the name of a header field",
        ),
        ("[visit]\nmax_bytes = 1\n", "", "note", "[visit] max_bytes is 1"),
        (
            "[send]\ntimeout = 0\n",
            "[send]\ntimeout = 20\n",
            "wrong",
            "[send] timeout: must be at least 1 second",
        ),
        (
            "[[notify]]\nsender_domain = \"*\"\nurl = \"https://app.example.com:0/{address}\"\n",
            "",
            "wrong",
            "nothing listens on port 0",
        ),
        (
            "[[notify]]\nsender_domain = \"*.shop.example\"\nurl = \"https://app.example.com/{address}\"\n",
            "",
            "wrong",
            "\"*.shop.example\" is not a domain",
        ),
        (
            "[[alert]]\nname = \"a\"\nwhen = \"outbox\"\nabove = 1\nwebhook = \"https://app.example.com:0/\"\n",
            "",
            "wrong",
            "is not the URL of a web server",
        ),
        (
            "[[cycle]]\nname = \"c\"\nvalues = [0, 0, 0, 0, 0, 0, 0]\nrun = [\"true\"]\n",
            "",
            "wrong",
            "[[cycle]] c: no day has a value above 0",
        ),
        (
            "[[cycle]]\nname = \"c\"\nvalues = [1, 0, 0, 0, 0, 0, 0]\n[cycle.purge]\nsources = [\"reports\"]\n",
            "",
            "wrong",
            "[cycle.purge] sources has reports",
        ),
        (
            "[[cycle]]\nname = \"c\"\nvalues = [1, 0, 0, 0, 0, 0, 0]\n[cycle.purge]\nsources = [\"report\"]\ndirectory = \"DIR/state/kept\"\n",
            "",
            "wrong",
            "state/kept: it is a directory of carom's own: an output would replace it",
        ),
        (
            "[[policy.bounce.settings.rules]]\nname = \"r\"\npattern = \"one thing\"\nreason = \"blocked\"\n\
          [[policy.bounce.settings.rules]]\nname = \"r\"\npattern = \"other thing\"\nreason = \"suspend\"\n",
            "",
            "note",
            "two rules of policy bounce are called r",
        ),
    ] {
        let host = Host::with(wrong);
        let found = host.finds(&[], level, text);
        assert!(found["line"].as_u64().unwrap() >= 14, "{found}");
        host.edit(wrong, right);
        host.is_repaired(&[], text);
    }
    let host = Host::but("zone = \"DIR/zone\"", "servers = [\"127.0.0.1:0\"]");
    host.finds(&[], "wrong", "[dns] servers: no server answers on port 0");
}

#[test]
fn a_log_that_is_written_in_another_time_zone_is_found() {
    let host = with_log("");
    let write = |hours: i64| {
        let at = Timestamp::now() + SignedDuration::from_hours(hours);
        let line = format!(
            "{} mx postfix/qmgr[1]: 4QFkX01234z1: from=<a@b.example>, size=1, nrcpt=1\n",
            at.strftime("%b %e %H:%M:%S")
        );
        fs::write(host.sandbox.path("mail.log"), line).unwrap();
    };
    write(3);
    let found = host.finds(
        &[],
        "wrong",
        "mail.log: the newest line is 3 hours ahead of the time at which it was written",
    );
    assert!(found["fix"].as_str().unwrap().ends_with("which is 3 hours ahead of UTC"), "{found}");
    write(-5);
    let found = host.finds(
        &[],
        "note",
        "mail.log: the newest line is 5 hours behind the time at which it was written",
    );
    assert!(found["fix"].as_str().unwrap().ends_with("which is 5 hours behind UTC"), "{found}");
    write(0);
    host.is_repaired(&[], "the newest line is");
}

#[test]
fn mail_into_carom_that_would_count_as_sent_is_found() {
    let mut host = with_log("");
    let directory = host.sandbox.path("etc");
    fs::create_dir(&directory).unwrap();
    fs::write(
        directory.join("main.cf"),
        "relay_domains = sink.example\ntransport_maps = inline:{ {sink.example=robot} }\n",
    )
    .unwrap();
    let service = "robot unix - n n - - pipe flags=DORX user=nobody argv=/usr/bin/carom pipe\n";
    fs::write(directory.join("master.cf"), service).unwrap();
    host.environment.push(("MAIL_CONFIG", directory.display().to_string()));
    let found = host.finds(
        &[],
        "wrong",
        "robot hands mail to carom, and carom_transports of [[logs]] (carom*) does not name it",
    );
    assert_eq!(found["fix"], "set carom_transports = [\"carom*\", \"robot\"]", "{found}");
    host.edit("timezone = \"UTC\"\n", "timezone = \"UTC\"\ncarom_transports = [\"carom*\", \"robot\"]\n");
    let (_, findings) = host.check(&[]);
    assert!(
        !findings.iter().any(|one| one["found"].as_str().unwrap().contains("robot hands mail")),
        "{findings:#?}"
    );
}

#[test]
fn mail_to_carom_lmtp_that_the_log_does_not_show_is_found() {
    let mut host = with_log("");
    let directory = host.sandbox.path("etc");
    fs::create_dir(&directory).unwrap();
    let main = "relay_domains = sink.example\ntransport_maps = inline:{ {sink.example=carom-in:inet:127.0.0.1:9} }\n";
    fs::write(directory.join("main.cf"), main).unwrap();
    let service = "carom-in unix - - n - - lmtp\n  -o lmtp_send_xforward_command=yes\n";
    fs::write(directory.join("master.cf"), service).unwrap();
    host.environment.push(("MAIL_CONFIG", directory.display().to_string()));
    let what = "the log does not show that carom-in:inet:127.0.0.1:9 hands mail to carom";
    let found = host.finds(&[], "wrong", what);
    assert_eq!(found["fix"], "add -o syslog_name=postfix/carom-in to carom-in in master.cf", "{found}");
    fs::write(directory.join("master.cf"), format!("{service}  -o syslog_name=postfix/carom-in\n")).unwrap();
    let (_, findings) = host.check(&[]);
    assert!(!findings.iter().any(|one| one["found"].as_str().unwrap().contains(what)), "{findings:#?}");
}
