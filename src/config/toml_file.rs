//! The text of `carom.toml`: read into tables, and the line of every key.
//!
//! Not here: what the tables mean. Invariants: a line comes from the TOML reader's own spans, so a
//! key is never confused with its namesake in another table, a comment or a text. An error names
//! the line and the key, and quotes nothing that is written there: it may be a secret.

use super::fault::ConfigFault;
use super::tables::Tables;
use super::toml_words;
use crate::error::{Context, Error};
use crate::files::regular;
use crate::text::bounded;
use serde::Deserialize;
use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

/// A longer config is a mistake.
const LONGEST: u64 = 4 << 20;

/// The text of the config file at `path`. Neither a pipe that nobody writes to nor a huge file
/// holds up a message.
pub(super) fn text(path: &Path) -> Result<String, Error> {
    let wrong = |what: &str, fix: &str| Err(Error::new(what).remedy(fix).within(path.display()));
    let unreadable = |error: Error| error.remedy("name a readable config with --config");
    let bytes = match regular::read(path, LONGEST) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => {
            return wrong("longer than 4 MiB", "name a config file with --config");
        }
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            return wrong(&error.to_string(), "name a config file with --config");
        }
        read => read.context(path.display()).map_err(unreadable)?,
    };
    String::from_utf8(bytes).or_else(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        wrong(&format!("line {line}: not UTF-8"), "save the file as UTF-8")
    })
}

#[derive(Debug, Default)]
pub(crate) struct TomlFile {
    /// `None` if there is no file.
    file: Option<PathBuf>,
    text: String,
}

/// Where a key is: its line, and its name as people write it.
struct Place {
    line: usize,
    name: String,
    /// Not even its table is written.
    is_absent: bool,
}

impl TomlFile {
    pub(super) fn new(text: &str, file: Option<PathBuf>) -> TomlFile {
        TomlFile { file, text: name_default_policy(text).into_owned() }
    }

    /// Where it is; `None` if there is no file.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The same as everybody finds it, wherever carom is started.
    pub(crate) fn whole_path(&self) -> Option<PathBuf> {
        let path = self.path()?;
        path.canonicalize().or_else(|_| std::path::absolute(path)).ok()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The tables whose names are `wanted`; all others have their defaults.
    pub(super) fn tables(&self, wanted: impl Fn(&str) -> bool) -> Result<Tables, Error> {
        let read = || {
            let tree = DeTable::parse(&self.text)?;
            let span = tree.span();
            let tables = tree.into_inner().into_iter().filter(|(name, _)| wanted(name.get_ref()));
            Tables::deserialize(Deserializer::from(Spanned::new(span, tables.collect())))
        };
        read().map_err(|error| self.misread(&error))
    }

    /// The file as a table.
    pub(super) fn table(&self) -> Result<toml::Table, Error> {
        self.text.parse().map_err(|error| self.misread(&error))
    }

    fn misread(&self, error: &toml::de::Error) -> Error {
        let start = error.span().map_or(0, |span| span.start);
        let line = self.line(start);
        let (what, fix) = toml_words::plain(bounded(error.message().trim(), 1000));
        let key = self.key_at(start).map(|key| key + ": ").unwrap_or_default();
        self.error(line, format_args!("{key}{what}")).remedy(fix)
    }

    /// The name of the key whose value is at this place.
    fn key_at(&self, start: usize) -> Option<String> {
        let tree = DeTable::parse(&self.text).ok()?;
        let mut path = Vec::new();
        let is_found = path_to(&DeValue::Table(tree.into_inner()), start, &mut path);
        is_found.then(|| self.place(&path).name).filter(|name| !name.is_empty())
    }

    /// Whether somebody wrote this config, or these are the defaults.
    pub(crate) fn is_written(&self) -> bool {
        self.file.is_some()
    }

    /// The fault with file, line and key.
    pub(super) fn explain(&self, fault: &ConfigFault) -> Error {
        let place = self.place(&fault.path);
        self.error(place.line, format_args!("{}: {}", place.name, fault.what)).remedy(&fault.fix)
    }

    /// The line of a key, counted from 1, or of its nearest table; `None` if neither is written.
    pub(super) fn line_of(&self, path: &[String]) -> Option<usize> {
        let place = self.place(path);
        (!place.is_absent).then_some(place.line)
    }

    /// Whether the table at this path has a key.
    pub(super) fn has_key(&self, path: &[String], key: &str) -> bool {
        let top = toml::Value::Table(self.table().unwrap_or_default());
        let found = path.iter().try_fold(&top, |value, part| match value {
            toml::Value::Array(elements) => elements.get(part.parse::<usize>().ok()?),
            table => table.get(part),
        });
        found.and_then(toml::Value::as_table).is_some_and(|table| table.contains_key(key))
    }

    /// An error about a line.
    pub(super) fn error(&self, line: usize, what: impl std::fmt::Display) -> Error {
        let error = Error::new(format_args!("line {line}: {what}"));
        match &self.file {
            Some(file) => error.within(file.display()).at(file, line),
            None => error,
        }
    }

    fn line(&self, start: usize) -> usize {
        self.text.get(..start).unwrap_or_default().matches('\n').count() + 1
    }

    fn place(&self, path: &[String]) -> Place {
        let mut walk = Walk::default();
        if let Ok(tree) = DeTable::parse(&self.text) {
            walk.follow(&DeValue::Table(tree.into_inner()), path);
        }
        Place { line: self.line(walk.start), name: walk.name(), is_absent: walk.found == 0 }
    }
}

/// Finds the keys and the numbers of elements on the way to the value that is at this place. The
/// span of a table is that of its name.
fn path_to(value: &DeValue<'_>, start: usize, path: &mut Vec<String>) -> bool {
    let mut leads_there = |part: String, value: &Spanned<DeValue<'_>>| {
        path.push(part);
        let is_found = path_to(value.get_ref(), start, path) || value.span().contains(&start);
        if !is_found {
            path.pop();
        }
        is_found
    };
    match value {
        DeValue::Table(table) => {
            table.iter().any(|(key, value)| leads_there(key.get_ref().to_string(), value))
        }
        DeValue::Array(elements) => {
            elements.iter().enumerate().any(|(number, value)| leads_there(number.to_string(), value))
        }
        _ => false,
    }
}

/// The way from the top of the file to a key.
#[derive(Default)]
struct Walk {
    /// Where the last key or element on the way begins.
    start: usize,
    /// Keys that are written.
    found: usize,
    keys: Vec<String>,
    /// Through one of several tables of a name.
    is_repeated: bool,
    ends_in_table: bool,
}

impl Walk {
    fn follow(&mut self, value: &DeValue<'_>, path: &[String]) {
        self.ends_in_table = value.is_table();
        let Some((part, rest)) = path.split_first() else { return };
        match value {
            DeValue::Table(table) => match table.get_key_value(part.as_str()) {
                Some((key, value)) => {
                    self.keys.push(part.clone());
                    self.start = key.span().start;
                    self.found += 1;
                    self.follow(value.get_ref(), rest);
                }
                None => {
                    self.keys.extend(path.iter().cloned());
                    self.ends_in_table = false;
                }
            },
            DeValue::Array(elements) => {
                let element = part.parse().ok().and_then(|number: usize| elements.get(number));
                if let Some(element) = element {
                    self.start = element.span().start;
                    self.is_repeated |= element.get_ref().is_table();
                    self.follow(element.get_ref(), rest);
                }
            }
            _ => {}
        }
    }

    /// `[table] key`, `[[table]] key`, `[table]`, or a key of no table.
    fn name(&self) -> String {
        let (table, key) = match self.keys.split_last() {
            Some((key, table)) if !self.ends_in_table => (table, key.as_str()),
            _ => (&*self.keys, ""),
        };
        let table = table.join(".");
        match (table.is_empty(), self.is_repeated) {
            (true, _) => key.to_owned(),
            (_, true) => format!("[[{table}]] {key}").trim_end().to_owned(),
            (_, false) => format!("[{table}] {key}").trim_end().to_owned(),
        }
    }
}

/// TOML cannot contain both `policy = "sink"` and `[policy.sink]`, but people write just that. A
/// top-level `policy` line with a string is read as `default_policy`, on the same line, so that
/// lines stay right.
fn name_default_policy(text: &str) -> Cow<'_, str> {
    let is_top = |line: &&str| !line.trim_start().starts_with('[');
    let mut at = 0;
    for line in text.split_inclusive('\n').take_while(is_top) {
        let start = at + line.len() - line.trim_start().len();
        let value = line.trim_start().strip_prefix("policy").map(str::trim_start);
        let value = value.and_then(|rest| rest.strip_prefix('=')).map(str::trim_start);
        if value.is_some_and(|value| value.starts_with(['"', '\''])) {
            return Cow::Owned(format!("{}default_{}", &text[..start], &text[start..]));
        }
        at += line.len();
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(text: &str, path: &[&str]) -> String {
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        let fault = ConfigFault { path, what: "is wrong".into(), fix: "correct it".into() };
        TomlFile::new(text, Some("/etc/c.toml".into())).explain(&fault).to_string()
    }

    #[test]
    fn a_key_is_never_confused_with_its_namesake() {
        let text = "# keep = 1\n[policy.bounce.settings]\nkeep = true\n\n[policies]\nkeep = 0\n";
        assert_eq!(
            explained(text, &["policies", "keep"]),
            "/etc/c.toml: line 6: [policies] keep: is wrong; correct it"
        );
        assert!(
            explained(text, &["policy", "bounce", "settings", "keep"])
                .contains("line 3: [policy.bounce.settings] keep")
        );
    }

    #[test]
    fn a_key_has_the_name_that_people_write() {
        let text = "state = \"x\"\n[[alert]]\nname = \"a\"\n[[alert]]\n name = \"b\"\nmail = [\n  \"a@b\",\n  \"c\",\n]\n\
                    [[policy.bounce.settings.rules]]\npattern = \"x\"\n";
        for (path, place) in [
            (&["state"][..], "line 1: state:"),
            (&["alert", "1"], "line 4: [[alert]]:"),
            (&["alert", "1", "name"], "line 5: [[alert]] name:"),
            (&["alert", "1", "mail", "1"], "line 8: [[alert]] mail:"),
            (&["alert", "0", "above"], "line 2: [[alert]] above:"),
            (&["verp", "keys"], "line 1: [verp] keys:"),
            (
                &["policy", "bounce", "settings", "rules", "0", "pattern"],
                "line 11: [[policy.bounce.settings.rules]] pattern:",
            ),
        ] {
            let said = explained(text, path);
            assert!(said.contains(place), "{path:?}: {said}");
        }
        assert!(explained("verp = { keys = [] }", &["verp", "keys"]).contains("line 1: [verp] keys:"));
        assert!(explained("a.b = 1\n[c]\nd.e = 2", &["c", "d", "e"]).contains("line 3: [c.d] e:"));
    }

    #[test]
    fn the_default_policy_may_be_written_as_policy() {
        for (text, line) in [
            ("\n  policy = \"bounce\"\n[policy.bounce]\nmonitor = 1\n", 4),
            ("policy='bounce'\n[policy.bounce]\nmonitor = 1\n", 3),
        ] {
            let file = TomlFile::new(text, None);
            let tables = file.tables(|key| key == "default_policy").unwrap();
            assert_eq!(tables.default_policy, "bounce");
            let error = file.tables(|_| true).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line {line}: ")), "{error}");
        }
        let other = "[a]\npolicy = \"x\"\n";
        assert!(matches!(name_default_policy(other), Cow::Borrowed(_)));
    }
}
