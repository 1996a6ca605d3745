//! What a failure means: the order in which own rules, shipped rules and codes are asked.
//!
//! Not here: which rule of a list comes first (`first_rule`), and the rules, which are data.
//! Invariant: text outranks the code, and a success is never classified as a failure.

use crate::about::About;
use crate::code::Code;
use crate::conditions::{server, stage};
use crate::diagnostic::Diagnostic;
use crate::first_rule::{first, Known, Memory, Rules};
use crate::own_rules::Own;
use crate::recent::{Lookup, Recent};
use crate::status::Status;
use crate::table::{Rule, BARE, CODES, INDEX, REASONS, REFINEMENTS, RULES};
use carom_policy::Severity;
use std::ops::Range;

/// A delivery failure as a report or a log shows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failure<'a> {
    /// The reply or diagnostic text.
    pub text: &'a str,
    /// Enhanced status code (RFC 3463), or empty.
    pub status: &'a str,
    /// SMTP reply code, or 0.
    pub code: u16,
    /// SMTP command that was refused, or empty.
    pub stage: &'a str,
    /// The mail server that refused, or empty.
    pub remote_mta: &'a str,
}

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
}

/// Memory that one classification leaves to the next. Only for one list of own rules.
#[derive(Debug, Default)]
pub struct Scratch {
    diagnostic: Diagnostic,
    memory: Memory,
    recent: Recent<Decided>,
}

/// What decided. Numbers are places in the tables.
#[derive(Clone, Copy, Debug)]
enum Decided {
    Delivered,
    Own(u16),
    /// A rule, and the refinement of its answer.
    Rule(u16, Option<u16>),
    Code(u16),
    Nothing,
}

/// What a failure means, by the shipped rules.
pub fn classify(failure: &Failure) -> Class<'static> {
    decide(None, failure, &mut Scratch::default()).0
}

/// What a failure means, by an operator's own rules and the shipped ones.
pub fn classify_with<'a>(own: Option<&'a Own>, failure: &Failure, scratch: &mut Scratch) -> Class<'a> {
    decide(own, failure, scratch).0
}

/// What a failure means, and the part of the text (in the form of `diagnostic`) that the rule
/// found. It is empty if a code decided.
pub fn explain<'a>(own: Option<&'a Own>, failure: &Failure) -> (Class<'a>, String) {
    let mut scratch = Scratch::default();
    let (class, span) = decide(own, failure, &mut scratch);
    (class, String::from_utf8_lossy(scratch.diagnostic.bytes.get(span).unwrap_or_default()).into_owned())
}

fn decide<'a>(own: Option<&'a Own>, failure: &Failure, scratch: &mut Scratch) -> (Class<'a>, Range<usize>) {
    let Scratch { diagnostic, memory, recent } = scratch;
    diagnostic.read(failure.text);
    let text = &diagnostic.bytes;
    let given = Status::leading(failure.status.trim().as_bytes()).map_or(Status::default(), |found| found.0);
    let is_given = given.says_something() || !diagnostic.status.says_something();
    let mut known = Known {
        status: if is_given { given } else { diagnostic.status },
        code: if failure.code == 0 { diagnostic.code } else { failure.code },
        stage: stage(failure.stage),
        remote_mta: server(failure.remote_mta, failure.text),
        marks: None,
    };
    if given.class == 2 || given.class == 0 && (200..300).contains(&known.code) {
        return (class_of(Decided::Delivered, own, &known), 0..0);
    }
    let (decided, span) = match recent.look_up(text, &known) {
        Lookup::Known(decided) => (decided, 0..0),
        Lookup::NotKept => search_lists(own, &mut known, text, memory),
        Lookup::New(kept) => {
            let (decided, span) = search_lists(own, &mut known, text, memory);
            kept.decided = Some(decided);
            (decided, span)
        }
    };
    (class_of(decided, own, &known), span)
}

/// Own rules, then the shipped ones, then codes.
fn search_lists(
    own: Option<&Own>,
    known: &mut Known,
    text: &[u8],
    memory: &mut Memory,
) -> (Decided, Range<usize>) {
    const SHIPPED: Rules = Rules { index: &INDEX, rules: RULES, bare: BARE };
    if let Some(own) = own {
        // The marks of providers and stages are in the shipped index.
        if own.rules.iter().any(|rule| rule.providers != 0 || rule.stages != 0) {
            first(Rules { rules: &[], bare: &[], ..SHIPPED }, known, text, memory);
        }
        known.marks.get_or_insert((0, 0));
        if let Some((place, span)) = first(own.list(), known, text, memory) {
            return (Decided::Own(place), span);
        }
        known.marks = None;
    }
    match first(SHIPPED, known, text, memory) {
        Some((place, span)) => (Decided::Rule(place, refinement(&RULES[usize::from(place)], known)), span),
        None => (by_code(known), 0..0),
    }
}

/// What stage, code and provider make of a rule's answer. A rule that writes its severity is
/// certain.
fn refinement(rule: &Rule, known: &Known) -> Option<u16> {
    let is_meant = |(when, better): &(u8, Rule)| *when == rule.reason && known.meets_all_but_text(better);
    let better = REFINEMENTS.iter().position(is_meant).filter(|_| rule.severity.is_none());
    better.map(|place| place as u16)
}

/// The status code before the reply code.
fn by_code(known: &Known) -> Decided {
    let by = |is_reply: bool| {
        CODES.iter().position(|rule| {
            let asks_reply = rule.codes.is_empty() || matches!(rule.codes[0], Code::Reply(..));
            asks_reply == is_reply && known.meets_codes_and_stage(rule)
        })
    };
    let place = by(false).filter(|_| known.status.says_something()).or_else(|| by(true));
    place.map_or(Decided::Nothing, |place| Decided::Code(place as u16))
}

fn class_of<'a>(decided: Decided, own: Option<&'a Own>, known: &Known) -> Class<'a> {
    let of = |rules: &'a [Rule], place: u16| rules.get(usize::from(place)).map(|rule| by_rule(rule, known));
    let class = match decided {
        Decided::Delivered => Some(by_reason("delivered")),
        Decided::Own(place) => own.and_then(|own| of(&own.rules, place)),
        Decided::Code(place) => of(CODES, place),
        Decided::Rule(place, None) => of(RULES, place),
        Decided::Rule(place, Some(better)) => {
            let better = by_rule(&REFINEMENTS[usize::from(better)].1, known);
            Some(Class { rule: &RULES[usize::from(place)].name, ..better })
        }
        Decided::Nothing => None,
    };
    class.unwrap_or_else(|| by_reason("undetermined"))
}

fn by_rule<'a>(rule: &'a Rule, known: &Known) -> Class<'a> {
    let reason = &REASONS[usize::from(rule.reason)];
    let class = if known.status.class == 0 { known.code / 100 } else { known.status.class.into() };
    let severity = rule.severity.unwrap_or(if class == 4 { reason.temporary } else { reason.severity });
    let (name, category, about) = (reason.name, reason.category, reason.about);
    Class { reason: name, category, about, severity: severity_at(severity), rule: &rule.name }
}

/// A reason that no rule gave.
fn by_reason(name: &str) -> Class<'static> {
    let reason = REASONS.iter().find(|reason| reason.name == name).unwrap_or(&REASONS[0]);
    let (name, category, about) = (reason.name, reason.category, reason.about);
    Class { reason: name, category, about, severity: severity_at(reason.severity), rule: "" }
}

/// In the order of `rule::SEVERITIES`.
fn severity_at(place: u8) -> Severity {
    [Severity::Hard, Severity::Soft, Severity::None, Severity::Unknown][usize::from(place)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(status: &str, code: u16, stage: &str, text: &str) -> (&'static str, Severity) {
        let class = classify(&Failure { text, status, code, stage, remote_mta: "" });
        (class.reason, class.severity)
    }

    #[test]
    fn codes_decide_where_no_text_does() {
        for (status, reason) in [
            ("5.1.1", "user-unknown"),
            ("5.1.2", "host-unknown"),
            ("5.1.10", "not-accept"),
            ("5.2.1", "suspend"),
            ("4.2.2", "mailbox-full"),
            ("5.3.4", "message-too-big"),
            ("4.4.7", "expired"),
            ("5.5.2", "syntax-error"),
            ("5.6.9", "content-error"),
            ("5.7.25", "require-ptr"),
            ("5.7.26", "auth-failure"),
            ("5.7.99", "security-error"),
            ("5.0.0", "undetermined"),
            ("", "undetermined"),
        ] {
            assert_eq!(class_of(status, 0, "", "").0, reason, "{status}");
        }
        assert_eq!(class_of("", 552, "", "").0, "mailbox-full");
        assert_eq!(class_of("2.1.5", 0, "", "user unknown"), ("delivered", Severity::None));
        assert_eq!(class_of("5.1.10", 0, "", "").1, Severity::Hard);
        assert_eq!(class_of("4.1.10", 0, "", "").1, Severity::Soft);
    }

    #[test]
    fn text_and_stage_outrank_the_code() {
        assert_eq!(
            class_of("5.1.1", 550, "RCPT", "has sent to too many recipients this hour").0,
            "rate-limited"
        );
        assert_eq!(class_of("", 550, "RCPT", "User unknown"), ("user-unknown", Severity::Hard));
        assert_eq!(class_of("", 550, "DATA", "User unknown"), ("filtered", Severity::Soft));
        assert_eq!(class_of("5.1.1", 550, "DATA", "User unknown").0, "user-unknown");
        assert_eq!(class_of("5.7.1", 554, "", "blocked using a list").1, Severity::Soft);
    }

    #[test]
    fn a_recent_decision_is_the_same_when_it_is_reused() {
        let mut scratch = Scratch::default();
        let texts = ["user unknown", "mailbox full", "no", "relaying denied", "spam"];
        for round in 0..200 {
            for (place, text) in texts.iter().enumerate() {
                let text = format!("550 <a{round}@example.org> {text} {}", (round + place) % 70);
                for stage in ["RCPT", "DATA"] {
                    let failure = Failure { text: &text, stage, ..Failure::default() };
                    assert_eq!(classify_with(None, &failure, &mut scratch), classify(&failure));
                }
            }
        }
    }

    #[test]
    fn an_explanation_shows_the_text() {
        let failure = Failure { text: "552 5.2.2 <a@example.org>: Mailbox  is Full", ..Failure::default() };
        assert_eq!(explain(None, &failure).1, "mailbox is full");
    }

    #[test]
    fn hostile_texts_end() {
        for piece in
            ["mailbox ", "user ", "@", "<a@b> ", "unknown user ", "(", "\u{0}", "not not ", "5.1.1 ", "é"]
        {
            let text = piece.repeat(40_000);
            classify(&Failure { text: &text, status: &text, stage: &text, remote_mta: &text, code: 550 });
        }
    }
}
