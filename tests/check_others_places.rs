//! `carom check` where a key names a directory of others: no fix changes the owner or the mode of what is not carom's.

use crate::harness::checked_host::{GOOD, Host};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

const AS_NOBODY: [&str; 2] = ["--as", "nobody"];

/// No fix gives away what is not carom's.
#[track_caller]
fn harms_nobody(host: &Host, findings: &[Value]) {
    let ours = host.sandbox.dir.display().to_string();
    for finding in findings {
        let fix = finding["fix"].as_str().unwrap_or_default();
        for command in fix.split([';', '&']).map(str::trim) {
            let changes = ["chown ", "chmod ", "chgrp "].iter().any(|word| command.contains(word));
            let is_ours = command.contains(&ours) || command.contains("a+x");
            assert!(!changes || is_ours && !command.contains("/others"), "{finding}");
        }
    }
}

#[test]
fn directories_of_the_system_and_of_others_are_never_given_away() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for (old, new) in [
        ("state = \"DIR/state\"", "state = \"/\""),
        ("state = \"DIR/state\"", "state = \"/etc\""),
        ("state = \"DIR/state\"", "state = \"/home\""),
        ("state = \"DIR/state\"", "state = \"/var/lib\""),
        ("[dns]", "[log]\ndirectory = \"/var/log\"\n[dns]"),
        ("[dns]", "[log]\ndirectory = \"/etc\"\n[dns]"),
        ("[dns]", "[kept]\ndirectory = \"/etc\"\n[dns]"),
        ("[dns]", "[index]\npath = \"/var/lib/index.db\"\n[dns]"),
        ("[dns]", "[store]\npath = \"/root/carom.db\"\n[dns]"),
        ("[dns]", "[export]\nprometheus = \"/etc/carom.prom\"\n[dns]"),
        ("[dns]", "[export]\npostfix_access = \"texthash:/etc/suppressed\"\n[dns]"),
    ] {
        let host = Host::but(old, new);
        let file = host.sandbox.path("carom.toml");
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let (code, findings) = host.check(&AS_NOBODY);
        assert_eq!(code, 1, "{new}: {findings:#?}");
        let names = |finding: &Value| {
            finding["fix"].as_str().is_some_and(|fix| fix.contains("to a place of carom's own, like "))
        };
        assert!(findings.iter().any(names), "{new}: {findings:#?}");
        harms_nobody(&host, &findings);
    }
}

#[test]
fn a_key_that_everyone_can_read_is_still_readable_after_the_fix() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let host = Host::new();
    let (key, file) = (host.sandbox.path("key"), host.sandbox.path("carom.toml"));
    fs::write(&key, "0f8a2b5d9c3e4f7a1b6c8d0e2f4a6b8c\n").unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    host.write(&format!("{GOOD}[verp]\nkeys = [\"file:DIR/key\"]\ndomain = \"bounces.example\"\n"));
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let found = host.finds(&AS_NOBODY, "wrong", "everyone can read the key or secret in it");
    host.obey(&found, "chgrp ");
    let (_, findings) = host.check(&AS_NOBODY);
    let said: Vec<&str> = findings.iter().filter_map(|finding| finding["found"].as_str()).collect();
    assert!(!said.iter().any(|said| said.contains("/key")), "{said:#?}");
}

#[test]
fn what_root_can_do_is_not_tested() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let host = Host::but("mail_user = \"root\"", "mail_user = \"nobody\"");
    let ran = host.run(&["check", "--as", "root"]);
    assert!(ran.code == 1 && ran.stderr.contains("carom does not work as root; use --as nobody"), "{ran:?}");
}
