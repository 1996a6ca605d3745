//! The readers of KumoMTA's records and of Exim's main log on any bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    carom::fuzz::kumomta(raw);
    carom::fuzz::exim(raw);
});
