//! `carom check`: what the mail user can do, where root or somebody else asks: keys and secrets that it cannot read,
//! credentials that only a unit has, files and directories that are closed to it, and fixes that fit whoever asked.
//!
//! Most of it needs root, as the user whose rights are tested is another one. Not here: what belongs to the wrong user
//! (`check`).

use crate::harness::checked_host::{GOOD, Host};
use crate::harness::{Ran, finish, plain, start};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Stdio};
use std::time::Duration;

const NOBODY: u32 = 65_534;
const KEY: &str = "a key of this test, long enough";
const VERP: &str = "[verp]\ndomain = \"bounces.example\"\n";

/// A host whose state directory is the mail user's, nobody's; `None`: only root can make one.
fn host(more: &str) -> Option<Host> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can test as somebody else");
        return None;
    }
    let host = Host::new();
    host.write(&format!("{}{more}", GOOD.replace("\"root\"", "\"nobody\"")));
    fs::set_permissions(host.sandbox.path("carom.toml"), Permissions::from_mode(0o644)).unwrap();
    let all = Command::new("chown").args(["-R", "nobody:"]).arg(host.sandbox.path("state")).status().unwrap();
    assert!(all.success());
    Some(host)
}

/// A file of root's alone.
fn closed(host: &Host, name: &str, text: &str) {
    let file = host.sandbox.path(name);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
}

/// carom as another user.
fn run_as(host: &Host, uid: u32, words: &[&str], stdin: &[u8]) -> Ran {
    let command = host.sandbox.command(words);
    let mut other = Command::new("setpriv");
    other.args(["--reuid", &uid.to_string(), "--regid", &uid.to_string(), "--clear-groups"]);
    other.arg(command.get_program()).args(command.get_args());
    other.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(start(other, stdin), Duration::from_secs(60))
}

const PIPE: [&str; 3] = ["pipe", "--recipient", "x@accept.sink.example"];

#[test]
fn a_secret_that_the_mail_user_cannot_read_is_found_by_root_and_the_fix_lets_mail_through() {
    let notify = "[[notify]]\nsender_domain = \"*\"\nurl = \"https://app.example/{address}\"\n";
    let alert = "[[alert]]\nname = \"a\"\nwhen = \"volume\"\nbelow = 1\nwebhook = \"https://app.example/\"\n";
    let events = "[[events]]\nkind = \"webhook\"\nurl = \"https://app.example/\"\n";
    let (whsec, file) = (format!("whsec_{}", "QUFB".repeat(8)), "[\"file:DIR/secret\"]");
    for (more, secret, of_mail) in [
        (format!("{VERP}keys = {file}\n"), KEY, true),
        (format!("{notify}secrets = {file}\n"), &whsec, true),
        (format!("{alert}secrets = {file}\n"), &whsec, false),
        (format!("{events}secrets = {file}\n"), &whsec, false),
        ("[shared]\nurl = \"redis://127.0.0.1:9\"\npassword = \"file:DIR/secret\"\n".into(), KEY, false),
    ] {
        let Some(host) = host(&more) else { return };
        closed(&host, "secret", secret);
        let text = "secret: Permission denied (os error 13): nobody cannot have this key or secret";
        let words: &[&[&str]] =
            if of_mail { &[&[], &["--quick"], &["--as", "nobody"]] } else { &[&[], &["--as", "nobody"]] };
        for words in words {
            let (code, findings) = host.check(words);
            let found = findings.iter().find(|one| one["found"].as_str().unwrap().contains(text));
            assert!(code == 1 && found.is_some_and(|one| one["level"] == "wrong"), "{more}: {findings:#?}");
        }
        if !of_mail {
            assert_eq!(host.check(&["--quick"]).0, 0, "what only the tick needs stops no mail: {more}");
        }
        let waits = run_as(&host, NOBODY, &PIPE, &plain("x@accept.sink.example"));
        assert_eq!(waits.code, if of_mail { 75 } else { 0 }, "{waits:?}");
        assert!(!of_mail || waits.stdout.contains("Permission denied"), "{waits:?}");
        let found = host.check(&[]).1.into_iter().find(|one| one["found"].as_str().unwrap().contains(text));
        let found = found.unwrap();
        let config = fs::read_to_string(host.sandbox.path("carom.toml")).unwrap();
        let line = config.lines().position(|line| line.contains("/secret\"")).unwrap() + 1;
        assert_eq!(found["line"], line, "{found}");
        host.obey(&found, "chgrp ");
        let (_, findings) = host.check(&[]);
        assert!(!findings.iter().any(|one| one["found"].as_str().unwrap().contains(text)), "{findings:#?}");
        assert_eq!(run_as(&host, NOBODY, &PIPE, &plain("x@accept.sink.example")).code, 0);
    }
}

#[test]
fn a_prompt_without_credentials_has_every_command_that_needs_no_key() {
    let mut host = Host::with(&format!("{VERP}keys = [\"credential:verp\"]\n"));
    let credentials = host.sandbox.path("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("verp"), KEY).unwrap();
    let given = ("CREDENTIALS_DIRECTORY", credentials.display().to_string());
    host.environment.push(given.clone());
    assert_eq!(host.hand(&PIPE, &plain("x@accept.sink.example")).code, 0);
    assert!(host.run(&["verp", "sign", "joe@there.example"]).stdout.contains("@bounces.example"));
    host.is_repaired(&["--quick"], "credential");
    host.environment.clear();
    for words in [
        &["log"][..],
        &["find", "x@accept.sink.example"],
        &["suppress", "check", "x@there.example"],
        &["suppress", "add", "x@there.example", "--reason", "test"],
        &["outbox"],
        &["stats"],
        &["alerts"],
        &["policy", "list"],
    ] {
        let ran = host.run(words);
        assert!(ran.code == 0 && !ran.stderr.contains("credential"), "{words:?}: {ran:?}");
    }
    let shown = host.run(&["postfix", "show"]);
    assert!(!shown.stderr.contains("credentials"), "{shown:?}");
    // Who needs the key says so, and mail waits.
    let text = "[verp] keys: credential:verp: systemd has given no credentials";
    let waits = host.hand(&PIPE, &plain("x@accept.sink.example"));
    waits.says(75, &format!("4.3.0 {text}; add LoadCredential=verp:FILE"));
    for words in [&["verp", "sign", "joe@there.example"][..], &["cron"], &["classify"], &["access"]] {
        let ran = host.run(words);
        assert!(ran.code == 1 && ran.stderr.contains(text), "{words:?}: {ran:?}");
    }
    let (code, findings) = host.check(&["--quick"]);
    let found = findings.iter().find(|one| one["found"] == text).unwrap();
    assert!(code == 0 && found["level"] == "note", "{findings:#?}");
    assert!(
        found["fix"].as_str().unwrap().contains("systemd-run --pipe --wait -p LoadCredential="),
        "{found}"
    );
    // A unit that has others than this one.
    host.environment.push(given);
    fs::remove_file(credentials.join("verp")).unwrap();
    let (code, findings) = host.check(&["--quick"]);
    let is_it = |one: &&serde_json::Value| one["found"].as_str().unwrap().contains("[verp] keys: ");
    assert!(code == 1 && findings.iter().any(|one| is_it(&one)), "{findings:#?}");
}

#[test]
fn what_only_databases_and_sinks_need_stops_no_other_command() {
    let events = "[[events]]\nkind = \"clickhouse\"\nurl = \"https://app.example/\"\n\
                  password = \"credential:clickhouse\"\n";
    let host = Host::with(events);
    for words in [
        &["log"][..],
        &["find", "x@accept.sink.example"],
        &["suppress", "add", "x@there.example", "--reason", "test"],
        &["outbox"],
        &["stats"],
        &["alerts"],
        &["policy", "list"],
    ] {
        let ran = host.run(words);
        assert!(ran.code == 0 && !ran.stderr.contains("credential"), "{words:?}: {ran:?}");
    }
    let text = "[[events]] password: credential:clickhouse: systemd has given no credentials";
    let found = host.finds(&[], "note", text);
    assert!(found["fix"].as_str().unwrap().contains("systemd-run --pipe --wait"), "{found}");
    let ticked = host.run(&["cron"]);
    assert!(
        !ticked.stderr.contains("credential") || ticked.stderr.contains("systemd-run --pipe"),
        "{ticked:?}"
    );
    // The key of the databases: who opens none goes on, the others say how to run them.
    let host = Host::with(&format!("{VERP}keys = [\"{KEY}\"]\n[store]\nkey = \"credential:store\"\n"));
    for words in [&["verp", "sign", "joe@there.example"][..], &["policy", "list"]] {
        let ran = host.run(words);
        assert!(ran.code == 0 && !ran.stderr.contains("credential"), "{words:?}: {ran:?}");
    }
    let text = "[store] key: credential:store: systemd has given no credentials";
    let way = "systemd-run --pipe --wait -p LoadCredential=store:FILE carom";
    let add: [&str; 5] = ["suppress", "add", "x@there.example", "--reason", "test"];
    for words in [&add[..], &["cron"]] {
        let ran = host.run(words);
        assert!(ran.code == 1 && ran.stderr.contains(text) && ran.stderr.contains(way), "{words:?}: {ran:?}");
    }
    let waits = host.hand(&PIPE, &plain("x@accept.sink.example"));
    assert!(waits.code == 75 && waits.stdout.contains(text), "{waits:?}");
    host.finds(&[], "note", text);
    assert!(!host.sandbox.path("state/carom.db").exists(), "no database is made without its key");
}

#[test]
fn somebody_else_is_sent_to_the_mail_user_and_changes_no_owner() {
    let Some(host) = host("") else { return };
    fs::write(host.sandbox.path("state/carom.db"), "").unwrap();
    chown(host.sandbox.path("state/carom.db"), Some(NOBODY), None).unwrap();
    let checked = run_as(&host, 61_234, &["check"], b"");
    assert!(checked.code == 1 && checked.stdout.contains("61234 cannot write there"), "{checked:?}");
    assert!(checked.stdout.contains("run this as nobody or as root: runuser -u nobody"), "{checked:?}");
    assert!(!checked.stdout.contains("chown"), "{checked:?}");
}

#[test]
fn files_that_are_closed_to_the_mail_user_have_a_fix_that_opens_them() {
    let Some(host) = host("[policy.mine]\npath = \"DIR/mine.wasm\"\n") else { return };
    fs::copy("policies/dist/sink.wasm", host.sandbox.path("mine.wasm")).unwrap();
    for (file, text) in [("mine.wasm", "mine.wasm: Permission denied"), ("zone", "zone: Permission denied")] {
        fs::set_permissions(host.sandbox.path(file), Permissions::from_mode(0o600)).unwrap();
        let found = host.finds(&[], "wrong", text);
        host.obey(&found, "chmod 644 ");
        host.is_repaired(&[], text);
    }
}

#[test]
fn a_state_directory_that_is_none_or_out_of_reach_is_one_finding() {
    let Some(host) = host("") else { return };
    let of_state = |found: &str| found.contains("/state") || found.contains("rules.toml");
    let wrong = |text: &str| {
        let (code, findings) = host.check(&[]);
        let wrong: Vec<_> = findings.iter().filter(|one| one["level"] == "wrong").collect();
        assert!(
            code == 1 && wrong.len() == 1 && of_state(wrong[0]["found"].as_str().unwrap()),
            "{findings:#?}"
        );
        assert!(wrong[0]["found"].as_str().unwrap().contains(text), "{findings:#?}");
        wrong[0].clone()
    };
    let (state, above) = (host.sandbox.path("state"), host.sandbox.path("above"));
    fs::create_dir(&above).unwrap();
    fs::rename(&state, above.join("state")).unwrap();
    host.edit("DIR/state", "DIR/above/state");
    fs::set_permissions(&above, Permissions::from_mode(0o700)).unwrap();
    let found = wrong("above/state: nobody cannot write there");
    host.obey(&found, "chmod a+x ");
    host.is_repaired(&[], "/state: nobody cannot");
    fs::write(&state, "a message").unwrap();
    host.edit("DIR/above/state", "DIR/state");
    let found = wrong("/state: it is not a directory, but a file");
    host.obey(&found, "mv ");
    assert!(state.with_extension("other").exists());
}
