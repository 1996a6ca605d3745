//! The shipped tables, which `build.rs` writes, and the types of their rows.
//!
//! Not here: anything that decides (`first_rule`, `classify`). Invariant: only a dead address or
//! domain is hard, by any rule or code; the tests below hold it.

use crate::about::About;
use crate::code::Code;
use crate::index::{Chain, End, Entry, Index, Part};
use crate::trie::{Leaf, State};
use std::borrow::Cow;

/// A reason of the vocabulary (`reasons.toml`).
#[derive(Debug)]
pub struct Reason {
    pub name: &'static str,
    /// The PowerMTA bounce category.
    pub category: &'static str,
    /// What such a refusal is about.
    pub about: About,
    /// Place in `rule::SEVERITIES`.
    pub severity: u8,
    /// The same for a 4xx.
    pub temporary: u8,
}

/// A provider (`providers.toml`). Its marks in texts are patterns of the index.
#[derive(Debug)]
pub struct Provider {
    pub name: &'static str,
    /// Domains of its mail servers.
    pub hosts: &'static [&'static str],
}

/// A rule, ready for use. Its patterns are in the index.
#[derive(Clone, Debug)]
pub struct Rule {
    pub name: Cow<'static, str>,
    /// Place in [`FAMILIES`]: the file it is in.
    pub family: u8,
    /// Place in [`REASONS`].
    pub reason: u8,
    /// Where the rule is certain of it; none: the reason's.
    pub about: Option<About>,
    /// Place in `rule::SEVERITIES`; none: the reason's.
    pub severity: Option<u8>,
    /// Bits of stages; 0: any.
    pub stages: u8,
    /// Bits of providers; 0: any, if there are no hosts either.
    pub providers: u64,
    /// Empty: any.
    pub codes: Cow<'static, [Code]>,
    /// Domains, for providers that have no bit.
    pub hosts: Vec<String>,
}

impl Rule {
    /// What a refusal that it decides is about.
    pub fn about(&self) -> About {
        self.about.unwrap_or_else(|| REASONS[usize::from(self.reason)].about)
    }
}

/// A list of `words.toml`, by the last five bits of the first byte of its words.
#[derive(Debug)]
pub struct List {
    pub name: &'static str,
    pub words: &'static [&'static str],
    /// Where the words with the same bits begin.
    pub begins: &'static [u16; 33],
}

/// What the words, the stage or the code of a refusal say that it is about (`about.toml`).
#[derive(Debug)]
pub struct Mark {
    /// What is asked besides the pattern; and what the refusal means if no rule says more.
    pub rule: Rule,
    pub about: About,
    /// Whether a pattern has to be in the text.
    pub is_text: bool,
}

include!(concat!(env!("OUT_DIR"), "/table.rs"));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{classify, Failure, Severity};

    /// `host mx.example.org[198.51.100.7] said: 550 … (in reply to RCPT TO command)`, as Postfix
    /// logs it.
    fn failure(example: &str) -> Failure<'_> {
        let host =
            example.strip_prefix("host ").and_then(|rest| rest.split_once('[')).map_or("", |(host, _)| host);
        // In a text 5.0.0 says nothing; as the status field of a report it does.
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
    fn every_mark_keeps_its_examples_from_the_recipient() {
        let wrong = |example: &&&str| {
            let class = classify(&failure(example));
            class.about.is_recipients() || class.severity != Severity::Soft
        };
        let others = MARKS.iter().zip(MARK_EXAMPLES).filter(|(mark, _)| !mark.about.is_recipients());
        let wrong: Vec<_> = others.flat_map(|(_, (_, examples))| *examples).filter(wrong).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(MARK_EXAMPLES.iter().all(|(_, examples)| !examples.is_empty()));
    }

    #[test]
    fn names_are_unique() {
        let marks = MARKS.iter().map(|mark| &mark.rule);
        let mut names: Vec<&str> = RULES.iter().chain(marks).map(|rule| &*rule.name).collect();
        names.sort_unstable();
        let twice: Vec<&[&str]> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    /// The reasons that mean a dead address or domain. Nothing else is ever hard.
    const DEAD: [&str; 4] = ["user-unknown", "host-unknown", "has-moved", "not-accept"];

    #[test]
    fn only_dead_addresses_are_hard() {
        let refined = REFINEMENTS.iter().map(|(_, rule)| rule);
        for rule in RULES.iter().chain(CODES).chain(refined) {
            let reason = &REASONS[usize::from(rule.reason)];
            let severity = rule.severity.unwrap_or(reason.severity);
            assert!(DEAD.contains(&reason.name) || severity != 0, "{} is hard", rule.name);
        }
        for reason in REASONS {
            let may_be_hard = reason.severity == 0 || reason.temporary == 0;
            assert!(!may_be_hard || DEAD.contains(&reason.name), "{} is hard", reason.name);
        }
    }

    /// Spam, policy, reputation, rate, greylisting and full mailboxes are soft even with the code
    /// of an unknown user.
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
