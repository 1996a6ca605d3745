//! The blocks of a page that are marked `sh` are run as they are written, in order, and print what
//! the blocks marked `output` after them show (`…` is any text).
//!
//! Not here: the guide, which needs a compiler (`guide`). What needs a mail server, root or the
//! network is marked `console`, and only its commands are checked (`commands`).

use super::{Document, ROOT, fenced, pages};
use crate::guide::shell;
use crate::harness::Sandbox;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// Run by `guide`.
const ELSEWHERE: [&str; 1] = ["docs/first-policy.md"];

/// The config that the pages suppose: bounces with signed return paths, beside a sink.
const CONFIG: &str = "[verp]\nkeys = [\"a key of this test, long enough\"]\ndomain = \"bounces.example.com\"\n\
                      [policy.bounce.settings]\nkeep = true\n";

/// Whether a line is one that `shown` stands for.
fn fits(line: &str, shown: &str) -> bool {
    let parts: Vec<&str> = shown.split('…').map(str::trim).collect();
    let mut rest = line.trim();
    for (number, part) in parts.iter().enumerate() {
        let Some(at) = rest.find(part) else { return false };
        if number == 0 && at > 0 {
            return false;
        }
        rest = &rest[at + part.len()..];
    }
    rest.is_empty() || parts.last().is_some_and(|last| last.is_empty())
}

fn run(page: &Document) {
    let sandbox = Sandbox::new().config(CONFIG);
    let place = sandbox.path("page");
    fs::create_dir_all(&place).unwrap();
    symlink(Path::new(ROOT).join("examples"), place.join("examples")).unwrap();
    let config = sandbox.path("carom.toml");
    fs::set_permissions(&config, Permissions::from_mode(0o640)).unwrap();
    let mut commands = format!("export CAROM_CONFIG={}\n", config.display());
    let blocks = fenced(&page.text);
    for (language, block) in &blocks {
        match language.as_str() {
            // A script that is shown is not a command.
            "sh" if !block.starts_with("#!") => commands.push_str(block),
            "output" => commands.push_str("\necho '--- output'\n"),
            _ => continue,
        }
        commands.push('\n');
    }
    let printed = shell(&sandbox, &place, &commands);
    let shown = blocks.iter().filter(|(language, _)| language == "output");
    for ((_, block), printed) in shown.zip(printed.split("--- output")) {
        for line in block.lines().filter(|line| !line.trim().is_empty()) {
            let found = printed.lines().any(|printed| fits(printed, line));
            assert!(found, "{}: nothing printed is\n{line}\nbut\n{printed}", page.path);
        }
    }
}

#[test]
fn what_pages_show_is_run_as_written() {
    let pages: Vec<Document> =
        pages().into_iter().filter(|page| !ELSEWHERE.contains(&page.path.as_str())).collect();
    let mut ran = 0;
    let is_shell = |(language, block): &(String, String)| language == "sh" && !block.starts_with("#!");
    for page in pages.iter().filter(|page| fenced(&page.text).iter().any(is_shell)) {
        run(page);
        ran += 1;
    }
    assert!(ran > 0);
}
