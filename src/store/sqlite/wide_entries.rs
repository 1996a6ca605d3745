//! The domains and patterns on the suppression list, remembered: there are few of them, and most
//! addresses are in none.
//!
//! Not here: what they suppress (`suppression_target`).

use rusqlite::Connection;
use rustc_hash::FxHashSet;

/// Domains and patterns that are remembered.
const MOST: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct WideEntries {
    /// `@a.example`, `@*.a.example`.
    domains: FxHashSet<String>,
    /// Domains that have patterns.
    patterns: FxHashSet<String>,
}

impl WideEntries {
    /// `None`: there are too many.
    pub(super) fn read(db: &Connection) -> rusqlite::Result<Option<WideEntries>> {
        let some = |sql: &str| -> rusqlite::Result<Option<FxHashSet<String>>> {
            let mut select = db.prepare_cached(sql)?;
            let found: FxHashSet<String> =
                select.query_map([], |row| row.get(0))?.take(MOST + 1).collect::<rusqlite::Result<_>>()?;
            Ok((found.len() <= MOST).then_some(found))
        };
        // `A` comes after `@`.
        let domains = some("SELECT address FROM suppressions WHERE address >= '@' AND address < 'A'")?;
        let patterns = some("SELECT pattern_of FROM suppressions WHERE pattern_of IS NOT NULL")?;
        Ok(domains.zip(patterns).map(|(domains, patterns)| WideEntries { domains, patterns }))
    }

    pub(super) fn has_domains(&self) -> bool {
        !self.domains.is_empty()
    }

    /// Whether a form of a domain is on the list.
    pub(super) fn has(&self, form: &str) -> bool {
        self.domains.contains(form)
    }

    pub(super) fn has_patterns_of(&self, domain: &str) -> bool {
        self.patterns.contains(domain)
    }
}
