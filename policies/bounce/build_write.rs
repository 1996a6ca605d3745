//! Writes the tables and the index as the Rust source that `src/table.rs` includes.
//!
//! Not here: reading them (`build_read`). Invariant: names are replaced by places in the tables, so
//! that nothing is looked up when the policy runs.

use crate::about::About;
use crate::index::{Chain, End, Entry, Index, Part};
use crate::read::{Marked, Reason, Tables};
use crate::rule::{Written, SEVERITIES};
use crate::trie::{Leaf, State};
use std::fmt::Display;

pub fn write(tables: &Tables, index: &Index, vague: &Index) -> String {
    assert!(tables.providers.len() < 64, "a provider is a bit of 64");
    assert!(tables.about.len() < 64, "a mark of about.toml is a bit of 64");
    let bare = tables.rules.iter().enumerate().filter(|(_, rule)| rule.patterns.is_empty());
    let bare: Vec<usize> = bare.map(|(place, _)| place).collect();
    let rows = |rules: &[Written]| rules.iter().map(|written| rule(written, tables)).collect::<Vec<_>>();
    let refinements =
        tables.refinements.iter().map(|(when, written)| format!("({when}, {})", rule(written, tables)));
    let lists = tables.words.iter().map(|(name, words)| list_of_words(name, words));
    let examples = |rules: &[Written]| {
        rules.iter().map(|rule| format!("({:?}, &{:?})", rule.name, rule.examples)).collect::<Vec<_>>()
    };
    let of = "(&str, &[&str])";
    [
        list("REASONS", "Reason", tables.reasons.iter().map(reason)),
        list("PROVIDERS", "Provider", tables.providers.iter().map(provider)),
        list("MARKS", "Mark", tables.about.iter().map(|written| mark(written, tables))),
        list("RULES", "Rule", rows(&tables.rules)),
        list("CODES", "Rule", rows(&tables.codes)),
        list("REFINEMENTS", "(u8, Rule)", refinements),
        list("LISTS", "List", lists),
        list("BARE", "u16", bare),
        list("FAMILIES", "&str", tables.families.iter().map(|(name, _)| format!("{name:?}"))),
        write_index("INDEX", index),
        write_index("VAGUE_INDEX", vague),
        format!("#[cfg(test)]\n{}", list("EXAMPLES", of, examples(&tables.rules))),
        format!("#[cfg(test)]\n{}", list("MARK_EXAMPLES", of, examples(&tables.about))),
    ]
    .concat()
}

/// A static list, a row on a line.
fn list(name: &str, of: &str, rows: impl IntoIterator<Item = impl Display>) -> String {
    let rows: String = rows.into_iter().map(|row| format!("    {row},\n")).collect();
    format!("pub static {name}: &[{of}] = &[\n{rows}];\n")
}

/// The words by the last five bits of their first byte, which tell letters apart, and where those
/// with the same bits begin.
fn list_of_words(name: &str, words: &[String]) -> String {
    let bits = |word: &String| word.as_bytes()[0] & 31;
    let mut words = words.to_vec();
    words.sort_by_key(bits);
    let begins: Vec<usize> = (0..33).map(|first| words.partition_point(|word| bits(word) < first)).collect();
    format!("List {{ name: {name:?}, words: &{words:?}, begins: &{begins:?} }}")
}

fn severity(name: &str) -> Option<usize> {
    SEVERITIES.iter().position(|known| *known == name)
}

fn reason(reason: &Reason) -> String {
    let Reason { name, category, .. } = reason;
    let about = About::named(&reason.about).expect("what it is about");
    let known = |name: &str| severity(name).expect("a severity");
    let usual = known(&reason.severity);
    let may_be_hard = about.is_recipients();
    assert!(usual != 0 || may_be_hard, "{name} is about the {} and hard", about.name());
    let temporary = reason.temporary.as_deref().map_or(usual, known);
    format!(
        "Reason {{ name: {name:?}, category: {category:?}, about: About::{about:?}, severity: {usual}, \
         temporary: {temporary} }}"
    )
}

fn provider(provider: &Marked) -> String {
    format!("Provider {{ name: {:?}, hosts: &{:?} }}", provider.name, provider.hosts)
}

fn mark(written: &Written, tables: &Tables) -> String {
    let about = written.about.unwrap_or_else(|| panic!("{}: about is missing", written.name));
    let is_text = !written.patterns.is_empty();
    format!("Mark {{ rule: {}, about: About::{about:?}, is_text: {is_text} }}", rule(written, tables))
}

fn rule(rule: &Written, tables: &Tables) -> String {
    let family = tables.families.iter().position(|(_, names)| names.contains(&rule.name));
    let family = family.unwrap_or(usize::from(u8::MAX));
    let reason = tables.reasons.iter().position(|reason| reason.name == rule.reason).expect("a reason");
    let bit = |name: &String| {
        let place = tables.providers.iter().position(|provider| provider.name == *name);
        1_u64 << place.unwrap_or_else(|| panic!("{}: provider {name} is not in providers.toml", rule.name))
    };
    let providers = rule.providers.iter().map(bit).fold(0, |all, one| all | one);
    let severity = rule.severity.as_deref().and_then(severity);
    let about = rule.about.map_or("None".into(), |about| format!("Some(About::{about:?})"));
    let codes: Vec<String> = rule.codes.iter().map(|code| format!("Code::{code:?}")).collect();
    format!(
        "Rule {{ name: Cow::Borrowed({:?}), family: {family}, reason: {reason}, about: {about}, severity: {severity:?}, stages: {}, \
         providers: {providers}, codes: Cow::Borrowed(&[{}]), hosts: Vec::new() }}",
        rule.name,
        rule.stages,
        codes.join(", ")
    )
}

fn write_index(name: &str, index: &Index) -> String {
    let named = |field: &str| format!("{name}_{}", field.to_uppercase());
    let entry = |Entry { of, flags, count, first }: &Entry| {
        format!("Entry{{of:{of},flags:{flags},count:{count},first:{first}}}")
    };
    let arrays = [
        array(&named("STATES"), "State", &index.states, State::to_string),
        array(&named("ENDS"), "End", &index.ends, End::to_string),
        array(&named("ENTRIES"), "Entry", &index.entries, entry),
        array(&named("PARTS"), "Part", &index.parts, Part::to_string),
        array(&named("LETTERS"), "u8", &index.letters, u8::to_string),
        array(&named("LEAVES"), "Leaf", &index.leaves, |Leaf(tail, end)| format!("Leaf({tail},{end})")),
        array(&named("TAILS"), "u8", &index.tails, u8::to_string),
        array(&named("BEGINS"), "u32", &index.begins, u32::to_string),
        array(&named("CHAINS"), "Chain", &index.chains, |Chain(rule, count, links)| {
            format!("Chain({rule},{count},{links:?})")
        }),
        array(&named("CHAINS_OF"), "u16", &index.chains_of, u16::to_string),
    ];
    let fields =
        ["states", "ends", "entries", "parts", "letters", "leaves", "tails", "begins", "chains", "chains_of"]
            .map(|field| format!("    {field}: Cow::Borrowed(&{}),\n", named(field)));
    format!("{}pub static {name}: Index = Index {{\n{}}};\n", arrays.concat(), fields.concat())
}

fn array<T>(name: &str, of: &str, rows: &[T], write: impl Fn(&T) -> String) -> String {
    let rows: Vec<String> = rows.iter().map(write).collect();
    format!("static {name}: [{of}; {}] = [{}];\n", rows.len(), rows.join(","))
}
