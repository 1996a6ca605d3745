//! What a refusal is about, decided before its reason.
//!
//! Nothing that is said at CONNECT, EHLO or MAIL FROM is about a recipient, nor is x.1.7 or x.1.8,
//! nor words about the sender, its domain, the host that sends, or a program that broke. Those are
//! the marks of `about.toml`, which come by in the same walk over the text as the patterns of the
//! rules. Beyond them, words stand beside the address that they are about: where that is the
//! sender's own, they are about the sender. If a refusal is not about the recipient, the rules
//! about recipients are not asked.
//!
//! Not here: what the refusal means (`classify`).

use crate::about::About;
use crate::abroad::{is_abroad, is_of_another_abroad, is_where_from, may_be_abroad};
use crate::called::is_called_so;
use crate::choice::{is_choice, is_slashed};
use crate::clause::{is_elsewhere, is_of_next, is_open, is_perhaps};
use crate::compound::{begins_with_subject, is_of_another, names};
use crate::condition::{is_conditional, is_counted};
use crate::first_rule::Known;
use crate::head::explains_another;
use crate::limited::is_limited;
use crate::near::{Near, CHOICE, CLAUSE, CONDITION, GUESS, MANY, QUOTATION, SENDING};
use crate::quotation::is_quoted;
use crate::table::{Mark, Rule, MARKS, REASONS};
use crate::words::List;
use std::ops::Range;

/// What shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SaidOf {
    /// A mark of `about.toml`.
    Mark(u8),
    /// The sender's address or domain beside the words.
    SenderNamed,
    /// Another noun beside the recipient's.
    Another,
    /// It may be true, or may have been of others.
    Open,
    /// The server names two possibilities.
    Choice,
    /// Only some mail is refused.
    Limited,
}

/// A list of `words.toml`.
const VERIFICATION: &List = List::named("verification");
/// The most bytes between words and the address that they are about.
const BESIDE: usize = 24;
/// Addresses that every domain should have (RFC 2142): somebody asked for the sender's.
const ROLES: [&str; 7] =
    ["abuse", "hostmaster", "mailer-daemon", "noc", "postmaster", "security", "webmaster"];

impl SaidOf {
    pub fn mark(self) -> Option<&'static Mark> {
        match self {
            SaidOf::Mark(place) => MARKS.get(usize::from(place)),
            _ => None,
        }
    }

    /// The name of the mark. It is that of the rule, where no other rule decides.
    pub fn name(self) -> &'static str {
        match self {
            SaidOf::Mark(_) => self.mark().map_or("", |mark| &mark.rule.name),
            SaidOf::SenderNamed => "sender-named",
            SaidOf::Another => "another-named",
            SaidOf::Open => "left-open",
            SaidOf::Choice => "one-of-two",
            SaidOf::Limited => "some-mail",
        }
    }

    /// What it means where no rule says more and it is no mark.
    pub fn reason(self) -> &'static str {
        match self {
            SaidOf::Open => "undetermined",
            SaidOf::Choice => "filtered",
            SaidOf::Limited => "policy-violation",
            _ if self.about() == About::Sender => "rejected",
            _ => "system-error",
        }
    }

    pub fn about(self) -> About {
        match self {
            SaidOf::Another => About::Relay,
            SaidOf::Open | SaidOf::Choice => About::Nobody,
            SaidOf::Limited => About::Message,
            _ => self.mark().map_or(About::Sender, |mark| mark.about),
        }
    }
}

/// What the failure is about, if that is known without a rule. The text was searched.
pub(crate) fn said_of(known: &Known) -> Option<SaidOf> {
    let shown = known.shown.unwrap_or_default().about;
    let is_there = |place: usize, mark: &Mark| {
        (!mark.is_text || shown & 1 << place != 0) && known.meets_codes_and_stage(&mark.rule)
    };
    let place = MARKS.iter().enumerate().position(|(place, mark)| is_there(place, mark));
    place.map(|place| SaidOf::Mark(place as u8))
}

/// Whether what `said_of` found outranks the rule. A rule that writes `about` is certain, whatever
/// the words beside its pattern are.
pub(crate) fn outranks(said: Option<SaidOf>, rule: &Rule) -> bool {
    let is_certain = |said: SaidOf| rule.about.is_some() && said.mark().is_none_or(|mark| mark.is_text);
    rule.about().is_recipients()
        && said.is_some_and(|said| !said.about().is_recipients() && !is_certain(said))
}

/// Whom the words that a rule about recipients found are about, if the words beside them show that
/// it is another.
pub(crate) fn of_others(
    rule: &Rule,
    known: &Known,
    span: &Range<usize>,
    text: &[u8],
    said: Option<SaidOf>,
) -> Option<SaidOf> {
    let may_be_others = rule.about().is_recipients() && rule.about.is_none();
    if !may_be_others || said.is_some_and(|said| !said.about().is_recipients()) {
        return None;
    }
    if said.is_none() && (is_beside_sender(known, span, text) || is_beside_role(known, span, text)) {
        return Some(SaidOf::SenderNamed);
    }
    let severity = rule.severity.unwrap_or(REASONS[usize::from(rule.reason)].severity);
    if severity != 0 {
        return None;
    }
    if REASONS[usize::from(rule.reason)].name == "not-accept" && is_limited(text, span) {
        return Some(SaidOf::Limited);
    }
    // A rule that writes its severity knows that its words only say "may".
    let is_guess = || rule.severity.is_none() && is_perhaps(&text[span.clone()]);
    let (near, may_be_abroad) = (Near::to(text, span), may_be_abroad(text, span));
    if (near.may_be(CHOICE) || is_slashed(text, span)) && is_choice(text, span) {
        return Some(SaidOf::Choice);
    } else if near.may_be(CONDITION) && is_conditional(text, span)
        || near.may_be(MANY) && is_counted(text, span)
        || near.may_be(QUOTATION) && is_quoted(text, span)
    {
        return Some(SaidOf::Open);
    } else if near.may_be(GUESS) && is_guess()
        || near.may_be(CLAUSE) && is_open(text, span)
        || is_of_next(text, span)
        || explains_another(text, span)
        || may_be_abroad && near.may_be(SENDING) && is_where_from(text, span)
        || is_apart(rule, text, span)
    {
        return Some(SaidOf::Another);
    }
    let span = &own_clause(text, span);
    let is_doubted = is_of_another(text, span)
        || is_called_so(text, span)
        || may_be_abroad && is_of_another_abroad(text, span);
    // Then it depends on the recipient's own name.
    known.asks_recipient.set(known.asks_recipient.get() || is_doubted);
    (is_doubted && !names(text, local_part(known, &text[..span.start]))).then_some(SaidOf::Another)
}

/// `address lookup: user unknown`: after a colon a subject of its own begins, unless somebody was
/// asked for it.
fn own_clause(text: &[u8], span: &Range<usize>) -> Range<usize> {
    let Some(colon) = text[span.clone()].iter().rposition(|byte| *byte == b':') else { return span.clone() };
    let start = span.end.min(span.start + colon + 2);
    let head = &text[span.start..start];
    let is_asked = || VERIFICATION.is_in(head) && !head.starts_with(b"recipient");
    if begins_with_subject(&text[start..span.end]) && !is_asked() {
        start..span.end
    } else {
        span.clone()
    }
}

/// Whether the recipient was looked for where only some are.
fn is_apart(rule: &Rule, text: &[u8], span: &Range<usize>) -> bool {
    let is_not_found = REASONS[usize::from(rule.reason)].name != "has-moved";
    is_not_found && is_elsewhere(text, span.end) && !is_abroad(text, span)
}

/// The recipient's name before the `@`. Where nobody says who it is, the first address does that
/// stands before the words: `<kim@example.org>: user kim unknown`.
fn local_part<'a>(known: &Known<'a>, before: &[u8]) -> &'a str {
    if !known.recipient.is_empty() {
        return known.recipient.rsplit_once('@').map_or("", |(local, _)| local);
    }
    let local = known.whole.split_once('@').filter(|_| before.contains(&b'@')).map_or("", |(local, _)| local);
    let of_name = |byte: char| byte.is_alphanumeric() || "'-._=+".contains(byte);
    &local[local.trim_end_matches(of_name).len()..]
}

/// Whether the only addresses in the text are such as every domain should have, and not the
/// recipient's.
fn is_beside_role(known: &Known, span: &Range<usize>, text: &[u8]) -> bool {
    let near = span.start.saturating_sub(BESIDE)..text.len().min(span.end + BESIDE);
    if !text[near].contains(&b'@') {
        return false;
    }
    known.asks_recipient.set(true);
    let recipient = known.recipient.rsplit_once('@').map_or("", |(local, _)| local);
    let is_others =
        |before: &str, role: &str| !role.eq_ignore_ascii_case(recipient) && ends_with_word(before, role);
    let is_role = |before: &str| ROLES.iter().any(|role| is_others(before, role));
    let mut addresses = known.whole.split('@');
    addresses.next_back();
    addresses.clone().next().is_some() && addresses.all(is_role)
}

/// Whether a text ends with a word, in capitals or not.
fn ends_with_word(text: &str, word: &str) -> bool {
    let Some(start) = text.len().checked_sub(word.len()) else { return false };
    let (before, last) = text.as_bytes().split_at(start);
    last.eq_ignore_ascii_case(word.as_bytes()) && !before.last().is_some_and(|byte| is_of_address(*byte))
}

fn is_of_address(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"'-._=+".contains(&byte)
}

/// Whether the address or domain beside these words is the sender's.
fn is_beside_sender(known: &Known, span: &Range<usize>, text: &[u8]) -> bool {
    let away = |at: usize| span.start.saturating_sub(at).max(at.saturating_sub(span.end));
    let nearest = known.sender_at.iter().map(|at| away(usize::from(*at))).min();
    let Some(nearest) = nearest.filter(|away| *away <= BESIDE) else { return false };
    let from = span.start.saturating_sub(nearest);
    let to = text.len().min(span.end + nearest + 1);
    let is_others = |at: usize| text[at] == b'@' && !known.sender_at.contains(&(at as u16));
    !(from..to).any(|at| is_others(at) && away(at) <= nearest)
}
