//! The shipped bounce policy's classes on any reply. The first line of the input is `CODE STATUS STAGE SERVER`, the rest is the
//! text. Not here: whether a class is right; only that there is one, and that it can be explained.

#![no_main]

use bounce::{Failure, Scratch, classify_with, explain};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    let input = String::from_utf8_lossy(raw);
    let (head, text) = input.split_once('\n').unwrap_or(("", &input));
    let mut words = head.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (code, status, stage, remote_mta) = (word().parse().unwrap_or_default(), word(), word(), word());
    let failure = Failure { text, status, code, stage, remote_mta };
    let class = classify_with(None, &failure, &mut Scratch::default());
    assert!(!class.reason.is_empty());
    assert_eq!(class.reason, explain(None, &failure).0.reason);
});
