//! Plain English where users read: help, errors, documents. And nothing left half done.

use super::sources::{crate_files, files, hold, root};
use std::fs;

/// Words and phrases for which plain English has a better one.
const STRANGE: &[&str] = &[
    "acted upon",
    "anew",
    "as it should",
    "at once",
    "be it",
    "hang on",
    "hangs on",
    "in vain",
    "is told",
    "looked through",
    "mend",
    "mended",
    "mends",
    "not to be had",
    "of its own",
    "owed",
    "put off",
    "so many",
    "stand",
    "stands",
    "told",
    "whom",
];

/// Keys of rows that databases of earlier releases have.
const KEYS: &[&str] = &["told {event} {id} {}"];

/// Whether `text` has the phrase as whole words.
fn says(text: &str, phrase: &str) -> bool {
    let text = text.to_lowercase();
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-');
    text.match_indices(phrase).any(|(at, _)| {
        !is_word(text[..at].chars().next_back()) && !is_word(text[at + phrase.len()..].chars().next())
    })
}

/// The phrases in a text for which there are better ones.
fn strange(place: &str, text: &str) -> Vec<String> {
    let found = STRANGE.iter().filter(|phrase| says(text, phrase));
    found.map(|phrase| format!("{place}: `{phrase}` in {:?}", text.trim())).collect()
}

/// Whether a string is SQL: tables and columns of released versions keep their names.
fn is_sql(text: &str) -> bool {
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE "].iter().any(|verb| text.contains(verb))
}

#[test]
fn help_and_errors_are_plain_english() {
    let mut broken = Vec::new();
    for source in crate_files() {
        let strings = source.strings();
        let read = strings.iter().filter(|text| !is_sql(text) && !KEYS.contains(&text.as_str()));
        broken.extend(read.flat_map(|text| strange(&source.path, text)));
        if source.path.starts_with("src/cli/") {
            let lines = source.lines().into_iter().filter_map(|line| line.trim_start().strip_prefix("///"));
            broken.extend(lines.flat_map(|line| strange(&source.path, line)));
        }
    }
    hold("help and errors are plain English", broken);
}

#[test]
fn documents_are_plain_english_in_short_lines() {
    let mut broken = Vec::new();
    for file in files(".", "md") {
        let mut in_table_or_code = false;
        for (number, line) in file.text.lines().enumerate() {
            if line.starts_with("```") {
                in_table_or_code = !in_table_or_code;
            }
            let place = format!("{}:{}", file.path, number + 1);
            broken.extend(strange(&place, line));
            let is_free = in_table_or_code || line.starts_with(['|', ' ']) || line.contains("](");
            if !is_free && line.chars().count() > 100 {
                broken.push(format!("{place} is longer than 100 characters"));
            }
        }
    }
    hold("documents are plain English in short lines", broken);
}

#[test]
fn comments_are_short_lines() {
    let mut broken = Vec::new();
    for source in files("src", "rs") {
        for (number, line) in source.text.lines().enumerate() {
            if line.trim_start().starts_with("//") && line.chars().count() > 100 {
                broken.push(format!("{}:{}", source.path, number + 1));
            }
        }
    }
    hold("comments are at most 100 characters wide", broken);
}

#[test]
fn nothing_is_left_half_done() {
    let words = [
        "todo!",
        "unimplemented!",
        "dbg!",
        concat!("FIX", "ME"),
        concat!("#[al", "low("),
        concat!("#![al", "low("),
        concat!("#[ex", "pect("),
        concat!("XX", "X:"),
    ];
    let mut broken = Vec::new();
    for source in files("src", "rs").into_iter().chain(files("policies", "rs")) {
        let held = words.iter().filter(|word| source.text.contains(**word));
        broken.extend(held.map(|word| format!("{} holds {word}", source.path)));
    }
    hold("nothing is left half done", broken);
}

const POWERMTA: &str = "examples/powermta/config";

#[test]
fn the_documentation_shows_the_files_that_are_tested() {
    let shown = [
        ("README.md", &["examples/postfix/master.cf", "examples/postfix/main.cf", POWERMTA][..]),
        ("docs/lmtp.md", &["examples/postfix-lmtp/main.cf", "examples/postfix-lmtp/master.cf"]),
        ("docs/mail-servers.md", &["examples/exim/main", "examples/exim/router", "examples/exim/transport"]),
        (
            "docs/mail-servers.md",
            &["examples/opensmtpd/carom-mda", "examples/opensmtpd/smtpd.conf", POWERMTA],
        ),
    ];
    for (page, examples) in shown {
        let shown = fs::read_to_string(root().join(page)).unwrap();
        for file in examples {
            let text = fs::read_to_string(root().join(file)).unwrap();
            assert!(shown.contains(text.trim_end()), "{page} does not show {file} as it is");
        }
    }
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(changelog.contains(env!("CARGO_PKG_VERSION")));
}
