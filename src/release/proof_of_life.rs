//! Proof that an address is alive: it writes to us itself, or takes mail. It is released if only
//! soft bounces put it on the list.
//!
//! Not here: what a message is (`report`). Invariant: complaints, unsubscribes, hard bounces,
//! operators and imports are never overruled; a From address counts only if its domain vouches that
//! it wrote to us after the entry was made.

use super::notice::release;
use crate::clock;
use crate::config::Config;
use crate::error::Result;
use crate::index::Index;
use crate::mail::Mail;
use crate::policy::recipient_facts::RecipientFacts;
use crate::report::ReportKind;
use crate::store::{Released, Store, Suppressed};

/// Addresses that are looked up in the index at one tick.
const AT_ONE_TICK: usize = 5000;
/// The mark of the last one that was.
const MARK: &str = "proof of life";

/// Header fields of what programs send: automatic mail, newsletters, mailing lists.
const PROGRAMS: [&str; 5] =
    ["X-Auto-Response-Suppress", "List-Id", "List-Post", "List-Unsubscribe", "Feedback-ID"];

/// Whether a message may release its author. This asks no store.
pub(crate) fn may_release(store: &Store, config: &Config, facts: &RecipientFacts) -> bool {
    config.suppression.release_alive && author(facts).is_some_and(|address| store.may_be_soft(&address))
}

/// Releases the author of a message, if that is proof of life. Returns, for each entry that left
/// the list, the journal key of its notification. A fault of ours costs the release, not the
/// message.
pub(crate) fn by_message(
    store: &Store,
    config: &Config,
    mail: &Mail,
    facts: &RecipientFacts,
) -> Vec<Option<String>> {
    if !may_release(store, config, facts) {
        return Vec::new();
    }
    let released = author(facts).map_or(Ok(Vec::new()), |address| {
        let soft = store.soft_suppressions(&address)?;
        let is_before = |entry: &&Suppressed| entry.added_ms < mail.at_ms;
        let mut entries: Vec<Suppressed> = soft.iter().filter(is_before).cloned().collect();
        // Reading a report and verifying cost time; few addresses are on the list.
        if entries.is_empty() || !is_of_somebody(facts) {
            return Ok(Vec::new());
        }
        entries.retain(|entry| facts.shows_life_since(entry.added_ms));
        match entries.is_empty() {
            true => Ok(Vec::new()),
            false => release_all(store, entries, "message", mail.at_ms, config),
        }
    });
    released.unwrap_or_else(|error| {
        tracing::warn!(%error, "a living address is not released");
        Vec::new()
    })
}

/// Whether a message is no report, as far as its contents show.
fn is_of_somebody(facts: &RecipientFacts) -> bool {
    facts.message.report().kind == ReportKind::Other
}

/// The one From address of a message that calls itself no program's.
fn author(facts: &RecipientFacts) -> Option<String> {
    let message = &facts.message;
    message.message(|message| {
        let is = |name: &str, words: &[&str]| {
            let value = message.header(name).unwrap_or_default().trim().to_lowercase();
            words.iter().any(|word| value.starts_with(word))
        };
        let has = |name: &str| message.header(name).is_some();
        let by_program = has("Auto-Submitted") && !is("Auto-Submitted", &["no"])
            || is("Precedence", &["bulk", "junk", "list"])
            || PROGRAMS.into_iter().any(has);
        let author = message.author().filter(|_| !by_program)?;
        Some(author.to_lowercase())
    })
}

/// Releases addresses that have taken mail since, by the mail log. A part of them at each tick.
/// Returns how many.
pub(crate) fn delivered(store: &Store, index: &Index, config: &Config) -> Result<usize> {
    if !config.suppression.release_alive {
        return Ok(0);
    }
    let after = store.marked(MARK)?.unwrap_or_default();
    let some = store.soft_suppressions_after(&after, AT_ONE_TICK)?;
    let next = some.get(AT_ONE_TICK - 1).map_or("", |entry| entry.address.as_str());
    let addresses: Vec<&str> = some.iter().map(|entry| entry.address.as_str()).collect();
    let mut released = 0;
    for (entry, alive_ms) in some.iter().zip(index.last_successes(&addresses)?) {
        if let Some(alive_ms) = alive_ms.filter(|at_ms| *at_ms > entry.added_ms) {
            release_all(store, vec![entry.clone()], "delivery", alive_ms, config)?;
            released += 1;
        }
    }
    if next != after {
        store.mark(MARK, next)?;
    }
    Ok(released)
}

fn release_all(
    store: &Store,
    entries: Vec<Suppressed>,
    because: &str,
    alive_ms: i64,
    config: &Config,
) -> Result<Vec<Option<String>>> {
    let now_ms = clock::now_ms();
    let releases: Vec<Released> =
        entries.into_iter().map(|entry| release(entry, because, 0..alive_ms, config, now_ms)).collect();
    for Released { entry, .. } in &releases {
        let (address, sender_domain) = (&entry.address, &entry.sender_domain);
        tracing::info!(address, sender_domain, because, "released: the address is alive");
    }
    store.release_suppressions(&releases, now_ms)?;
    Ok(releases.into_iter().map(|one| one.notice.map(|(key, _)| key)).collect())
}
