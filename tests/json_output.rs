//! The keys of `--json`, as `docs/json-output.md` lists them, are those that the commands print.

use crate::harness::Sandbox;
use crate::statistics::{OTHER, append, delivery, tick};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// The keys in the tables below a heading.
fn documented(heading: &str) -> BTreeSet<String> {
    let text = fs::read_to_string("docs/json-output.md").unwrap();
    let after = text.split_once(&format!("\n{heading}\n")).unwrap().1;
    let part = after.split("\n## ").next().unwrap().split("\nWith `").next().unwrap();
    let cells = part.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" |"));
    let keys = cells.flat_map(|(cell, _)| cell.split(", ").map(|key| key.trim_matches('`').to_owned()));
    keys.collect()
}

/// The keys of printed lines, those of inner objects after the outer key.
fn printed(lines: &str) -> BTreeSet<String> {
    fn walk(value: &Value, outer: &str, keys: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (key, inner) in fields {
                    keys.insert(format!("{outer}{key}"));
                    walk(inner, &format!("{outer}{key}."), keys);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, outer, keys)),
            _ => {}
        }
    }
    let mut keys = BTreeSet::new();
    lines.lines().for_each(|line| walk(&serde_json::from_str(line).unwrap(), "", &mut keys));
    keys
}

#[test]
fn the_documented_keys_are_those_that_are_printed() {
    let sandbox = Sandbox::new();
    let complaint = b"From: fbl@there.example\r\nTo: fbl@example.com\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\r\n\r\n\
        --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: x\r\nVersion: 1\r\n\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nFrom: shop@example.com\r\nCFBL-Feedback-ID: 7\r\nSubject: x\r\n\r\nx\r\n--b--\r\n";
    fs::write(sandbox.path("complaint.eml"), complaint).unwrap();
    let complaint = sandbox.path("complaint.eml").display().to_string();
    let all = sandbox.run(&["classify", "--json", "--explain", "tests/reports", &complaint], b"");
    assert_eq!(printed(&all.stdout), documented("## carom classify --json"));
    let replies = b"550 5.1.1 no such user\n550 5.1.0 <a@there.example>: Sender address rejected: unknown\n";
    let all = sandbox.run(&["classify", "--text", "--json"], replies);
    assert_eq!(printed(&all.stdout), documented("## carom classify --text --json"));
    let failure = "dsn=5.0.0, status=bounced (host mx[192.0.2.9] said: 599 xyzzy plugh)";
    let sandbox = crate::harness::mail_log::sandbox(None, "");
    append(&sandbox, &delivery(540, 1, "a@there.example", OTHER, 1.0, failure));
    tick(&sandbox, &[]);
    let deliveries = sandbox.run(&["deliveries", "--json"], b"").stdout;
    assert_eq!(printed(&deliveries), documented("## carom deliveries --json"));
    let shapes = sandbox.run(&["deliveries", "--unclassified", "--json"], b"").stdout;
    assert_eq!(printed(&shapes), documented("With `--unclassified`:"));
}
