//! Failures of one sender domain that one instance of a policy decides about: what it keeps reaches no other sender, what it traps
//! on loses no other failure, and each failure has all limits to itself.

use crate::harness::Sandbox;
use crate::harness::guest::Guest;
use crate::harness::mail_log::{self, ago};
use crate::harness::policies::policy;
use crate::statistics::{OTHER, UNKNOWN_USER, append, delivery, tick};

/// Failures of mail to these users, of one sender domain after the other in turns.
fn fail<'a>(sandbox: &Sandbox, domains: u32, users: impl Iterator<Item = &'a str>) {
    let one = |(n, user): (u32, &str)| {
        let text = delivery(540, n, &format!("{user}{n}@dest.example"), OTHER, 1.0, UNKNOWN_USER);
        // The local part and the case of the domain say nothing.
        let sender = format!("n{n}@{}{}.example", ["shop", "SHOP"][n as usize / 10 % 2], n % domains);
        ago(30, &text.replace("news@mail.shop.example", &sender))
    };
    append(sandbox, &(0..).zip(users).map(one).collect::<String>());
}

/// A log whose failures the policy `misfit` decides about.
fn misfit(mode: &str, limits: &str) -> Sandbox {
    let file = std::fs::canonicalize("policies/dist/misfit.wasm").unwrap();
    mail_log::sandbox(None, "").config(&format!(
        "[index]\npolicy = \"misfit\"\n[limits]\n{limits}\n[policy.misfit]\npath = {file:?}\n[policy.misfit.settings]\nmode = \"{mode}\"\n"
    ))
}

#[test]
fn an_instance_sees_failures_of_one_sender_domain_only() {
    let sandbox = misfit("remember", "");
    fail(&sandbox, 4, ["user"; 80].into_iter());
    tick(&sandbox, &[]);
    let counted = ["first", "same_sender", "other_sender", "decided"].map(|name| sandbox.counter(name));
    assert_eq!(counted, [4, 76, 0, 80]);
}

#[test]
fn a_trap_on_one_failure_loses_no_other() {
    let sandbox = misfit("stumble", "");
    let users = (0..60).map(|n| if n % 20 == 7 { "trap" } else { "user" });
    fail(&sandbox, 2, users);
    tick(&sandbox, &[]);
    assert_eq!(sandbox.counter("decided"), 57);
    let log = std::fs::read_to_string(sandbox.path("state/log/carom.log")).unwrap();
    for n in [7, 27, 47] {
        let said =
            log.lines().any(|line| line.contains(&format!("trap{n}@")) && line.contains("over this one"));
        assert!(said, "{log}");
    }
}

#[test]
fn each_failure_has_all_limits_to_itself() {
    // A mebibyte that is kept of each, some milliseconds of work for each, 201 of 256 steps for each.
    for (mode, limits) in [("leak", "memory = 8388608"), ("toil", "time = 100"), ("steps", "")] {
        let sandbox = misfit(mode, limits);
        fail(&sandbox, 1, ["user"; 100].into_iter());
        tick(&sandbox, &[]);
        assert_eq!(sandbox.counter("decided"), 100, "{mode}");
    }
}

#[test]
fn what_fails_in_a_fresh_instance_fails() {
    for (mode, limits) in [("hog", "memory = 8388608"), ("loop", "time = 50"), ("trap", ""), ("refuse", "")] {
        let sandbox = misfit(mode, limits);
        fail(&sandbox, 1, ["user"; 3].into_iter());
        tick(&sandbox, &[]);
        assert_eq!(sandbox.counter("decided") + sandbox.counter("accept"), 0, "{mode}");
        let log = std::fs::read_to_string(sandbox.path("state/log/carom.log")).unwrap();
        assert_eq!(log.matches("a failed delivery is acted on at a later tick").count(), 3, "{mode}: {log}");
    }
}

#[test]
fn a_policy_that_does_not_export_sequence_has_a_fresh_instance_for_each_failure() {
    let once = "(if (i32.load (i32.const 600)) (then (unreachable))) (i32.store (i32.const 600) (i32.const 1)) \
                (drop (call $accept)) (call $count_it)";
    for version in ["1.0.0", "1.1.0"] {
        let sandbox = mail_log::sandbox(None, "")
            .config("[index]\npolicy = \"mine\"\n[policies]\nmail_user = \"nobody\"\n");
        let file = sandbox.path("mine.wasm");
        Guest::new(once).version(version).counting("fresh").write(&file);
        policy(&sandbox, &["install", "mine", &file.display().to_string()]);
        fail(&sandbox, 1, ["user"; 20].into_iter());
        tick(&sandbox, &[]);
        assert_eq!(sandbox.counter("fresh"), 20, "{version}");
    }
}
