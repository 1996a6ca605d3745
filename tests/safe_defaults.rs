//! What carom does before anybody has configured it: nothing that could lose mail.

use crate::harness::{Ran, SENDER, Sandbox, plain};
use std::fs;

const RECIPIENT: &str = "x@accept.sink.example";

/// `carom pipe` with this config and these words more.
fn pipe(sandbox: &Sandbox, config: &str, more: &[&str]) -> Ran {
    let state = format!("state = \"{}/state\"\n", sandbox.dir.display());
    fs::write(sandbox.path("carom.toml"), state + config).unwrap();
    let words = ["pipe", "--sender", SENDER, "--recipient", RECIPIENT];
    sandbox.run(&[&words, more].concat(), &plain(RECIPIENT))
}

#[test]
fn a_sink_without_domains_defers_and_shows_its_plan() {
    let sandbox = Sandbox::new();
    for config in ["", "policy = \"sink\"\n", "[policy.sink.settings]\ndomains = []\n"] {
        let ran = pipe(&sandbox, config, &[]);
        assert_eq!(ran.code, 75, "{ran:?}");
        assert!(ran.stdout.starts_with("4.") && ran.stdout.contains("the sink has no domains"), "{ran:?}");
        let shown = pipe(&sandbox, config, &["--dry-run"]);
        assert!(shown.code == 0 && shown.stdout.contains("accept"), "{shown:?}");
        let checked = sandbox.run(&["check"], b"");
        assert!(checked.code == 1 && checked.stdout.contains("set domains"), "{checked:?}");
        fs::create_dir_all(sandbox.path("inbox")).unwrap();
        let relayed = sandbox.run(&["relay", sandbox.path("inbox").to_str().unwrap()], b"");
        assert!(relayed.code == 1 && relayed.stderr.contains("the sink has no domains"), "{relayed:?}");
    }
    let ran = pipe(&sandbox, "[policy.sink.settings]\ndomains = [\"sink.example\"]\n", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(pipe(&sandbox, "", &["--policy", "bounce"]).code, 0, "bounces need no list");
}

#[test]
fn a_key_from_the_documents_is_refused_and_a_new_one_is_accepted() {
    let sandbox = Sandbox::new();
    let readme = fs::read_to_string("README.md").unwrap();
    let key = readme.lines().find_map(|line| line.strip_prefix("keys = [\"")?.split('"').next()).unwrap();
    let config =
        |key: &str| format!("policy = \"bounce\"\n[verp]\nkeys = [\"{key}\"]\ndomain = \"b.example\"\n");
    let ran = pipe(&sandbox, &config(key), &[]);
    assert!(ran.code == 75 && ran.stdout.contains("carom secret new"), "{ran:?}");
    let secret = |words: &[&str]| sandbox.run(&[&["secret", "new"], words].concat(), b"").stdout;
    let (one, other) = (secret(&[]), secret(&[]));
    assert!(one != other && one.trim_end().len() == 44, "{one} {other}");
    let ran = pipe(&sandbox, &config(one.trim_end()), &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let webhook = secret(&["--webhook"]);
    let notify = format!(
        "[[notify]]\nsender_domain = \"*\"\nurl = \"https://app.example.com/b\"\nsecrets = [\"{}\"]\n",
        webhook.trim_end()
    );
    let ran = pipe(&sandbox, &format!("policy = \"bounce\"\n{notify}"), &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
}
