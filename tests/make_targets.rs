//! `make` says what it installs before it installs it, and `make test-unit` installs nothing.
//!
//! Not here: what the targets test. The programs that install are stand-ins that say what they were asked for.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// What `make` would run for a target.
fn planned(target: &str) -> Vec<String> {
    // `make test` runs this test: the outer make is not to be heard.
    let mut make = Command::new("make");
    make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").env_remove("MFLAGS");
    let ran = make.args(["--no-print-directory", "-n", target]).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8(ran.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn stand_in(directory: &Path, name: &str, script: &str) {
    let file = directory.join(name);
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
}

/// `tests/tools.sh` for a target, on a host that has only the stand-ins.
fn tools(target: &str, user: u32, has: &[&str]) -> Output {
    let directory = std::env::temp_dir().join(format!("carom-tools-{:x}", fastrand::u64(..)));
    fs::create_dir(&directory).unwrap();
    stand_in(&directory, "id", &format!("echo {user}"));
    stand_in(&directory, "apt-get", "echo ran apt-get \"$@\"");
    for name in has {
        stand_in(&directory, name, "exit 0");
    }
    let ran =
        Command::new("/bin/sh").args(["tests/tools.sh", target]).env("PATH", &directory).output().unwrap();
    fs::remove_dir_all(&directory).unwrap();
    ran
}

#[test]
fn the_demo_names_what_is_missing_before_it_is_installed() {
    let plan = planned("demo");
    assert!(plan[0].ends_with("tests/tools.sh build"), "{plan:?}");
    let said = tools("build", 0, &[]);
    let lines = String::from_utf8(said.stdout).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert!(said.status.success() && lines.len() == 3, "{lines:?}");
    assert_eq!(lines[0], "to install from Debian, with apt-get: gcc libc6-dev");
    assert!(lines[1..].iter().all(|line| line.starts_with("ran apt-get ")), "{lines:?}");
    assert!(lines[2].ends_with(" gcc libc6-dev"), "{lines:?}");
    // Who may not install is told what is missing, and nothing is tried.
    let said = tools("build", 1000, &[]);
    assert!(!said.status.success() && !String::from_utf8_lossy(&said.stdout).contains("ran apt-get"));
    assert!(
        String::from_utf8_lossy(&said.stderr)
            .contains("only root can do that: apt-get install gcc libc6-dev")
    );
    let said = tools("build", 1000, &["cc"]);
    assert!(said.status.success() && String::from_utf8_lossy(&said.stdout).starts_with("nothing to install"));
}

#[test]
fn unit_tests_install_nothing() {
    assert_eq!(planned("test-unit"), ["cargo test --lib"]);
}
