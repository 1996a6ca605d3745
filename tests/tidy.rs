//! The laws of the house, held by a test: who may use whom, where foreign crates live, how files begin and how long they are.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` with this ending: path from the root, and text.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path: PathBuf = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|have| have == ending) {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// A file without its unit tests.
fn code(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or(text)
}

#[test]
fn every_file_says_what_it_is_and_is_short_enough_to_read() {
    for folder in ["src", "tests", "benches", "policies"] {
        for (name, text) in files(folder, "rs") {
            assert!(text.starts_with("//!"), "{name} does not begin with what it is");
            let lines = code(&text).lines().count();
            assert!(lines <= 500, "{name} has {lines} lines");
        }
    }
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let order: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(order.len() > 10);
    let place = |module: &str| order.iter().position(|name| *name == module);
    for (name, text) in files("src", "rs") {
        let module = name.trim_start_matches("src/").split(['/', '.']).next().unwrap();
        let Some(own) = place(module) else { continue };
        let spoken = |line: &&str| !line.trim_start().starts_with("//");
        let code: String = code(&text).lines().filter(spoken).collect::<Vec<_>>().join("\n");
        for used in code.split("crate::").skip(1) {
            let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            if let Some(other) = place(used) {
                assert!(other <= own, "{name} uses {used}, which stands below {module}");
            }
        }
    }
}

#[test]
fn foreign_crates_have_one_home() {
    let homes = [
        ("wasmtime::", &["src/policy/"][..]),
        ("mail_parser::", &["src/message/"]),
        ("html5gum::", &["src/message/"]),
        ("mail_auth::", &["src/auth/"]),
        ("hickory_resolver::", &["src/auth/"]),
        ("tokio::", &["src/auth/"]),
        ("rusqlite::", &["src/store/"]),
        ("lettre::", &["src/action/smtp.rs"]),
        ("ureq::", &["src/action/http.rs"]),
        ("rayon::", &["src/action/", "src/journal.rs", "src/relay.rs", "src/classify.rs"]),
        ("flate2::", &["src/logs/tail/", "src/kept.rs"]),
        ("ruzstd::", &["src/logs/tail/"]),
        ("lzma_rust2::", &["src/logs/tail/"]),
        ("clap::", &["src/cli/"]),
        ("async fn", &["src/auth/"]),
        ("unsafe {", &["src/policy/cache.rs"]),
    ];
    for (name, text) in files("src", "rs") {
        for (foreign, allowed) in homes {
            let used = code(&text)
                .lines()
                .any(|line| line.contains(foreign) && !line.trim_start().starts_with("//"));
            assert!(!used || allowed.iter().any(|home| name.starts_with(home)), "{name} uses {foreign}");
        }
    }
}

#[test]
fn nothing_is_left_half_done() {
    let words = [
        "todo!",
        "unimplemented!",
        "dbg!",
        concat!("FIX", "ME"),
        concat!("#[al", "low("),
        concat!("XX", "X:"),
    ];
    for (name, text) in files("src", "rs").into_iter().chain(files("policies", "rs")) {
        for word in words {
            assert!(!text.contains(word), "{name} holds {word}");
        }
    }
}

#[test]
fn the_shipped_policies_are_built_from_their_sources() {
    let digest = |bytes: &[u8]| -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    for name in ["sink", "bounce", "misfit"] {
        let read = |ending: &str| fs::read(root().join(format!("policies/dist/{name}.{ending}"))).unwrap();
        assert_eq!(
            digest(&read("wasm")),
            String::from_utf8_lossy(&read("sha256")).trim(),
            "{name}.wasm was changed by hand"
        );
        let mut sources: Vec<(String, Vec<u8>)> = Vec::new();
        let guest = format!("policies/{name}");
        let folders = [format!("{guest}/src"), format!("{guest}/rules"), guest.clone()];
        for folder in ["wit".to_owned(), "policies/sdk/src".into()].into_iter().chain(folders) {
            for entry in fs::read_dir(root().join(&folder)).into_iter().flatten().flatten() {
                let file = format!("{folder}/{}", entry.file_name().to_string_lossy());
                if folder != guest || file.ends_with(".toml") || file.ends_with(".rs") {
                    sources.push((file, fs::read(entry.path()).unwrap()));
                }
            }
        }
        let file = "policies/sdk/Cargo.toml".to_owned();
        sources.push((file.clone(), fs::read(root().join(&file)).unwrap()));
        sources.sort_by(|a, b| Path::new(&a.0).cmp(Path::new(&b.0)));
        let joined: Vec<u8> = sources
            .iter()
            .flat_map(|(file, content)| [file.as_bytes(), b"\0", content, b"\0"].concat())
            .collect();
        assert_eq!(
            digest(&joined),
            String::from_utf8_lossy(&read("source")).trim(),
            "{name} is older than its sources: run policies/build.sh"
        );
    }
}

#[test]
fn the_readme_shows_the_files_that_are_tested() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for file in ["examples/postfix/master.cf", "examples/postfix/main.cf", "examples/powermta/config"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        assert!(readme.contains(text.trim_end()), "README.md does not show {file} as it is");
    }
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(changelog.contains(env!("CARGO_PKG_VERSION")));
}
