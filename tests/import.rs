//! Configs of the predecessors, converted by the real binary into one that the real binary reads.

use crate::harness::{CAROM, Sandbox, finish, start};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What `carom import` prints, and its notes.
fn imported(sandbox: &Sandbox, kind: &str, name: &str, text: &str) -> (String, String) {
    let path = sandbox.path(name);
    fs::write(&path, text).unwrap();
    let ran = sandbox.run(&["import", kind, path.to_str().unwrap()], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    (ran.stdout, ran.stderr)
}

/// Whether a message of no consequence is taken under this config.
fn is_usable(toml: &str) -> bool {
    let sandbox = Sandbox::new();
    let config = sandbox.path("imported.toml");
    fs::write(&config, toml).unwrap();
    let message = b"From: a@b.example\r\nSubject: hello\r\n\r\nhello\r\n";
    let mut command = Command::new(CAROM);
    command.arg("--config").arg(&config).arg("--state").arg(sandbox.path("state"));
    command.args(["pipe", "--sender", "", "--recipient", "b@c.example"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(start(command, message), Duration::from_secs(60)).code == 0
}

#[test]
fn a_bounced_email_service_becomes_a_config_that_notifies_the_same_applications() {
    let sandbox = Sandbox::new();
    let yaml = "production:\n  handler:\n    temporary_threshold: 4\n    domains:\n      \
                shop.example:\n        endpoint: http://127.0.0.1:7001/emails/{address}/suspend\n  \
                amqp:\n    url: amqp://u:secret@mq.example\n";
    let (toml, notes) = imported(&sandbox, "bes", "config.yml", yaml);
    assert!(toml.contains("threshold = 6") && toml.contains("/emails/{address}/suspend"), "{toml}");
    assert!(notes.contains("amqp: not needed") && !notes.contains("secret"), "{notes}");
    assert!(is_usable(&toml), "{toml}");
    let wrong = sandbox.run(&["import", "bes", "-"], b"");
    assert!(wrong.code == 1 && wrong.stderr.contains("config.yml"), "{wrong:?}");
}

#[test]
fn postfix_deliverability_analytics_becomes_a_config_that_reads_the_same_log_with_its_rules() {
    let sandbox = Sandbox::new();
    fs::write(
        sandbox.path("rules.xml"),
        "<bounces><regex type=\"soft\" category=\"spam\"><or>looks like spam</or></regex></bounces>",
    )
    .unwrap();
    let conf = "app {\n  notification.recipients = [\"ops@example.com\"]\n  bounce-regex-list { url = rules.xml }\n  \
                logs { dir = \"/var/log/\", tailed-log-file = \"mail.log\" }\n  db.auth = geheim\n}\n";
    let (toml, notes) = imported(&sandbox, "pda", "application.conf", conf);
    for part in
        ["path = \"/var/log/mail.log\"", "mail = [\"ops@example.com\"]", "looks like spam", "keep_days = 0"]
    {
        assert!(toml.contains(part), "{part}: {toml}");
    }
    assert!(notes.contains("db.auth") && !notes.contains("geheim"), "{notes}");
    assert!(is_usable(&toml), "{toml}");
    fs::write(sandbox.path("broken.conf"), "app {\n  a = \"x\n}\n").unwrap();
    let wrong = sandbox.run(&["import", "pda", sandbox.path("broken.conf").to_str().unwrap()], b"");
    assert!(wrong.code == 1 && wrong.stderr.contains("broken.conf: line 3"), "{wrong:?}");
}
