//! Logs that are missing or wrongly configured, and a policy that does not exist: named, and no obstacle to the rest.

use crate::harness::{Sandbox, wait_for};
use crate::logs::{append, bounced, deliveries, each_once, sandbox, sent};
use serde_json::Value;
use std::path::PathBuf;

#[test]
fn one_log_that_is_missing_keeps_no_other_from_being_read() {
    let sandbox = Sandbox::new();
    let (gone, there) = (sandbox.path("gone.log"), sandbox.path("mail.log"));
    let log = |path: &PathBuf| format!("[[logs]]\nkind = \"postfix\"\npath = \"{}\"\n", path.display());
    let sandbox = sandbox.config(&(log(&gone) + &log(&there)));
    append(&there, &sent(1));
    let ran = sandbox.run(&["cron"], b"");
    assert!(ran.code == 1 && ran.stderr.contains("gone.log: no such file"), "{ran:?}");
    each_once(&sandbox, 1);
    append(&gone, &sent(2));
    wait_for(1, "the lock to be free", || sandbox.run(&["cron"], b"").code == 0);
}

#[test]
fn a_config_of_logs_that_cannot_be_is_refused() {
    for (config, says) in [
        ("[[logs]]\nkind = \"postfix\"\n", "has no path"),
        ("[[logs]]\nkind = \"exim\"\npath = \"/x\"\n", "unknown variant"),
        ("[[logs]]\nkind = \"postfix\"\npath = \"/x\"\ntimezone = \"Mars\"\n", "timezone"),
    ] {
        let ran = Sandbox::new().config(config).run(&["cron"], b"");
        assert!(ran.code == 1 && ran.stderr.contains(says), "{ran:?}");
    }
}

#[test]
fn a_policy_that_does_not_exist_is_named_by_check_and_by_the_tick() {
    let sandbox = sandbox().config("[index]\nact = false\npolicy = \"nope\"\n");
    append(&sandbox.path("mail.log"), &bounced(1));
    let ran = sandbox.run(&["cron", "--json"], b"");
    let ticked: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(ticked["notes"].to_string().contains("there is no policy nope"), "{ran:?}");
    assert_eq!(deliveries(&sandbox, &["--failed"])[0]["reason"], Value::Null);
    let check = sandbox.run(&["check"], b"");
    assert!(check.code == 1 && check.stdout.contains("nope"), "{check:?}");
}
