//! Kinds of replies that differ in whose the words are: another recipient, a quoted subject, a
//! condition, the recipient itself (`kinds.toml`).
//!
//! Not here: sentences about others drawn from words (`bystanders`).

use bounce::{classify, Failure, Severity};

#[test]
fn each_kind_is_told_apart() {
    let table: toml::Table = include_str!("kinds.toml").parse().unwrap();
    let mut wrong = Vec::new();
    for kind in table["kind"].as_array().unwrap() {
        let is_hard = kind["severity"].as_str() == Some("hard");
        for reply in kind["replies"].as_array().unwrap() {
            let text = reply.as_str().unwrap();
            let recipient = "ann@example.org";
            let class = classify(&Failure { text, recipient, stage: "RCPT", ..Failure::default() });
            if (class.severity == Severity::Hard) != is_hard {
                wrong.push(format!("{:?}: {} by {}: {text}", kind["name"], class.reason, class.rule));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
