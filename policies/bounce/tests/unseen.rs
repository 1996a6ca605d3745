//! How well the rules do on replies that none of them quotes (`unseen.toml`). A new rule must not
//! make it worse.

use bounce::{classify, Failure, Severity};

/// At least this many percent of the reasons are right.
const REASONS: usize = 98;
/// The same for severities: whether an address counts as dead matters more than why.
const SEVERITIES: usize = 99;

#[test]
fn replies_that_no_rule_quotes() {
    let table: toml::Table = include_str!("unseen.toml").parse().unwrap();
    let replies = table["reply"].as_array().unwrap();
    let (mut wrong, mut reasons, mut severities) = (Vec::new(), 0, 0);
    for reply in replies {
        let of = |key: &str| reply.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        let (text, status, stage, remote_mta) = (of("text"), of("status"), of("stage"), of("host"));
        let recipient = of("recipient");
        let class = classify(&Failure { text, status, stage, remote_mta, recipient, ..Failure::default() });
        let severity = match class.severity {
            Severity::Hard => "hard",
            Severity::Soft => "soft",
            Severity::None => "none",
            Severity::Unknown => "unknown",
        };
        reasons += usize::from(class.reason == of("reason"));
        severities += usize::from(severity == of("severity"));
        if (class.reason, severity) != (of("reason"), of("severity")) {
            wrong.push(format!(
                "{} is not {} {severity} ({}): {text}",
                of("reason"),
                class.reason,
                class.rule
            ));
        }
        assert!(severity != "hard" || of("severity") == "hard", "a live address counts as dead: {text}");
    }
    let list = wrong.join("\n");
    println!("{reasons} reasons and {severities} severities of {} right\n{list}", replies.len());
    assert!(reasons * 100 >= replies.len() * REASONS, "{reasons} of {}\n{list}", replies.len());
    assert!(severities * 100 >= replies.len() * SEVERITIES, "{severities} of {}\n{list}", replies.len());
}
