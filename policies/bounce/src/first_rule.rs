//! The first rule, in the order of its list, that a failure meets.
//!
//! Not here: the order of the lists (`classify`) and how patterns are found (`search`). Invariant:
//! a rule that asks for a provider or a stage is only decided after the whole text was searched,
//! because the text may show them.

use crate::conditions::{fits, is_below, DATA, RCPT, STAGELESS};
use crate::dialogue::first_stage;
use crate::index::Index;
use crate::marks::{ABOUT_MARK, MARK, STAGE_MARK};
use crate::recent::Asked;
use crate::search::{search, Seen};
use crate::status::Status;
use crate::table::{Rule, BARE, INDEX, PROVIDERS, RULES, VAGUE_INDEX};
use std::cell::{Cell, OnceCell};
use std::ops::Range;

/// Whether a rule is not asked.
pub(crate) type LeftOut<'a> = dyn Fn(&Rule) -> bool + 'a;

/// What is known of a failure besides its text.
pub(crate) struct Known<'a> {
    pub status: Status,
    pub code: u16,
    pub stage: u8,
    pub remote_mta: &'a str,
    /// Bits of the providers that it belongs to, once somebody asked.
    pub by_host: OnceCell<u64>,
    /// Where the text names the sender (`diagnostic`).
    pub sender_at: &'a [u16],
    /// Where the text names hosts (`diagnostic`).
    pub hosts: &'a [(u16, u16)],
    /// The recipient, or empty.
    pub recipient: &'a str,
    /// The text as it came.
    pub whole: &'a str,
    /// Whether the answer depends on it.
    pub asks_recipient: Cell<bool>,
    /// Shipped rules that are not asked, for the report on them.
    pub left_out: Option<&'a LeftOut<'a>>,
    /// Rules about a recipient are not asked.
    pub is_barred: bool,
    /// What the text shows, once it was searched.
    pub shown: Option<Shown>,
}

/// What a text shows: bits of providers, of stages and of marks of `about.toml`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    pub providers: u64,
    pub stages: u8,
    pub about: u64,
}

impl Shown {
    fn add(&mut self, mark: u16, is_last: bool) {
        let bit = mark & 63;
        match mark & !63 {
            ABOUT_MARK => self.about |= 1 << bit,
            STAGE_MARK if is_last => self.stages = 1 << bit,
            STAGE_MARK => self.stages |= 1 << bit,
            _ => self.providers |= 1 << bit,
        }
    }

    /// Whether the mark would add nothing. The last mark of a stage counts most.
    fn holds(self, mark: u16) -> bool {
        let bit = 1 << (mark & 63);
        match mark & !63 {
            ABOUT_MARK => self.about & bit != 0,
            STAGE_MARK => false,
            _ => self.providers & bit != 0,
        }
    }

    /// At the recipient or later, if the text names more than one: it tells the whole dialogue.
    fn stage(self) -> u8 {
        let late = self.stages & (RCPT | DATA);
        if late == 0 {
            self.stages
        } else {
            late
        }
    }
}

/// The last words of a text, `(in reply to MAIL FROM command)`, are those of the server that speaks.
const LAST: usize = 12;

impl Known<'_> {
    /// All that decides about the failure, unless it asks for the recipient.
    pub fn asked<'a>(&'a self, text: &'a [u8]) -> Asked<'a> {
        let Status { class, subject, detail } = self.status;
        let numbers = [subject, detail, self.code, u16::from_le_bytes([class, self.stage])];
        let numbers = numbers.into_iter().fold(0, |all, number| all << 16 | u64::from(number));
        Asked { text, words: [self.remote_mta, "", "", "", ""], numbers, places: self.sender_at }
    }

    pub fn meets_all_but_text(&self, rule: &Rule) -> bool {
        self.meets_codes_and_stage(rule) && self.meets_provider(rule)
    }

    pub fn meets_codes_and_stage(&self, rule: &Rule) -> bool {
        !(self.is_barred && rule.about().is_recipients())
            && self.left_out.is_none_or(|left_out| !left_out(rule))
            && (rule.stages == 0 || rule.stages & self.stage != 0)
            && (rule.codes.is_empty() || rule.codes.iter().any(|code| fits(*code, self.status, self.code)))
    }

    /// Whether the host or the text shows a provider that the rule asks for.
    fn meets_provider(&self, rule: &Rule) -> bool {
        if rule.providers == 0 && rule.hosts.is_empty() {
            return true;
        }
        let by_host = self.by_host.get_or_init(|| providers_of(self.remote_mta));
        let by_text = self.shown.unwrap_or_default().providers;
        rule.providers & (by_text | by_host) != 0
            || rule.hosts.iter().any(|host| is_below(self.remote_mta, host))
    }
}

/// Rules in their order, and the index of their patterns.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub index: &'a Index,
    pub rules: &'a [Rule],
    /// The places of rules without a pattern.
    pub bare: &'a [u16],
}

/// The shipped rules.
pub(crate) const SHIPPED: Rules = Rules { index: &INDEX, rules: RULES, bare: BARE };
/// Those of them that are asked where nothing else is found.
pub(crate) const VAGUE: Rules = Rules { index: &VAGUE_INDEX, rules: RULES, bare: &[] };

/// The rule that comes first so far: its place, that of its hit, and where its pattern is.
struct Best {
    place: u16,
    hit: usize,
    span: Range<usize>,
}

/// What came by in a text. Searching another text reuses the memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The patterns and marks of the shipped index.
    pub shipped: Seen,
    /// The patterns of own rules.
    pub own: Seen,
    /// The patterns of the vague rules.
    pub vague: Seen,
}

/// Searches the text for the patterns of the shipped index, and learns from its marks what the text
/// shows.
pub(crate) fn show(index: &Index, known: &mut Known, text: &[u8], seen: &mut Seen) {
    search(index, text, known.hosts, seen);
    let mut shown = Shown::default();
    for place in 0..seen.hits.len() {
        let mark = seen.hits[place].of;
        let is_new = mark >= MARK && !shown.holds(mark);
        if is_new && seen.has(place, index, text) {
            shown.add(mark, usize::from(seen.hits[place].end) + LAST > text.len());
        }
    }
    if known.stage == STAGELESS && shown.stages != 0 {
        known.stage = first_stage(text).unwrap_or_else(|| shown.stage());
    }
    known.shown = Some(shown);
}

/// The first rule that the failure meets, and where its pattern is in the text, which was searched
/// for this list.
pub(crate) fn first(list: Rules, known: &Known, text: &[u8], seen: &mut Seen) -> Option<(u16, Range<usize>)> {
    let meets = |place: u16| known.meets_all_but_text(&list.rules[usize::from(place)]);
    let nobody = list.rules.len() as u16;
    let mut best = Best { place: nobody, hit: 0, span: 0..0 };
    // To verify a pattern takes longest: last, and only if it would win.
    for is_open in [false, true] {
        for number in 0..seen.hits.len() {
            let hit = seen.hits[number];
            let wins = hit.of < best.place || hit.of == best.place && number < best.hit;
            if hit.is_open == is_open && wins && meets(hit.of) && seen.has(number, list.index, text) {
                best = Best { place: hit.of, hit: number, span: seen.hits[number].span() };
            }
        }
    }
    let mut earlier = list.bare.iter().take_while(|place| **place < best.place);
    if let Some(place) = earlier.find(|place| meets(**place)) {
        best = Best { place: *place, hit: 0, span: 0..0 };
    }
    (best.place != nobody).then_some((best.place, best.span))
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
