//! `[policy.bounce.settings]`: how reports are handled, and an operator's own rules.
//!
//! Not here: what a rule may hold (`rule`) and what the other keys mean (`acting`). Invariant: a
//! wrong rule never disappears quietly. All rules are right, or none counts and each complaint says
//! which one is wrong, why, and what to do.

use crate::acting::{Acting, KEYS};
use crate::own_rules::{self, Own};
use serde_json::{Map, Value};

/// More own rules than this belong into a policy of their own.
const MOST: usize = 5000;

/// The table of the settings; empty if there are none.
fn table(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(if text.trim().is_empty() { "{}" } else { text }) {
        Ok(Value::Object(settings)) => Ok(settings),
        Ok(_) => Err("the settings are not a table: give a table".into()),
        Err(error) => Err(format!("the settings are not JSON: {error}")),
    }
}

/// The own rules; none if there are none. The error is every complaint, a sentence each.
pub fn read(text: &str) -> Result<Option<Own>, Vec<String>> {
    read_all(text).map(|(_, own)| own)
}

/// How reports are handled, and the own rules.
pub(crate) fn read_all(text: &str) -> Result<(Acting, Option<Own>), Vec<String>> {
    let settings = table(text).map_err(|error| vec![error])?;
    let mut complaints: Vec<String> = settings
        .keys()
        .filter(|key| *key != "rules" && !KEYS.contains(&key.as_str()))
        .map(|key| format!("{key}: unknown setting, remove it; there are rules, {}", KEYS.join(", ")))
        .collect();
    let acting = Acting::read(&settings).map_err(|wrong| complaints.extend(wrong));
    let mut rules = Vec::new();
    match settings.get("rules") {
        None => {}
        Some(Value::Array(tables)) if tables.len() <= MOST => {
            for (place, table) in tables.iter().enumerate() {
                match rule(place, table) {
                    Ok(rule) => rules.push(rule),
                    Err(complaint) => complaints.push(complaint),
                }
            }
        }
        Some(Value::Array(tables)) => {
            complaints.push(format!("rules: {} are too many, give at most {MOST}", tables.len()));
        }
        Some(_) => complaints.push("rules: give a list of tables, [[policy.bounce.settings.rules]]".into()),
    }
    match acting {
        Ok(acting) if complaints.is_empty() => {
            let own = (!rules.is_empty()).then(|| Own::new(rules)).transpose();
            Ok((acting, own.map_err(|error| vec![error])?))
        }
        _ => Err(complaints),
    }
}

fn rule(place: usize, table: &Value) -> Result<own_rules::Read, String> {
    let name = table.get("name").and_then(Value::as_str).unwrap_or("without a name");
    let read = match table {
        Value::Object(table) => own_rules::read(table),
        _ => Err("it is not a table: give a table".into()),
    };
    read.map_err(|error| format!("rules[{place}] ({name}): {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{classify_with, Failure, Scratch, Severity};

    #[test]
    fn own_rules_come_first() {
        let own = read(
            r#"{"rules":[{"name":"ours","pattern":"~ {recipient} ~ unknown","codes":["5xx"],"reason":"suspend"},
                {"name":"partner","provider":"mx.example.net","reason":"blocked","severity":"soft"},
                {"name":"late","stage":"DATA","pattern":"*xyz","reason":"filtered"}]}"#,
        )
        .unwrap();
        let mut scratch = Scratch::default();
        let mut rule = |text, remote_mta| {
            let failure = Failure { text, remote_mta, ..Failure::default() };
            let class = classify_with(own.as_ref(), &failure, &mut scratch);
            (class.rule.to_owned(), class.reason, class.severity)
        };
        for _ in 0..3 {
            assert_eq!(rule("550 the user unknown", ""), ("ours".into(), "suspend", Severity::Soft));
            assert_eq!(rule("450 the user unknown", "").0, "recipient-unknown");
            assert_eq!(rule("550 no", "a.mx.example.net"), ("partner".into(), "blocked", Severity::Soft));
            assert_eq!(rule("550 0xyz (in reply to end of DATA command)", "").0, "late");
        }
        assert!(read("").unwrap().is_none() && read("{}").unwrap().is_none());
    }

    #[test]
    fn every_complaint_names_its_rule() {
        let wrong = [
            ("[]", "not a table"),
            ("{", "not JSON"),
            (r#"{"rule":1}"#, "rule: unknown setting"),
            (r#"{"rules":1}"#, "give a list"),
            (r#"{"rules":[1]}"#, "rules[0]"),
            (r#"{"rules":[{"name":"a","pattern":"(x","reason":"blocked"}]}"#, "not closed"),
            (r#"{"rules":[{"name":"a","pattern":"xx","reason":"bounced"}]}"#, "unknown reason"),
            (
                r#"{"rules":[{"name":"a","pattern":".*user.*unknown","reason":"blocked"}]}"#,
                "rules[0] (a): pattern \".*user.*unknown\" looks like a regular expression: write ` * `",
            ),
            (
                r#"{"rules":[{"name":"a","pattern":["no", "^550"],"reason":"blocked"}]}"#,
                "pattern \"^550\" looks like a regular expression: remove the code",
            ),
            (r#"{"rules":[{"name":"a","reason":"blocked"}]}"#, "neither pattern nor codes"),
            (r#"{"rules":[{"name":"a","codes":"5.1","reason":"blocked"}]}"#, "invalid code"),
            (r#"{"rules":[{"name":"a","stage":"rcpt","pattern":"xx","reason":"blocked"}]}"#, "unknown stage"),
            (
                r#"{"rules":[{"name":"a","pattern":"{nobody} here","reason":"blocked"}]}"#,
                "unknown word list {nobody}: use one of recipient",
            ),
            (r#"{"rules":[{"name":"a","provider":"nobody","reason":"blocked"}]}"#, "unknown provider"),
            (r#"{"rules":[{"name":"a","patern":"xx","reason":"blocked"}]}"#, "unknown key patern"),
            (
                r#"{"rules":[{"name":"a","pattern":"xx","reason":"blocked","severity":"dead"}]}"#,
                "use one of hard, soft",
            ),
        ];
        for (settings, complaint) in wrong {
            let complaints = read(settings).unwrap_err();
            assert!(complaints[0].contains(complaint), "{settings}: {complaints:?}");
        }
    }
}
