//! Makes the tables of `rules/` and of the TOML files beside this one: static data, so that nothing is built
//! when the policy runs. A mistake in a table ends the build and says which rule it is in.

#![expect(dead_code, reason = "the matcher uses what the build does not")]

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
    for source in ["rules", "codes.toml", "reasons.toml", "providers.toml", "words.toml", "src", "build.rs"] {
        println!("cargo:rerun-if-changed={source}");
    }
    let reasons = list(Path::new("reasons.toml"), "reason");
    let reason = |name: &str| reasons.iter().position(|reason| reason["name"] == *name);
    let providers = list(Path::new("providers.toml"), "provider");
    let mut files: Vec<_> = fs::read_dir("rules").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut rules, mut wrong) = (Vec::new(), Vec::new());
    for file in files {
        for table in list(&file, "rule") {
            match Written::read(&table, |name| reason(name).is_some()) {
                Ok(rule) => rules.push(rule),
                Err(error) => wrong.push(format!("{}: {:?}: {error}", file.display(), table.get("name"))),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut refinements = Vec::new();
    for table in list(Path::new("codes.toml"), "refine") {
        let written = Written::read(&table, |name| reason(name).is_some()).unwrap_or_else(|error| panic!("{error}"));
        refinements.push((reason(table["when"].as_str().expect("a reason")).expect("a known reason"), written));
    }
    let mut codes = Vec::new();
    for mut table in list(Path::new("codes.toml"), "code") {
        let code = table["codes"].as_str().unwrap().replace('*', "x");
        table.insert("name".into(), Value::String(format!("code-{code}")));
        codes.push(Written::read(&table, |name| reason(name).is_some()).unwrap_or_else(|error| panic!("{code}: {error}")));
    }

    let mut marks = Vec::new();
    for (place, provider) in providers.iter().enumerate() {
        marks.extend(texts(provider, "marks").into_iter().map(|mark| (MARK | place as u16, mark)));
    }
    for table in list(Path::new("providers.toml"), "stage") {
        let bit = rule::STAGES.iter().position(|(name, _)| table["name"] == **name).expect("a stage");
        marks.extend(texts(&table, "marks").into_iter().map(|mark| (STAGE_MARK | bit as u16, mark)));
    }
    let read = |text: &String| pattern::read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let marks: Vec<(u16, pattern::Pattern)> = marks.iter().map(|(mark, text)| (*mark, read(text))).collect();
    let mut patterns: Vec<(u16, &pattern::Pattern)> = marks.iter().map(|(mark, pattern)| (*mark, pattern)).collect();
    for (place, rule) in rules.iter().enumerate() {
        patterns.extend(rule.patterns.iter().map(|pattern| (place as u16, pattern)));
    }
    let mut words = Vec::new();
    let mut word_rows = String::new();
    for table in list(Path::new("words.toml"), "words") {
        let name = table["name"].as_str().expect("a name").to_owned();
        let all: Vec<String> =
            table.keys().filter(|key| *key != "name").flat_map(|language| texts(&table, language)).collect();
        let parse = |text: &String| pattern::parse(text).unwrap_or_else(|error| panic!("{name}: {text}: {error}"));
        let sequences: Vec<pattern::Sequence> = all.iter().flat_map(parse).collect();
        word_rows.push_str(&format!("({name:?}, &{all:?}),\n"));
        words.push((name, sequences));
    }
    let index = index::Index::build(&patterns, &words).unwrap_or_else(|error| panic!("{error}"));

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
    writeln!(out, "/// What a text rule's answer becomes.\npub static REFINEMENTS: &[(u8, Rule)] = &[").unwrap();
    for (when, written) in &refinements {
        writeln!(out, "({when}, {}),", row(written).trim_end().trim_end_matches(',')).unwrap();
    }
    write!(out, "];\n/// Lists of words.\npub static WORDS: &[(&str, &[&str])] = &[\n{word_rows}];\n").unwrap();
    let bare: Vec<usize> =
        rules.iter().enumerate().filter(|(_, rule)| rule.patterns.is_empty()).map(|(place, _)| place).collect();
    write!(out, "/// Rules without a text.\npub static BARE: &[u16] = &{bare:?};\n").unwrap();
    write_index(&mut out, &index);
    let examples: Vec<(&str, &[String])> = rules.iter().map(|rule| (&*rule.name, &*rule.examples)).collect();
    write!(out, "#[cfg(test)]\npub static EXAMPLES: &[(&str, &[&str])] = &[").unwrap();
    for (name, examples) in examples {
        writeln!(out, "({name:?}, &{examples:?}),").unwrap();
    }
    out.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("table.rs"), out).unwrap();
    println!("cargo:warning=rules {} sequences {} states {} letters {}", rules.len(), index.entries.len(), index.states.len(), index.letters.len());
}

/// The pattern tells a provider; see `table`.
const MARK: u16 = 1 << 15;
/// The pattern tells a stage.
const STAGE_MARK: u16 = MARK | 64;

fn write_index(out: &mut String, index: &index::Index) {
    let mut array = |name: &str, of: &str, rows: Vec<String>| {
        writeln!(out, "static {name}: [{of}; {}] = [{}];", rows.len(), rows.join(",")).unwrap();
    };
    let number = |number: &u32| number.to_string();
    array("STATES", "State", index.states.iter().map(|index::State(a, b, c)| format!("State({a},{b},{c})")).collect());
    array("ENDS", "u32", index.ends.iter().map(number).collect());
    let entry = |one: &index::Entry| {
        format!("Entry{{of:{},flags:{},count:{},first:{}}}", one.of, one.flags, one.count, one.first)
    };
    array("ENTRIES", "Entry", index.entries.iter().map(entry).collect());
    array("PARTS", "Part", index.parts.iter().map(|index::Part(a, b, c)| format!("Part({a},{b},{c})")).collect());
    array("LETTERS", "u8", index.letters.iter().map(u8::to_string).collect());
    array("CHAINS", "Chain", index.chains.iter().map(|index::Chain(a, b, c)| format!("Chain({a},{b},{c:?})")).collect());
    array("CHAINS_OF", "u16", index.chains_of.iter().map(u16::to_string).collect());
    out.push_str(
        "/// Where the patterns stand.\npub static INDEX: Index = Index { states: Cow::Borrowed(&STATES), \
         ends: Cow::Borrowed(&ENDS), entries: Cow::Borrowed(&ENTRIES), parts: Cow::Borrowed(&PARTS), \
         letters: Cow::Borrowed(&LETTERS), chains: Cow::Borrowed(&CHAINS), chains_of: Cow::Borrowed(&CHAINS_OF) };\n",
    );
}

/// The tables of the array `name` in a TOML file.
fn list(file: &Path, name: &str) -> Vec<Map<String, Value>> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    match serde_json::to_value(table).unwrap().get_mut(name) {
        Some(Value::Array(tables)) => tables.iter().map(|table| table.as_object().unwrap().clone()).collect(),
        _ => Vec::new(),
    }
}

fn texts(table: &Map<String, Value>, key: &str) -> Vec<String> {
    match table.get(key) {
        Some(Value::Array(values)) => values.iter().map(|value| value.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    }
}
