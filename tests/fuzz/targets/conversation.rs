//! A conversation in LMTP or SMTP on any bytes: however they are cut, the replies and the messages are the same, the replies
//! are replies, and what is kept is bounded.

#![no_main]

use carom::fuzz::Dialogue;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    assert_eq!(Dialogue::Lmtp.fault(raw), None);
    assert_eq!(Dialogue::Smtp.fault(raw), None);
});
