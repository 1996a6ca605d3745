//! Encrypted databases: a carom that is built with the feature `sqlcipher` (`make test-sqlcipher`).

use crate::harness::{Sandbox, plain};
use crate::statistics::{OTHER, SENT, append, delivery, tick};
use std::fs;

#[test]
fn databases_hold_no_address_in_the_clear_and_another_key_defers_mail() {
    let sandbox = Sandbox::new();
    let key = sandbox.path("store.key");
    fs::write(&key, sandbox.run(&["secret", "new"], b"").stdout).unwrap();
    let sandbox = sandbox.config(&format!("[store]\nkey = \"file:{}\"\n", key.display()));
    assert_eq!(sandbox.run(&["suppress", "add", "joe@there.example"], b"").code, 0);
    assert!(sandbox.run(&["suppress", "list"], b"").stdout.contains("joe@there.example"));
    for name in ["carom.db", "carom.db-wal"] {
        let bytes = fs::read(sandbox.path("state").join(name)).unwrap_or_default();
        assert!(!bytes.windows(3).any(|three| three == b"joe") && !bytes.starts_with(b"SQLite"), "{name}");
    }
    let pipe = |recipient: &str| sandbox.pipe(recipient, &plain(recipient));
    pipe("x@accept.sink.example").silent();
    fs::write(&key, "another key of thirty-two octets or more").unwrap();
    let ran = sandbox.run(&["suppress", "list"], b"");
    assert!(ran.code == 1 && ran.stderr.contains("set [store] key to the key"), "{ran:?}");
    let lines = ran.stderr.lines().count();
    assert_eq!(lines, 1, "nothing of SQLCipher's own: {ran:?}");
    fs::write(&key, "short").unwrap();
    pipe("x@accept.sink.example").says(75, "4.3.0 ");
}

#[test]
fn the_index_of_mail_logs_is_encrypted_and_other_processes_read_it() {
    let sandbox = crate::harness::mail_log::sandbox(None, "");
    let key = sandbox.path("store.key");
    fs::write(&key, sandbox.run(&["secret", "new"], b"").stdout).unwrap();
    let sandbox = sandbox.config(&format!("[store]\nkey = \"file:{}\"\n", key.display()));
    for number in 1..=2 {
        append(&sandbox, &delivery(540 + number, number, "joe@there.example", OTHER, 1.0, SENT));
        tick(&sandbox, &[]);
        let shown = sandbox.run(&["deliveries", "--json"], b"");
        assert_eq!(shown.stdout.lines().count() as u32, number, "{shown:?}");
    }
    for name in ["index.db", "index.db-wal"] {
        let bytes = fs::read(sandbox.path("state").join(name)).unwrap_or_default();
        assert!(
            !bytes.windows(9).any(|nine| nine == b"joe@there") && !bytes.starts_with(b"SQLite"),
            "{name}"
        );
    }
}
