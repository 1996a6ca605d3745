//! What a mail server asks while a client waits, policy delegation and socketmap, on any bytes: the same as of a conversation.

#![no_main]

use carom::fuzz::Dialogue;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    assert_eq!(Dialogue::Policy.fault(raw), None);
    assert_eq!(Dialogue::Socketmap.fault(raw), None);
});
