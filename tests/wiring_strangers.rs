//! `carom postfix show`: mail for carom's domains that Postfix refuses from hosts on the Internet, and fixes that let it in.
//!
//! Not here: mail that is taken and goes elsewhere (`wiring_tables`).

use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::postfix::Postfix;
use crate::harness::{SENDER, Sandbox, wait_for};
use crate::wiring::Instance;
use std::fs;

fn wired() -> (Instance, String) {
    // Before this level, relay_domains has mydestination in it.
    let postfix = Instance::new("compatibility_level = 3.6\n");
    assert_eq!(postfix.run(&["enable"]).code, 0);
    let main_cf = postfix.file("main.cf");
    (postfix, main_cf)
}

/// With these lines in main.cf.
fn show(postfix: &Instance, enabled: &str, lines: &str) -> crate::harness::Ran {
    fs::write(postfix.sandbox.path("etc/main.cf"), format!("{enabled}{lines}\n")).unwrap();
    postfix.run(&["show"])
}

/// What a fix of this form says: put PUT before FIRST in LIST.
fn followed(lines: &str, shown: &str) -> Option<String> {
    let fix = shown.lines().find_map(|line| line.split_once("put check_recipient_access "))?.1;
    let (table, rest) = fix.split_once(" before ")?;
    let (first, list) = rest.trim_end().rsplit_once(" in ")?;
    let list = lines.lines().find(|line| line.starts_with(&format!("{list} =")))?;
    let (name, value) = list.split_once('=')?;
    let with = value.replacen(first, &format!("check_recipient_access {table}, {first}"), 1);
    Some(lines.replace(list, &format!("{name}={with}")))
}

#[test]
fn mail_that_no_stranger_may_send_is_found_and_the_fix_lets_it_in() {
    let (postfix, enabled) = wired();
    let classes = "smtpd_restriction_classes = no_bounces, inside\n\
                   no_bounces = check_sender_access inline:{<>=REJECT}\ninside = permit_mynetworks, reject\n";
    for (lines, found) in [
        ("smtpd_relay_restrictions = permit_mynetworks, reject", "smtpd_relay_restrictions has reject"),
        ("smtpd_recipient_restrictions = permit_mynetworks, defer", "smtpd_recipient_restrictions has defer"),
        ("smtpd_client_restrictions = permit_mynetworks, reject", "smtpd_client_restrictions has reject"),
        (
            "smtpd_client_restrictions = check_client_access static:{REJECT}",
            "has check_client_access static:{REJECT}, which says `REJECT`",
        ),
        ("smtpd_client_restrictions = permit_mynetworks, static:{550 no}", "has static:{550 no}, which says"),
        (
            "smtpd_client_restrictions = check_client_access cidr:{ {0.0.0.0/0 REJECT} }",
            "smtpd_client_restrictions has check_client_access cidr:",
        ),
        (
            "smtpd_helo_restrictions = check_helo_access regexp:{ {/./ REJECT} }",
            "smtpd_helo_restrictions has check",
        ),
        (
            &format!("{classes}smtpd_recipient_restrictions = no_bounces, permit"),
            "has no_bounces, which has check_sender_access inline:{<>=REJECT}, which says `REJECT`",
        ),
        (
            &format!(
                "{classes}smtpd_recipient_restrictions = check_recipient_access inline:{{ {{bounces.example=inside}} }}"
            ),
            "which has inside, which has reject",
        ),
    ] {
        let shown = show(&postfix, &enabled, lines);
        let whole = "mail for bounces.example from outside is refused: ";
        let is_it = |line: &str| line.contains(whole) && line.contains(found);
        assert!(shown.code == 1 && shown.stdout.lines().any(is_it), "{lines}: {found}: {shown:?}");
        // Each domain has its fix.
        let mut repaired = lines.to_owned();
        let mut shown = shown;
        for _ in 0..2 {
            if shown.code == 1 {
                repaired = followed(&repaired, &shown.stdout).unwrap_or_else(|| panic!("{lines}: {shown:?}"));
                shown = show(&postfix, &enabled, &repaired);
            }
        }
        assert!(shown.code == 0, "{repaired}: {shown:?}");
    }
}

#[test]
fn restrictions_that_let_strangers_bounces_in_are_no_fault() {
    let (postfix, enabled) = wired();
    for lines in [
        "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, reject_rbl_client x.example, \
         warn_if_reject reject, check_policy_service unix:private/greylist, permit_auth_destination, reject",
        "smtpd_client_restrictions = check_client_access cidr:{ {8.0.0.0/8 REJECT} }, sleep 1",
        "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
        "smtpd_sender_restrictions = check_sender_access inline:{ {<>=DUNNO}, {x.example=REJECT} }",
        "smtpd_recipient_restrictions = check_recipient_access inline:{ {bounces.example=OK}, {sink.example=OK} }, reject",
        "smtpd_restriction_classes = inside\ninside = permit_mynetworks, reject\n\
         smtpd_recipient_restrictions = check_recipient_access inline:{ {x.example=inside} }, permit",
    ] {
        let shown = show(&postfix, &enabled, lines);
        assert!(shown.code == 0, "{lines}: {shown:?}");
    }
}

#[test]
fn what_services_set_for_themselves_counts_where_strangers_come_in() {
    let (postfix, _) = wired();
    let master_cf = postfix.file("master.cf");
    let with = |name: &str| {
        let service =
            format!("{name} inet n - y - - smtpd\n  -o smtpd_client_restrictions=permit_mynetworks,reject\n");
        let others =
            master_cf.lines().filter(|line| !line.starts_with("smtp inet") && !line.starts_with("smtp  "));
        let others: String = others.map(|line| format!("{line}\n")).collect();
        fs::write(postfix.sandbox.path("etc/master.cf"), format!("{service}{others}")).unwrap();
        postfix.run(&["show"])
    };
    for public in ["smtp", "25", "192.0.2.1:smtp"] {
        let shown = with(public);
        let found = format!("smtpd_client_restrictions of {public}/inet in master.cf has reject");
        assert!(shown.code == 1 && shown.stdout.contains(&found), "{shown:?}");
    }
    let shown = with("submission");
    assert!(shown.code == 0, "{shown:?}");
}

#[test]
fn domains_in_files_and_recipients_that_no_table_lists_are_found() {
    let (postfix, enabled) = wired();
    let file = postfix.sandbox.path("domains");
    fs::write(&file, "# local\nlocalhost\nx.example, bounces.example\n").unwrap();
    let file = file.display();
    for (lines, found) in [
        (format!("mydestination = localhost, {file}"), "bounces.example is in mydestination"),
        (format!("virtual_alias_domains = {file}"), "bounces.example is in virtual_alias_domains"),
        ("mydestination = accept.sink.example".to_owned(), "accept.sink.example is in mydestination"),
        (
            "relay_recipient_maps = inline:{ {a@x.example=x}, {@sink.example=x} }".to_owned(),
            "mail for sink.example is refused: relay_recipient_maps is set",
        ),
        (
            "relay_recipient_maps = regexp:{ {/[@.]sink[.]example$$/ x}, {/^x@bounces[.]example$$/ x} }"
                .to_owned(),
            "mail for bounces.example is refused: relay_recipient_maps is set",
        ),
    ] {
        let shown = show(&postfix, &enabled, &lines);
        assert!(shown.code == 1 && shown.stdout.contains(found), "{lines}: {shown:?}");
    }
    let relayed = enabled.lines().find(|line| line.starts_with("relay_domains = ")).unwrap();
    let in_file = enabled.replace(relayed, &format!("relay_domains = {file}, sink.example"));
    for (main_cf, lines) in [
        (&in_file, String::new()),
        (&enabled, format!("mydestination = !{file}, localhost")),
        (
            &enabled,
            "relay_recipient_maps = regexp:{ {/[@.]sink[.]example$$/ x}, {/[@.]bounces[.]example$$/ x} }"
                .to_owned(),
        ),
        (
            &enabled,
            "smtpd_reject_unlisted_recipient = no\nrelay_recipient_maps = inline:{ {a@x.example=x} }"
                .to_owned(),
        ),
    ] {
        let shown = show(&postfix, main_cf, &lines);
        assert!(shown.code == 0, "{lines}: {shown:?}");
    }
}

#[test]
fn a_running_postfix_refuses_what_is_found_and_takes_it_after_the_fix() {
    let next = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new();
    let lines = "smtpd_client_restrictions = check_client_access static:{REJECT}\n";
    let postfix = Postfix::start_unwired_with(&sandbox, next.port, lines);
    let directory = sandbox.path("postfix/config").display().to_string();
    let run = |words: &[&str]| sandbox.run(&[&["postfix"], words, &["-c", &directory]].concat(), b"");
    run(&["enable", "--user", "nobody"]);
    let answer = || postfix.rcpt(SENDER, "x@accept.sink.example");
    assert!(answer().starts_with("554 "), "{}", answer());
    let shown = run(&["show"]);
    let found =
        "mail for sink.example from outside is refused: smtpd_client_restrictions has check_client_access";
    assert!(shown.code == 1 && shown.stdout.contains(found), "{shown:?}");
    let file = sandbox.path("postfix/config/main.cf");
    let main_cf = fs::read_to_string(&file).unwrap();
    let repaired = followed(&main_cf, &shown.stdout).unwrap_or_else(|| panic!("{shown:?}"));
    fs::write(&file, repaired).unwrap();
    postfix.reload();
    wait_for(60, "Postfix to take it", || answer().starts_with("250 "));
}
