//! An import: records become entries, which go to the list in the order of its table, many in one
//! transaction, and what becomes of each is counted.
//!
//! Not here: reading files (`table_reader`, `json_reader`), the words of providers
//! (`provider_entry`) and sorting (`entry_pile`). Invariants: memory does not grow with the file; a
//! file that cannot be read to its end changes nothing; a rehearsal counts what the import would.

use super::address_cell::mailbox;
use super::column_names::{ADDED, ADDRESS};
use super::entry_pile::EntryPile;
use super::provider_entry::{self, Meaning, SKIP_PASSING};
use super::record::{Place, Record};
use super::target_check::{self, target};
use super::{ListForm, time_forms};
use crate::class::{Class, DeliveryFailure, Severity};
use crate::error::{Error, Result};
use crate::plan::Grounds;
use crate::store::{ImportChange, Store, Suppressed};
use crate::text::{bounded, one_line};
use rustc_hash::{FxBuildHasher, FxHashSet};
use serde::Serialize;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::io::Read;

/// Entries that are classified together.
const TOGETHER: usize = 8000;
/// Entries of one transaction: others wait while it lasts.
const WRITTEN: usize = 20_000;
/// Entries and problems that are shown.
const SHOWN: usize = 1000;
/// The source of what no report and no operator put on the list.
const SOURCE: &str = "import";
/// Sources that a list may name.
pub(crate) const SOURCES: [&str; 3] = ["report", "operator", "import"];

/// What is the same for every entry that does not say otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct ImportDefaults {
    pub(crate) form: Option<ListForm>,
    pub(crate) reason: String,
    pub(crate) sender_domain: String,
    pub(crate) expires_ms: Option<i64>,
    pub(crate) now_ms: i64,
    /// Also whole domains of mail providers.
    pub(crate) force: bool,
    /// Change nothing.
    pub(crate) dry_run: bool,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ImportOutcome {
    pub(crate) dry_run: bool,
    pub(crate) new: u64,
    /// The list said so before.
    pub(crate) same: u64,
    pub(crate) changed: u64,
    /// Entries that suppress nobody, on purpose.
    pub(crate) skipped: u64,
    /// Why, and how many.
    pub(crate) skipped_because: BTreeMap<&'static str, u64>,
    /// Entries that cannot be read.
    pub(crate) invalid: u64,
    /// The first of those that cannot be read.
    pub(crate) problems: Vec<ImportProblem>,
    /// The first entries, and what each is to the list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) entries: Vec<ImportedEntry>,
}

/// An entry that cannot be read, and where it is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ImportProblem {
    pub(crate) line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<u64>,
    pub(crate) why: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ImportedEntry {
    pub(crate) change: ImportChange,
    pub(crate) line: u64,
    #[serde(flatten)]
    pub(crate) entry: Suppressed,
}

/// Says what failures mean.
pub(crate) type Classify<'c> = dyn Fn(&[DeliveryFailure]) -> Result<Vec<Class>> + 'c;

/// An import that is under way.
pub(crate) struct Import<'i> {
    store: &'i Store,
    classify: &'i Classify<'i>,
    defaults: ImportDefaults,
    waiting: Vec<Candidate>,
    /// What goes to the list when all is read.
    read: EntryPile,
    /// Hashes of what a rehearsal has seen.
    seen: FxHashSet<u64>,
    done: ImportOutcome,
}

/// An entry, unless its failure means that the address may be alive.
struct Candidate {
    place: Place,
    entry: Suppressed,
    failure: Option<DeliveryFailure>,
    only_if_hard: bool,
}

impl<'i> Import<'i> {
    pub(crate) fn new(store: &'i Store, classify: &'i Classify<'i>, defaults: ImportDefaults) -> Import<'i> {
        let done = ImportOutcome { dry_run: defaults.dry_run, ..ImportOutcome::default() };
        let (waiting, read, seen) = (Vec::new(), EntryPile::new(store), FxHashSet::default());
        Import { store, classify, defaults, waiting, read, seen, done }
    }

    /// Reads a list to its end, and adds what is in it. `progress` hears how many entries of how
    /// many are on the list.
    pub(crate) fn run(mut self, input: impl Read, progress: &dyn Fn(u64, u64)) -> Result<ImportOutcome> {
        let form = self.defaults.form;
        super::read(input, form, &mut |place, record| self.take(place, record))?;
        self.finish_waiting()?;
        let Import { store, defaults, read, mut done, .. } = self;
        let (mut added, all, mut entries) = (0, read.len(), read.sorted()?);
        store.expect_many()?;
        loop {
            let some: Vec<Suppressed> = entries.by_ref().take(WRITTEN).collect::<Result<_>>()?;
            if some.is_empty() {
                return Ok(done);
            }
            added += some.len() as u64;
            store.import(some, defaults.now_ms)?.into_iter().for_each(|change| done.count(change));
            progress(added, all);
        }
    }

    fn take(&mut self, place: Place, record: Result<Record, String>) -> Result<()> {
        if record.as_ref().is_ok_and(provider_entry::is_member_list) {
            return Err(Error::new("this is a list of members who are subscribed")
                .remedy("import the lists of unsubscribed and of cleaned members"));
        }
        match record.and_then(|record| self.candidate(place, &record)) {
            Ok(Ok(candidate)) => self.waiting.push(candidate),
            Ok(Err(why)) => self.skip(why),
            Err(why) => self.refuse(place, why),
        }
        if self.waiting.len() >= TOGETHER { self.finish_waiting() } else { Ok(()) }
    }

    fn skip(&mut self, why: &'static str) {
        self.done.skipped += 1;
        *self.done.skipped_because.entry(why).or_default() += 1;
    }

    fn refuse(&mut self, place: Place, why: String) {
        self.done.invalid += 1;
        if self.done.problems.len() < SHOWN {
            self.done.problems.push(ImportProblem { line: place.line, item: place.item, why });
        }
    }

    /// The entry in a record, or why it is none on purpose. The error says what is wrong.
    fn candidate(&self, place: Place, record: &Record) -> Result<Result<Candidate, &'static str>, String> {
        if !record.has(ADDRESS) {
            return match provider_entry::meaning(record) {
                Meaning::Skip(why) => Ok(Err(why)),
                Meaning::Suppress { .. } => Err("no address in this object".into()),
            };
        }
        let typed = record.get(ADDRESS).unwrap_or_default();
        let term = expires(record)?.or(self.defaults.expires_ms);
        let source = record.get(&["source"]).unwrap_or_default();
        let address = match source {
            "report" => mailbox(typed).map_err(str::to_owned),
            _ => target(typed, term.is_some(), self.defaults.force),
        };
        let address = address.map_err(|why| shown(&why, typed))?;
        let (reason, failure, only_if_hard) = match provider_entry::meaning(record) {
            Meaning::Suppress { reason, failure, only_if_hard } => (reason, failure, only_if_hard),
            Meaning::Skip(why) => return Ok(Err(why)),
        };
        let entry = self.entry(address, reason, record)?;
        if entry.has_expired(self.defaults.now_ms) {
            return Ok(Err("expired"));
        }
        Ok(Ok(Candidate { place, entry, failure, only_if_hard }))
    }

    fn entry(&self, address: String, reason: String, record: &Record) -> Result<Suppressed, String> {
        let ImportDefaults { now_ms, expires_ms, .. } = self.defaults;
        let own = provider_entry::is_own(record);
        let text =
            |name: &'static str| record.get(&[name]).filter(|_| own).unwrap_or_default().to_lowercase();
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        let grounds = Grounds {
            rule: text("rule"),
            provider: text("provider"),
            status: text("status"),
            soft_bounces: text("softbounces").parse().unwrap_or(0),
            key: text("report"),
            bounce: text("bounce"),
        };
        let source = text("source");
        Ok(Suppressed {
            address,
            sender_domain: target_check::sender_domain(&or(
                text("senderdomain"),
                &self.defaults.sender_domain,
            ))?,
            reason: target_check::reason(&or(reason, &self.defaults.reason))?,
            source: if SOURCES.contains(&source.as_str()) { source } else { SOURCE.into() },
            added_ms: added_ms(record, own, now_ms)?,
            expires_ms: expires(record)?.or(expires_ms),
            grounds,
        })
    }

    fn finish_waiting(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let failures: Vec<DeliveryFailure> =
            waiting.iter().filter_map(|candidate| candidate.failure.clone()).collect();
        let mut classes = (self.classify)(&failures)?.into_iter();
        let mut kept = Vec::new();
        for Candidate { place, mut entry, failure, only_if_hard } in waiting {
            let class = failure.as_ref().and_then(|_| classes.next());
            let is_hard = class.as_ref().is_some_and(|class| class.severity == Severity::Hard);
            if let Some((failure, class)) = failure.as_ref().zip(class.as_ref()) {
                ground(&mut entry, failure, class);
            }
            match class.is_some_and(|class| may_live(&class)) || (only_if_hard && !is_hard) {
                true => self.skip(SKIP_PASSING),
                false if self.defaults.dry_run => kept.push((place, entry)),
                false => self.read.add(&entry)?,
            }
        }
        self.rehearse(kept)
    }

    /// Counts and shows what the list would make of entries.
    fn rehearse(&mut self, entries: Vec<(Place, Suppressed)>) -> Result<()> {
        let (places, entries): (Vec<Place>, Vec<Suppressed>) = entries.into_iter().unzip();
        let changes = self.store.compare_with_list(&entries, self.defaults.now_ms)?;
        for ((place, entry), mut change) in places.into_iter().zip(entries).zip(changes) {
            if change == ImportChange::New {
                let hash = FxBuildHasher.hash_one((&entry.address, &entry.sender_domain));
                if !self.seen.insert(hash) {
                    change = ImportChange::Same;
                }
            }
            self.done.count(change);
            if self.done.entries.len() < SHOWN {
                self.done.entries.push(ImportedEntry { change, line: place.line, entry });
            }
        }
        Ok(())
    }
}

impl ImportOutcome {
    fn count(&mut self, change: ImportChange) {
        match change {
            ImportChange::New => self.new += 1,
            ImportChange::Same => self.same += 1,
            ImportChange::Changed => self.changed += 1,
        }
    }
}

/// Notes what the policy made of the provider's text.
fn ground(entry: &mut Suppressed, failure: &DeliveryFailure, class: &Class) {
    if class.severity != Severity::Unknown && !class.reason.is_empty() {
        entry.reason.clone_from(&class.reason);
    }
    entry.grounds.rule.clone_from(&class.rule);
    entry.grounds.status.clone_from(&failure.status);
}

/// Whether a failure that a provider calls final says that the address may be alive: the mailbox is
/// full, or the refusal is about something else.
fn may_live(class: &Class) -> bool {
    const ABOUT_ADDRESS: [&str; 3] = ["bad-mailbox", "inactive-mailbox", "bad-domain"];
    match class.severity {
        Severity::Soft => !ABOUT_ADDRESS.contains(&class.category.as_str()),
        Severity::None => true,
        Severity::Hard | Severity::Unknown => false,
    }
}

/// When it was suppressed. Carom's own lists are held to their times; a provider's form of time
/// that nobody knows is no reason to lose an entry.
fn added_ms(record: &Record, own: bool, now_ms: i64) -> Result<i64, String> {
    let typed = ADDED.iter().filter_map(|name| record.get(&[name]));
    let mut found = None;
    for text in typed {
        match time_forms::milliseconds(text) {
            Some(at_ms) => found = found.or(Some(at_ms)),
            None if own && text != "0" => return Err(shown("added: not a time", text)),
            None => {}
        }
    }
    Ok(found.unwrap_or(now_ms).min(now_ms))
}

fn expires(record: &Record) -> Result<Option<i64>, String> {
    let Some(text) = record.get(&["expires", "expiresms"]) else { return Ok(None) };
    time_forms::milliseconds(text).map(Some).ok_or_else(|| shown("expires: not a time", text))
}

/// What is wrong, and with which text.
fn shown(why: &str, text: &str) -> String {
    match text {
        "" => why.to_owned(),
        text => format!("{why}: `{}`", one_line(bounded(text, 100))),
    }
}
