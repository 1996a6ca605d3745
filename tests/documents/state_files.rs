//! The files that carom makes in its state directory, compared with the list of them in `docs/operate.md`.

use super::document;
use crate::harness::mail_log::{self, ago};
use crate::harness::{Sandbox, names, plain, queued};
use crate::statistics::{OTHER, UNKNOWN_USER, append, delivery, tick};
use std::collections::BTreeSet;

/// The table about the state directory.
fn listed() -> String {
    let text = document("docs/operate.md").text;
    let (_, after) = text.split_once("The state directory (").unwrap();
    after.split_once("The log directory (").unwrap().0.to_owned()
}

fn files(sandbox: &Sandbox) -> BTreeSet<String> {
    let state = sandbox.path("state");
    let name = |name: String| if state.join(&name).is_dir() { name + "/" } else { name };
    names(&state).into_iter().map(name).collect()
}

/// Files of SQLite are listed by their endings.
fn is_listed(list: &str, name: &str) -> bool {
    let plain = name.trim_end_matches("-wal").trim_end_matches("-shm");
    list.contains(&format!("`{plain}`"))
}

#[test]
fn every_file_of_the_state_directory_is_listed() {
    let mailbox_full = "dsn=4.2.2, status=bounced (host mx[192.0.2.9] said: 452 4.2.2 mailbox full)";
    let sandbox = mail_log::sandbox(None, "threshold = 1\n");
    let lines = [("gone@there.example", UNKNOWN_USER), ("full@there.example", mailbox_full)];
    for (number, (to, end)) in (1..).zip(lines) {
        append(&sandbox, &ago(50, &delivery(540, number, to, OTHER, 1.0, end)));
    }
    for to in ["x@accept.sink.example", "x@oob.sink.example"] {
        sandbox.run(&[&queued(to, "4Qann")[..], &["--policy", "sink"]].concat(), &plain(to));
    }
    tick(&sandbox, &[]);
    tick(&sandbox, &[]);
    let (list, made) = (listed(), files(&sandbox));
    for known in ["carom.db", "index.db", "carom.db.soft", "carom.db.tick", "index.db.lock", "running/"] {
        assert!(made.contains(known), "{known}: {made:?}");
    }
    // The log directory has a table of its own.
    let missing: Vec<&String> =
        made.iter().filter(|name| *name != "log/" && !is_listed(&list, name)).collect();
    assert!(missing.is_empty(), "docs/operate.md does not list {missing:?}");
}
