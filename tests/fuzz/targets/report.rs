//! The reader of reports on any bytes, and the shipped bounce policy on what it finds: an address that is found is one.

#![no_main]

use bounce::{Failure, classify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    for found in carom::fuzz::report(raw) {
        assert!(found.address.contains('@') && found.address.len() < 400, "{:?}", found.address);
        assert!(!found.address.contains(char::is_control), "{:?}", found.address);
        classify(&Failure {
            text: &found.diagnostic,
            status: &found.status,
            code: found.code,
            stage: found.stage,
            remote_mta: &found.remote_mta,
        });
    }
});
