//! The first rule, in the order of its list, that a failure meets.
//!
//! Not here: the order of the lists (`classify`) and how patterns are found (`search`). Invariant:
//! a rule that asks for a provider or a stage is only decided after the whole text was searched,
//! because the text may show them.

use crate::conditions::{fits, is_below, DATA, RCPT, STAGELESS};
use crate::index::Index;
use crate::marks::{ABOUT_MARK, MARK, STAGE_MARK};
use crate::search::{search, Seen};
use crate::status::Status;
use crate::table::{Rule, PROVIDERS};
use std::cell::{Cell, OnceCell, RefCell};
use std::ops::Range;

/// Whether a rule is not asked.
pub(crate) type LeftOut<'a> = dyn Fn(&Rule) -> bool + 'a;

/// What is known of a failure besides its text.
pub(crate) struct Known<'a> {
    pub status: Status,
    pub code: u16,
    pub stage: u8,
    pub remote_mta: &'a str,
    /// Where the text names the sender (`diagnostic`).
    pub sender_at: &'a [u16],
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
    pub fn meets_all_but_text(&self, rule: &Rule) -> bool {
        self.meets_codes_and_stage(rule) && meets_provider(rule, self, &OnceCell::new())
    }

    pub fn meets_codes_and_stage(&self, rule: &Rule) -> bool {
        !(self.is_barred && rule.about().is_recipients())
            && self.left_out.is_none_or(|left_out| !left_out(rule))
            && (rule.stages == 0 || rule.stages & self.stage != 0)
            && (rule.codes.is_empty() || rule.codes.iter().any(|code| fits(*code, self.status, self.code)))
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

/// A rule whose pattern is in the text, and where.
#[derive(Clone, Copy, Debug)]
struct Hit {
    place: u16,
    start: usize,
    end: usize,
}

/// After every rule.
const NOBODY: Hit = Hit { place: u16::MAX, start: 0, end: 0 };

/// Memory that one search leaves to the next.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    seen: Seen,
    /// Rules that ask for a provider, or for a stage that is not known yet.
    pending: RefCell<Vec<Hit>>,
}

/// The first rule that the failure meets, and where its pattern is in the text.
pub(crate) fn first(
    list: Rules,
    known: &mut Known,
    text: &[u8],
    memory: &mut Memory,
) -> Option<(u16, Range<usize>)> {
    let mut best = first_by_text(list, known, text, memory);
    let by_host = OnceCell::new();
    let meets = |rule: &Rule| known.meets_codes_and_stage(rule) && meets_provider(rule, known, &by_host);
    for hit in memory.pending.get_mut() {
        if hit.place < best.place && meets(&list.rules[usize::from(hit.place)]) {
            best = *hit;
        }
    }
    let mut earlier = list.bare.iter().take_while(|place| **place < best.place);
    if let Some(place) = earlier.find(|place| meets(&list.rules[usize::from(**place)])) {
        best = Hit { place: *place, ..NOBODY };
    }
    (best.place != NOBODY.place).then_some((best.place, best.start..best.end))
}

/// The first rule of those that need nothing more than the text, codes and stage. The others that
/// are in the text are pending. The shipped index also shows providers and stages.
fn first_by_text(list: Rules, known: &mut Known, text: &[u8], memory: &mut Memory) -> Hit {
    let Memory { seen, pending } = memory;
    pending.get_mut().clear();
    let shown = Cell::new(known.shown.unwrap_or_default());
    let best = Cell::new(NOBODY);
    let has_stage = known.stage != STAGELESS;
    let found = |place: u16, start: usize, end: usize| {
        if place >= MARK {
            let mut more = shown.get();
            more.add(place, end + LAST > text.len());
            return shown.set(more);
        }
        let Some(rule) = list.rules.get(usize::from(place)) else { return };
        let hit = Hit { place, start, end };
        let is_later = rule.providers != 0 || !rule.hosts.is_empty() || rule.stages != 0 && !has_stage;
        if is_later {
            pending.borrow_mut().push(hit);
        } else if place < best.get().place && known.meets_codes_and_stage(rule) {
            best.set(hit);
        }
    };
    let wanted = |place: u16| {
        if place < MARK {
            place < best.get().place
        } else {
            !shown.get().holds(place)
        }
    };
    search(list.index, text, seen, wanted, found);
    if !has_stage && shown.get().stages != 0 {
        known.stage = shown.get().stage();
    }
    known.shown = Some(shown.get());
    best.get()
}

/// Whether the host or the text shows a provider that the rule asks for.
fn meets_provider(rule: &Rule, known: &Known, by_host: &OnceCell<u64>) -> bool {
    if rule.providers == 0 && rule.hosts.is_empty() {
        return true;
    }
    let by_host = by_host.get_or_init(|| providers_of(known.remote_mta));
    let by_text = known.shown.unwrap_or_default().providers;
    rule.providers & (by_text | by_host) != 0
        || rule.hosts.iter().any(|host| is_below(known.remote_mta, host))
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
