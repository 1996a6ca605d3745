//! The project's sources as the laws read them: files, code without comments and strings, the paths that code names.
//!
//! Invariant: a file is read to its end; only an inline `mod tests { … }` at the left margin is left out of its code.

use std::fs;
use std::path::PathBuf;

/// The root of the project: cargo says where it runs the test.
pub(super) fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// A law is held when nothing breaks it; otherwise the test lists everything that does.
#[track_caller]
pub(super) fn hold(law: &str, broken: impl IntoIterator<Item = String>) {
    let broken: Vec<String> = broken.into_iter().collect();
    assert!(broken.is_empty(), "{law}:\n  {}", broken.join("\n  "));
}

/// One file: its path from the root, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every file below `folder` with this ending, sorted.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path: PathBuf = entry.path();
            let skipped = ["target", ".git", "node_modules"];
            if path.is_dir() && path.file_name().is_some_and(|name| !skipped.iter().any(|skip| name == *skip))
            {
                folders.push(path);
            } else if path.extension().is_some_and(|have| have == ending) {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push(Source { path: name, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The files of the crate that are not tests.
pub(super) fn crate_files() -> Vec<Source> {
    files("src", "rs").into_iter().filter(|source| !source.is_test()).collect()
}

impl Source {
    /// Whether the whole file is unit tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
            || self.text.lines().any(|line| line == "#![cfg(test)]")
    }

    /// The module's place: `src/index/query.rs` is `["index", "query"]`, `src/index/mod.rs` is `["index"]`.
    pub(super) fn module(&self) -> Vec<&str> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        path.split('/').filter(|part| *part != "mod").collect()
    }

    pub(super) fn stem(&self) -> &str {
        self.path.rsplit('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The lines without inline unit tests.
    pub(super) fn lines(&self) -> Vec<&str> {
        let mut kept = Vec::new();
        let mut in_tests = false;
        for line in self.text.lines() {
            in_tests |= line.starts_with("mod tests {");
            if !in_tests {
                kept.push(line);
            } else if line == "}" {
                in_tests = false;
            }
        }
        kept
    }

    /// The code: no comments, and no inside of strings.
    pub(super) fn code(&self) -> String {
        split(&self.lines().join("\n")).0
    }

    /// The insides of string literals.
    pub(super) fn strings(&self) -> Vec<String> {
        split(&self.lines().join("\n")).1
    }
}

/// Code without comments and strings, and the strings.
fn split(text: &str) -> (String, Vec<String>) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut strings) = (String::new(), Vec::new());
    let mut at = 0;
    let is = |at: usize, what: &str| what.chars().enumerate().all(|(n, c)| chars.get(at + n) == Some(&c));
    while at < chars.len() {
        let before = at.checked_sub(1).map_or(' ', |before| chars[before]);
        if is(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if chars[at] == 'r'
            && !before.is_alphanumeric()
            && before != '_'
            && raw_hashes(&chars, at).is_some()
        {
            let hashes = raw_hashes(&chars, at).unwrap();
            let begin = at + 2 + hashes;
            let end = format!("\"{}", "#".repeat(hashes));
            at = begin;
            while at < chars.len() && !is(at, &end) {
                at += 1;
            }
            strings.push(chars[begin..at.min(chars.len())].iter().collect());
            at += end.len();
            code.push_str("\"\"");
        } else if chars[at] == '"' {
            let begin = at + 1;
            at += 1;
            while at < chars.len() && chars[at] != '"' {
                at += if chars[at] == '\\' { 2 } else { 1 };
            }
            strings.push(chars[begin..at.min(chars.len())].iter().collect());
            at += 1;
            code.push_str("\"\"");
        } else if chars[at] == '\'' && (is(at + 2, "'") || is(at + 1, "\\")) {
            at += 2;
            while at < chars.len() && chars[at] != '\'' {
                at += 1;
            }
            at += 1;
            code.push_str("' '");
        } else {
            code.push(chars[at]);
            at += 1;
        }
    }
    (code, strings)
}

/// How many `#` begin a raw string at this `r`, if one begins there.
fn raw_hashes(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

/// Every path in the code that begins with `crate`, `super` or `self`, groups taken apart.
pub(super) fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            if !before.is_alphanumeric() && !['_', ':'].contains(&before) {
                expand(&code[at..], &mut Vec::new(), &mut found);
            }
        }
    }
    found
}

/// Reads one path, or one group of them, and returns what is left.
fn expand<'a>(text: &'a str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let depth = prefix.len();
    let mut rest = text.trim_start();
    loop {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end > 0 {
            prefix.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        match rest.strip_prefix("::") {
            Some(after) if after.starts_with('{') => {
                rest = &after[1..];
                loop {
                    rest = expand(rest, prefix, found).trim_start();
                    if let Some(alias) = rest.strip_prefix("as ") {
                        rest =
                            alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_' || c == ' ');
                    }
                    match rest.chars().next() {
                        Some(',') => rest = rest[1..].trim_start(),
                        Some('}') => {
                            rest = &rest[1..];
                            break;
                        }
                        _ => break,
                    }
                }
                break;
            }
            Some(after) => rest = after,
            None => {
                found.push(prefix.clone());
                break;
            }
        }
        if end == 0 {
            break;
        }
    }
    prefix.truncate(depth);
    rest
}
