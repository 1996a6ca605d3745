//! The reader of `journalctl -o export` on any bytes. Not here: whether it is right; only that nothing panics and that a
//! reader ends.

#![no_main]

use carom::logs::journal::Journal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    let mut journal = Journal::new(raw);
    let mut entries = 0;
    while let Ok(Some(entry)) = journal.next_entry() {
        entry.parse();
        entries += 1;
        assert!(entries <= raw.len());
    }
});
