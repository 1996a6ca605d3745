//! What `carom check` says of a value in the config: the troubleshooting page has each text of the sources that read URLs,
//! secrets, tokens and the shared store, and the binary says them with the line of the key.
//!
//! Not here: texts that a mail server reads (`exit_texts`). Invariant: a text is compared without the parts that change.

use super::exit_texts::{core, everything, literal, parts};
use super::{document, untested};
use crate::harness::Sandbox;
use std::fs;

const PAGE: &str = "docs/troubleshooting.md";
const SOURCES: [&str; 5] = [
    "src/config/mail_server.rs",
    "src/config/shared_store.rs",
    "src/webhook/signature.rs",
    "src/webhook/url_template.rs",
    "src/config/serve_rules.rs",
];
/// What makes a fault of the string after it.
const MAKERS: [&str; 6] =
    [".wrong(", "Error::new(", "let what = ", "ConfigFault::new(table, key, ", "fault(\"", "fault(&format!("];
/// Said with the values that are allowed, which are the fix.
const PLAIN: [&str; 4] = [
    "must be ",
    "nobody would be answered",
    "needs a key, and a key a certificate",
    "cannot be the id of a notification",
];

/// The texts in a source. After `fault("key", ` the text is the second string.
fn texts(source: &str) -> Vec<String> {
    let source = untested(source);
    let mut found = Vec::new();
    for (at, maker) in MAKERS.iter().flat_map(|maker| source.match_indices(maker)) {
        let mut from = at + maker.len();
        if maker.ends_with('"') {
            let rest = &source[from..];
            let Some(end) =
                rest.find("\", ").filter(|end| rest[..*end].chars().all(|c| c.is_lowercase() || c == '_'))
            else {
                // The text comes first.
                found.extend(literal(source, from - 1));
                continue;
            };
            from += end + 1;
        }
        // What comes after the text is the fix.
        let before = source[from..].split('"').next().unwrap_or_default();
        if !before.contains(')') && !before.contains("what") {
            found.extend(literal(source, from));
        }
    }
    found.retain(|text| core(text).len() >= 8 && text.contains(' '));
    found
}

fn section() -> String {
    let page = document(PAGE).text;
    let after = page.split("### A value in the config\n").nth(1).unwrap_or_default().to_owned();
    after.split("\n### ").next().unwrap_or_default().to_owned()
}

#[test]
fn every_text_about_a_value_in_the_config_has_a_row_and_every_row_is_said() {
    let (page, everything) = (document(PAGE).text, everything());
    let mut said: Vec<String> = SOURCES.iter().flat_map(|path| texts(&document(path).text)).collect();
    assert!(said.len() > 25, "{said:#?}");
    said.retain(|text| PLAIN.iter().all(|plain| !text.contains(plain)) && !page.contains(core(text)));
    assert!(said.is_empty(), "{PAGE} does not explain {said:#?}");
    let section = section();
    let cells =
        section.lines().filter(|line| line.starts_with("| `")).filter_map(|row| row.split(" | ").next());
    let quoted: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(quoted.len() > 20, "{quoted:?}");
    let wrong: Vec<&&str> =
        quoted.iter().filter(|text| !parts(text).all(|part| everything.contains(part))).collect();
    assert!(wrong.is_empty(), "nothing in the sources says {wrong:#?}");
}

#[test]
fn a_value_that_is_wrong_is_named_with_the_line_of_its_key_in_a_text_of_the_table() {
    let section = section();
    for (config, line) in [
        ("[shared]\nname = \"a\"\nurl = \"http://x\"\n", 3),
        ("[shared]\nurl = \"redis://u:p@x:6379\"\n", 2),
        ("[shared]\nurl = \"redis://x:6379\"\npassword = \"secret\"\n", 3),
        (
            "[serve]\nlisten = [\"127.0.0.1:1\"]\n[[serve.tokens]]\nname = \"a\"\nscopes = [\"read\"]\nsha256 = \"abc\"\n",
            6,
        ),
        ("[alerts]\nfrom = \"a@b.example\"\nserver = \"x:y\"\n", 3),
        ("[[notify]]\nsender_domain = \"*\"\n\nurl = \"https://x.example/{who}\"\n", 4),
        ("[[notify]]\nsender_domain = \"*\"\nurl = \"smtp://x.example/{address}\"\n", 3),
        (
            "[[notify]]\nsender_domain = \"*\"\nurl = \"https://x.example/\"\nsecrets = [\n  \"whsec_x\",\n]\n",
            4,
        ),
        ("[store]\npath = \"/x/y.db\"\nkey = \"0123456789abcdef0123456789abcdef\"\n", 3),
    ] {
        let sandbox = Sandbox::new();
        let file = sandbox.path("carom.toml");
        fs::write(&file, config).unwrap();
        let ran = sandbox.run(&["check"], b"");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let place = format!("{}: line {line}: ", file.display());
        let row = said.lines().find(|row| row.contains(&place)).unwrap_or_else(|| panic!("{place} {ran:?}"));
        assert_eq!(ran.code, 1, "{ran:?}");
        let is_known = section
            .split('`')
            .skip(1)
            .step_by(2)
            .any(|text| text.len() > 8 && parts(text).all(|part| row.contains(part)));
        assert!(is_known || config.contains("[store]"), "{PAGE} does not show {row}");
    }
}
