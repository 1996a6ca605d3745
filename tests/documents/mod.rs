//! The documents: their commands exist or run, their configs are valid, their links lead somewhere,
//! and what they quote is what carom says.
//!
//! Not here: the guide (`guide`), the first message of the README (`readme`), and plain English
//! (`tidy/words`).

mod commands;
mod config_texts;
mod configs;
mod counters;
mod exit_texts;
mod finding_texts;
mod limits;
mod links;
mod metrics;
mod policy_settings;
mod run_as_written;
mod state_files;

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A document, by its path from the root of the project.
pub(crate) struct Document {
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn document(path: &str) -> Document {
    let text = fs::read_to_string(Path::new(ROOT).join(path)).expect(path);
    Document { path: path.to_owned(), text }
}

/// Every page of `docs/`.
pub(crate) fn pages() -> Vec<Document> {
    let entries = fs::read_dir(Path::new(ROOT).join("docs")).unwrap().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    paths.sort();
    let name = |path: &PathBuf| format!("docs/{}", path.file_name().unwrap().to_string_lossy());
    paths.iter().map(|path| document(&name(path))).collect()
}

/// Every page of `docs/`, and the README.
pub(crate) fn guides() -> Vec<Document> {
    [document("README.md")].into_iter().chain(pages()).collect()
}

/// A source up to its unit tests.
pub(crate) fn untested(source: &str) -> &str {
    source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// The fenced blocks of code: the language of each, and its lines without the indentation of its
/// list.
pub(crate) fn fenced(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (line, fence) in lines(text) {
        match fence {
            Fence::Start(language) => found.push((language.to_owned(), String::new())),
            Fence::Inside(indent) => {
                let bare = line.get(indent..).unwrap_or_else(|| line.trim_start());
                found.last_mut().unwrap().1.push_str(&format!("{bare}\n"));
            }
            Fence::Outside => {}
        }
    }
    found
}

/// A document without its fenced blocks.
pub(crate) fn prose(text: &str) -> String {
    let outside = lines(text).into_iter().filter(|(_, fence)| matches!(fence, Fence::Outside));
    outside.map(|(line, _)| format!("{line}\n")).collect()
}

/// Where a line is; the line that ends a block is left out.
enum Fence<'a> {
    Outside,
    Start(&'a str),
    /// With the indentation of the block.
    Inside(usize),
}

fn lines(text: &str) -> Vec<(&str, Fence<'_>)> {
    let mut inside = None;
    let mut found = Vec::new();
    for line in text.lines() {
        let bare = line.trim_start();
        match (inside, bare.strip_prefix("```")) {
            (None, Some(language)) => {
                inside = Some(line.len() - bare.len());
                found.push((line, Fence::Start(language)));
            }
            (Some(_), Some(_)) => inside = None,
            (Some(indent), None) => found.push((line, Fence::Inside(indent))),
            (None, None) => found.push((line, Fence::Outside)),
        }
    }
    found
}
