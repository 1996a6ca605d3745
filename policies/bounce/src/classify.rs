//! The decision: which rule a failure meets first. Order and conditions are here, the rules themselves are data.
//!
//! An operator's own rules come before the shipped ones, rules before codes. A success is none of a rule's business.

use crate::index::{Index, Tried};
use crate::rule::{is_below, stage, Code};
use crate::table::{Rule, BARE, CODES, INDEX, MARK, PROVIDERS, REASONS, RULES};
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
    tried: Tried,
    pending: RefCell<Vec<(u16, usize, usize)>>,
}

/// What is known of a failure besides its text.
struct Known<'a> {
    status: Status,
    code: u16,
    stage: u8,
    remote_mta: &'a str,
}

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
    let known = Known { status, code, stage: stage(failure.stage), remote_mta: failure.remote_mta };
    if given.class == 2 || given.class == 0 && (200..300).contains(&code) {
        return (class("delivered", ""), 0..0);
    }
    let mut providers = None;
    if let Some(own) = own {
        // The marks of providers are in the shipped index.
        let marks = &mut providers;
        let text = &read.bytes;
        if own.rules.iter().any(|rule| rule.providers != 0) {
            let bits = Cell::new(0);
            let mark = |rule: u16, _, _| bits.set(bits.get() | 1_u64 << (rule & !MARK));
            INDEX.search(text, &mut scratch.tried, |rule| rule & MARK != 0, mark);
            *marks = Some(bits.get());
        }
        let met = first(&own.index, &own.rules, &own.bare, &known, text, &mut scratch.tried, &scratch.pending, providers);
        if let Some((rule, span)) = met {
            return (told(&own.rules[rule], &known), span);
        }
    }
    let met = first(&INDEX, RULES, BARE, &known, &read.bytes, &mut scratch.tried, &scratch.pending, providers);
    if let Some((rule, span)) = met {
        return (told(&RULES[rule], &known), span);
    }
    let by = |is_reply: bool| {
        CODES.iter().find(|rule| {
            matches!(rule.codes[0], Code::Reply(..)) == is_reply && meets_codes_and_stage(rule, &known)
        })
    };
    let decided = if known.status.says_something() { by(false).or_else(|| by(true)) } else { by(true) };
    (decided.map_or_else(|| class("undetermined", ""), |rule| told(rule, &known)), 0..0)
}

/// The first rule that the failure meets, and where its text stands.
#[allow(clippy::too_many_arguments)]
fn first(
    index: &Index,
    rules: &[Rule],
    bare: &[u16],
    known: &Known,
    text: &[u8],
    tried: &mut Tried,
    pending: &RefCell<Vec<(u16, usize, usize)>>,
    marked: Option<u64>,
) -> Option<(usize, Range<usize>)> {
    pending.borrow_mut().clear();
    let marks = Cell::new(marked.unwrap_or_default());
    let best = Cell::new((u16::MAX, 0, 0));
    let found = |place: u16, start: usize, end: usize| {
        if place & MARK != 0 {
            return marks.set(marks.get() | 1 << (place & !MARK));
        }
        let rule = &rules[usize::from(place)];
        if !meets_codes_and_stage(rule, known) {
        } else if rule.providers != 0 || !rule.hosts.is_empty() {
            pending.borrow_mut().push((place, start, end));
        } else if place < best.get().0 {
            best.set((place, start, end));
        }
    };
    index.search(text, tried, |place| place & MARK != 0 || place < best.get().0, found);
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
        rule.providers & (marks.get() | by_host) != 0
            || rule.hosts.iter().any(|host| is_below(known.remote_mta, host))
    };
    for (place, start, end) in pending.borrow().iter().copied() {
        if place < best.get().0 && meets_provider(&rules[usize::from(place)]) {
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
