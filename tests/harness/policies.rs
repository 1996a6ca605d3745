//! What tests of installed policies begin with: a sandbox, a policy that counts, and the commands that install and use it.

use super::guest::Guest;
use super::{Ran, SENDER, Sandbox};

/// Where the shipped policies stand.
pub(crate) const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/dist");

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new().config("[policies]\nmail_user = \"nobody\"\n")
}

/// A policy that accepts and counts `name`.
pub(crate) fn counting(sandbox: &Sandbox, name: &str) -> String {
    let guest = Guest::new("(drop (call $accept)) (call $count_it)").counting(name);
    guest.write(&sandbox.path(&format!("{name}.wasm"))).display().to_string()
}

#[track_caller]
pub(crate) fn policy(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    let ran = sandbox.run(&[&["policy"], arguments].concat(), b"");
    assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    ran
}

pub(crate) fn pipe(sandbox: &Sandbox, name: &str, message: &[u8]) -> Ran {
    sandbox.run(&["pipe", "--policy", name, "--sender", SENDER, "--recipient", "b@sink.example"], message)
}
