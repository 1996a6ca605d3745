//! The settings that a policy is asked with: those of the config, and of the rules that were
//! installed beside it only what the policy accepts.
//!
//! Not here: the file of these rules (`config::installed_rules`), and asking the policy
//! (`instance`). Invariant: whatever is wrong with installed rules, a policy that accepts the
//! config works; what is left out is logged and named.

use crate::config::AddedRules;
use crate::error::Error;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// How the complaint about a rule begins: `rules[3] (name): …`.
const OF_RULE: &str = "rules[";

pub(crate) struct SettingsInForce {
    /// As they are written (JSON text of one object).
    pub(super) written: Arc<str>,
    /// The rules at their end that were installed beside the config.
    pub(super) added: Option<AddedRules>,
    /// Known from the first question on.
    accepted: OnceLock<AcceptedSettings>,
}

pub(super) struct AcceptedSettings {
    pub(super) settings: Arc<str>,
    /// What is wrong with the installed rules that are not in them.
    pub(super) left_out: Vec<Error>,
}

impl SettingsInForce {
    pub(super) fn new(written: String, added: Option<AddedRules>) -> SettingsInForce {
        SettingsInForce { written: written.into(), added, accepted: OnceLock::new() }
    }

    /// `judge` says what a policy finds wrong with settings.
    pub(super) fn accepted(
        &self,
        added: &AddedRules,
        judge: impl Fn(&Arc<str>) -> Vec<String>,
    ) -> &AcceptedSettings {
        self.accepted.get_or_init(|| {
            let accepted = accepted(&self.written, added, judge);
            for error in &accepted.left_out {
                tracing::error!(%error, "installed rules are not used");
            }
            accepted
        })
    }
}

/// With as many of the installed rules as can be.
fn accepted(
    written: &Arc<str>,
    added: &AddedRules,
    judge: impl Fn(&Arc<str>) -> Vec<String>,
) -> AcceptedSettings {
    let complaints = judge(written);
    let Some(first) = complaints.first() else {
        return AcceptedSettings { settings: written.clone(), left_out: Vec::new() };
    };
    let refused: BTreeMap<usize, &str> =
        complaints.iter().filter_map(|complaint| of_added_rule(complaint, written, added)).collect();
    let some = without(written, added, |number| refused.contains_key(&number));
    let left_out = || refused.iter().map(|(number, complaint)| added.refused(*number, complaint)).collect();
    if judge(&some).is_empty() {
        return AcceptedSettings { settings: some, left_out: left_out() };
    }
    let none = without(written, added, |_| true);
    match judge(&none).is_empty() {
        true => AcceptedSettings { settings: none, left_out: vec![added.all_refused(first)] },
        // The config is wrong too, and the policy will say so.
        false => AcceptedSettings { settings: some, left_out: left_out() },
    }
}

/// The number of the installed rule that a complaint is about, and the words after it.
fn of_added_rule<'c>(complaint: &'c str, written: &str, added: &AddedRules) -> Option<(usize, &'c str)> {
    let (number, words) = complaint.strip_prefix(OF_RULE)?.split_once(']')?;
    let own = rules(&mut serde_json::from_str(written).ok()?)?.len().checked_sub(added.many)?;
    Some((number.parse::<usize>().ok()?.checked_sub(own)?, words))
}

/// The settings without some of the installed rules, by their number.
fn without(written: &Arc<str>, added: &AddedRules, is_left_out: impl Fn(usize) -> bool) -> Arc<str> {
    let Ok(mut settings) = serde_json::from_str::<Value>(written) else { return written.clone() };
    if let Some(rules) = rules(&mut settings) {
        let own = rules.len().saturating_sub(added.many);
        let mut number = 0;
        rules.retain(|_| {
            number += 1;
            number <= own || !is_left_out(number - own - 1)
        });
    }
    settings.to_string().into()
}

fn rules(settings: &mut Value) -> Option<&mut Vec<Value>> {
    settings.get_mut("rules")?.as_array_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const WRITTEN: &str = r#"{"threshold":2,"rules":["own","a","bad","b"]}"#;

    /// The policy refuses every rule whose name begins with `bad`, and names it if it `names`.
    fn accepted_of(written: &str, names: bool) -> (String, Vec<String>) {
        let added = AddedRules { file: PathBuf::from("/no/rules.toml"), many: 3 };
        let judge = |settings: &Arc<str>| {
            let mut settings: Value = serde_json::from_str(settings).unwrap();
            let rules = rules(&mut settings).unwrap().clone().into_iter().enumerate();
            let bad = rules.filter(|(_, rule)| rule.as_str().unwrap().starts_with("bad"));
            let said = |(number, rule): (usize, Value)| match names {
                true => format!("rules[{number}] ({}): no", rule.as_str().unwrap()),
                false => "too much of it".to_owned(),
            };
            bad.map(said).collect()
        };
        let AcceptedSettings { settings, left_out } = accepted(&written.into(), &added, judge);
        (settings.to_string(), left_out.iter().map(Error::to_string).collect())
    }

    #[test]
    fn a_rule_that_is_refused_is_left_out_alone() {
        let (settings, left_out) = accepted_of(WRITTEN, true);
        assert_eq!(settings, r#"{"rules":["own","a","b"],"threshold":2}"#);
        let wrong =
            "/no/rules.toml: rules[1] (bad): no; correct or remove this rule; until then it is left out";
        assert_eq!(left_out, [wrong]);
    }

    #[test]
    fn rules_that_are_right_are_used_as_they_are_written() {
        let right = WRITTEN.replace("bad", "good");
        assert_eq!(accepted_of(&right, true), (right, Vec::new()));
    }

    #[test]
    fn what_a_complaint_does_not_name_leaves_all_installed_rules_out() {
        let (settings, left_out) = accepted_of(WRITTEN, false);
        assert_eq!(settings, r#"{"rules":["own"],"threshold":2}"#);
        assert!(left_out.len() == 1 && left_out[0].contains("too much of it"), "{left_out:?}");
    }

    #[test]
    fn a_config_that_is_wrong_stays_as_it_is() {
        let (settings, left_out) = accepted_of(&WRITTEN.replace("own", "bad-own"), true);
        assert_eq!(
            (settings.as_str(), left_out.len()),
            (r#"{"rules":["bad-own","a","b"],"threshold":2}"#, 1)
        );
    }
}
