//! The tables of settings in the READMEs of the shipped policies have every key, with its default.
//!
//! Not here: what a setting does (the tests of the policies). Invariant: keys and defaults are those
//! of the sources.

use super::document;
use std::collections::BTreeMap;

/// A default in the words of a table, without quotation marks: `0.5`, `false`, `null`, `[]`.
fn in_words(code: &str) -> Option<String> {
    let number = code.strip_suffix(".0").unwrap_or(code);
    if number.parse::<f64>().is_ok() || matches!(code, "true" | "false") {
        return Some(number.to_owned());
    }
    let text = code.strip_suffix(".into()").and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
    match code {
        "Vec::new()" => Some("[]".to_owned()),
        "BTreeMap::new()" => Some("{}".to_owned()),
        "String::new()" => Some(String::new()),
        "Sender::Null" => Some("null".to_owned()),
        "Delay::Fixed(0)" => Some("0".to_owned()),
        "vec![1.0; 7]" => Some("seven times 1.0".to_owned()),
        _ => text.map(str::to_owned),
    }
}

/// The keys in the table below `## Settings`, and the default of each as its row has it.
fn table(page: &str) -> BTreeMap<String, String> {
    let text = document(page).text;
    let section = text.split("\n## Settings\n").nth(1).unwrap().split("\n## ").next().unwrap().to_owned();
    let mut found = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = row.trim_matches('|').split(" | ");
        let (keys, default) = (cells.next().unwrap(), cells.next().unwrap().trim().replace(['`', '"'], ""));
        let keys = keys.split('`').map(str::trim).filter(|key| !key.is_empty());
        found.extend(keys.map(|key| (key.to_owned(), default.clone())));
    }
    found
}

#[track_caller]
fn compare(page: &str, defaults: &BTreeMap<String, String>) {
    let table = table(page);
    let keys = |of: &BTreeMap<String, String>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&table), keys(defaults), "{page}");
    for (key, default) in defaults {
        // Three keys of one reply share a row.
        let is_there = table[key] == *default || table[key].contains(&format!("{default} "));
        assert!(is_there || table[key].ends_with(default), "{page}: {key} = {default}, not {}", table[key]);
    }
}

#[test]
fn every_setting_of_the_sink_is_documented_with_its_default() {
    let source = document("policies/sink/src/settings.rs").text;
    let made = source.split("        Settings {\n").nth(1).unwrap().split("        }\n").next().unwrap();
    let rows = made.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(": "));
    let defaults: BTreeMap<String, String> = rows
        .map(|(key, code)| (key.to_owned(), in_words(code).unwrap_or_else(|| panic!("{key}: {code}"))))
        .collect();
    assert!(defaults.len() > 30, "{defaults:?}");
    let set = source.split("fn set(").nth(1).unwrap().split("_ => return Err").next().unwrap();
    for key in set.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()) {
        assert!(defaults.contains_key(key), "{key} has no default");
    }
    compare("policies/sink/README.md", &defaults);
}

#[test]
fn every_setting_of_the_bounce_policy_is_documented_with_its_default() {
    let source = document("policies/bounce/src/acting.rs").text;
    let keys = source.split("KEYS: &[&str] =").nth(1).unwrap().split(';').next().unwrap();
    let mut defaults: BTreeMap<String, String> = keys
        .split('"')
        .skip(1)
        .step_by(2)
        .map(|key| {
            let of = |before: &str| {
                let rest = source.split(&format!("{before}(\"{key}\"")).nth(1)?;
                Some(rest.split(')').next()?.rsplit(", ").next().unwrap_or_default().to_owned())
            };
            let default = match (of("number"), of("is_set")) {
                (Some(number), _) => number,
                (None, Some(_)) => "false".to_owned(),
                (None, None) => "required".to_owned(),
            };
            (key.to_owned(), default)
        })
        .collect();
    assert!(source.contains("None | Some(Some(\"required\")) => Trust::Required") && defaults.len() > 5);
    defaults.insert("rules".to_owned(), "[]".to_owned());
    compare("policies/bounce/README.md", &defaults);
}
