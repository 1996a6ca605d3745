//! The reader of `journalctl -o export` on any bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| assert!(carom::fuzz::journald(raw) <= raw.len()));
