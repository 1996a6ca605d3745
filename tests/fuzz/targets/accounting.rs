//! The reader of PowerMTA's accounting files on any bytes, given whole and in two pieces.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| carom::fuzz::powermta(raw));
