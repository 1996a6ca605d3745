//! The reader of Postfix's lines, and their correlation, on any bytes. No address appears that the lines do not hold.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    for recipient in carom::fuzz::postfix(raw) {
        // A byte that is not UTF-8 becomes three.
        assert!(recipient.len() <= 3 * raw.len());
    }
});
