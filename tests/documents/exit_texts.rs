//! The texts that `carom pipe` ends with: what the troubleshooting page quotes is what carom says,
//! and every text of the sources that messages pass through is on that page.
//!
//! Invariant: a text is compared without the parts that change from case to case (`…` on the page,
//! braces in the sources).

use super::{ROOT, document, untested};
use crate::harness::{SENDER, Sandbox, finish, plain, start};
use std::fs;
use std::path::Path;
use std::time::Duration;

const PAGE: &str = "docs/troubleshooting.md";

/// The sources whose errors a mail server reads.
const SOURCES: [&str; 21] = [
    "src/archive",
    "src/archive.rs",
    "src/cli/pipe.rs",
    "src/config/required_domains.rs",
    "src/config/secret_source.rs",
    "src/config/toml_file.rs",
    "src/config/toml_words.rs",
    "src/decide",
    "src/deliver",
    "src/files/regular.rs",
    "src/halt.rs",
    "src/house.rs",
    "src/intake/pipe.rs",
    "src/policy/anatomy.rs",
    "src/policy/cache.rs",
    "src/policy/component_source.rs",
    "src/policy/ready.rs",
    "src/policy/trapped.rs",
    "src/store/sqlite/connection.rs",
    "src/store/sqlite/database_fault.rs",
    "src/store/sqlite/encryption.rs",
];

/// What makes an error of the string after it.
const MAKERS: [&str; 10] = [
    "Error::new(",
    "let what =",
    "let cause =",
    "let text =",
    "return (format!(",
    " wrong(",
    " later(",
    "InvalidInput, format!(",
    "NotADatabase) => ",
    "self.error(path, ",
];

fn sources(path: &str) -> Vec<String> {
    let whole = Path::new(ROOT).join(path);
    if whole.is_file() {
        return vec![fs::read_to_string(whole).unwrap()];
    }
    let entries = fs::read_dir(&whole).expect(path).flatten();
    let names = entries.map(|entry| format!("{path}/{}", entry.file_name().to_string_lossy()));
    names.flat_map(|name| sources(&name)).collect()
}

/// The string that begins in the first bytes after `at`, without what is filled in.
pub(super) fn literal(text: &str, at: usize) -> Option<String> {
    let rest = &text[at..];
    let start = rest.char_indices().take(60).find(|(_, c)| *c == '"')?.0;
    if rest[..start].contains([';', '}']) {
        return None;
    }
    let mut found = String::new();
    let mut depth = 0;
    let mut chars = rest[start + 1..].chars();
    loop {
        match chars.next()? {
            '\\' => match chars.next()? {
                '\n' => chars = chars.as_str().trim_start().chars(),
                c => found.push(c),
            },
            '"' => return Some(found),
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                found.push('…');
            }
            c if depth == 0 => found.push(c),
            _ => {}
        }
    }
}

/// The parts of a text that do not change.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(['…', ';']);
    parts.map(|part| part.trim_matches([' ', ':', '`', ',', ')', '('])).filter(|part| !part.is_empty())
}

/// The longest of them.
pub(super) fn core(text: &str) -> &str {
    parts(text).max_by_key(|part| part.len()).unwrap_or_default()
}

/// The errors in a source, tests left out.
fn errors(text: &str) -> Vec<String> {
    let text = untested(text);
    let places = MAKERS.iter().flat_map(|maker| text.match_indices(maker));
    let literals = places.filter_map(|(at, maker)| literal(text, at + maker.len()));
    literals.filter(|text| core(text).len() >= 8 && text.contains(' ')).collect()
}

/// Everything that could be said: strings of the sources and of the policies, joined.
pub(super) fn everything() -> String {
    fn below(path: &Path, to: &mut String) {
        for entry in fs::read_dir(path).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                below(&path, to);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                to.push_str(&fs::read_to_string(path).unwrap_or_default());
            }
        }
    }
    let mut text = String::new();
    ["src", "policies/sink/src", "policies/bounce/src"]
        .iter()
        .for_each(|path| below(&Path::new(ROOT).join(path), &mut text));
    let text = text.replace("\\\"", "\"");
    // A string goes on after the blanks of its next line.
    text.split("\\\n").enumerate().map(|(at, part)| if at > 0 { part.trim_start() } else { part }).collect()
}

/// The texts in the table of exit texts, without their codes.
fn quoted() -> Vec<String> {
    let page = document(PAGE).text;
    let section = page.split("### Exit texts\n").nth(1).and_then(|rest| rest.split("\n### ").next());
    let rows = section.unwrap_or_default().lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|row| row.split('`').nth(1)).map(str::to_owned).collect()
}

#[test]
fn every_error_that_a_mail_server_can_read_is_in_the_table_of_exit_texts() {
    let page = document(PAGE).text;
    let all = SOURCES.iter().flat_map(|path| sources(path));
    let missing: Vec<String> =
        all.flat_map(|text| errors(&text)).filter(|text| !page.contains(core(text))).collect();
    assert!(missing.is_empty(), "{PAGE} does not name {missing:#?}");
}

#[test]
fn every_counter_of_a_policys_failure_and_every_event_of_the_log_is_explained() {
    let quoted = |path: &str, start: &str| -> Vec<String> {
        let text = document(path).text;
        let places = text.match_indices(start).map(|(at, start)| text[at + start.len()..].to_owned());
        places.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
    };
    let counters = quoted("src/policy/failure.rs", "=> \"policy_");
    let events = quoted("src/message_log/later_line.rs", "event: \"");
    assert!(counters.len() > 5 && events.len() > 1, "{counters:?} {events:?}");
    let (page, words) = (document(PAGE).text, document("docs/message-log.md").text);
    for counter in counters {
        assert!(page.contains(&format!("`policy_{counter}`")), "{PAGE}: {counter}");
    }
    for event in events {
        assert!(words.contains(&format!("| `{event}` |")), "docs/message-log.md: {event}");
    }
}

#[test]
fn every_exit_text_in_the_documents_is_one_that_carom_says() {
    let everything = everything();
    let quoted = quoted();
    assert!(quoted.len() > 25, "{}", quoted.len());
    // What the system says is not in the sources.
    let is_said =
        |text: &str| text.contains("(os error ") || parts(text).all(|part| everything.contains(part));
    let wrong: Vec<&String> = quoted.iter().filter(|text| !is_said(text)).collect();
    assert!(wrong.is_empty(), "nothing in the sources says {wrong:#?}");
}

/// Whether a line of a mail log is one that the table shows.
fn is_shown(line: &str, shown: &str) -> bool {
    let mut rest = line;
    shown.split('…').map(str::trim).all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// A sandbox, arguments, and what is wrong there.
fn faults() -> Vec<(Sandbox, Vec<&'static str>)> {
    let text = |file: &str, text: &str| {
        let sandbox = Sandbox::new();
        fs::write(sandbox.path(file), text).unwrap();
        sandbox
    };
    let missing = Sandbox::new();
    fs::remove_file(missing.path("carom.toml")).unwrap();
    let unwritable = Sandbox::new();
    fs::create_dir_all(unwritable.path("state")).unwrap();
    fs::write(unwritable.path("state/log"), "a file where the directory of the log should be").unwrap();
    fs::write(unwritable.path("state/carom.db"), "this is no database, whatever its name says").unwrap();
    let not_wasm = Sandbox::new();
    fs::write(not_wasm.path("mine.wasm"), "text").unwrap();
    let path = not_wasm.path("mine.wasm").display().to_string();
    let empty_key = text("verp.key", "\n");
    let keys = format!("[verp]\nkeys = [\"file:{}\"]", empty_key.path("verp.key").display());
    vec![
        (missing, vec![]),
        (text("carom.toml", ""), vec![]),
        (text("carom.toml", "polisy = \"sink\"\n"), vec![]),
        (text("carom.toml", "[message]\nmax_size = 10\n"), vec![]),
        (Sandbox::new().config("[verp]\nkeys = [\"short\"]"), vec![]),
        (Sandbox::new().settings("bogus = 1"), vec![]),
        (Sandbox::new(), vec!["--policy", "nothing"]),
        (Sandbox::new(), vec!["--no-such-option"]),
        (empty_key.config(&format!("{keys}\ndomain = \"bounces.example.com\"")), vec![]),
        (
            Sandbox::new().config("[verp]\nkeys = [\"file:/nowhere/verp.key\"]\ndomain = \"b.example\""),
            vec![],
        ),
        (not_wasm.config(&format!("[policy.mine]\npath = \"{path}\"")), vec!["--policy", "mine"]),
        (unwritable, vec![]),
        (Sandbox::new().config("[dns]\nservers = [\"127.0.0.1:9\"]\ntimeout = 1"), vec![]),
    ]
}

#[test]
fn every_fault_that_is_made_ends_with_a_text_of_the_table() {
    let quoted = quoted();
    for (sandbox, more) in faults() {
        let to = "x@accept.sink.example";
        let arguments = [&["pipe", "--sender", SENDER, "--recipient", to], &more[..]].concat();
        let ran = finish(start(sandbox.command(&arguments), &plain(to)), Duration::from_secs(60));
        assert_eq!(ran.code, 75, "{more:?}: {ran:?}");
        let is_known = quoted.iter().any(|shown| is_shown(&ran.stdout, shown));
        assert!(is_known, "{PAGE} does not show {}", ran.stdout);
    }
}
