//! The guide, `docs/first-policy.md`: every command in it is run, in order, as a newcomer would run it.
//!
//! This needs what the guide asks for, a Rust that can compile for WebAssembly. Without it, the test is
//! skipped with a message.

use crate::harness::{CAROM, Sandbox};
use crate::readme;
use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Whether the toolchain is there, as `carom policy build` sees it.
pub(crate) fn can_build(sandbox: &Sandbox) -> bool {
    let broken = sandbox.path("broken");
    let made = sandbox.run(&["policy", "new", "--language", "rust", &broken.display().to_string()], b"");
    assert_eq!(made.code, 0, "{made:?}");
    fs::write(broken.join("Cargo.toml"), "[package]\nname = \"policy\"\n[lib]\npath = \"nowhere.rs\"\n")
        .unwrap();
    let mut command = sandbox.command(&["policy", "build", &broken.display().to_string()]);
    let output = command.envs(std::env::vars_os()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let missing = said.contains("rustup target add");
    if missing {
        eprintln!("skipped: {said}");
    }
    !missing
}

/// The blocks of code in this language, in a document.
pub(crate) fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let rests = text.split("```").skip(1).step_by(2);
    rests.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// Runs commands in `directory` with carom in the path, until one fails. Returns what they print.
pub(crate) fn shell(sandbox: &Sandbox, directory: &Path, commands: &str) -> String {
    let bin = sandbox.path("bin");
    if !bin.exists() {
        fs::create_dir_all(&bin).unwrap();
        std::os::unix::fs::symlink(CAROM, bin.join("carom")).unwrap();
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-e", "-c", commands])
        .current_dir(directory)
        .env("PATH", path)
        .env("XDG_STATE_HOME", sandbox.path("home"))
        .env_remove("CAROM_CONFIG")
        .output()
        .unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{errors}");
    text.into_owned()
}

#[test]
fn every_command_of_the_guide_works_in_order_and_those_of_the_readme() {
    let sandbox = Sandbox::new();
    if !can_build(&sandbox) {
        return;
    }
    let guide = fs::read_to_string(Path::new(ROOT).join("docs/first-policy.md")).unwrap();
    let commands = blocks(&guide, "sh");
    assert!(commands.len() >= 10, "{}", commands.len());
    let place = sandbox.path("guide");
    fs::create_dir_all(&place).unwrap();
    let printed = shell(&sandbox, &place, &commands.concat());
    for part in [
        "µs in the policy",
        "as expected",
        "It decides otherwise than before.",
        "release 1",
        "cold start",
        "in force again",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }

    // The README's policy has the same dependencies, which are compiled already.
    let place = sandbox.path("readme");
    fs::create_dir_all(&place).unwrap();
    let (new, commands) = readme_commands(&sandbox, "Your first policy");
    shell(&sandbox, &place, &new);
    shell(&sandbox, &place, "cp -r ../guide/my-policy/target my-policy/");
    let printed = shell(&sandbox, &place, &commands);
    for part in ["as expected", "release 2", "release 1"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
}

/// The first command of a section of the README, and the others.
fn readme_commands(sandbox: &Sandbox, heading: &str) -> (String, String) {
    let commands = readme::commands(sandbox, heading);
    let (first, others) = commands.split_once('\n').unwrap();
    (first.to_owned(), others.to_owned())
}

#[test]
fn what_is_scaffolded_is_whole_in_every_language() {
    let sandbox = Sandbox::new();
    for language in ["rust", "c", "javascript", "python"] {
        let place = sandbox.path(language).display().to_string();
        let ran = sandbox.run(&["policy", "new", "--language", language, &place], b"");
        assert!(ran.code == 0 && ran.stdout.contains("policy build"), "{ran:?}");
        let readme = fs::read_to_string(sandbox.path(language).join("README.md")).unwrap();
        assert!(readme.contains("carom policy build") && readme.contains("carom policy test policy.wasm"));
        assert!(sandbox.path(language).join("wit/world.wit").exists());
        assert!(sandbox.path(language).join("tests/plain.toml").exists());
        let again = sandbox.run(&["policy", "new", "--language", language, &place], b"");
        assert!(again.code == 1 && again.stderr.contains("empty"), "no file is written over: {again:?}");
    }
    let unknown = sandbox.run(&["policy", "new", "--language", "cobol", "x"], b"");
    assert!(unknown.code == 1 && unknown.stderr.contains("python"), "{unknown:?}");
}
