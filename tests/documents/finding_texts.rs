//! The texts of the findings of `carom check`: each is in the table of `docs/check.md`, and each one
//! there is what carom says.
//!
//! Not here: the subjects (`check_config`), and faults of the config, of policies and of the store,
//! which mail servers read too (`exit_texts`). Invariant: a text is compared without the parts that
//! change from case to case.

use super::exit_texts::{core, everything, literal, parts};
use super::{document, untested};
use crate::tidy::sources::files;

const PAGE: &str = "docs/check.md";

/// What the text of a finding comes after.
const MAKERS: [&str; 8] = [
    "let found =",
    "let what =",
    "let text =",
    "let why =",
    "let of =",
    "wrong(format!(",
    "let (found, user) = (",
    "(found, fix) = (",
];

/// Findings that all is well, and parts of texts.
const LEFT_OUT: [&str; 4] = [
    "and domains below it goes to",
    "is set, so policies run there as bytecode",
    "for an unknown reason",
    "Postfix does not take the new config",
];

/// The texts in a source.
fn texts(source: &str) -> Vec<String> {
    let source = untested(source);
    let made = MAKERS.iter().flat_map(|maker| source.match_indices(maker));
    let made = made.filter_map(|(at, maker)| literal(source, at + maker.len()));
    let direct =
        ["Finding::wrong(", "Finding::note("].into_iter().flat_map(|maker| source.split(maker).skip(1));
    made.chain(direct.filter_map(second_argument))
        .filter(|text| core(text).len() >= 8 && text.contains(' '))
        .collect()
}

/// The string that a finding is made with after its subject, if it is written there.
fn second_argument(arguments: &str) -> Option<String> {
    let rest = arguments.split_once(',')?.1.trim_start();
    let rest = ["format!(", "format_args!("].iter().find_map(|form| rest.strip_prefix(form)).unwrap_or(rest);
    rest.trim_start().starts_with('"').then(|| literal(rest, 0)).flatten()
}

/// The texts in the tables of the page.
fn quoted() -> Vec<String> {
    let page = document(PAGE).text;
    let section = page.split("## Findings by text").nth(1).unwrap_or_default();
    let cells =
        section.lines().filter(|line| line.starts_with("| `")).filter_map(|row| row.split(" | ").next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn every_finding_is_in_the_table_of_texts() {
    let page = document(PAGE).text;
    let folders = ["src/check", "src/wiring"].into_iter().flat_map(|folder| files(folder, "rs"));
    let mut found: Vec<String> = folders.flat_map(|source| texts(&source.text)).collect();
    found.extend(["src/check.rs", "src/cli/check.rs"].iter().flat_map(|path| texts(&document(path).text)));
    assert!(found.len() > 100, "{}", found.len());
    let is_left_out = |text: &String| LEFT_OUT.iter().any(|part| text.contains(part));
    found.retain(|text| !is_left_out(text) && !page.contains(core(text)));
    assert!(found.is_empty(), "{PAGE} does not explain {found:#?}");
}

#[test]
fn every_text_in_the_table_is_one_that_carom_says() {
    let everything = everything();
    let quoted = quoted();
    assert!(quoted.len() > 100, "{}", quoted.len());
    let is_said = |text: &&String| !parts(text).all(|part| everything.contains(part));
    let wrong: Vec<&String> = quoted.iter().filter(is_said).collect();
    assert!(wrong.is_empty(), "nothing in the sources says {wrong:#?}");
}
