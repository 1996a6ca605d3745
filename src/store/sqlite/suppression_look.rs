//! Looking up what suppresses mail to an address: in one query by key for the address, one for each
//! form of its domain, and one for the patterns of the domain.
//!
//! Not here: the forms (`suppression_target`), and connections for who looks up very much
//! (`looked_up_list`). Invariant: what is known of the list only saves queries.

use super::connection::SharedConnection;
use super::suppression_rows::{COLUMNS, row};
use super::wide_entries::WideEntries;
use crate::error::Result;
use crate::mailbox_syntax::{normal_domain, without_needless_quotes};
use crate::store::suppressed::Suppressed;
use crate::store::{ListedAddresses, suppression_target};
use rusqlite::{Connection, params};
use std::sync::LazyLock;

static BY_ADDRESS: LazyLock<String> = LazyLock::new(|| select("address"));
static BY_PATTERN: LazyLock<String> = LazyLock::new(|| select("pattern_of"));

fn select(column: &str) -> String {
    format!(
        "SELECT {COLUMNS} FROM suppressions WHERE {column} = ?1 AND (?2 IS NULL OR sender_domain IN ('', ?2))
         AND (expires_ms IS NULL OR expires_ms > ?3) ORDER BY sender_domain"
    )
}

/// What is known of the list: what is not there needs no query.
#[derive(Clone, Copy, Default)]
pub(super) struct KnownList<'k> {
    pub(super) wide: Option<&'k WideEntries>,
    pub(super) listed: Option<&'k ListedAddresses>,
}

impl KnownList<'_> {
    fn may_have(&self, address: &str) -> bool {
        self.listed.is_none_or(|listed| listed.may_have(address))
    }

    fn may_have_domains(&self) -> bool {
        self.wide.is_none_or(WideEntries::has_domains)
    }

    fn may_have_domain(&self, form: &str) -> bool {
        self.wide.is_none_or(|wide| wide.has(form))
    }

    fn may_have_patterns_of(&self, domain: &str) -> bool {
        self.wide.is_none_or(|wide| wide.has_patterns_of(domain))
    }
}

/// The entries in force, the narrowest first.
pub(super) fn entries(
    db: &Connection,
    address: &str,
    sender_domain: Option<&str>,
    now_ms: i64,
    known: KnownList<'_>,
) -> rusqlite::Result<Vec<Suppressed>> {
    let of = |sql: &str, value: &str| -> rusqlite::Result<Vec<Suppressed>> {
        db.prepare_cached(sql)?.query_map(params![value, sender_domain, now_ms], row)?.collect()
    };
    let address = &*without_needless_quotes(address);
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let is_wide = |entry: &Suppressed| suppression_target::is_wide(&entry.address, &entry.source);
    let mut found = if known.may_have(address) { of(&BY_ADDRESS, address)? } else { Vec::new() };
    // A pattern suppresses what fits it, not an address that is written in the same way.
    found.retain(|entry| !is_wide(entry) || local.is_empty());
    if known.may_have_patterns_of(domain) {
        found.extend(of(&BY_PATTERN, domain)?.into_iter().filter(|entry| {
            let pattern = entry.address.rsplit_once('@').map_or("", |(pattern, _)| pattern);
            suppression_target::fits(pattern, local)
        }));
    }
    if known.may_have_domains() {
        for form in &suppression_target::forms(address)[1..] {
            if known.may_have_domain(form) {
                found.extend(of(&BY_ADDRESS, form)?);
            }
        }
    }
    Ok(found)
}

pub(crate) fn suppressed(
    shared: &SharedConnection,
    address: &str,
    sender_domain: &str,
    now_ms: i64,
) -> Result<Option<Suppressed>> {
    Ok(entries_of(shared, address, Some(&normal_domain(sender_domain)), now_ms)?.into_iter().next())
}

/// An entry for all mail comes first.
pub(crate) fn entries_of(
    shared: &SharedConnection,
    address: &str,
    sender_domain: Option<&str>,
    now_ms: i64,
) -> Result<Vec<Suppressed>> {
    shared.read(|db| entries(db, address, sender_domain, now_ms, KnownList::default()))
}
