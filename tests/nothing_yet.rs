//! Where nothing was stored yet, whoever only asks is told so, and makes nothing: neither a file nor a directory.

use crate::harness::{Sandbox, names};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Commands that only ask or remove, the exit code of each where there is nothing, and what its note names.
const ASKING: [(&[&str], i32, &str); 32] = [
    (&["alerts"], 0, "carom.db"),
    (&["check"], 0, ""),
    (&["deliveries"], 0, "index.db"),
    (&["deliveries", "--unclassified"], 0, "index.db"),
    (&["erase", "a@there.example", "--dry-run"], 0, "carom.db"),
    (&["erase", "a@there.example"], 0, "carom.db"),
    (&["export", "prometheus"], 0, "carom.db"),
    (&["export", "json"], 0, "carom.db"),
    (&["export", "csv"], 0, "index.db"),
    (&["export", "html"], 0, "index.db"),
    (&["export", "events"], 0, "index.db"),
    (&["find", "a@there.example"], 0, "carom.db"),
    (&["find", "a@there.example", "--export"], 0, "carom.db"),
    (&["log"], 0, "state/log"),
    (&["outbox"], 0, "carom.db"),
    (&["outbox", "retry", "--all"], 0, "carom.db"),
    (&["outbox", "drop", "--all"], 0, "carom.db"),
    (&["outbox", "drop", "a@there.example"], 1, "carom.db"),
    (&["policy", "diff"], 0, "carom.db"),
    (&["policy", "list"], 0, ""),
    (&["reclassify"], 0, "index.db"),
    (&["report"], 0, "index.db"),
    (&["rules", "suggest"], 0, "index.db"),
    (&["shared", "status"], 1, "carom.db"),
    (&["shared", "diff"], 1, "carom.db"),
    (&["stats"], 0, "carom.db"),
    (&["suppress", "check", "a@there.example"], 0, "carom.db"),
    (&["suppress", "list"], 0, "carom.db"),
    (&["suppress", "export"], 0, "carom.db"),
    (&["suppress", "remove", "a@there.example"], 0, "carom.db"),
    (&["suppress", "undo", "--since", "1h", "--dry-run"], 0, "carom.db"),
    (&["suppress", "undo", "--since", "1h"], 0, "carom.db"),
];

/// Commands that make something, or that ask none of carom's files; `policy …` may keep compiled code.
const OTHERS: [&str; 19] = [
    "access",
    "classify",
    "completions",
    "cron",
    "import-…",
    "lmtp",
    "man",
    "pipe",
    "policy-…",
    "postfix-…",
    "relay",
    "rules-import",
    "secret-new",
    "serve",
    "shared-resync",
    "sink-import",
    "socketmap",
    "suppress-add",
    "verp-…",
];

/// Every name below a directory.
fn everything(below: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for name in names(below) {
        let path = below.join(&name);
        found.extend(everything(&path).into_iter().map(|inner| format!("{name}/{inner}")));
        found.insert(name);
    }
    found
}

#[test]
fn who_only_asks_makes_nothing() {
    for has_state in [false, true] {
        let sandbox = Sandbox::new();
        if has_state {
            fs::create_dir(sandbox.path("state")).unwrap();
        }
        let before = everything(&sandbox.dir);
        for (words, code, named) in ASKING {
            // With everything logged, too.
            for options in [&[][..], &["--json"], &["-vv"]] {
                let ran = sandbox.run(&[words, options].concat(), b"");
                assert_eq!(everything(&sandbox.dir), before, "{words:?} {options:?}: {ran:?}");
                assert_eq!(ran.code, code, "{words:?} {options:?}: {ran:?}");
                let is_said = ran.stderr.contains(named) && ran.stderr.contains("yet");
                assert!(named.is_empty() || is_said, "{words:?} {options:?}: {ran:?}");
            }
        }
        let dry = ["suppress", "import", "-", "--dry-run"];
        let ran = sandbox.run(&dry, b"a@there.example\n");
        assert!(ran.code == 0 && ran.stdout.contains("1 new"), "{ran:?}");
        assert_eq!(everything(&sandbox.dir), before, "{ran:?}");
    }
}

#[test]
fn no_command_is_left_out() {
    let sandbox = Sandbox::new();
    let man = sandbox.path("man").display().to_string();
    assert_eq!(sandbox.run(&["man", "--out", &man], b"").code, 0);
    let page = |name: &String| Some(name.strip_prefix("carom-")?.strip_suffix(".1")?.to_owned());
    let all: Vec<String> = names(&sandbox.path("man")).iter().filter_map(page).collect();
    let is_group = |name: &String| all.iter().any(|other| other.starts_with(&format!("{name}-")));
    let asked: BTreeSet<String> = ASKING.iter().map(|(words, ..)| words.join("-")).collect();
    let is_known = |name: &&String| {
        let group = format!("{}-…", name.split('-').next().unwrap());
        let asks = asked.iter().any(|one| one == *name || one.starts_with(&format!("{name}-")));
        asks || name.as_str() == "suppress-import" || OTHERS.iter().any(|one| one == name || *one == group)
    };
    let unknown: Vec<&String> = all.iter().filter(|name| !is_group(name) && !is_known(name)).collect();
    assert!(all.len() > 60 && unknown.is_empty(), "{unknown:?} of {all:?}");
}
