//! The reader of Postfix's lines, and what correlation makes of them, on any bytes. Not here: whether it is right; only that
//! nothing panics.

#![no_main]

use carom::logs::postfix::{Grammar, Reader};
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    let grammar = Grammar { zone: TimeZone::UTC, ..Grammar::default() };
    let mut reader = Reader::new(&grammar, 1_800_000_000_000);
    for line in raw.split(|&byte| byte == b'\n') {
        reader.read(line);
    }
});
