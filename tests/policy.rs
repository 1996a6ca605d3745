//! `carom policy` for authors, from outside: fixtures, trials, figures, the WIT; replays, and policies that only look on.

use crate::harness::policies::{DIST, counting, pipe, policy, sandbox};
use crate::harness::{CAROM, SENDER, plain};
use std::fs;

#[test]
fn a_policy_that_looks_on_is_compared_and_does_nothing() {
    let sandbox = sandbox().config("[policy.other]\nmonitor = true\n[policy.broken]\nmonitor = true\n");
    policy(&sandbox, &["install", "other", &counting(&sandbox, "other_counts")]);
    let to = "b@accept.sink.example";
    sandbox.pipe(to, &plain(to)).silent();
    assert_eq!(sandbox.counter("accept"), 1);
    assert_eq!(sandbox.counter("other_counts"), 0);
    assert_eq!((sandbox.counter("monitor_different"), sandbox.counter("monitor_failed")), (1, 1));
    let diff = policy(&sandbox, &["diff"]).stdout;
    assert!(diff.contains("other_counts") && diff.contains("1 differently"), "{diff}");
    let json = policy(&sandbox, &["diff", "other", "--json"]).stdout;
    let found: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(found["policy"], "sink");
    assert_eq!(found["other_policy"], "other");
    policy(&sandbox, &["install", "other", &format!("{DIST}/sink.wasm")]);
    let other_settings = sandbox.config(
        "[policy.other.settings]\ndomains = [\"sink.example\"]\n[policy.other.settings.mx_allowlist]\n\
         \"mx1.sender.example\" = \"fbl@sender.example\"\n\"mx2.sender.example\" = \"\"\n",
    );
    other_settings.pipe(to, &plain(to)).silent();
    assert_eq!(other_settings.counter("monitor_same"), 1);
}

#[test]
fn a_logged_message_with_its_seed_gives_the_same_plan() {
    let sandbox = sandbox().settings("open_percent = 100\nclick_percent = 50");
    let to = "b@openclick.sink.example";
    let message =
        crate::harness::html(to, &["http://tracker.example/i".into()], &["http://tracker.example/l".into()]);
    let file = sandbox.path("message.eml");
    fs::write(&file, &message).unwrap();
    let file = file.display().to_string();
    for queue_id in ["4AAAA", "4BBBB", "4CCCC"] {
        let ran = sandbox.run(
            &[
                "pipe",
                "--sender",
                SENDER,
                "--recipient",
                to,
                "--client-address",
                "192.0.2.1",
                "--queue-id",
                queue_id,
            ],
            &message,
        );
        ran.silent();
        let replayed = policy(&sandbox, &["run", "sink", &file, "--replay", queue_id]);
        assert!(replayed.stderr.contains("the plan is the one on record"), "{replayed:?}");
    }
    fs::write(&file, plain(to)).unwrap();
    let other = sandbox.run(&["policy", "run", "sink", &file, "--replay", "4AAAA"], b"");
    assert!(other.code == 1 && other.stderr.contains("not the one on record"), "{other:?}");
    let none = sandbox.run(&["policy", "run", "sink", &file, "--replay", "nobody"], b"");
    assert!(none.code == 1 && none.stderr.contains("no message in the log"), "{none:?}");
}

#[test]
fn fixtures_are_tested_shown_where_they_differ_and_accepted() {
    let sandbox = sandbox();
    let file = counting(&sandbox, "one");
    let fixture = sandbox.path("tests/a.toml");
    fs::create_dir_all(sandbox.path("tests")).unwrap();
    let written = "# What it is about stays.\ntext = \"Subject: x\\n\\nhello\\n\"\nseed = 3\n[envelope]\nsender = \"a@b.example\"\n[[classify]]\n\
                   text = \"550 gone\"\n";
    fs::write(&fixture, written).unwrap();
    let new = sandbox.run(&["policy", "test", &file], b"");
    assert!(new.code == 1 && new.stdout.contains("NEW"), "{new:?}");
    let accepted = sandbox.run(&["policy", "test", &file, "--accept"], b"");
    assert!(accepted.stdout.contains("accepted"), "{accepted:?}");
    let text = fs::read_to_string(&fixture).unwrap();
    assert!(text.starts_with(written.trim_end()) && text.contains("[[expect.steps]]"), "{text}");
    let again = policy(&sandbox, &["test", &file]);
    assert!(again.stdout.contains("1 of 1 as expected"), "{again:?}");
    fs::write(&fixture, text.replace("\"one\"", "\"two\"")).unwrap();
    let differs = sandbox.run(&["policy", "test", &file], b"");
    assert!(differs.code == 1, "{differs:?}");
    assert!(
        differs.stdout.contains("-       \"name\": \"two\"")
            && differs.stdout.contains("+       \"name\": \"one\""),
        "{differs:?}"
    );
    fs::write(&fixture, "nonsense = 1\n").unwrap();
    let wrong = sandbox.run(&["policy", "test", &file], b"");
    assert!(
        wrong.code == 1 && wrong.stderr.contains("line 1") && wrong.stderr.contains("nonsense"),
        "{wrong:?}"
    );
    let json = sandbox.path("tests/b.json");
    fs::remove_file(&fixture).unwrap();
    fs::write(&json, r#"{"text": "Subject: x\n\nhello\n", "seed": 3}"#).unwrap();
    sandbox.run(&["policy", "test", &file, "--accept"], b"");
    assert!(policy(&sandbox, &["test", &file]).stdout.contains("1 of 1"));
}

#[test]
fn run_shows_what_was_asked_the_plan_and_what_it_cost() {
    let sandbox = sandbox();
    let file = sandbox.path("m.eml");
    fs::write(&file, plain("b@oob.sink.example")).unwrap();
    let file = file.display().to_string();
    let arguments = [
        "run",
        "sink",
        &file,
        "--sender",
        SENDER,
        "--recipient",
        "b@oob.sink.example",
        "--client-address",
        "192.0.2.1",
    ];
    let shown = policy(&sandbox, &arguments).stdout;
    for part in [
        "dkim",
        "spf",
        "settings",
        "bounce",
        "to alice@sender.example at mx1.sender.example",
        "instructions",
        "KiB",
        "µs",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json = policy(&sandbox, &[&arguments[..], &["--json", "--seed", "5"]].concat()).stdout;
    let seen: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(seen["seed"], 5);
    assert!(seen["fuel"].as_u64().unwrap() > 1000 && seen["memory"].as_u64().unwrap() > 65536, "{seen}");
    assert!(seen["calls"].as_array().unwrap().iter().any(|call| call["function"] == "dkim"));
    assert!(seen.get("defects").is_none());
    fs::write(&file, "To: a@b.example\nTo: c@d.example\n\nx").unwrap();
    assert!(policy(&sandbox, &arguments).stdout.contains("defects: more than one To field"));
}

#[test]
fn bench_gives_cold_and_warm_figures() {
    let sandbox = sandbox();
    let json = policy(&sandbox, &["bench", "sink", "--runs", "2", "--json"]).stdout;
    let costs: serde_json::Value = serde_json::from_str(&json).unwrap();
    for key in ["warm_us", "classified_per_second", "first_class_us", "cold_interpreted_us"] {
        assert!(costs[key].as_f64().unwrap() > 0.0, "{key}: {costs}");
    }
    assert!(costs["cold"]["load_us"].as_f64().unwrap() > 0.0);
}

#[test]
fn wit_prints_the_package_that_the_tests_build_from() {
    let sandbox = sandbox();
    let printed = policy(&sandbox, &["wit"]).stdout;
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("policy.wit", &printed).unwrap();
    assert!(resolve.select_world(&[package], Some("policy")).is_ok());
    let into = sandbox.path("wit").display().to_string();
    policy(&sandbox, &["wit", &into]);
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/wit")).unwrap().flatten() {
        let written = fs::read(sandbox.path("wit").join(entry.file_name())).unwrap();
        assert_eq!(written, fs::read(entry.path()).unwrap(), "{:?}", entry.file_name());
    }
}

#[test]
fn a_name_that_is_a_path_is_no_name() {
    let sandbox = sandbox();
    let ran = pipe(&sandbox, "../../etc", b"Subject: x\r\n\r\n");
    ran.says(75, "4.3.0 ");
    assert!(ran.stdout.contains("invalid policy name"), "{ran:?}");
    assert!(std::path::Path::new(CAROM).exists());
}
