//! The reader of PowerMTA's accounting files on any bytes, given whole and in two pieces. Not here: whether it is right; only
//! that nothing panics and that every line is accounted for.

#![no_main]

use carom::logs::powermta::{Accounting, State};
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    let first = raw.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut whole = Accounting::new(TimeZone::UTC, 1_800_000_000_000, State::default());
    whole.read(first, true, raw, |_| {});
    let mut pieces = Accounting::new(TimeZone::UTC, 1_800_000_000_000, State::default());
    let cut = raw[..raw.len() / 2].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    pieces.read(first, true, &raw[..cut], |_| {});
    pieces.read(first, false, &raw[cut..], |_| {});
    whole.take_lines();
});
