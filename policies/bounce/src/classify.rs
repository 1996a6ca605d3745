//! The decision: which rule a failure meets first. Order and conditions are here, the rules themselves are data.
//!
//! An operator's own rules come before the shipped ones, rules before codes. A success is none of a rule's business.

use crate::index::{Index, Seen};
use crate::rule::{is_below, stage, Code};
use crate::table::{Rule, BARE, CODES, INDEX, MARK, PROVIDERS, REASONS, REFINEMENTS, RULES, STAGE_MARK};
use crate::text::{Diagnostic, Status};
use std::cell::{Cell, RefCell};
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

/// Whether the address or its domain is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It is.
    Hard,
    /// It is not, or nobody knows for good.
    Soft,
    /// No failure.
    None,
    /// Nothing is known.
    Unknown,
}

/// What a failure means: three answers, none of which follows from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class<'a> {
    /// Fine vocabulary (`reasons.toml`).
    pub reason: &'static str,
    /// PowerMTA bounce category.
    pub category: &'static str,
    /// Whether the address or its domain is dead.
    pub severity: Severity,
    /// The rule that decided; empty when none did.
    pub rule: &'a str,
}

/// An operator's own rules.
#[derive(Debug)]
pub struct Own {
    pub(crate) index: Index,
    pub(crate) rules: Vec<Rule>,
    pub(crate) bare: Vec<u16>,
}

/// Memory that one classification leaves to the next, and what was decided lately. For one list of own rules.
#[derive(Debug, Default)]
pub struct Scratch {
    diagnostic: Diagnostic,
    seen: Seen,
    pending: RefCell<Vec<(u16, usize, usize)>>,
    recent: Vec<Recent>,
    used: bool,
    fresh: usize,
    again: usize,
}

/// A failure and what was decided. Without addresses and codes many texts are the same.
#[derive(Debug, Default)]
struct Recent {
    text: Vec<u8>,
    remote_mta: String,
    status: Status,
    code: u16,
    stage: u8,
    decided: Option<Decided>,
}

/// So many failures are kept at first, and at most: the more are met for the first time, the more.
const RECENT: [usize; 2] = [16, 4096];

/// Who decided. Numbers are places in the tables.
#[derive(Clone, Copy, Debug)]
enum Decided {
    Delivered,
    Own(u16),
    Rule(u16, Option<u16>),
    Code(u16),
    Nobody,
}

/// What is known of a failure besides its text.
struct Known<'a> {
    status: Status,
    code: u16,
    stage: u8,
    remote_mta: &'a str,
    /// Bits of providers and of stages that the text tells, once it was searched.
    marks: Option<(u64, u8)>,
}

/// The bit of a failure without a stage.
const STAGELESS: u8 = 128;

/// What a failure means, by the shipped rules.
pub fn classify(failure: &Failure) -> Class<'static> {
    decide(None, failure, &mut Scratch::default()).0
}

/// What a failure means, by an operator's own rules and the shipped ones.
pub fn classify_with<'a>(own: Option<&'a Own>, failure: &Failure, scratch: &mut Scratch) -> Class<'a> {
    decide(own, failure, scratch).0
}

/// What a failure means, and the part of the text that the rule found, in the form of `text`. Empty: a code decided.
pub fn explain<'a>(own: Option<&'a Own>, failure: &Failure) -> (Class<'a>, String) {
    let mut scratch = Scratch::default();
    let (class, span) = decide(own, failure, &mut scratch);
    (class, String::from_utf8_lossy(scratch.diagnostic.bytes.get(span).unwrap_or_default()).into_owned())
}

fn decide<'a>(own: Option<&'a Own>, failure: &Failure, scratch: &mut Scratch) -> (Class<'a>, Range<usize>) {
    let Scratch { diagnostic, seen, pending, recent, used, fresh, again } = scratch;
    diagnostic.read(failure.text);
    let text = &diagnostic.bytes;
    let given =
        Status::leading(failure.status.trim().as_bytes()).map(|(status, _)| status).unwrap_or_default();
    let status =
        if given.says_something() || !diagnostic.status.says_something() { given } else { diagnostic.status };
    let code = if failure.code == 0 { diagnostic.code } else { failure.code };
    let mut known =
        Known { status, code, stage: stage(failure.stage), remote_mta: failure.remote_mta, marks: None };
    if given.class == 2 || given.class == 0 && (200..300).contains(&code) {
        return (told_by(Decided::Delivered, own, &known), 0..0);
    }
    if !*used {
        *used = true;
        let (decided, span) = search(own, &mut known, text, seen, pending);
        return (told_by(decided, own, &known), span);
    }
    if recent.is_empty() || *fresh > 2 * recent.len() && recent.len() < RECENT[1] {
        let room = (4 * recent.len()).clamp(RECENT[0], RECENT[1]);
        recent.clear();
        recent.resize_with(room, Recent::default);
        *fresh = 0;
    }
    let place = hash(text, u64::from(code));
    let room = recent.len();
    let kept = &mut recent[(place >> 40) as usize % room];
    if let Some(decided) = kept.decided {
        if is_same(&kept.text, text)
            && (kept.status, kept.code, kept.stage) == (known.status, known.code, known.stage)
            && kept.remote_mta == known.remote_mta
        {
            *again += 1;
            return (told_by(decided, own, &known), 0..0);
        }
    }
    *fresh += 1;
    if *fresh > 4 * RECENT[1].max(*again) {
        // Hardly two are alike: remembering costs more than it saves.
        let (decided, span) = search(own, &mut known, text, seen, pending);
        return (told_by(decided, own, &known), span);
    }
    (kept.status, kept.code, kept.stage) = (known.status, known.code, known.stage);
    let (decided, span) = search(own, &mut known, text, seen, pending);
    kept.text.clone_from(text);
    known.remote_mta.clone_into(&mut kept.remote_mta);
    kept.decided = Some(decided);
    (told_by(decided, own, &known), span)
}

/// A number of a text.
fn hash(text: &[u8], seed: u64) -> u64 {
    let (eights, rest) = text.as_chunks::<8>();
    let mix = |hash: u64, eight: u64| (hash.rotate_left(5) ^ eight).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let rest = rest.iter().fold(text.len() as u64, |sum, byte| sum << 8 | u64::from(*byte));
    eights.iter().fold(mix(seed, rest), |hash, eight| mix(hash, u64::from_le_bytes(*eight)))
}

/// The same bytes: eight at a time, which WebAssembly has no function for.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let ((eights, rest), (others, other_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    a.len() == b.len()
        && eights.iter().zip(others).all(|(a, b)| u64::from_le_bytes(*a) == u64::from_le_bytes(*b))
        && rest == other_rest
}

/// Own rules, then the shipped ones, then codes.
fn search(
    own: Option<&Own>,
    known: &mut Known,
    text: &[u8],
    seen: &mut Seen,
    pending: &RefCell<Vec<(u16, usize, usize)>>,
) -> (Decided, Range<usize>) {
    if let Some(own) = own {
        // The marks of providers and stages are in the shipped index.
        if own.rules.iter().any(|rule| rule.providers != 0 || rule.stages != 0) {
            first(&INDEX, &[], &[], known, text, seen, pending);
        }
        known.marks.get_or_insert((0, 0));
        let met = first(&own.index, &own.rules, &own.bare, known, text, seen, pending);
        if let Some((rule, span)) = met {
            return (Decided::Own(rule as u16), span);
        }
        known.marks = None;
    }
    if let Some((place, span)) = first(&INDEX, RULES, BARE, known, text, seen, pending) {
        let rule = &RULES[place];
        let is_meant =
            |(when, better): &(u8, Rule)| *when == rule.reason && meets_codes_and_stage(better, known);
        let better = REFINEMENTS.iter().position(is_meant).filter(|_| rule.severity.is_none());
        return (Decided::Rule(place as u16, better.map(|place| place as u16)), span);
    }
    let by = |is_reply: bool| {
        CODES.iter().position(|rule| {
            let asks_reply = rule.codes.is_empty() || matches!(rule.codes[0], Code::Reply(..));
            asks_reply == is_reply && meets_codes_and_stage(rule, known)
        })
    };
    let decided = by(false).filter(|_| known.status.says_something()).or_else(|| by(true));
    (decided.map_or(Decided::Nobody, |place| Decided::Code(place as u16)), 0..0)
}

/// What a decision means.
fn told_by<'a>(decided: Decided, own: Option<&'a Own>, known: &Known) -> Class<'a> {
    let of = |rules: &'a [Rule], place: u16| rules.get(usize::from(place)).map(|rule| told(rule, known));
    let class = match decided {
        Decided::Delivered => Some(class("delivered")),
        Decided::Own(place) => own.and_then(|own| of(&own.rules, place)),
        Decided::Code(place) => of(CODES, place),
        Decided::Rule(place, None) => of(RULES, place),
        Decided::Rule(place, Some(better)) => {
            let better = told(&REFINEMENTS[usize::from(better)].1, known);
            Some(Class { rule: &RULES[usize::from(place)].name, ..better })
        }
        Decided::Nobody => None,
    };
    class.unwrap_or_else(|| self::class("undetermined"))
}

/// The first rule that the failure meets, and where its text stands. The shipped index also tells provider and stage.
fn first(
    index: &Index,
    rules: &[Rule],
    bare: &[u16],
    known: &mut Known,
    text: &[u8],
    seen: &mut Seen,
    pending: &RefCell<Vec<(u16, usize, usize)>>,
) -> Option<(usize, Range<usize>)> {
    pending.borrow_mut().clear();
    let (providers, stages) = known.marks.unwrap_or_default();
    let (providers, stages) = (Cell::new(providers), Cell::new(stages));
    let best = Cell::new((u16::MAX, 0, 0));
    let stage_given = known.stage != STAGELESS;
    let found = |place: u16, start: usize, end: usize| {
        if place >= STAGE_MARK {
            return stages.set(stages.get() | 1 << (place & 7));
        }
        if place >= MARK {
            return providers.set(providers.get() | 1 << (place & !MARK));
        }
        let Some(rule) = rules.get(usize::from(place)) else { return };
        let later = rule.providers != 0 || !rule.hosts.is_empty() || rule.stages != 0 && !stage_given;
        if later {
            pending.borrow_mut().push((place, start, end));
        } else if place < best.get().0 && meets_codes_and_stage(rule, known) {
            best.set((place, start, end));
        }
    };
    index.search(text, seen, |place| place >= MARK || place < best.get().0, found);
    if !stage_given && stages.get() != 0 {
        known.stage = stages.get();
    }
    known.marks = Some((providers.get(), stages.get()));
    let by_host = Cell::new(None);
    let meets_provider = |rule: &Rule| {
        if rule.providers == 0 && rule.hosts.is_empty() {
            return true;
        }
        let by_host = by_host.get().unwrap_or_else(|| {
            let bits = providers_of(known.remote_mta);
            by_host.set(Some(bits));
            bits
        });
        rule.providers & (providers.get() | by_host) != 0
            || rule.hosts.iter().any(|host| is_below(known.remote_mta, host))
    };
    for (place, start, end) in pending.borrow().iter().copied() {
        let rule = &rules[usize::from(place)];
        if place < best.get().0 && meets_codes_and_stage(rule, known) && meets_provider(rule) {
            best.set((place, start, end));
        }
    }
    for place in bare.iter().copied().take_while(|place| *place < best.get().0) {
        let rule = &rules[usize::from(place)];
        if meets_codes_and_stage(rule, known) && meets_provider(rule) {
            best.set((place, 0, 0));
            break;
        }
    }
    let (place, start, end) = best.get();
    (place != u16::MAX).then_some((usize::from(place), start..end))
}

fn meets_codes_and_stage(rule: &Rule, known: &Known) -> bool {
    (rule.stages == 0 || rule.stages & known.stage != 0)
        && (rule.codes.is_empty() || rule.codes.iter().any(|code| code.fits(known.status, known.code)))
}

/// Bits of the providers that a host belongs to.
fn providers_of(host: &str) -> u64 {
    if host.is_empty() {
        return 0;
    }
    let is_of = |hosts: &[&str]| hosts.iter().any(|domain| is_below(host, domain));
    let bits = PROVIDERS.iter().enumerate().filter(|(_, provider)| is_of(provider.hosts));
    bits.map(|(place, _)| 1 << place).sum()
}

fn told<'a>(rule: &'a Rule, known: &Known) -> Class<'a> {
    let reason = &REASONS[usize::from(rule.reason)];
    let class = if known.status.class == 0 { known.code / 100 } else { known.status.class.into() };
    let severity = rule.severity.unwrap_or(if class == 4 { reason.temporary } else { reason.severity });
    Class {
        reason: reason.name,
        category: reason.category,
        severity: severity_of(severity),
        rule: &rule.name,
    }
}

fn severity_of(place: u8) -> Severity {
    [Severity::Hard, Severity::Soft, Severity::None, Severity::Unknown][usize::from(place)]
}

/// A reason that no rule decided.
fn class(name: &str) -> Class<'static> {
    let reason = REASONS.iter().find(|reason| reason.name == name).unwrap_or(&REASONS[0]);
    Class { reason: reason.name, category: reason.category, severity: severity_of(reason.severity), rule: "" }
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
    fn what_was_decided_lately_is_decided_so_again() {
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
