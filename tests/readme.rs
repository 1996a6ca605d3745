//! README.md: the commands of its sections run as they are written.
//!
//! Not here: the guide (`guide`), and what is checked in all documents (`documents`).

use crate::documents::{ROOT, document};
use crate::guide::{blocks, shell};
use crate::harness::Sandbox;
use std::path::Path;

/// The text below a heading, up to the next one.
fn section(heading: &str) -> String {
    let readme = document("README.md").text;
    let (_, rest) = readme.split_once(&format!("\n## {heading}\n")).expect(heading);
    rest.split("\n## ").next().unwrap().to_owned()
}

/// The shell commands of a section as they are written, except that `/tmp/carom` is a directory of
/// the test.
pub(crate) fn commands(sandbox: &Sandbox, heading: &str) -> String {
    let state = sandbox.path("readme-state").display().to_string();
    blocks(&section(heading), "sh").concat().replace("/tmp/carom", &state)
}

#[test]
fn the_first_message_works_as_written() {
    let sandbox = Sandbox::new();
    let printed = shell(&sandbox, Path::new(ROOT), &commands(&sandbox, "Your first message"));
    for part in ["ok", "store", "\"policy\": \"sink\"", "\"verdict\": \"accept\""] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
}
