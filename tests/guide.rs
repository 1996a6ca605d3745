//! The guide, `docs/first-policy.md`: every command of it is run, in order, as a newcomer would; and the example policies agree.
//!
//! Both need what the guide asks for, a Rust that can compile for WebAssembly. Where it is missing they are skipped, aloud.

use crate::harness::{CAROM, Sandbox};
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

#[test]
fn every_command_of_the_guide_works_in_order() {
    let sandbox = Sandbox::new();
    if !can_build(&sandbox) {
        return;
    }
    let bin = sandbox.path("bin");
    fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(CAROM, bin.join("carom")).unwrap();
    let guide = fs::read_to_string(Path::new(ROOT).join("docs/first-policy.md")).unwrap();
    let blocks = blocks(&guide, "sh");
    assert!(blocks.len() >= 10, "{}", blocks.len());
    let place = sandbox.path("guide");
    fs::create_dir_all(&place).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-e", "-c", &blocks.concat()])
        .current_dir(&place)
        .env("PATH", path)
        .env("XDG_STATE_HOME", sandbox.path("home"))
        .env_remove("CAROM_CONFIG")
        .output()
        .unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    for part in [
        "of its own",
        "as expected",
        "It decides otherwise than before.",
        "release 1",
        "cold start",
        "in force again",
    ] {
        assert!(said.contains(part), "{part}: {said}\n{errors}");
    }
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
