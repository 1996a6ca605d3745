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

/// Memory that one classification leaves to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    diagnostic: Diagnostic,
    seen: Seen,
    pending: RefCell<Vec<(u16, usize, usize)>>,
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
    scratch.diagnostic.read(failure.text);
    let read = &scratch.diagnostic;
    let given = Status::leading(failure.status.trim().as_bytes()).map(|(status, _)| status).unwrap_or_default();
    let status = if given.says_something() || !read.status.says_something() { given } else { read.status };
    let code = if failure.code == 0 { read.code } else { failure.code };
    let mut known = Known { status, code, stage: stage(failure.stage), remote_mta: failure.remote_mta, marks: None };
    if given.class == 2 || given.class == 0 && (200..300).contains(&code) {
        return (class("delivered", ""), 0..0);
    }
    if let Some(own) = own {
        // The marks of providers and stages are in the shipped index.
        if own.rules.iter().any(|rule| rule.providers != 0 || rule.stages != 0) {
            first(&INDEX, &[], &[], &mut known, &read.bytes, &mut scratch.seen, &scratch.pending);
        }
        known.marks.get_or_insert((0, 0));
        let met = first(&own.index, &own.rules, &own.bare, &mut known, &read.bytes, &mut scratch.seen, &scratch.pending);
        if let Some((rule, span)) = met {
            return (told(&own.rules[rule], &known), span);
        }
        known.marks = None;
    }
    let met = first(&INDEX, RULES, BARE, &mut known, &read.bytes, &mut scratch.seen, &scratch.pending);
    if let Some((rule, span)) = met {
        return (refined(&RULES[rule], &known), span);
    }
    let by = |is_reply: bool| {
        CODES.iter().find(|rule| {
            let asks_reply = rule.codes.is_empty() || matches!(rule.codes[0], Code::Reply(..));
            asks_reply == is_reply && meets_codes_and_stage(rule, &known)
        })
    };
    let decided = by(false).filter(|_| known.status.says_something()).or_else(|| by(true));
    (decided.map_or_else(|| class("undetermined", ""), |rule| told(rule, &known)), 0..0)
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

/// What the rule says, unless code and stage say better what that means (`refine` in `codes.toml`).
fn refined<'a>(rule: &'a Rule, known: &Known) -> Class<'a> {
    let is_meant = |(when, refinement): &&(u8, Rule)| *when == rule.reason && meets_codes_and_stage(refinement, known);
    let better = REFINEMENTS.iter().find(is_meant).filter(|_| rule.severity.is_none());
    better.map_or_else(|| told(rule, known), |(_, better)| Class { rule: &rule.name, ..told(better, known) })
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
    Class { reason: reason.name, category: reason.category, severity: severity_of(severity), rule: &rule.name }
}

fn severity_of(place: u8) -> Severity {
    [Severity::Hard, Severity::Soft, Severity::None, Severity::Unknown][usize::from(place)]
}

/// A reason that no rule decided.
fn class(name: &str, rule: &'static str) -> Class<'static> {
    let reason = REASONS.iter().find(|reason| reason.name == name).unwrap_or(&REASONS[0]);
    Class { reason: reason.name, category: reason.category, severity: severity_of(reason.severity), rule }
}
