//! The tables as they are written: rules, codes, reasons, providers and words, from their TOML
//! files.
//!
//! Not here: what is made of them (`build`, `build_write`).

use crate::letters::fold;
use crate::rule::Written;
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

pub struct Tables {
    pub reasons: Vec<Reason>,
    pub providers: Vec<Marked>,
    /// At which stage a server refused, where a text tells it.
    pub stages: Vec<Marked>,
    /// What a refusal is about, by its words, stage or code. The first that fits decides.
    pub about: Vec<Written>,
    /// In the order in which they are asked.
    pub rules: Vec<Written>,
    /// Files of rules, with the names of the rules in them.
    pub families: Vec<(String, Vec<String>)>,
    pub codes: Vec<Written>,
    /// The place of a reason, and what becomes of it.
    pub refinements: Vec<(usize, Written)>,
    pub words: Vec<(String, Vec<String>)>,
}

pub struct Reason {
    pub name: String,
    pub category: String,
    pub about: String,
    pub severity: String,
    /// The severity of a 4xx, where it differs.
    pub temporary: Option<String>,
}

/// A provider or a stage, with the patterns that show it.
pub struct Marked {
    pub name: String,
    pub hosts: Vec<String>,
    pub marks: Vec<String>,
}

impl Tables {
    pub fn read() -> Tables {
        let reasons: Vec<Reason> = list(Path::new("reasons.toml"), "reason").iter().map(reason).collect();
        let place = |name: &str| reasons.iter().position(|reason| reason.name == name);
        let is_reason = |name: &str| place(name).is_some();
        let codes = Path::new("codes.toml");
        let refinement = |table: Map<String, Value>| {
            let when = place(&text(&table, "when")).expect("`when` of a refinement is a reason");
            (when, Written::read(&table, is_reason).unwrap_or_else(|error| panic!("{error}")))
        };
        Tables {
            about: written(Path::new("about.toml"), "about", is_reason),
            rules: files().iter().flat_map(|file| written(file, "rule", is_reason)).collect(),
            families: files().iter().map(|file| family(file)).collect(),
            codes: list(codes, "code").into_iter().map(|table| code(table, is_reason)).collect(),
            refinements: list(codes, "refine").into_iter().map(refinement).collect(),
            providers: list(Path::new("providers.toml"), "provider").iter().map(marked).collect(),
            stages: list(Path::new("providers.toml"), "stage").iter().map(marked).collect(),
            words: list(Path::new("words.toml"), "words").iter().map(words).collect(),
            reasons,
        }
    }
}

/// The files of rules in the order of their names.
fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir("rules").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn family(file: &Path) -> (String, Vec<String>) {
    let names = list(file, "rule").iter().map(|table| text(table, "name")).collect();
    (file.file_stem().unwrap().to_string_lossy().into_owned(), names)
}

/// The rules of a file. All its mistakes are shown together.
fn written(file: &Path, name: &str, is_reason: impl Fn(&str) -> bool) -> Vec<Written> {
    let (mut rules, mut mistakes) = (Vec::new(), Vec::new());
    for table in list(file, name) {
        match Written::read(&table, &is_reason) {
            Ok(rule) => rules.push(rule),
            Err(error) => mistakes.push(format!("{}: {:?}: {error}", file.display(), table.get("name"))),
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    rules
}

/// A code is a rule without a text, named after itself.
fn code(mut table: Map<String, Value>, is_reason: impl Fn(&str) -> bool) -> Written {
    let code = text(&table, "codes").replace('*', "x");
    table.insert("name".into(), Value::String(format!("code-{code}")));
    Written::read(&table, is_reason).unwrap_or_else(|error| panic!("{code}: {error}"))
}

fn reason(table: &Map<String, Value>) -> Reason {
    let temporary = table.get("temporary").map(|_| text(table, "temporary"));
    let of = |key: &str| text(table, key);
    Reason {
        name: of("name"),
        category: of("category"),
        about: of("about"),
        severity: of("severity"),
        temporary,
    }
}

fn marked(table: &Map<String, Value>) -> Marked {
    Marked { name: text(table, "name"), hosts: texts(table, "hosts"), marks: texts(table, "marks") }
}

/// A list of words: those of all languages, in the form in which texts are read.
fn words(table: &Map<String, Value>) -> (String, Vec<String>) {
    let languages = table.keys().filter(|key| *key != "name");
    let words = languages.flat_map(|language| texts(table, language));
    (text(table, "name"), words.map(|word| folded(&word)).collect())
}

fn folded(word: &str) -> String {
    let mut plain = Vec::new();
    word.chars().for_each(|letter| fold(letter, &mut plain));
    String::from_utf8(plain).expect("letters are folded into letters")
}

/// The tables of the array `name` in a TOML file.
fn list(file: &Path, name: &str) -> Vec<Map<String, Value>> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    match serde_json::to_value(table).unwrap().get_mut(name) {
        Some(Value::Array(tables)) => tables.iter().map(|table| table.as_object().unwrap().clone()).collect(),
        _ => Vec::new(),
    }
}

fn text(table: &Map<String, Value>, key: &str) -> String {
    let text = table.get(key).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("{key} is missing in {table:?}")).to_owned()
}

fn texts(table: &Map<String, Value>, key: &str) -> Vec<String> {
    match table.get(key) {
        Some(Value::Array(values)) => values.iter().map(|value| value.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    }
}
