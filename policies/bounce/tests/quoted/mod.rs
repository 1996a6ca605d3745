//! The replies that the rules quote.
//!
//! Not here: what is asked of them (`metamorphic`, `worth`).

use std::fs;
use std::path::Path;

/// A reply that a rule quotes.
pub struct Example {
    /// The file of the rule.
    pub family: String,
    pub rule: String,
    pub text: String,
    /// The rule asks for a text that holds nothing else.
    pub is_whole: bool,
}

/// The examples of all rules.
pub fn examples() -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut examples = Vec::new();
    for file in files {
        let family = file.file_stem().unwrap().to_string_lossy().into_owned();
        let table: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        for rule in table["rule"].as_array().unwrap() {
            let patterns = rule.get("pattern").map(texts).unwrap_or_default();
            let is_whole = patterns.iter().any(|pattern| pattern.starts_with('^') || pattern.ends_with('$'));
            for text in texts(&rule["example"]) {
                let (family, rule) = (family.clone(), rule["name"].as_str().unwrap().to_owned());
                examples.push(Example { family, rule, text: text.to_owned(), is_whole });
            }
        }
    }
    examples
}

/// A text or a list of texts.
fn texts(value: &toml::Value) -> Vec<&str> {
    match value {
        toml::Value::Array(texts) => texts.iter().filter_map(toml::Value::as_str).collect(),
        text => text.as_str().into_iter().collect(),
    }
}
