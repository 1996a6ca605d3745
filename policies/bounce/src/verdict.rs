//! What was found about a failure, and the class that it makes.
//!
//! Not here: finding it (`classify`). Invariant: only what is about the recipient or its domain is
//! hard, and a code alone never is.

use crate::about::About;
use crate::own_rules::Own;
use crate::said_of::{outranks, SaidOf};
use crate::table::{Rule, CODES, REASONS, REFINEMENTS, RULES};
use carom_policy::Severity;

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class<'a> {
    /// Fine vocabulary (`reasons.toml`).
    pub reason: &'static str,
    /// PowerMTA bounce category.
    pub category: &'static str,
    /// What the refusal is about.
    pub about: About,
    /// Whether the address or its domain is dead.
    pub severity: Severity,
    /// The rule that decided; empty when none did.
    pub rule: &'a str,
    /// What showed what it is about, if it was not the rule: the name of a mark of `about.toml`.
    pub evidence: &'static str,
}

/// What was found about a failure: all that its class takes from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub verdict: Verdict,
    pub status_class: u8,
    pub code: u16,
    /// A status field without a text is a statement; a code in a text is not.
    pub is_statement: bool,
}

/// What decided, and what was known of the refusal before. Numbers are places in the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub decided: Decided,
    pub said: Option<SaidOf>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Decided {
    Own(u16),
    /// A rule, and the refinement of its answer.
    Rule(u16, Option<u16>),
    Code(u16),
    Success,
    /// What it is about is all that is known.
    Said,
    Nothing,
}

/// What was found, in the words of the rule that decided.
pub(crate) fn class_of<'a>(found: &Found, own: Option<&'a Own>) -> Class<'a> {
    let class = by_verdict(found, own);
    let shows = |said: &SaidOf| said.about() == class.about && said.name() != class.rule;
    let evidence = found.verdict.said.filter(shows).map_or("", SaidOf::name);
    Class { evidence, ..class }
}

fn by_verdict<'a>(found: &Found, own: Option<&'a Own>) -> Class<'a> {
    let Verdict { decided, said } = found.verdict;
    let about = said.map(SaidOf::about).filter(|about| !about.is_recipients());
    match decided {
        Decided::Own(place) => match own.and_then(|own| own.rules.get(usize::from(place))) {
            Some(rule) => by_rule(rule, found, about.filter(|_| outranks(said, rule))),
            None => by_reason("undetermined"),
        },
        Decided::Code(place) => {
            let class = by_rule(&CODES[usize::from(place)], found, about);
            if class.severity == Severity::Hard && !found.is_statement {
                return Class { severity: Severity::Soft, ..class };
            }
            class
        }
        Decided::Rule(place, None) => by_rule(&RULES[usize::from(place)], found, about),
        Decided::Rule(place, Some(better)) => {
            let better = by_rule(&REFINEMENTS[usize::from(better)].1, found, about);
            Class { rule: &RULES[usize::from(place)].name, ..better }
        }
        Decided::Success => by_reason("delivered"),
        Decided::Said => match said.and_then(SaidOf::mark) {
            Some(mark) => by_rule(&mark.rule, found, about),
            None => by_others(said.unwrap_or(SaidOf::SenderNamed)),
        },
        Decided::Nothing => Class { about: about.unwrap_or_default(), ..by_reason("undetermined") },
    }
}

/// What a rule means. What is known of the refusal before says which party it is about, unless the
/// rule is certain of another; that it is about the message or the way there, only the rule knows.
fn by_rule<'a>(rule: &'a Rule, found: &Found, said: Option<About>) -> Class<'a> {
    let reason = &REASONS[usize::from(rule.reason)];
    let about = match (rule.about(), said) {
        (About::Message | About::Relay | About::Network, _) | (_, None) => rule.about(),
        (about, Some(_)) if rule.about.is_some() && !about.is_recipients() => about,
        (_, Some(said)) => said,
    };
    // Whatever a status says: who answers 4xx asks to try again.
    let is_by_reply = found.status_class == 0 || (400..500).contains(&found.code);
    let class = if is_by_reply { found.code / 100 } else { found.status_class.into() };
    let severity = rule.severity.unwrap_or(if class == 4 { reason.temporary } else { reason.severity });
    // A 4xx is only hard if the rule asks for it and says so.
    let is_passing = class == 4 && (rule.severity.is_none() || rule.codes.is_empty());
    let severity = match severity_at(severity) {
        Severity::Hard if !about.is_recipients() || is_passing => Severity::Soft,
        severity => severity,
    };
    Class { reason: reason.name, category: reason.category, about, severity, rule: &rule.name, evidence: "" }
}

fn by_others(said: SaidOf) -> Class<'static> {
    Class { rule: said.name(), about: said.about(), ..by_reason(said.reason()) }
}

/// A reason that no rule gave.
fn by_reason(name: &str) -> Class<'static> {
    let reason = REASONS.iter().find(|reason| reason.name == name).unwrap_or(&REASONS[0]);
    let (name, category, about) = (reason.name, reason.category, reason.about);
    Class { reason: name, category, about, severity: severity_at(reason.severity), rule: "", evidence: "" }
}

/// In the order of `rule::SEVERITIES`.
fn severity_at(place: u8) -> Severity {
    [Severity::Hard, Severity::Soft, Severity::None, Severity::Unknown][usize::from(place)]
}
