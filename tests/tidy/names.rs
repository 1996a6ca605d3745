//! One word for one thing: no two types of one name, no two files of one name, no header that names what is gone.

use super::sources::{Source, crate_files, files, hold, root};
use std::collections::{BTreeMap, BTreeSet};

/// The types that a file defines for others to use.
fn types(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in code.lines().map(str::trim_start) {
        let Some(line) = line.strip_prefix("pub") else { continue };
        let line = match line.strip_prefix('(') {
            Some(rest) => rest.split_once(')').map_or("", |(_, rest)| rest),
            None => line,
        };
        let mut words = line.split_whitespace();
        if matches!(words.next(), Some("struct" | "enum" | "trait" | "type" | "union")) {
            let name = words.next().unwrap_or_default();
            found.push(name.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned());
        }
    }
    found
}

/// Fails if a name has two places.
fn assert_unique(what: &str, places: BTreeMap<String, Vec<String>>) {
    let doubled = places.into_iter().filter(|(_, places)| places.len() > 1);
    hold(what, doubled.map(|(name, places)| format!("{name}: {}", places.join(" "))));
}

fn assert_types_are_unique(sources: &[Source]) {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources {
        for name in types(&source.code()) {
            places.entry(name).or_default().push(source.path.clone());
        }
    }
    assert_unique("no two types have one name", places);
}

#[test]
fn no_two_types_have_one_name() {
    assert_types_are_unique(&crate_files());
    for guest in ["bounce", "sink"] {
        assert_types_are_unique(&files(&format!("policies/{guest}/src"), "rs"));
    }
}

/// A command's file in `cli/` has the command's name, and may share it with the module that does the work.
#[test]
fn no_two_files_have_one_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in crate_files() {
        if source.stem() != "mod" && !source.path.starts_with("src/cli/") {
            places.entry(source.stem().to_owned()).or_default().push(source.path.clone());
        }
    }
    assert_unique("no two files have one name", places);
}

/// Names of other programs' settings that headers may use.
const FOREIGN: &[&str] = &["enable_long_queue_ids"];

/// The words between back-quotes in the header of a file.
fn quoted(source: &Source) -> Vec<String> {
    let header: Vec<&str> = source.text.lines().take_while(|line| line.starts_with("//!")).collect();
    let header = header.join(" ");
    header.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn headers_name_only_what_is_there() {
    let sources = crate_files();
    let mut words: BTreeSet<String> = BTreeSet::new();
    let mut data = String::new();
    for source in files("src", "rs").iter().chain(&files("policies", "rs")).chain(&files("tests", "rs")) {
        let text = source.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in text {
            words.extend(line.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned));
        }
        words.extend(source.path.split(['/', '.']).map(str::to_owned));
    }
    for file in files("wit", "wit").iter().chain(&files(".", "md")).chain(&files(".", "toml")) {
        data.push_str(&file.text);
    }
    let mut broken = Vec::new();
    for source in &sources {
        for name in quoted(source) {
            let is_path = name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == ':');
            if !is_path
                || name.is_empty()
                || FOREIGN.contains(&name.as_str())
                || data.contains(&format!("{name}/"))
            {
                continue;
            }
            let parts: Vec<&str> =
                name.split("::").filter(|part| !["crate", "super", "self", ""].contains(part)).collect();
            if parts.iter().any(|part| !words.contains(*part)) {
                broken.push(format!("{}: `{name}`", source.path));
            }
            if let [.., folder, module] = parts[..] {
                let is_there = sources.iter().any(|other| {
                    let path = other.module();
                    path.ends_with(&[folder, module])
                        || (path.last() == Some(&folder) && other.text.contains(module))
                });
                if !is_there {
                    broken.push(format!("{}: `{name}`", source.path));
                }
            }
        }
    }
    hold("a header names only what is there", broken);
}

#[test]
fn the_map_names_files_that_exist() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let quoted = map.split('`').skip(1).step_by(2);
    let paths =
        quoted.filter(|name| (name.contains('/') || name.ends_with(".rs")) && !name.contains([' ', '\n']));
    let gone = paths.filter(|path| !root().join(path).exists() && !root().join("src").join(path).exists());
    hold("ARCHITECTURE.md names files that exist", gone.map(str::to_owned));
}
