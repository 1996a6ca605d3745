//! Makes the tables of `rules/`, `codes.toml`, `reasons.toml` and `providers.toml`: static data, so that nothing is built
//! when the policy runs. A mistake in a table ends the build and says which rule it is in.

#[path = "src/index.rs"]
mod index;
#[path = "src/pattern.rs"]
mod pattern;
#[path = "src/rule.rs"]
mod rule;
#[path = "src/text.rs"]
mod text;

use rule::Written;
use serde_json::{Map, Value};
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    for source in ["rules", "codes.toml", "reasons.toml", "providers.toml", "src", "build.rs"] {
        println!("cargo:rerun-if-changed={source}");
    }
    let reasons = list(Path::new("reasons.toml"), "reason");
    let reason = |name: &str| reasons.iter().position(|reason| reason["name"] == *name);
    let providers = list(Path::new("providers.toml"), "provider");
    let mut files: Vec<_> = fs::read_dir("rules").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut rules = Vec::new();
    for file in files {
        for table in list(&file, "rule") {
            let written = Written::read(&table, |name| reason(name).is_some());
            rules.push(written.unwrap_or_else(|error| panic!("{}: {:?}: {error}", file.display(), table.get("name"))));
        }
    }
    let mut codes = Vec::new();
    for mut table in list(Path::new("codes.toml"), "code") {
        let code = table["codes"].as_str().unwrap().replace('*', "x");
        table.insert("name".into(), Value::String(format!("code-{code}")));
        codes.push(Written::read(&table, |name| reason(name).is_some()).unwrap_or_else(|error| panic!("{code}: {error}")));
    }

    let mut sequences = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        sequences.extend(rule.sequences.iter().map(|sequence| (place as u16, sequence.clone())));
    }
    for (place, provider) in providers.iter().enumerate() {
        for mark in texts(provider, "marks") {
            let parsed = pattern::parse(&mark).unwrap_or_else(|error| panic!("{mark}: {error}"));
            sequences.extend(parsed.into_iter().map(|sequence| (MARK | place as u16, sequence)));
        }
    }
    let index = index::Index::build(&sequences);

    let mut out = String::new();
    let mut reason_rows = String::new();
    for reason in &reasons {
        let of = |key: &str| reason.get(key).and_then(Value::as_str).unwrap_or_default();
        let severity = |name: &str| rule::SEVERITIES.iter().position(|known| *known == name);
        let hard = severity(of("severity")).expect("a severity");
        let temporary = severity(of("temporary")).unwrap_or(hard);
        let row = format!("Reason {{ name: {:?}, category: {:?}, severity: {hard}, temporary: {temporary} }},\n", of("name"), of("category"));
        reason_rows.push_str(&row);
    }
    write!(out, "/// The vocabulary.\npub static REASONS: [Reason; {}] = [\n{reason_rows}];\n", reasons.len()).unwrap();
    write!(out, "/// Providers.\npub static PROVIDERS: &[Provider] = &[\n").unwrap();
    assert!(providers.len() < 64, "a provider is a bit of 64");
    for provider in &providers {
        let name = provider["name"].as_str().expect("a name");
        writeln!(out, "Provider {{ name: {name:?}, hosts: &{:?} }},", texts(provider, "hosts")).unwrap();
    }
    let known: Vec<&str> = providers.iter().map(|provider| provider["name"].as_str().unwrap()).collect();
    let row = |rule: &Written| {
        let mask = rule.providers.iter().map(|name| {
            let place = known.iter().position(|known| known == name);
            1_u64 << place.unwrap_or_else(|| panic!("{}: provider {name} is not in providers.toml", rule.name))
        });
        let severity = rule.severity.as_ref().and_then(|name| rule::SEVERITIES.iter().position(|known| known == name));
        let codes: Vec<String> = rule.codes.iter().map(|code| format!("Code::{code:?}")).collect();
        let reason = reason(&rule.reason).unwrap();
        format!(
            "Rule {{ name: Cow::Borrowed({:?}), reason: {reason}, severity: {severity:?}, stages: {}, providers: {}, codes: Cow::Borrowed(&[{}]), hosts: Vec::new() }},\n",
            rule.name,
            rule.stages,
            mask.fold(0, |all, one| all | one),
            codes.join(", ")
        )
    };
    let rows = |rules: &[Written]| rules.iter().map(row).collect::<String>();
    write!(out, "];\n/// The rules.\npub static RULES: &[Rule] = &[\n{}];\n", rows(&rules)).unwrap();
    write!(out, "/// The codes.\npub static CODES: &[Rule] = &[\n{}];\n", rows(&codes)).unwrap();
    let bare: Vec<usize> =
        rules.iter().enumerate().filter(|(_, rule)| rule.patterns.is_empty()).map(|(place, _)| place).collect();
    write!(out, "/// Rules without a text.\npub static BARE: &[u16] = &{bare:?};\n").unwrap();
    write_index(&mut out, &index);
    let examples: Vec<(&str, &str)> = rules.iter().map(|rule| (&*rule.name, &*rule.example)).collect();
    write!(out, "#[cfg(test)]\npub static EXAMPLES: &[(&str, &str)] = &{examples:?};\n").unwrap();
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("table.rs"), out).unwrap();
    println!("cargo:warning=rules {} sequences {} states {} letters {}", rules.len(), index.patterns.len(), index.states.len(), index.letters.len());
}

/// The pattern tells a provider.
const MARK: u16 = 1 << 15;

fn write_index(out: &mut String, index: &index::Index) {
    let states: Vec<String> = index.states.iter().map(|index::State(a, b, c)| format!("State({a},{b},{c})")).collect();
    let patterns: Vec<String> = index
        .patterns
        .iter()
        .map(|one| format!("Pattern{{rule:{},flags:{},count:{},first:{}}}", one.rule, one.flags, one.count, one.first))
        .collect();
    let parts: Vec<String> = index.parts.iter().map(|index::Part(a, b, c)| format!("Part({a},{b},{c})")).collect();
    write!(
        out,
        "static STATES: [State; {}] = [{}];\nstatic ENDS: [u32; {}] = {:?};\nstatic PATTERNS: [Pattern; {}] = [{}];\n\
         static PARTS: [Part; {}] = [{}];\nstatic LETTERS: [u8; {}] = {:?};\n/// Where the patterns stand.\n\
         pub static INDEX: Index = Index {{ states: Cow::Borrowed(&STATES), ends: Cow::Borrowed(&ENDS), \
         patterns: Cow::Borrowed(&PATTERNS), parts: Cow::Borrowed(&PARTS), letters: Cow::Borrowed(&LETTERS) }};\n",
        states.len(),
        states.join(","),
        index.ends.len(),
        index.ends,
        patterns.len(),
        patterns.join(","),
        parts.len(),
        parts.join(","),
        index.letters.len(),
        index.letters
    )
    .unwrap();
}

/// The tables of the array `name` in a TOML file.
fn list(file: &Path, name: &str) -> Vec<Map<String, Value>> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    match serde_json::to_value(table).unwrap().get_mut(name) {
        Some(Value::Array(tables)) => tables.iter().map(|table| table.as_object().unwrap().clone()).collect(),
        _ => panic!("{} holds no [[{name}]]", file.display()),
    }
}

fn texts(table: &Map<String, Value>, key: &str) -> Vec<String> {
    match table.get(key) {
        Some(Value::Array(values)) => values.iter().map(|value| value.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    }
}
