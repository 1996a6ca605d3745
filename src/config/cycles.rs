//! The rules of `[[cycle]]`.
//!
//! Not here: whether directories and programs exist (`check`).

use super::fault::ConfigFault;
use super::span::Span;
use super::tables::{CycleTable, Tables};
use std::collections::HashSet;

/// Two years of weeks.
const MOST_VALUES: usize = 7 * 106;

impl CycleTable {
    pub(super) const TABLES: &[&str] = &["cycle"];

    pub(super) fn read(tables: Tables) -> Result<Vec<CycleTable>, ConfigFault> {
        let mut names = HashSet::new();
        for (number, cycle) in tables.cycle.iter().enumerate() {
            if !names.insert(&cycle.name) {
                let what = format!("{:?} is the name of another [[cycle]]", cycle.name);
                return Err(ConfigFault::of_element("cycle", number, "name", what, "choose another name"));
            }
            cycle.check(number)?;
        }
        Ok(tables.cycle)
    }

    fn check(&self, number: usize) -> Result<(), ConfigFault> {
        let fault =
            |key: &str, what: &str, fix: &str| Err(ConfigFault::of_element("cycle", number, key, what, fix));
        if self.name.is_empty() || self.name.contains(char::is_control) {
            return fault("name", "is empty, or has control characters", "choose a name");
        }
        let valid = self.values.iter().all(|value| value.is_finite() && *value >= 0.0);
        let weeks = !self.values.is_empty() && self.values.len().is_multiple_of(7);
        if !valid || !weeks || self.values.len() > MOST_VALUES {
            return fault("values", "are not complete weeks", "set seven numbers, 0 or more, for each week");
        }
        if self.file.is_none() && self.run.is_empty() && self.purge.is_none() {
            return fault("", "does nothing", "set file and text, run, or [cycle.purge]");
        }
        if self.file.is_some() != self.text.contains("{value}") {
            return fault("text", "belongs to file, and contains {value}", "set both, or neither");
        }
        if let Some(name) = unknown_variable(&self.text) {
            return fault("text", &format!("unknown variable {{{name}}}"), "use {value}");
        }
        if self.file.as_ref().is_some_and(|file| !file.is_absolute()) {
            return fault("file", "is not an absolute path", "begin it with /");
        }
        if self.file.is_none() && !self.reload.is_empty() {
            return fault("reload", "there is no file that could change", "set file and text, or use run");
        }
        if self.timeout == Span::default() {
            return fault("timeout", "must be at least 1 second", "use a span like 30s");
        }
        if self.purge.as_ref().is_some_and(|purge| purge.sources.is_empty()) {
            return Err(ConfigFault::of_element(
                "cycle",
                number,
                "purge",
                "sources is empty",
                "use [\"report\"]",
            ));
        }
        Ok(())
    }
}

/// The first `{name}` that is not `{value}`. `${name}` belongs to the mail server.
fn unknown_variable(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let name = &after[..after.find('}').unwrap_or(0)];
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if is_name && name != "value" && !before.ends_with('$') {
            return Some(name);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_other_than_value_are_unknown() {
        for (text, unknown) in [
            ("x {value}", None),
            ("x {valeu} {value}", Some("valeu")),
            ("${domain} {value}", None),
            ("{ a } {} {1} {X} { {value}", None),
        ] {
            assert_eq!(unknown_variable(text), unknown, "{text}");
        }
    }
}
