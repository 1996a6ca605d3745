//! Encrypted databases: a carom that is built with the feature `sqlcipher` (`make test-sqlcipher`).

use crate::harness::{Sandbox, plain};
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
