//! README.md: its commands run, its options exist, its configs are valid.
//!
//! Not here: the guide (`guide`) and the snippets for mail servers (`tidy/words`).

use crate::guide::{blocks, shell};
use crate::harness::{CAROM, Sandbox};
use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn readme() -> String {
    fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap()
}

/// The text below a heading, up to the next one.
fn section(heading: &str) -> String {
    let readme = readme();
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

/// The commands in code and in the table of commands: the words after `carom`, up to a comment, a pipe
/// or a redirection.
fn all_commands(text: &str) -> Vec<Vec<&str>> {
    let is_code = |line: &&str| {
        ["    carom ", "    echo ", "carom ", "| `carom "].iter().any(|start| line.starts_with(start))
    };
    let outside =
        text.split("```").step_by(2).flat_map(str::lines).filter(|line| !line.starts_with("carom "));
    let fenced = blocks(text, "sh").into_iter().flat_map(str::lines);
    let commands = outside.chain(fenced).filter(is_code).filter_map(|line| {
        let (_, command) = line.split_once("carom ")?;
        let is_table = line.starts_with('|');
        let end = if is_table { None } else { command.find([';', '#', '|', '<', '>']) };
        let command = &command[..end.unwrap_or(command.len())];
        Some(command.split([' ', '`', ',', ';', '|', ':']).filter(|word| !word.is_empty()).collect())
    });
    commands.collect()
}

#[test]
fn every_command_and_option_exists() {
    let sandbox = Sandbox::new();
    let readme = readme();
    let mut checked = 0;
    for command in all_commands(&readme) {
        // `--state DIR` comes before the command.
        let words = command
            .iter()
            .position(|word| !word.starts_with(['-', '/']))
            .map_or(&[][..], |at| &command[at..]);
        let Some(name) = words.first() else { continue };
        let nested = words.get(1).filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
        let with_nested: Vec<&str> = [*name].into_iter().chain(nested.copied()).chain(["--help"]).collect();
        let mut help = sandbox.run(&with_nested, b"");
        if help.code != 0 {
            help = sandbox.run(&[name, "--help"], b"");
        }
        assert_eq!(help.code, 0, "{command:?}: {help:?}");
        for option in words.iter().filter(|word| word.starts_with("--") && word.len() > 2) {
            assert!(help.stdout.contains(option), "{command:?} has no {option}: {}", help.stdout);
            checked += 1;
        }
    }
    assert!(checked > 15, "{checked} options");
}

#[test]
fn every_config_is_valid() {
    let readme = readme();
    let configs = blocks(&readme, "toml");
    assert!(configs.len() > 4, "{}", configs.len());
    for config in configs {
        let sandbox = Sandbox::new();
        let file = sandbox.path("readme.toml");
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let key = "a key of this test, long enough";
        let filled = config.replace("whsec_…", secret).replace("made by: carom secret new", key);
        fs::write(&file, filled).unwrap();
        let (file, state) = (file.display().to_string(), sandbox.path("state").display().to_string());
        let ran = Command::new(CAROM).args(["--config", &file, "--state", &state, "check"]).output().unwrap();
        let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
        let is_ok = |line: &str| line.starts_with("ok") && line.contains(" config ");
        assert!(printed.lines().any(is_ok), "{config}\n{printed}\n{ran:?}");
    }
}
