//! `carom postfix show`: a service of master.cf that runs another carom, or this one with another config, and rewriting
//! that only signed return paths meet.
//!
//! Not here: what `enable` writes (`wiring`), and running listeners (`wiring_listeners`).

use crate::wiring::{Instance, SINK_AND_BOUNCES};
use std::fs;

/// The words of master.cf, each by one space: postconf breaks lines.
fn flatten(postfix: &Instance) -> String {
    let master_cf = postfix.file("master.cf");
    let lines = master_cf.lines().fold(String::new(), |text, line| match line.starts_with(' ') {
        true => text + " " + line.trim(),
        false => text + "\n" + line,
    });
    lines.trim_start().to_owned() + "\n"
}

#[test]
fn a_service_that_runs_another_carom_or_this_one_with_another_config_is_found() {
    let postfix = Instance::new("");
    assert_eq!(postfix.run(&["enable"]).code, 0);
    let enabled = flatten(&postfix);
    let (config, other) = (postfix.sandbox.path("carom.toml"), postfix.sandbox.path("other.toml"));
    let elsewhere = postfix.sandbox.path("elsewhere").display().to_string();
    let text = SINK_AND_BOUNCES.replace("sink.example", "other.example");
    fs::write(&other, format!("state = \"{elsewhere}\"\n{text}")).unwrap();
    let asked = format!("--config {}", config.display());
    let program = enabled.split("argv=").nth(1).unwrap().split(' ').next().unwrap();
    let closed = postfix.sandbox.path("closed");
    fs::create_dir(&closed).unwrap();
    fs::write(closed.join("carom"), "no program").unwrap();
    for (old, new, found) in [
        (&*asked, "--config /gone.toml", "carom with a config that it cannot use: /gone.toml: No such file"),
        (
            &asked,
            &format!("--config={}", other.display()),
            &format!("carom with {}, and this is", other.display()),
        ),
        (&asked, "", "runs carom with "),
        (
            &asked,
            &format!("{asked} --state {elsewhere}"),
            &format!("the state directory {elsewhere}, and this is"),
        ),
        (program, "/usr/local/no/carom", "runs /usr/local/no/carom, which cannot be run: No such file"),
        (program, &closed.join("carom").display().to_string(), "which is not a program"),
    ] {
        assert!(enabled.contains(old), "{old}: {enabled}");
        fs::write(postfix.sandbox.path("etc/master.cf"), enabled.replace(old, new)).unwrap();
        let shown = postfix.run(&["show"]);
        let wrong = shown.stdout.split("\nwrong ").find(|one| one.contains(found));
        assert!(
            shown.code == 1 && wrong.is_some_and(|one| one.contains("`carom postfix enable")),
            "{new}: {shown:?}"
        );
        assert!(!shown.stdout.contains("goes to carom\n"), "nothing arrives: {shown:?}");
        let repaired = postfix.run(&["enable"]);
        assert_eq!(repaired.code, 0, "{new}: {repaired:?}");
    }
    // A service of another carom, to which none of these domains go, is none of ours.
    let mine = enabled.lines().find(|line| line.starts_with("carom ")).unwrap().to_owned();
    let theirs = mine.replacen("carom ", "carom-other ", 1).replace(&asked, "--config /gone.toml");
    fs::write(postfix.sandbox.path("etc/master.cf"), format!("{enabled}{theirs}\n")).unwrap();
    let shown = postfix.run(&["show"]);
    assert!(!shown.stdout.contains("gone.toml"), "{shown:?}");
}

#[test]
fn a_key_that_is_a_credential_is_found_where_postfix_runs_carom() {
    let postfix = Instance::new("");
    assert_eq!(postfix.run(&["enable"]).code, 0);
    postfix.configure(&SINK_AND_BOUNCES.replace("a key of this test, long enough", "credential:verp"));
    let shown = postfix.run(&["show"]);
    assert!(shown.code == 1 && shown.stdout.contains("without systemd's credentials"), "{shown:?}");
}

#[test]
fn the_user_of_the_service_is_set_again_and_the_state_stays_the_mail_users() {
    let postfix = Instance::new("");
    postfix.configure(&format!("{SINK_AND_BOUNCES}[policies]\nmail_user = \"nobody\"\n"));
    assert_eq!(postfix.run(&["enable"]).code, 0);
    postfix.replace("master.cf", "user=nobody", "user=daemon");
    let shown = postfix.run(&["show"]);
    assert!(shown.code == 1 && shown.stdout.contains("as daemon, and "), "{shown:?}");
    assert!(shown.stdout.contains("it sets the user") && !shown.stdout.contains("chown"), "{shown:?}");
    assert_eq!(postfix.run(&["enable"]).code, 0);
}

#[test]
fn rewriting_that_only_signed_return_paths_or_domains_above_meet_is_found() {
    let postfix = Instance::new("");
    postfix.configure(&SINK_AND_BOUNCES.replace("bounces.example", "bounces.audit.example"));
    assert_eq!(postfix.run(&["enable"]).code, 0);
    let enabled = postfix.file("main.cf");
    // As in b+g1f-2zak4jqlyxxp-ann=there.example@bounces.audit.example.
    let signed = "/-[0-9a-z]+-.*=.*@bounces[.]/";
    let masquerade = "masquerade_classes = envelope_recipient\nmasquerade_domains =";
    for (lines, found) in [
        (
            format!("recipient_canonical_maps = regexp:{{ {{{signed} x@y.example}} }}"),
            "recipient_canonical_maps replaces addresses in bounces.audit.example",
        ),
        (
            format!("virtual_alias_maps = regexp:{{ {{{signed} x@y.example}} }}"),
            "virtual_alias_maps replaces addresses in bounces.audit.example",
        ),
        (
            format!(
                "smtpd_recipient_restrictions = check_recipient_access regexp:{{ {{{signed} REJECT}} }}, permit"
            ),
            "keeps mail for bounces.audit.example from carom",
        ),
        (
            format!("{masquerade} audit.example"),
            "masquerade_domains replaces addresses in bounces.audit.example: bounces.audit.example becomes audit.example",
        ),
        (format!("{masquerade} sink.example"), "accept.sink.example becomes sink.example"),
    ] {
        fs::write(postfix.sandbox.path("etc/main.cf"), format!("{enabled}{lines}\n")).unwrap();
        let shown = postfix.run(&["show"]);
        assert!(shown.code == 1 && shown.stdout.contains(found), "{lines}: {shown:?}");
    }
    for lines in [
        format!("{masquerade} !bounces.audit.example, audit.example"),
        "masquerade_classes = header_sender\nmasquerade_domains = audit.example".to_owned(),
    ] {
        fs::write(postfix.sandbox.path("etc/main.cf"), format!("{enabled}{lines}\n")).unwrap();
        let shown = postfix.run(&["show"]);
        assert!(shown.code == 0, "{lines}: {shown:?}");
    }
}
