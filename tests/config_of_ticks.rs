//! A tick that has no config, or another one than the mail server's: nothing is removed or given up by mistake.

use crate::bounces::{STRANGER, bounce, dsn_of, sandbox, signed_path};
use crate::harness::application::Application;
use crate::harness::checked_host::Host;
use crate::harness::{CAROM, HOUR_MS, finish, free_port, start, wait_for};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn a_tick_without_a_config_does_nothing_and_says_so() {
    // On a host where carom is installed there is one.
    if Path::new("/etc/carom/carom.toml").exists() {
        return;
    }
    let sandbox = sandbox(free_port(), "");
    let old = sandbox.path("state/log/messages-2001-01-01.log");
    fs::create_dir_all(old.parent().unwrap()).unwrap();
    fs::write(&old, "kept by keep_days = 3650\n").unwrap();
    let mut command = Command::new(CAROM);
    command.arg("--state").arg(sandbox.path("state")).arg("cron").env_clear().env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = start(command, b"");
    let ran = finish(child, Duration::from_secs(60));
    assert!(ran.code == 1 && ran.stderr.contains("there is no config (/etc/carom/carom.toml"), "{ran:?}");
    assert!(ran.stderr.contains("carom --config FILE cron"), "{ran:?}");
    assert!(old.exists(), "what the config keeps is kept");
}

#[test]
fn a_pending_notification_outlives_the_entry_of_its_application() {
    let port = free_port();
    let sandbox = sandbox(port, "");
    let path = signed_path(&sandbox, "gone@there.example");
    let report = dsn_of("sent1@shop.example", "gone@there.example", "5.1.1", "550 5.1.1 User unknown");
    bounce(&sandbox, &path, STRANGER, &report);
    let config = fs::read_to_string(sandbox.path("carom.toml")).unwrap();
    let other = config.replace("sender_domain = \"*\"", "sender_domain = \"elsewhere.example\"");
    assert_ne!(config, other);
    fs::write(sandbox.path("carom.toml"), other).unwrap();
    sandbox.advance(HOUR_MS);
    let ran = sandbox.run(&["cron"], b"");
    assert!(ran.stderr.contains("there is no [[notify]] for shop.example any more"), "{ran:?}");
    let waiting = sandbox.run(&["outbox"], b"").stdout;
    assert!(waiting.contains("parked") && waiting.contains("no [[notify]] for shop.example"), "{waiting}");
    fs::write(sandbox.path("carom.toml"), config).unwrap();
    let application = Application::at(port);
    assert_eq!(sandbox.run(&["outbox", "retry", "--all"], b"").code, 0);
    sandbox.run(&["cron"], b"");
    assert_eq!(application.told().len(), 1);
}

#[test]
fn a_notification_that_was_never_tried_outlives_the_entry_of_its_application_too() {
    // An application that takes connections and says nothing: its process is killed at the first try.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let sandbox = sandbox(port, "");
    let path = signed_path(&sandbox, "gone@there.example");
    let report = dsn_of("sent1@shop.example", "gone@there.example", "5.1.1", "550 5.1.1 User unknown");
    let arguments =
        ["pipe", "--policy", "bounce", "--sender", "", "--recipient", &path, "--client-address", STRANGER];
    let mut pipe = start(sandbox.command(&arguments), &report);
    let outbox = |more: &[&str]| sandbox.run(&[&["outbox"], more].concat(), b"").stdout;
    wait_for(60, "the notification is begun", || outbox(&[]).contains("notify"));
    // The try is under way: of one that was cut short nothing is noted.
    let connection = silent.accept().unwrap();
    pipe.kill().unwrap();
    finish(pipe, Duration::from_secs(60));
    drop(connection);
    let config = fs::read_to_string(sandbox.path("carom.toml")).unwrap();
    let other = config.replace("sender_domain = \"*\"", "sender_domain = \"elsewhere.example\"");
    fs::write(sandbox.path("carom.toml"), other).unwrap();
    let ran = sandbox.run(&["cron"], b"");
    assert!(ran.stderr.contains("there is no [[notify]] for shop.example any more"), "{ran:?}");
    let waiting = outbox(&[]);
    assert!(waiting.contains("parked") && waiting.contains("no [[notify]] for shop.example"), "{waiting}");
    assert_eq!((sandbox.counter("notify_parked"), sandbox.counter("notify_unconfigured")), (1, 0));
    drop(silent);
    fs::write(sandbox.path("carom.toml"), config).unwrap();
    let application = Application::at(port);
    assert_eq!(sandbox.run(&["outbox", "retry", "--all"], b"").code, 0);
    sandbox.run(&["cron"], b"");
    assert_eq!(application.told().len(), 1);
}

#[test]
fn a_tick_that_has_another_config_is_found() {
    let host = Host::new();
    assert_eq!(host.run(&["check"]).code, 0);
    assert!(host.run(&["cron"]).code <= 1);
    let (own, other) = (host.sandbox.path("carom.toml"), host.sandbox.path("renamed.toml"));
    host.is_repaired(&[], "had the config");
    fs::copy(&own, &other).unwrap();
    let mut command = Command::new(CAROM);
    command.arg("--config").arg(&other).arg("cron").stdin(Stdio::null());
    assert!(command.output().unwrap().status.code().unwrap() <= 1);
    let found = host.finds(&[], "wrong", "renamed.toml, and this is");
    let fix = found["fix"].as_str().unwrap();
    assert!(fix.contains(&format!("carom --config {} cron", own.display())), "{found}");
}
