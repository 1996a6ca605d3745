//! An output never replaces carom's own files, what carom reads, or another output: `check` says so before, and a tick
//! and `export` leave the file alone.
//!
//! Not here: outputs whose directory is missing or closed (`check`, `check_places`).

use crate::harness::checked_host::Host;
use std::fs;
use std::os::unix::fs::symlink;

const CYCLE: &str =
    "[[cycle]]\nname = \"NAME\"\nvalues = [1, 1, 1, 1, 1, 1, 1]\ntext = \"{value}\"\nfile = \"DIR/PATH\"\n";
const LOG: &str = "[[logs]]\nkind = \"postfix\"\npath = \"DIR/mail.log\"\ntimezone = \"UTC\"\n";

fn cycle(name: &str, path: &str) -> String {
    CYCLE.replace("NAME", name).replace("PATH", path)
}

/// A host with a store, a mail log and a link to the state directory.
fn host(lines: &str) -> Host {
    let host = Host::new();
    fs::write(host.sandbox.path("mail.log"), "").unwrap();
    fs::write(host.sandbox.path("other.db"), "SQLite format 3\0 somebody's").unwrap();
    assert_eq!(host.run(&["cron"]).code, 0);
    symlink("state", host.sandbox.path("link")).unwrap();
    symlink("state/carom.db", host.sandbox.path("store.html")).unwrap();
    let config = fs::read_to_string(host.sandbox.path("carom.toml")).unwrap();
    host.write(&format!("{config}{lines}"));
    host
}

#[test]
fn what_an_output_would_replace_is_found_and_left_alone() {
    let html = |path: &str| format!("[export]\nhtml = \"DIR/{path}\"\n");
    for (lines, victim, what) in [
        (html("state/carom.db"), "state/carom.db", "carom's store"),
        (html("link/carom.db"), "state/carom.db", "carom's store"),
        (html("store.html"), "store.html", "carom's store"),
        (html("state/../state/carom.db-wal"), "state/carom.db", "carom's store"),
        (html("state/index.db"), "state/carom.db", "the index"),
        (html("state/kept/report.html"), "state/carom.db", "a file of carom's own"),
        (html("carom.toml"), "carom.toml", "the config"),
        (html("zone"), "zone", "the zone"),
        (html("other.db"), "other.db", "a database"),
        (format!("{}{LOG}", html("mail.log")), "mail.log", "a mail log"),
        (cycle("a", "state/carom.db"), "state/carom.db", "carom's store"),
        (format!("{}{LOG}", cycle("a", "mail.log")), "mail.log", "a mail log"),
        ("[export]\npostfix_access = \"DIR/link/carom.db\"\n".into(), "state/carom.db", "carom's store"),
        (
            "[[events]]\nkind = \"file\"\npath = \"DIR/state/log\"\n".into(),
            "state/carom.db",
            "a directory of carom's own",
        ),
    ] {
        let host = host(&lines);
        let start = |name: &str| {
            let mut bytes = fs::read(host.sandbox.path(name)).unwrap();
            bytes.truncate(16);
            bytes
        };
        let before = (start(victim), host.sandbox.path(victim).is_symlink());
        let what = format!("it is {what}");
        let found = host.finds(&[], "wrong", &what);
        assert!(found["line"].is_number() && found["fix"].as_str().unwrap().contains("set "), "{found}");
        let ran = host.run(&["cron"]);
        assert!(ran.code == 1 && format!("{ran:?}").contains(&what), "{lines}: {ran:?}");
        assert_eq!((start(victim), host.sandbox.path(victim).is_symlink()), before, "{lines}");
    }
}

#[test]
fn two_outputs_of_one_file_are_found_and_none_is_written() {
    for lines in [
        format!("{}{}", cycle("a", "out"), cycle("b", "out")),
        format!("{}[export]\nhtml = \"DIR/out\"\n", cycle("a", "out")),
        format!("{}{}", cycle("a", "out"), cycle("b", "link/../out")),
    ] {
        let host = host(&lines);
        host.finds(&[], "wrong", "are the same file");
        let ran = host.run(&["cron"]);
        assert!(ran.code == 1 && !host.sandbox.path("out").exists(), "{lines}: {ran:?}");
    }
}

#[test]
fn an_export_by_hand_replaces_a_report_and_nothing_of_ours() {
    let host = host("");
    for path in ["state/carom.db", "link/carom.db", "carom.toml", "other.db"] {
        let path = host.sandbox.path(path);
        let before = fs::read(&path).unwrap();
        let ran = host.run(&["export", "html", "--output", path.to_str().unwrap()]);
        assert!(ran.code == 1 && ran.stderr.contains("would replace it"), "{ran:?}");
        assert_eq!(fs::read(&path).unwrap()[..16], before[..16]);
    }
    let page = host.sandbox.path("page.html");
    for _ in 0..2 {
        assert_eq!(host.run(&["export", "html", "--output", page.to_str().unwrap()]).code, 0);
    }
    assert!(fs::read_to_string(page).unwrap().contains("<html"));
}
