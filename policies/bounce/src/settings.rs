//! `[policy.bounce.settings]`: an operator's own rules. What a rule may hold says `rule`; here they are made ready, or
//! it is said which is wrong, why, and what to do. A wrong rule is left out of nothing: all are right, or none counts.

use crate::act::{Acting, KEYS};
use crate::classify::Own;
use crate::index::Index;
use crate::rule::Written;
use crate::pattern::{self, Pattern, Sequence, Words};
use crate::table::{Rule, PROVIDERS, REASONS, WORDS};
use serde_json::Value;
use std::borrow::Cow;

/// More own rules than this belong into a policy of one's own.
const MOST: usize = 5000;

/// The rules in the settings; none if there are none. The error is every complaint, a sentence each.
pub fn read(text: &str) -> Result<Option<Own>, Vec<String>> {
    let settings = match serde_json::from_str(if text.trim().is_empty() { "{}" } else { text }) {
        Ok(Value::Object(settings)) => settings,
        Ok(_) => return Err(vec!["the settings are no table: give one".into()]),
        Err(error) => return Err(vec![format!("the settings are not JSON: {error}")]),
    };
    let mut complaints: Vec<String> = settings
        .keys()
        .filter(|key| *key != "rules" && !KEYS.contains(&key.as_str()))
        .map(|key| format!("{key}: there is no such setting, remove it; there are rules, {}", KEYS.join(", ")))
        .collect();
    complaints.extend(Acting::read(&settings).err().unwrap_or_default());
    let mut written = Vec::new();
    match settings.get("rules") {
        None => {}
        Some(Value::Array(rules)) if rules.len() <= MOST => {
            for (place, rule) in rules.iter().enumerate() {
                let name = rule.get("name").and_then(Value::as_str).unwrap_or("without a name");
                let is_known = |name: &str| REASONS.iter().any(|reason| reason.name == name);
                let read = match rule {
                    Value::Object(table) => Written::read(table, is_known).and_then(|rule| ready(&rule).map(|ready| (rule, ready))),
                    _ => Err("it is no table: give one".into()),
                };
                match read {
                    Ok(rule) => written.push(rule),
                    Err(error) => complaints.push(format!("rules[{place}] ({name}): {error}")),
                }
            }
        }
        Some(Value::Array(rules)) => {
            complaints.push(format!("rules: {} are too many, give at most {MOST}", rules.len()));
        }
        Some(_) => complaints.push("rules: give a list of tables, [[policy.bounce.settings.rules]]".into()),
    }
    if !complaints.is_empty() {
        return Err(complaints);
    }
    if written.is_empty() {
        return Ok(None);
    }
    let mut patterns = Vec::new();
    let mut bare = Vec::new();
    for (place, (rule, _)) in written.iter().enumerate() {
        patterns.extend(rule.patterns.iter().map(|pattern| (place as u16, pattern)));
        if rule.patterns.is_empty() {
            bare.push(place as u16);
        }
    }
    let index = Index::build(&patterns, &words(&patterns)).map_err(|error| vec![error])?;
    let rules = written.into_iter().map(|(_, ready)| ready).collect();
    Ok(Some(Own { index, rules, bare }))
}

/// The lists of words that the patterns name.
fn words(patterns: &[(u16, &Pattern)]) -> Vec<(String, Vec<Sequence>)> {
    let is_named = |name: &str| {
        let names = |words: &Words| matches!(words, Words::Named(named) if named == name);
        patterns.iter().any(|(_, pattern)| match pattern {
            Pattern::Plain(_) => false,
            Pattern::Chain(links) => links.iter().any(|(_, words)| names(words)),
        })
    };
    let read = |list: &[&str]| list.iter().filter_map(|word| pattern::parse(word).ok()).flatten().collect();
    let named = WORDS.iter().filter(|(name, _)| is_named(name));
    named.map(|(name, list)| ((*name).to_owned(), read(list))).collect()
}

fn ready(rule: &Written) -> Result<Rule, String> {
    let mut providers = 0;
    let mut hosts = Vec::new();
    for name in &rule.providers {
        match PROVIDERS.iter().position(|provider| provider.name == name) {
            Some(place) => providers |= 1 << place,
            None if name.contains('.') => hosts.push(name.trim_start_matches('.').to_owned()),
            None => {
                return Err(format!("provider \"{name}\" is neither known nor a domain: give one such as mx.example.net"));
            }
        }
    }
    let reason = REASONS.iter().position(|reason| reason.name == rule.reason).unwrap_or_default();
    let severity = rule.severity.as_ref().and_then(|name| crate::rule::SEVERITIES.iter().position(|known| known == name));
    Ok(Rule {
        name: Cow::Owned(rule.name.clone()),
        reason: reason as u8,
        severity: severity.map(|place| place as u8),
        stages: rule.stages,
        providers,
        codes: Cow::Owned(rule.codes.clone()),
        hosts,
    })
}
