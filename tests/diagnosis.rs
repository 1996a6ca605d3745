//! What a failure is about: in every output, for policies of every version, and what follows for its severity.

use crate::harness::Sandbox;
use crate::harness::guest::Guest;
use serde_json::Value;

/// A class at 2048 in the memory of a guest: `rejected`, hard.
const REJECTED: &str =
    "(data (i32.const 600) \"rejected\") (data (i32.const 2048) \"\\58\\02\\00\\00\\08\\00\\00\\00\")";

/// What a guest makes of a reply.
fn class(guest: &Guest) -> Value {
    let sandbox = Sandbox::new();
    let file = guest.write(&sandbox.path("guest.wasm")).display().to_string();
    let sandbox = sandbox.config(&format!("[policy.guest]\npath = \"{file}\"\n"));
    let ran = sandbox.run(&["policy", "check", &file], b"");
    assert!(ran.code == 0 && ran.stdout.contains("this carom offers 1.0.0 and 1.1.0"), "{ran:?}");
    let ran = sandbox.run(&["classify", "--text", "--json", "--policy", "guest"], b"550 5.1.1 no\n");
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

fn accepting() -> Guest {
    Guest::new("(drop (call $accept))")
}

#[test]
fn a_policy_built_for_1_0_runs_and_what_a_failure_is_about_follows_from_its_reason() {
    let own = class(&accepting());
    assert_eq!((&own["severity"], &own["about"]), (&"hard".into(), &"recipient".into()), "{own}");
    let rejected = class(&accepting().data(REJECTED));
    assert_eq!(
        (&rejected["reason"], &rejected["severity"], &rejected["about"]),
        (&"rejected".into(), &"soft".into(), &"sender".into()),
        "what is about the sender is not hard, whatever a policy says"
    );
}

#[test]
fn a_policy_built_for_1_1_says_itself_what_a_failure_is_about_and_only_a_recipient_is_dead() {
    for (number, (about, severity)) in [
        ("recipient", "hard"),
        ("recipient-domain", "hard"),
        ("sender", "soft"),
        ("sending-host", "soft"),
        ("message", "soft"),
        ("relay", "soft"),
        ("network", "soft"),
        ("nobody", "soft"),
    ]
    .into_iter()
    .enumerate()
    {
        let said = format!("{REJECTED} (data (i32.const 2076) \"\\01\\{number:02x}\")");
        let guest = accepting().version("1.1.0").diagnoses().data(&said);
        let class = class(&guest);
        assert_eq!((&class["about"], &class["severity"]), (&about.into(), &severity.into()), "{class}");
    }
    let unsaid = class(&accepting().version("1.1.0").diagnoses().data(REJECTED));
    assert_eq!((&unsaid["about"], &unsaid["severity"]), (&"sender".into(), &"soft".into()), "{unsaid}");
}

#[test]
fn classify_shows_it_with_the_reason_why() {
    let sandbox = Sandbox::new();
    let replies = b"550 5.1.1 user unknown\n554 5.7.1 message looks like spam\n";
    let json = sandbox.run(&["classify", "--text", "--json"], replies).stdout;
    let about: Vec<Value> =
        json.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["about"].clone()).collect();
    assert_eq!(about, ["recipient", "message"]);
    let shown = sandbox.run(&["classify", "--text"], replies).stdout;
    let words: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!((words[0][1], words[1][1]), ("hard", "soft"), "{shown}");
    let explained = sandbox.run(&["classify", "--text", "--explain"], replies).stdout;
    assert!(explained.lines().next().unwrap().contains("about recipient: "), "{explained}");
    let report = crate::bounces::dsn("gone@there.example", "5.1.1", "550 5.1.1 user unknown");
    let verdict: Value = serde_json::from_str(&sandbox.run(&["classify", "--json"], &report).stdout).unwrap();
    assert_eq!(verdict["recipients"][0]["about"], "recipient");
    let explained = sandbox.run(&["classify", "--explain"], &report).stdout;
    assert!(explained.contains("\n    about recipient: "), "{explained}");
}
