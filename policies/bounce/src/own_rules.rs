//! An operator's own rules, made ready for use.
//!
//! Not here: what a rule may hold (`rule`) and the other settings (`settings`).

use crate::code::Code;
use crate::compile::compile;
use crate::first_rule::Rules;
use crate::index::Index;
use crate::looks_like_regex::looks_like_regex;
use crate::pattern::{Pattern, Words};
use crate::rule::{Written, SEVERITIES};
use crate::sequence::{sequences, Sequence};
use crate::table::{Rule, LISTS, PROVIDERS, REASONS};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// An operator's own rules.
#[derive(Debug)]
pub struct Own {
    pub(crate) rules: Vec<Rule>,
    index: Index,
    bare: Vec<u16>,
}

/// A rule as written, and ready.
pub(crate) type Read = (Written, Rule);

impl Own {
    pub(crate) fn new(rules: Vec<Read>) -> Result<Own, String> {
        let mut patterns = Vec::new();
        let mut bare = Vec::new();
        for (place, (written, _)) in rules.iter().enumerate() {
            patterns.extend(written.patterns.iter().map(|pattern| (place as u16, pattern)));
            if written.patterns.is_empty() {
                bare.push(place as u16);
            }
        }
        let index = compile(&patterns, &lists(&patterns), |nodes| nodes)?;
        Ok(Own { rules: rules.into_iter().map(|(_, ready)| ready).collect(), index, bare })
    }

    pub(crate) fn list(&self) -> Rules<'_> {
        Rules { index: &self.index, rules: &self.rules, bare: &self.bare }
    }
}

/// Reads one rule. The error is a sentence with the remedy.
pub(crate) fn read(table: &Map<String, Value>) -> Result<Read, String> {
    let written = Written::read(table, |name| reason(name).is_some())?;
    let texts = table.get("pattern").into_iter().flat_map(|value| match value {
        Value::Array(texts) => texts.iter().collect(),
        text => vec![text],
    });
    for text in texts.filter_map(Value::as_str) {
        if let Some(remedy) = looks_like_regex(text) {
            return Err(format!("pattern \"{text}\" looks like a regular expression: {remedy}"));
        }
    }
    for name in written.patterns.iter().flat_map(named) {
        if !LISTS.iter().any(|list| list.name == name) {
            let known: Vec<&str> = LISTS.iter().map(|list| list.name).collect();
            return Err(format!("unknown word list {{{name}}}: use one of {}", known.join(", ")));
        }
    }
    let ready = ready(&written)?;
    Ok((written, ready))
}

fn reason(name: &str) -> Option<usize> {
    REASONS.iter().position(|reason| reason.name == name)
}

fn ready(written: &Written) -> Result<Rule, String> {
    let mut providers = 0;
    let mut hosts = Vec::new();
    for name in &written.providers {
        match PROVIDERS.iter().position(|provider| provider.name == name) {
            Some(place) => providers |= 1 << place,
            None if name.contains('.') => hosts.push(name.trim_start_matches('.').to_owned()),
            None => {
                return Err(format!(
                    "unknown provider \"{name}\": give a name in `providers.toml` or a domain such as mx.example.net"
                ));
            }
        }
    }
    let severity = |name: &String| SEVERITIES.iter().position(|known| known == name).map(|place| place as u8);
    let codes: Vec<Code> = written.codes.clone();
    Ok(Rule {
        name: Cow::Owned(written.name.clone()),
        family: u8::MAX,
        reason: reason(&written.reason).unwrap_or_default() as u8,
        about: written.about,
        severity: written.severity.as_ref().and_then(severity),
        stages: written.stages,
        providers,
        codes: Cow::Owned(codes),
        hosts,
    })
}

/// The lists of words that a pattern names.
fn named(pattern: &Pattern) -> impl Iterator<Item = &String> {
    let links = match pattern {
        Pattern::Plain(_) => &[][..],
        Pattern::Chain(links) => links,
    };
    links.iter().filter_map(|(_, words)| match words {
        Words::Named(name) => Some(name),
        Words::Literal(_) => None,
    })
}

/// The lists of words that the patterns name, read. The others are left out, because reading costs
/// time.
fn lists(patterns: &[(u16, &Pattern)]) -> Vec<(String, Vec<Sequence>)> {
    let is_named = |name: &str| patterns.iter().any(|(_, pattern)| named(pattern).any(|named| named == name));
    let read = |list: &[&str]| list.iter().filter_map(|word| sequences(word).ok()).flatten().collect();
    let wanted = LISTS.iter().filter(|list| is_named(list.name));
    wanted.map(|list| (list.name.to_owned(), read(list.words))).collect()
}
