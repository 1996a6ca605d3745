//! The reader of reports on any bytes, and the shipped bounce policy on what it finds. Not here: what is right; only that
//! nothing panics, and that an address is one.

#![no_main]

use bounce::{Failure, classify};
use carom::message::report;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    for found in report::read_file(raw).recipients {
        assert!(found.address.contains('@') && found.address.len() < 400, "{:?}", found.address);
        assert!(!found.address.contains(char::is_control), "{:?}", found.address);
        classify(&Failure {
            text: &found.diagnostic,
            status: found.status.as_deref().unwrap_or_default(),
            code: found.reply_code.unwrap_or_default(),
            stage: found.stage,
            remote_mta: found.remote_mta.as_deref().unwrap_or_default(),
        });
    }
});
