//! `carom postfix`: tables of the operator that take or change mail before carom's own entries count, fixes that do not
//! lead in a circle, and values in several lines.
//!
//! Not here: mail that is refused (`wiring_strangers`), and what `enable` writes (`wiring`).

use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::postfix::Postfix;
use crate::harness::{SENDER, Sandbox, plain, wait_for};
use crate::wiring::{Instance, SINK_AND_BOUNCES};
use std::fs;
use std::process::Command;
use std::time::Duration;

/// A Postfix that is wired, with its main.cf.
fn wired() -> (Instance, String) {
    let postfix = Instance::new("");
    assert_eq!(postfix.run(&["enable"]).code, 0);
    let main_cf = postfix.file("main.cf");
    (postfix, main_cf)
}

/// With another table of transports after ours.
fn with_transports(main_cf: &str, table: &str, more: &str) -> String {
    let line = main_cf.lines().find(|line| line.starts_with("transport_maps = ")).unwrap();
    main_cf.replace(line, &format!("{line}, {table}")) + more + "\n"
}

fn show(postfix: &Instance, main_cf: &str) -> crate::harness::Ran {
    fs::write(postfix.sandbox.path("etc/main.cf"), main_cf).unwrap();
    postfix.run(&["show"])
}

#[test]
fn tables_that_take_mail_before_ours_are_found() {
    let (postfix, enabled) = wired();
    for (table, more, found, fix) in [
        (
            "regexp:{ {/./ smtp:x} }",
            "",
            "mail for sink.example goes to smtp:x",
            "begin with an entry for carom: /[@.]sink[.]example$$/ carom:",
        ),
        (
            "static:smtp",
            "",
            "mail for .bounces.example goes to smtp",
            "remove static:smtp from transport_maps",
        ),
        (
            "inline:{ {oob.sink.example=smtp:x} }",
            "",
            "mail for oob.sink.example goes to smtp:x",
            "remove oob.sink.example from inline:",
        ),
        (
            "inline:{ {.oob.sink.example=smtp:x} }",
            "",
            "mail for accept.oob.sink.example goes to smtp:x",
            "remove .oob.sink.example from inline:",
        ),
        (
            "regexp:{ {/^b[+].*=.*@bounces/ smtp:x} }",
            "",
            "@bounces.example goes to smtp:x",
            "/[@.]bounces[.]example$$/ carom-bounce:",
        ),
        (
            "inline:{ {b@bounces.example=smtp:x} }",
            "recipient_delimiter = +",
            "@bounces.example goes to smtp:x",
            "remove b@bounces.example from inline:",
        ),
        (
            "inline:{}",
            "recipient_delimiter = +\nvirtual_alias_maps = inline:{ {b@bounces.example=me@x.example} }",
            "virtual_alias_maps replaces addresses in bounces.example",
            "take the domain out of",
        ),
        (
            "inline:{}",
            "virtual_alias_maps = inline:{ {x@oob.sink.example=me@x.example}, {@oob.sink.example=me@x.example} }",
            "virtual_alias_maps replaces addresses in sink.example",
            "take the domain out of",
        ),
    ] {
        let table = table.replace("inline:{}", "inline:{ {other.example=smtp:x} }");
        let shown = show(&postfix, &with_transports(&enabled, &table, more));
        assert!(shown.code == 1 && shown.stdout.contains(found), "{table} {more}: {found}: {shown:?}");
        assert!(shown.stdout.contains(fix), "{table} {more}: {fix}: {shown:?}");
    }
}

#[test]
fn tables_that_leave_caroms_mail_alone_are_no_fault() {
    let (postfix, enabled) = wired();
    for (table, more) in [
        (
            "regexp:{ {/[@.]sink[.]example$$/ carom:}, {/[@.]bounces[.]example$$/ carom-bounce:}, {/./ smtp:x} }",
            "",
        ),
        ("inline:{ {b@bounces.example=smtp:x} }", ""),
        ("inline:{ {*=smtp:x}, {.example=smtp:x} }", "recipient_delimiter = +"),
        ("regexp:{ {/^[^@]*$$/ smtp:x} }", "virtual_alias_maps = regexp:{ {/^@/ me@x.example} }"),
    ] {
        let shown = show(&postfix, &with_transports(&enabled, table, more));
        assert!(shown.code == 0, "{table} {more}: {shown:?}");
    }
    // A domain of return paths below that of the sink is a domain of carom's.
    postfix.configure(&SINK_AND_BOUNCES.replace("bounces.example", "bounces.sink.example"));
    let again = postfix.run(&["enable"]);
    assert_eq!(again.code, 0, "{again:?}");
}

#[test]
fn signed_return_paths_that_postfix_replaces_as_it_sends_are_found() {
    let postfix = Instance::new("");
    postfix.configure(&SINK_AND_BOUNCES.replace("bounces.example", "bounces.shop.example"));
    assert_eq!(postfix.run(&["enable"]).code, 0);
    let enabled = postfix.file("main.cf");
    let kept = "{/^(.*@bounces[.]shop[.]example)$$/ $$1}";
    for (lines, repaired, found) in [
        (
            "masquerade_domains = shop.example",
            "masquerade_domains = !bounces.shop.example shop.example",
            "masquerade_domains replaces signed return paths: bounces.shop.example becomes shop.example",
        ),
        (
            "sender_canonical_maps = regexp:{ {/@bounces/ x@y.example} }",
            &format!("sender_canonical_maps = regexp:{{ {kept}, {{/@bounces/ x@y.example}} }}"),
            "sender_canonical_maps replaces signed return paths",
        ),
        (
            "smtp_generic_maps = regexp:{ {/^b[+].*=.*$$/ x@y.example} }",
            &format!("smtp_generic_maps = regexp:{{ {kept}, {{/^b[+].*=.*$$/ x@y.example}} }}"),
            "smtp_generic_maps replaces signed return paths",
        ),
        (
            "recipient_delimiter = +\nsmtp_generic_maps = inline:{ {b@bounces.shop.example=x@y.example} }",
            "smtp_generic_maps = inline:{ {x@bounces.shop.example=x@y.example} }",
            "smtp_generic_maps replaces signed return paths",
        ),
        (
            "sender_canonical_maps = static:x@y.example",
            "sender_canonical_classes = header_sender\nsender_canonical_maps = static:x@y.example",
            "sender_canonical_maps replaces signed return paths",
        ),
    ] {
        let shown = show(&postfix, &format!("{enabled}{lines}\n"));
        assert!(shown.code == 1 && shown.stdout.contains(found), "{lines}: {shown:?}");
        if lines.contains("regexp:") {
            let entry = kept.trim_matches(['{', '}']);
            assert!(shown.stdout.contains(entry), "{entry}: {shown:?}");
        }
        let shown = show(&postfix, &format!("{enabled}{repaired}\n"));
        assert!(shown.code == 0, "{repaired}: {shown:?}");
    }
}

#[test]
fn the_fix_for_services_that_the_log_does_not_name_is_the_last_one() {
    let (postfix, _) = wired();
    let configure = |line: &str| {
        postfix.configure(&format!(
            "{SINK_AND_BOUNCES}[[logs]]\nkind = \"postfix\"\npath = \"/var/log/mail.log\"\n{line}\n"
        ));
    };
    configure("carom_transports = [\"mine-*\"]");
    let shown = postfix.run(&["show"]);
    let line = "carom_transports = [\"mine-*\", \"carom-bounce\", \"carom\"]";
    assert!(shown.code == 1 && shown.stdout.contains(&format!("set {line}")), "{shown:?}");
    assert_eq!(shown.stdout.matches("does not name it").count(), 1, "{shown:?}");
    configure(line);
    let shown = postfix.run(&["show"]);
    assert!(shown.code == 0, "{shown:?}");
    // A transport to `carom lmtp` that has its name in the log, and not in the config.
    configure("carom_transports = [\"carom-bounce\", \"mine\"]");
    postfix.run(&["enable", "--lmtp", "inet:127.0.0.1:9"]);
    let shown = postfix.run(&["show"]);
    let line = "carom_transports = [\"carom-bounce\", \"mine\", \"carom-lmtp\"]";
    assert!(shown.stdout.contains("the log does not show"), "{shown:?}");
    assert!(
        shown.stdout.contains(&format!("set {line}")) && !shown.stdout.contains("syslog_name="),
        "{shown:?}"
    );
    configure(line);
    let shown = postfix.run(&["show"]);
    assert!(!shown.stdout.contains("the log does not show"), "{shown:?}");
}

#[test]
fn values_in_several_lines_come_back_as_they_were_written() {
    let lines = "relay_domains = a.example,\n  # theirs\n\n  b.example\n\tc.example\n\
                 transport_maps=inline:{ {a.example=smtp:x} }\n  inline:{\n    {b.example=smtp:y} }\n\
                 smtpd_recipient_restrictions =\n  permit_mynetworks,\n  # those of others\n  reject_unauth_destination\n\
                 # the end\nmail_name = Postfix\n";
    let postfix = Instance::new(lines);
    let before = postfix.files();
    for words in [&["enable"][..], &["enable", "--access"], &["enable"]] {
        let enabled = postfix.run(words);
        assert!(postfix.file("main.cf").contains("c.example, bounces.example"), "{enabled:?}");
    }
    let rehearsed = postfix.run(&["disable", "--dry-run"]);
    assert!(
        rehearsed.stdout.contains("# main.cf: relay_domains is written as it was before"),
        "{rehearsed:?}"
    );
    let disabled = postfix.run(&["disable"]);
    assert_eq!((disabled.code, postfix.files()), (0, before), "{disabled:?} {}", postfix.file("main.cf"));
    assert!(disabled.stdout.starts_with(&rehearsed.stdout), "{disabled:?}");
    // What somebody has edited since stays edited, and everything else comes back.
    postfix.run(&["enable"]);
    postfix.replace("main.cf", "mail_name = Postfix", "mail_name = Ours");
    postfix.replace("main.cf", "  # theirs\n", "  # theirs, mostly\n");
    assert_eq!(postfix.run(&["disable"]).code, 0);
    let main_cf = postfix.file("main.cf");
    assert!(main_cf.contains("relay_domains = a.example,\n  b.example\n\tc.example\n"), "{main_cf}");
    assert!(main_cf.contains("smtp:x} }\n  inline:{\n    {b.example=smtp:y} }\n"), "{main_cf}");
    assert!(main_cf.contains("mail_name = Ours") && main_cf.contains("# theirs, mostly"), "{main_cf}");
}

#[test]
fn a_running_postfix_looks_up_addresses_as_it_is_shown() {
    let next = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new();
    let postfix = Postfix::start_unwired(&sandbox, next.port);
    let directory = sandbox.path("postfix/config").display().to_string();
    // The program that it writes into master.cf is the one that runs: the mail user must reach it.
    let run = |words: &[&str]| {
        let mut command = Command::new(sandbox.path("carom"));
        command.arg("--config").arg(sandbox.path("carom.toml")).arg("postfix").args(words);
        command.args(["-c", &directory]).output().unwrap()
    };
    let enabled = run(&["enable", "--user", "nobody"]);
    assert!(enabled.status.success(), "{enabled:?}");
    let file = sandbox.path("postfix/config/main.cf");
    let main_cf = fs::read_to_string(&file).unwrap();
    let elsewhere = format!("{{/./ smtp:[127.0.0.1]:{}}}", next.port);
    let entry = "{/[@.]sink[.]example$$/ carom:}";
    let is_elsewhere = || next.mails().iter().any(|mail| mail.to == "x@accept.sink.example");
    let is_with_carom = || sandbox.run(&["log", "--json"], b"").stdout.contains("y@accept.sink.example");
    for (table, is_found) in
        [(format!("regexp:{{ {elsewhere} }}"), true), (format!("regexp:{{ {entry}, {elsewhere} }}"), false)]
    {
        fs::write(&file, with_transports(&main_cf, &table, "")).unwrap();
        postfix.reload();
        let shown = run(&["show"]);
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert_eq!(shown.status.success(), !is_found, "{text}");
        assert_eq!(text.contains(entry.trim_matches(['{', '}'])), is_found, "{text}");
        let (to, arrived): (_, &dyn Fn() -> bool) = match is_found {
            true => ("x@accept.sink.example", &is_elsewhere),
            false => ("y@accept.sink.example", &is_with_carom),
        };
        // What comes in before the processes of Postfix are new ones goes the way that it went before.
        wait_for(60, to, || {
            postfix.send(SENDER, to, &plain(to));
            (0..30).any(|_| {
                std::thread::sleep(Duration::from_millis(100));
                arrived()
            })
        });
    }
}
