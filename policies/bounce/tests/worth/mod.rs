//! What each rule is good for: the examples that only it decides as it does, and how well the
//! other files of rules decide a file's examples.
//!
//! Not here: how it is printed (the program `rules`) and what bounds hold (`generality`).

use crate::quoted::{examples, Example};
use bounce::{classify, classify_without, Failure};
use std::collections::BTreeMap;

/// A rule.
pub struct Worth {
    pub name: String,
    pub family: String,
    /// It asks for a text that holds nothing else.
    pub is_whole: bool,
    pub examples: usize,
    /// Examples, its own or others, that no other rule decides as it does.
    pub only: Vec<String>,
    /// Examples of other rules that it decides too, when their own rule is left out.
    pub foreign: usize,
    /// The rules of other files that would decide its examples otherwise.
    pub against: Vec<String>,
}

impl Worth {
    /// It is good for its own examples and nothing else, and a rule elsewhere says otherwise. One
    /// that asks for a whole text takes nothing from another.
    pub fn is_exception(&self) -> bool {
        !self.is_whole && self.foreign == 0 && !self.against.is_empty()
    }
}

/// A file of rules, judged by all others.
pub struct Family {
    pub name: String,
    pub rules: usize,
    pub examples: usize,
    /// Examples whose reason, and whose severity, the other files decide alike.
    pub reason: usize,
    pub severity: usize,
}

pub fn rules() -> Vec<Worth> {
    let examples = examples();
    let mut order: Vec<String> = Vec::new();
    let mut rules: BTreeMap<String, Worth> = BTreeMap::new();
    for Example { family, rule, is_whole, .. } in &examples {
        let new = || Worth {
            name: rule.clone(),
            family: family.clone(),
            is_whole: *is_whole,
            examples: 0,
            only: Vec::new(),
            foreign: 0,
            against: Vec::new(),
        };
        if !rules.contains_key(rule) {
            order.push(rule.clone());
        }
        rules.entry(rule.clone()).or_insert_with(new).examples += 1;
    }
    for Example { family, rule, text, .. } in &examples {
        let failure = failure(text);
        let with = classify(&failure);
        let without = classify_without(&failure, |name, _| name == rule);
        if let Some(other) = rules.get_mut(without.rule) {
            other.foreign += 1;
        }
        if (without.reason, without.severity) == (with.reason, with.severity) {
            continue;
        }
        let elsewhere = classify_without(&failure, |_, of| of == family);
        let is_rule = rules.contains_key(elsewhere.rule);
        let worth = rules.get_mut(rule).expect("the rule of an example");
        worth.only.push(text.clone());
        if is_rule && (elsewhere.reason, elsewhere.severity) != (with.reason, with.severity) {
            worth.against.push(elsewhere.rule.to_owned());
        }
    }
    order.iter().filter_map(|name| rules.remove(name)).collect()
}

pub fn families() -> Vec<Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut last = String::new();
    for Example { family: name, rule, text, .. } in examples() {
        let new = || Family { name: name.clone(), rules: 0, examples: 0, reason: 0, severity: 0 };
        let family = families.entry(name.clone()).or_insert_with(new);
        family.rules += usize::from(rule != last);
        family.examples += 1;
        last = rule;
        let failure = failure(&text);
        let with = classify(&failure);
        let without = classify_without(&failure, |_, of| of == name);
        family.reason += usize::from(without.reason == with.reason);
        family.severity += usize::from(without.severity == with.severity);
    }
    families.into_values().collect()
}

/// A failure as a rule's example shows it: the host and the status where the text names them.
fn failure(text: &str) -> Failure<'_> {
    let host = text.strip_prefix("host ").and_then(|rest| rest.split_once('[')).map_or("", |(host, _)| host);
    let status = if text.contains(" 5.0.0 ") { "5.0.0" } else { "" };
    Failure { text, status, remote_mta: host, ..Failure::default() }
}
