//! How long files and functions may be, and how files begin.

use super::sources::{Source, files, hold};

/// Lines of a file, tests included.
const FILE: usize = 400;
/// Lines of a function.
const FUNCTION: usize = 60;
/// Functions that may be longer.
const LONGER: usize = 5;

fn all() -> Vec<Source> {
    ["src", "tests", "benches", "policies", "examples"]
        .iter()
        .flat_map(|folder| files(folder, "rs"))
        .collect()
}

#[test]
fn every_file_says_what_it_is_and_is_short_enough_to_read() {
    let mut broken = Vec::new();
    for source in all() {
        if !source.text.starts_with("//!") {
            broken.push(format!("{} does not begin with what it is", source.path));
        }
        let lines = source.text.lines().count();
        if lines > FILE {
            broken.push(format!("{} has {lines} lines", source.path));
        }
    }
    hold("files have headers and are short", broken);
}

/// The functions of a file with their lines, tests left out.
fn functions(source: &Source) -> Vec<(String, usize)> {
    let lines = source.lines();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let words: Vec<&str> = line.split(|c: char| c.is_whitespace() || c == '(').collect();
        let Some(at) = words.iter().position(|word| *word == "fn") else { continue };
        if line.trim_start().starts_with("//") || line.trim_end().ends_with([';', '}']) {
            continue;
        }
        let end = format!("{indent}}}");
        let length = lines[number..].iter().position(|line| *line == end).map_or(0, |length| length + 1);
        let name = words.get(at + 1).copied().unwrap_or_default();
        found.push((format!("{} {name}", source.path), length));
    }
    found
}

#[test]
fn functions_fit_on_a_screen() {
    let sources =
        files("src", "rs").into_iter().chain(files("policies", "rs")).filter(|source| !source.is_test());
    let long: Vec<_> =
        sources.flat_map(|source| functions(&source)).filter(|(_, lines)| *lines > FUNCTION).collect();
    assert!(long.len() <= LONGER, "{long:#?}");
}
