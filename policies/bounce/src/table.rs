//! What the shipped tables hold, and the tables themselves, which `build.rs` writes. Nothing is decided here.

use crate::index::{Chain, Entry, Index, Part};
use crate::rule::Code;
use crate::trie::State;
use std::borrow::Cow;

/// A reason of the vocabulary (`reasons.toml`).
#[derive(Debug)]
pub struct Reason {
    /// `user-unknown`, …
    pub name: &'static str,
    /// The PowerMTA bounce category.
    pub category: &'static str,
    /// Place in `rule::SEVERITIES`.
    pub severity: u8,
    /// The same of a 4xx.
    pub temporary: u8,
}

/// A provider (`providers.toml`). Its marks in texts are patterns of the index.
#[derive(Debug)]
pub struct Provider {
    /// The name that rules use.
    pub name: &'static str,
    /// Domains of its mail servers.
    pub hosts: &'static [&'static str],
}

/// A rule, ready for use.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Place in [`REASONS`].
    pub reason: u8,
    /// Place in `rule::SEVERITIES`; else the reason's.
    pub severity: Option<u8>,
    /// Bits of stages; 0 is any.
    pub stages: u8,
    /// Bits of providers; 0 is any, if there are no hosts either.
    pub providers: u64,
    /// Codes; empty is any.
    pub codes: Cow<'static, [Code]>,
    /// Ends of host names.
    pub hosts: Vec<String>,
}

/// In the index: not a rule but the mark of a provider.
pub const MARK: u16 = 1 << 15;
/// In the index: not a rule but the mark of a stage.
pub const STAGE_MARK: u16 = MARK | 64;

include!(concat!(env!("OUT_DIR"), "/table.rs"));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{classify, Failure, Severity};

    /// `host mx.example.org[198.51.100.7] said: 550 … (in reply to RCPT TO command)`, as Postfix tells it.
    fn failure(example: &str) -> Failure<'_> {
        let host =
            example.strip_prefix("host ").and_then(|rest| rest.split_once('[')).map_or("", |(host, _)| host);
        // Of a text such a status says nothing; of a report it does.
        let status = if example.contains(" 5.0.0 ") { "5.0.0" } else { "" };
        Failure { text: example, status, remote_mta: host, ..Failure::default() }
    }

    #[test]
    fn every_rule_decides_its_examples() {
        let mut wrong = Vec::new();
        for (name, examples) in EXAMPLES {
            assert!(
                !examples.is_empty() || RULES.iter().any(|rule| rule.name == *name),
                "{name} has no example"
            );
            for example in *examples {
                let class = classify(&failure(example));
                if class.rule != *name {
                    wrong.push(format!("{name}: decided by {} ({}): {example}", class.rule, class.reason));
                }
            }
        }
        assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    }

    #[test]
    fn names_are_given_once() {
        let mut names: Vec<&str> = RULES.iter().map(|rule| &*rule.name).collect();
        names.sort_unstable();
        let twice: Vec<&[&str]> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    /// What tells a dead address or domain. Nothing else is ever hard.
    const DEAD: [&str; 4] = ["user-unknown", "host-unknown", "has-moved", "not-accept"];

    #[test]
    fn only_dead_addresses_are_hard() {
        let refined = REFINEMENTS.iter().map(|(_, rule)| rule);
        for rule in RULES.iter().chain(CODES).chain(refined) {
            let reason = &REASONS[usize::from(rule.reason)];
            let severity = rule.severity.unwrap_or(reason.severity);
            assert!(DEAD.contains(&reason.name) || severity != 0, "{} is hard", rule.name);
        }
        for reason in &REASONS {
            let may_be_hard = reason.severity == 0 || reason.temporary == 0;
            assert!(!may_be_hard || DEAD.contains(&reason.name), "{} is hard", reason.name);
        }
    }

    /// Spam, policy, reputation, rate, greylisting and full mailboxes are soft also with the code of an unknown user.
    #[test]
    fn no_code_makes_a_refusal_hard() {
        let mut wrong = Vec::new();
        for rule in RULES.iter().filter(|rule| rule.codes.is_empty() && rule.stages == 0) {
            let reason = REASONS[usize::from(rule.reason)].name;
            let examples = EXAMPLES.iter().filter(|(name, _)| *name == rule.name);
            for example in examples.flat_map(|(_, examples)| *examples) {
                for status in ["5.1.1", "5.1.10", "5.1.6", "5.7.1", "5.0.0", "5.1.2"] {
                    let failure = Failure { status, code: 550, stage: "RCPT", ..failure(example) };
                    let class = classify(&failure);
                    if !DEAD.contains(&reason) && class.severity == Severity::Hard {
                        wrong.push(format!("{}: {status} is hard by {}: {example}", rule.name, class.rule));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
