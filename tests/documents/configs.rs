//! Every config in a document is valid.

use super::{fenced, guides};
use crate::harness::{CAROM, Sandbox};
use std::fs;
use std::process::Command;

#[test]
fn every_config_is_valid() {
    let sandbox = Sandbox::new();
    let state = sandbox.path("state").display().to_string();
    let (mut checked, mut broken) = (0, Vec::new());
    for document in guides() {
        for (_, config) in fenced(&document.text).into_iter().filter(|(language, _)| language == "toml") {
            let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
            let key = "a key of this test, long enough";
            let filled = config.replace("whsec_…", secret);
            let filled = filled.replace("made by: carom secret new", key);
            let file = sandbox.path("document.toml");
            fs::write(&file, filled).unwrap();
            let file = file.display().to_string();
            let arguments = ["--config", &file, "--state", &state, "check", "--quick"];
            let ran = Command::new(CAROM).args(arguments).output().unwrap();
            let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
            let is_ok = |line: &str| line.starts_with("ok") && line.contains(" config ");
            let is_wrong = |line: &str| line.starts_with("wrong  settings");
            checked += 1;
            if !printed.lines().any(is_ok) || printed.lines().any(is_wrong) {
                broken.push(format!("{}:\n{config}\n{printed}\n{ran:?}", document.path));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(checked > 10, "{checked} configs");
}
