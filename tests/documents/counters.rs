//! Every counter and every step has its row in `docs/counters.md`, and every one there exists.
//!
//! Not here: counters by reason, which are made of the keys in `docs/proof.md`, and those of other
//! people's policies.

use super::{document, untested};
use crate::harness::{Sandbox, plain};
use crate::tidy::sources::files;
use std::collections::BTreeSet;

const PAGE: &str = "docs/counters.md";

/// Where counters are added to, and what their names come after there.
const MAKERS: [(&str, &[&str]); 3] = [
    ("src", &["Performed::new(", "ally.add(", "counts.add(", "ally.add_many("]),
    ("policies/bounce/src", &["count("]),
    ("policies/sink/src", &["count("]),
];

/// Lists and constants with names of counters, and how these begin.
const LISTS: [(&str, &[&str]); 8] = [
    ("src/access/answer_counts.rs", &["access_", "socketmap_"]),
    ("src/action/tell.rs", &["alert_"]),
    ("src/lmtp/session_counts.rs", &["lmtp_"]),
    ("src/policy/failure.rs", &["policy_"]),
    ("src/store/sqlite/counted_once.rs", &["bounce_"]),
    ("src/store/tally.rs", &["lmtp_"]),
    ("src/action/suppress.rs", &["suppressed"]),
    ("policies/bounce/src/complain.rs", &["complaint_"]),
];

fn is_name(text: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(is_of_name)
}

/// The names in quotes in a text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2).filter(|text| is_name(text))
}

fn source(path: &str) -> String {
    untested(&document(path).text).to_owned()
}

/// The names of counters in the arguments of makers: words in a note are no names.
fn made(text: &str, makers: &[&str]) -> BTreeSet<String> {
    let places = makers.iter().flat_map(|maker| text.match_indices(maker));
    let rest = places.map(|(at, maker)| &text[at + maker.len()..]);
    let arguments = rest.filter_map(|rest| rest.split([';', '\n']).next());
    arguments.flat_map(quoted).map(str::to_owned).collect()
}

/// What is sent, and how that ends.
fn of_answers() -> BTreeSet<String> {
    let text = source("src/action/answer.rs");
    let kinds: Vec<&str> =
        text.split("counter: \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let is_end = |line: &&str| line.contains("performed(") || line.trim_start().starts_with("Refusal::");
    let ends: Vec<&str> = text.lines().filter(is_end).flat_map(quoted).collect();
    assert!(kinds.len() > 3 && ends.len() > 5, "{kinds:?} {ends:?}");
    kinds.iter().flat_map(|kind| ends.iter().map(move |end| format!("{kind}_{end}"))).collect()
}

/// Why links were not fetched.
fn of_links() -> BTreeSet<String> {
    let text = source("src/action/visit/mod.rs");
    let nouns: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("Errand::") && line.contains("=> \""))
        .flat_map(quoted)
        .collect();
    let why: Vec<&str> =
        text.split("{noun}_url_").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(nouns.len() == 3 && why.len() > 3, "{nouns:?} {why:?}");
    nouns.iter().flat_map(|noun| why.iter().map(move |why| format!("{noun}_url_{why}"))).collect()
}

/// The names in the sources.
fn counted() -> BTreeSet<String> {
    let mut found: BTreeSet<String> = of_answers().into_iter().chain(of_links()).collect();
    for (folder, makers) in MAKERS {
        for source in files(folder, "rs").into_iter().filter(|source| !source.path.ends_with("tests.rs")) {
            found.extend(made(untested(&source.text), makers));
        }
    }
    for (path, starts) in LISTS {
        let text = source(path);
        let names = quoted(&text).filter(|name| starts.iter().any(|start| name.starts_with(start)));
        found.extend(names.map(str::to_owned));
    }
    found
}

/// The names in the first column of the tables in a part of the page.
fn documented(is_in: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let page = document(PAGE).text;
    let parts = page.split("\n## ").filter(|part| is_in(part.lines().next().unwrap_or_default()));
    let rows = parts.flat_map(str::lines).filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    rows.flat_map(|cell| cell.split('`'))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_counter_is_explained_and_every_one_there_exists() {
    let documented = documented(|part| part != "Steps");
    let documented: BTreeSet<String> = documented.into_iter().filter(|name| is_name(name)).collect();
    assert!(documented.len() > 80, "{documented:?}");
    let counted = counted();
    let missing: Vec<&String> = counted.difference(&documented).collect();
    assert!(missing.is_empty(), "{PAGE} does not explain {missing:?}");
    let gone: Vec<&String> = documented.difference(&counted).collect();
    assert!(gone.is_empty(), "nothing counts {gone:?}, which {PAGE} explains");
}

#[test]
fn every_step_is_explained_and_every_one_there_exists() {
    let text = source("src/plan/actions.rs");
    let names = text.lines().filter(|line| line.contains("Action::") && line.contains("=> \""));
    let names: BTreeSet<String> = names.filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect();
    assert!(names.len() > 10, "{names:?}");
    assert_eq!(names, documented(|part| part == "Steps"));
}

#[test]
fn what_stats_prints_is_explained() {
    let sandbox = Sandbox::new();
    for to in ["x@accept.sink.example", "x@oob.sink.example", "x@reject.sink.example", "x@fbl.sink.example"] {
        sandbox.pipe(to, &plain(to));
    }
    let documented = documented(|part| part != "Steps");
    let counters = sandbox.counters();
    assert!(counters.len() > 3, "{counters:?}");
    for name in counters.keys().filter(|name| *name != "startedRunning") {
        assert!(documented.contains(name), "{PAGE} does not explain {name}");
    }
}
