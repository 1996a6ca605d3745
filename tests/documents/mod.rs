//! The documents: their commands exist or run, their configs are valid, their links lead somewhere,
//! and what they quote is what carom says.
//!
//! Not here: the guide (`guide`), the first message of the README (`readme`), and plain English
//! (`tidy/words`).

mod commands;
mod configs;
mod exit_texts;
mod limits;
mod links;
mod metrics;
mod run_as_written;

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

/// A fenced block of code: its language, and its lines.
pub(crate) fn fenced(text: &str) -> Vec<(&str, &str)> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks.filter_map(|block| block.split_once('\n')).collect()
}

/// A document without its fenced blocks.
pub(crate) fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect()
}
