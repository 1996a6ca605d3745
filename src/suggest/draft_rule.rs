//! One drafted rule: what it asks for, what it is made from, and what it would change.
//!
//! Invariant: text from mail is only in comments of one line, and in strings that TOML has escaped.

use super::shape_pattern::pattern_of;
use super::unknown_shape::UnknownShape;
use super::written_rule::WrittenRule;
use crate::text::{bounded, one_line};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Where nothing tells what a failure means.
const UNDETERMINED: &str = "undetermined";
/// Bytes of a comment.
const COMMENT: usize = 400;

#[derive(Debug, Serialize)]
pub(crate) struct DraftRule {
    pub(crate) name: String,
    pub(crate) pattern: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    /// Deliveries whose reply has this shape.
    pub(crate) count: u64,
    pub(crate) shape: String,
    examples: Vec<String>,
    pub(crate) changes: DraftChanges,
}

/// What a draft would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct DraftChanges {
    /// Deliveries that it would decide.
    pub(crate) deliveries: u64,
    /// How many addresses those are for.
    pub(crate) addresses: u64,
    /// Those of the deliveries that a rule knows today.
    pub(crate) known: u64,
    /// Those that would become hard.
    pub(crate) hard: u64,
}

impl DraftRule {
    /// None if the shape has no words to recognize it by. `names` are in use.
    pub(super) fn of(shape: &UnknownShape, names: &mut BTreeSet<String>) -> Option<DraftRule> {
        let pattern = pattern_of(&shape.shape)?;
        let reason = shape.reason.value().filter(|reason| !reason.is_empty()).unwrap_or(UNDETERMINED);
        Some(DraftRule {
            name: name_of(&pattern, names),
            pattern,
            codes: shape.code.value().map(str::to_owned),
            provider: shape.provider.value().map(str::to_owned),
            reason: reason.to_owned(),
            // Some reasons are hard if nothing else is said.
            severity: (reason != UNDETERMINED).then(|| "soft".to_owned()),
            count: shape.count,
            shape: shape.shape.clone(),
            examples: shape.examples.clone(),
            changes: DraftChanges::default(),
        })
    }

    /// One that somebody has written.
    pub(super) fn written(rule: &WrittenRule) -> DraftRule {
        let WrittenRule { name, pattern, codes, provider, reason, severity } = rule.clone();
        DraftRule {
            name,
            pattern,
            codes,
            provider,
            reason,
            severity,
            count: 0,
            shape: String::new(),
            examples: Vec::new(),
            changes: DraftChanges::default(),
        }
    }

    /// The rule as the policy reads it.
    pub(super) fn table(&self) -> toml::Table {
        let DraftRule { codes, provider, severity, .. } = self;
        let mut table = toml::Table::new();
        let mut set = |key: &str, value: &str| table.insert(key.to_owned(), value.into());
        set("name", &self.name);
        set("pattern", &self.pattern);
        codes.iter().for_each(|codes| drop(set("codes", codes)));
        provider.iter().for_each(|provider| drop(set("provider", provider)));
        set("reason", &self.reason);
        severity.iter().for_each(|severity| drop(set("severity", severity)));
        table
    }

    pub(super) fn write(&self, text: &mut String, policy: &str) {
        let DraftChanges { deliveries, addresses, known, hard } = self.changes;
        let _ =
            writeln!(text, "\n# {deliveries} deliveries to {addresses} addresses; {hard} would become hard.");
        if known > 0 {
            let _ = writeln!(text, "# A rule knows {known} of them today: make the pattern narrower.");
        }
        for example in &self.examples {
            let _ = writeln!(text, "#   {}", bounded(&one_line(example), COMMENT));
        }
        let _ = writeln!(text, "[[policy.{}.settings.rules]]", key(policy));
        for field in ["name", "pattern", "codes", "provider", "reason", "severity"] {
            if let Some(value) = self.table().get(field) {
                let value = if field == "codes" { format!("[{value}]") } else { value.to_string() };
                let note = if field == "reason" { "   # decide what it means" } else { "" };
                let _ = writeln!(text, "{field} = {value}{note}");
            }
        }
    }
}

/// A key of TOML, in quotes where it needs them.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.chars().all(is_bare) { name.to_owned() } else { toml::Value::from(name).to_string() }
}

/// A name that is not in use, from the first words.
pub(super) fn name_of(pattern: &str, names: &mut BTreeSet<String>) -> String {
    let words = pattern.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() > 1);
    let words: Vec<String> = words.take(4).map(str::to_ascii_lowercase).collect();
    let name =
        if words.is_empty() { "suggested".to_owned() } else { format!("suggested-{}", words.join("-")) };
    let name = bounded(&name, 60).to_owned();
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !names.contains(name));
    let free = free.unwrap_or(name);
    names.insert(free.clone());
    free
}
