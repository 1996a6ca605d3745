//! Makes the shipped tables: reads `rules/` and the TOML files beside this one, and writes them as
//! static data, so that nothing is parsed or built when the policy runs.
//!
//! Not here: what a rule may hold and how the index is made, which the policy itself does for own
//! rules. Invariant: a mistake in a table ends the build with the name of the rule.

#[path = "src/about.rs"]
mod about;
#[path = "src/code.rs"]
mod code;
#[path = "src/compile.rs"]
mod compile;
#[path = "src/double_array.rs"]
mod double_array;
#[path = "src/index.rs"]
mod index;
#[path = "src/letters.rs"]
mod letters;
#[path = "src/marks.rs"]
mod marks;
#[path = "src/pattern.rs"]
mod pattern;
#[path = "build_read.rs"]
mod read;
#[path = "src/rule.rs"]
mod rule;
#[path = "src/sequence.rs"]
mod sequence;
#[path = "src/shared.rs"]
mod shared;
#[path = "src/trie.rs"]
mod trie;
#[path = "build_write.rs"]
mod write;

use code::Code;
use compile::compile;
use index::Index;
use marks::{ABOUT_MARK, MARK, STAGE_MARK};
use pattern::Pattern;
use read::Tables;
use rule::Written;
use sequence::{sequences, Sequence};
use shared::shared;
use std::path::Path;
use std::{env, fs};

fn main() {
    for source in ["rules", "about.toml", "codes.toml", "reasons.toml", "providers.toml", "words.toml", "src"]
    {
        println!("cargo:rerun-if-changed={source}");
    }
    for source in ["build.rs", "build_read.rs", "build_write.rs"] {
        println!("cargo:rerun-if-changed={source}");
    }
    let tables = Tables::read();
    let text = write::write(&tables, &index(&tables), &vague_index(&tables));
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("table.rs"), text).unwrap();
}

/// The index of all rules that are not vague, with the marks of providers and stages.
fn index(tables: &Tables) -> Index {
    let mut marks: Vec<(u16, Pattern)> = Vec::new();
    for (place, provider) in tables.providers.iter().enumerate() {
        marks.extend(provider.marks.iter().map(|mark| (MARK | place as u16, read_mark(mark))));
    }
    for stage in &tables.stages {
        let bit = rule::STAGES.iter().position(|(name, _)| *name == stage.name).expect("a stage");
        marks.extend(stage.marks.iter().map(|mark| (STAGE_MARK | bit as u16, read_mark(mark))));
    }
    let mut patterns: Vec<(u16, &Pattern)> = marks.iter().map(|(mark, pattern)| (*mark, pattern)).collect();
    for (place, mark) in tables.about.iter().enumerate() {
        patterns.extend(mark.patterns.iter().map(|pattern| (ABOUT_MARK | place as u16, pattern)));
    }
    patterns.extend(patterns_of(tables, |rule| !is_vague(rule)));
    made(&patterns, tables)
}

/// The index of the rules that are asked where nothing else is found: their words are in every
/// text, and cost nothing where they decide nothing.
fn vague_index(tables: &Tables) -> Index {
    made(&patterns_of(tables, is_vague), tables)
}

fn is_vague(rule: &Written) -> bool {
    matches!(rule.codes.first(), Some(Code::Vague(..)))
}

/// The patterns of some rules, each with the place of its rule.
fn patterns_of(tables: &Tables, is_meant: impl Fn(&Written) -> bool) -> Vec<(u16, &Pattern)> {
    let meant = tables.rules.iter().enumerate().filter(|(_, rule)| is_meant(rule));
    meant.flat_map(|(place, rule)| rule.patterns.iter().map(move |pattern| (place as u16, pattern))).collect()
}

fn made(patterns: &[(u16, &Pattern)], tables: &Tables) -> Index {
    let lists: Vec<(String, Vec<Sequence>)> = tables.words.iter().map(read_list).collect();
    compile(patterns, &lists, shared).unwrap_or_else(|error| panic!("{error}"))
}

fn read_mark(text: &String) -> Pattern {
    pattern::read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn read_list((name, words): &(String, Vec<String>)) -> (String, Vec<Sequence>) {
    let read = |word: &String| sequences(word).unwrap_or_else(|error| panic!("{name}: {word}: {error}"));
    (name.clone(), words.iter().flat_map(read).collect())
}
