//! A conversation in LMTP or SMTP on any bytes: however they are cut, the replies and the messages are the same.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    for smtp in [false, true] {
        let whole = carom::fuzz::conversation(raw, raw.len(), smtp);
        assert!(
            whole == carom::fuzz::conversation(raw, 1, smtp)
                && whole == carom::fuzz::conversation(raw, 17, smtp)
        );
    }
});
