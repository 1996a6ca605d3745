//! What a failure means: the order in which own rules, shipped rules and codes are asked.
//!
//! Not here: what it is about (`said_of`), which rule of a list comes first (`first_rule`), the class
//! that a rule makes (`verdict`), and the rules, which are data. Invariant: text outranks the code,
//! and a success is never classified as a failure.

use crate::code::Code;
use crate::conditions::{server, stage};
use crate::diagnostic::Diagnostic;
use crate::first_rule::{first, show, Known, LeftOut, Memory, SHIPPED, VAGUE};
use crate::named::with_address;
use crate::own_rules::Own;
use crate::recent::{Asked, Lookup, Recent};
use crate::said_of::{of_others, outranks, said_of, SaidOf};
use crate::search::search;
use crate::status::Status;
use crate::table::{Rule, CODES, FAMILIES, INDEX, REFINEMENTS, RULES};
use crate::verdict::{class_of, Class, Decided, Found, Verdict};
use std::cell::{Cell, OnceCell};
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
    /// The envelope sender of the message that failed; empty if it is the recipient itself.
    pub sender: &'a str,
    /// The recipient, or empty: some texts name it without its domain.
    pub recipient: &'a str,
}

/// Memory that one classification leaves to the next. Only for one list of own rules.
#[derive(Debug, Default)]
pub struct Scratch {
    diagnostic: Diagnostic,
    memory: Memory,
    /// Failures word for word.
    same: Recent<Found>,
    /// Failures without their addresses and codes.
    alike: Recent<Verdict>,
}

/// What a failure means, by the shipped rules.
pub fn classify(failure: &Failure) -> Class<'static> {
    decide(None, failure, &mut Scratch::default(), None).0
}

/// What a failure means without the shipped rules for whose name and file `left_out` is true.
pub fn classify_without(failure: &Failure, left_out: impl Fn(&str, &str) -> bool) -> Class<'static> {
    let left_out = |rule: &Rule| {
        let family = FAMILIES.get(usize::from(rule.family));
        family.is_some_and(|family| left_out(&rule.name, family))
    };
    decide(None, failure, &mut Scratch::default(), Some(&left_out)).0
}

/// What a failure means, by an operator's own rules and the shipped ones.
pub fn classify_with<'a>(own: Option<&'a Own>, failure: &Failure, scratch: &mut Scratch) -> Class<'a> {
    decide(own, failure, scratch, None).0
}

/// What a failure means, and the part of the text that the rule found; empty if a code decided.
pub fn explain<'a>(own: Option<&'a Own>, failure: &Failure) -> (Class<'a>, String) {
    let mut scratch = Scratch::default();
    let (class, span) = decide(own, failure, &mut scratch, None);
    (class, String::from_utf8_lossy(scratch.diagnostic.bytes.get(span).unwrap_or_default()).into_owned())
}

fn decide<'a>(
    own: Option<&'a Own>,
    failure: &Failure,
    scratch: &mut Scratch,
    left_out: Option<&LeftOut>,
) -> (Class<'a>, Range<usize>) {
    let Scratch { diagnostic, memory, same, alike } = scratch;
    let Failure { text, status, code, stage, remote_mta, sender, recipient } = *failure;
    let words = [status, stage, remote_mta, sender, recipient];
    let asked = Asked { text: text.as_bytes(), words, numbers: code.into(), places: &[] };
    let (found, span) = match same.look_up(&asked) {
        Lookup::Known(found) => (found, 0..0),
        Lookup::NotKept => find(own, failure, diagnostic, memory, alike, left_out),
        Lookup::New(kept) => {
            let (found, span) = find(own, failure, diagnostic, memory, alike, left_out);
            kept.decided = Some(found);
            (found, span)
        }
    };
    (class_of(&found, own), span)
}

/// Reads the text, and decides about it unless the same was decided.
fn find(
    own: Option<&Own>,
    failure: &Failure,
    diagnostic: &mut Diagnostic,
    memory: &mut Memory,
    alike: &mut Recent<Verdict>,
    left_out: Option<&LeftOut>,
) -> (Found, Range<usize>) {
    diagnostic.read(failure.text, failure.sender, failure.recipient);
    let text = &diagnostic.bytes;
    let given = Status::leading(failure.status.trim().as_bytes()).map_or(Status::default(), |found| found.0);
    let is_given = given.says_something() || !diagnostic.status.says_something();
    let mut known = Known {
        status: if is_given { given } else { diagnostic.status },
        code: if failure.code == 0 { diagnostic.code } else { failure.code },
        stage: stage(failure.stage),
        remote_mta: server(failure.remote_mta, failure.text),
        by_host: OnceCell::new(),
        sender_at: &diagnostic.sender_at,
        hosts: &diagnostic.hosts,
        recipient: failure.recipient,
        whole: failure.text,
        asks_recipient: Cell::new(false),
        left_out,
        is_barred: false,
        shown: None,
    };
    let is_statement = given.says_something() && failure.text.trim().is_empty();
    let found = Found {
        verdict: Verdict { decided: Decided::Success, said: None },
        status_class: known.status.class,
        code: known.code,
        is_statement,
    };
    let is_success = given.class == 0 && diagnostic.status.class < 4 && (200..300).contains(&known.code);
    // A number that stands where no reply does was misread by whoever gave it as one.
    let is_misread = || diagnostic.code == 0 && failure.text.contains(&known.code.to_string());
    if given.class == 2 || is_success && !is_misread() {
        return (found, 0..0);
    }
    let (verdict, span) = match alike.look_up(&known.asked(text)) {
        Lookup::Known(verdict) => (verdict, 0..0),
        Lookup::NotKept => search_lists(own, &mut known, text, memory),
        Lookup::New(kept) => {
            let (verdict, span) = search_lists(own, &mut known, text, memory);
            kept.decided = (!known.asks_recipient.get()).then_some(verdict);
            (verdict, span)
        }
    };
    (Found { verdict, ..found }, span)
}

/// Own rules, then the shipped ones, then codes.
fn search_lists(
    own: Option<&Own>,
    known: &mut Known,
    text: &[u8],
    memory: &mut Memory,
) -> (Verdict, Range<usize>) {
    if let Some(own) = own {
        if let Some((place, span)) = first_own(own, known, text, memory) {
            return (Verdict { decided: Decided::Own(place), said: said_of(known) }, span);
        }
    }
    let (verdict, span) = search_shipped(known, text, memory);
    let Some(named) = with_address(known, verdict.decided, text) else { return (verdict, span) };
    known.shown = None;
    let (by_name, _) = search_shipped(known, &named, memory);
    let is_about_recipient = |place: u16| RULES[usize::from(place)].about().is_recipients();
    let is_clear = matches!(by_name.decided, Decided::Rule(place, _) if is_about_recipient(place));
    (if is_clear { by_name } else { verdict }, 0..0)
}

/// The shipped rules, then codes.
fn search_shipped(known: &mut Known, text: &[u8], memory: &mut Memory) -> (Verdict, Range<usize>) {
    let seen = &mut memory.shipped;
    if known.shown.is_none() {
        show(&INDEX, known, text, seen);
    }
    let found = first(SHIPPED, known, text, seen);
    let mut said = said_of(known);
    let rule = found.as_ref().map(|(place, _)| &RULES[usize::from(*place)]);
    if let (Some((_, span)), Some(rule)) = (&found, rule) {
        said = of_others(rule, known, span, text, said).or(said);
    }
    let is_outranked = rule.is_some_and(|rule| outranks(said, rule));
    known.is_barred = said.is_some_and(|said| !said.about().is_recipients());
    let is_choice = matches!(said, Some(SaidOf::Choice));
    let found = if is_outranked { first(SHIPPED, known, text, seen).filter(|_| !is_choice) } else { found };
    if let Some((place, span)) = found {
        let better = refinement(&RULES[usize::from(place)], known);
        return (Verdict { decided: Decided::Rule(place, better), said }, span);
    }
    let is_said = is_outranked || said.and_then(SaidOf::mark).is_some_and(|mark| mark.is_text);
    if !is_said && !known.status.says_something() {
        search(VAGUE.index, text, known.hosts, &mut memory.vague);
        if let Some((place, span)) = first(VAGUE, known, text, &mut memory.vague) {
            return (Verdict { decided: Decided::Rule(place, None), said }, span);
        }
    }
    (Verdict { decided: if is_said { Decided::Said } else { by_code(known) }, said }, 0..0)
}

/// The first own rule. The shipped index, which holds the marks, is searched if a rule needs them.
fn first_own(own: &Own, known: &mut Known, text: &[u8], memory: &mut Memory) -> Option<(u16, Range<usize>)> {
    if own.rules.iter().any(|rule| rule.providers != 0 || rule.stages != 0) {
        show(&INDEX, known, text, &mut memory.shipped);
    }
    let list = own.list();
    search(list.index, text, known.hosts, &mut memory.own);
    let found = first(list, known, text, &mut memory.own)?;
    if known.shown.is_none() && own.rules[usize::from(found.0)].about().is_recipients() {
        show(&INDEX, known, text, &mut memory.shipped);
    }
    Some(found)
}

/// What stage, code and provider make of a rule's answer that does not write its severity.
fn refinement(rule: &Rule, known: &Known) -> Option<u16> {
    let is_meant = |(when, better): &(u8, Rule)| *when == rule.reason && known.meets_all_but_text(better);
    let better = REFINEMENTS.iter().position(is_meant).filter(|_| rule.severity.is_none());
    better.map(|place| place as u16)
}

/// The status code before the reply code. What would be about a recipient is not, if it is barred.
fn by_code(known: &mut Known) -> Decided {
    let is_barred = std::mem::take(&mut known.is_barred);
    let by = |is_reply: bool| {
        CODES.iter().position(|rule| {
            let asks_reply = rule.codes.is_empty() || matches!(rule.codes[0], Code::Reply(..));
            asks_reply == is_reply && known.meets_codes_and_stage(rule)
        })
    };
    match by(false).filter(|_| known.status.says_something()).or_else(|| by(true)) {
        Some(place) if is_barred && CODES[place].about().is_recipients() => Decided::Said,
        Some(place) => Decided::Code(place as u16),
        None if is_barred => Decided::Said,
        None => Decided::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carom_policy::Severity;

    fn class_of(status: &str, code: u16, stage: &str, text: &str) -> (&'static str, Severity) {
        let class = classify(&Failure { text, status, code, stage, ..Failure::default() });
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
    fn a_reply_that_asks_to_try_again_is_not_hard_whatever_its_status() {
        assert_eq!(
            class_of("5.1.1", 450, "RCPT", "450 5.1.1 user unknown"),
            ("user-unknown", Severity::Soft)
        );
        assert_eq!(class_of("5.1.1", 421, "", "421 5.1.1 user unknown").1, Severity::Soft);
        assert_eq!(class_of("5.1.1", 550, "", "550 5.1.1 user unknown").1, Severity::Hard);
        assert_eq!(class_of("5.1.1", 0, "", "user unknown").1, Severity::Hard);
    }

    #[test]
    fn a_text_of_codes_alone_is_not_hard() {
        for text in ["550 5.1.1", "5.1.1", "550 5.1.1 <a@example.org>", "550-5.1.1\n550 5.1.1"] {
            assert_eq!(class_of("5.1.1", 550, "RCPT", text).1, Severity::Soft, "{text}");
        }
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
            let [status, stage, remote_mta, sender, recipient] = [&*text; 5];
            classify(&Failure { text: &text, status, code: 550, stage, remote_mta, sender, recipient });
        }
    }
}
