//! The reader of Postfix's lines, and what correlation makes of them, on any bytes. Not here: whether it is right; only that
//! nothing panics, and that nothing is told that was not there.

#![no_main]

use carom::logs::correlate::{Correlator, Limits, State};
use carom::logs::postfix::Grammar;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    let grammar = Grammar { zone: TimeZone::UTC, ..Grammar::default() };
    let reference_ms = 1_800_000_000_000;
    let mut correlator = Correlator::new(&grammar, Limits::default(), reference_ms, State::default());
    correlator.read(raw, &mut ());
    correlator.drain(&mut (), |delivery| {
        // What is no UTF-8 becomes three octets for each.
        assert!(delivery.recipient.is_none_or(|recipient| recipient.len() <= 3 * raw.len()));
    });
});
