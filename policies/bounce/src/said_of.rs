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
use crate::first_rule::Known;
use crate::table::{Mark, Rule, MARKS};
use std::ops::Range;

/// What shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SaidOf {
    /// A mark of `about.toml`.
    Mark(u8),
    /// The sender's address or domain beside the words.
    SenderNamed,
}

/// The most bytes between words and the address that they are about.
const BESIDE: usize = 24;

impl SaidOf {
    pub fn mark(self) -> Option<&'static Mark> {
        match self {
            SaidOf::Mark(place) => MARKS.get(usize::from(place)),
            SaidOf::SenderNamed => None,
        }
    }

    /// The name of the mark. It is that of the rule, where no other rule decides.
    pub fn name(self) -> &'static str {
        self.mark().map_or("sender-named", |mark| &mark.rule.name)
    }

    pub fn about(self) -> About {
        self.mark().map_or(About::Sender, |mark| mark.about)
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

/// Whether the address or domain beside these words is the sender's.
pub(crate) fn is_beside_sender(known: &Known, span: &Range<usize>, text: &[u8]) -> bool {
    let away = |at: usize| span.start.saturating_sub(at).max(at.saturating_sub(span.end));
    let nearest = known.sender_at.iter().map(|at| away(usize::from(*at))).min();
    let Some(nearest) = nearest.filter(|away| *away <= BESIDE) else { return false };
    let from = span.start.saturating_sub(nearest);
    let to = text.len().min(span.end + nearest + 1);
    let is_others = |at: usize| text[at] == b'@' && !known.sender_at.contains(&(at as u16));
    !(from..to).any(|at| is_others(at) && away(at) <= nearest)
}
