//! Suppressions that a cycle purges, and the file that keeps them.
//!
//! Invariant: an entry is in a file before it leaves the list, and an export is never overwritten.

use super::day::Day;
use crate::clock;
use crate::config::PurgeTable;
use crate::error::{Error, Result};
use crate::files::publish::publish;
use crate::files::{private, regular};
use crate::mailbox_syntax::normal_domain;
use crate::store::Suppressed;
use crate::suppress;
use std::path::{Path, PathBuf};

/// Exports of one day at most.
const EXPORTS: u32 = 100;

impl Day<'_> {
    pub(super) fn purge(&self) -> Result<Option<String>> {
        let Some(purge) = &self.cycle.purge else { return Ok(None) };
        let Some(mark) = self.is_due("purge")? else { return Ok(None) };
        let mut entries = self.store.suppressions("", None, self.now_ms, usize::MAX)?;
        entries.retain(|entry| is_meant(purge, entry, self.now_ms));
        let today = self.today.to_string();
        if entries.is_empty() {
            self.store.mark(&mark, &today)?;
            return Ok(None);
        }
        let path = self.export(purge, &suppress::csv(&entries))?;
        let gone = self.store.purge_suppressions(&entries, &mark, &today)?;
        let (name, path) = (&self.cycle.name, path.display());
        Ok(Some(format!("[[cycle]] {name}: {gone} suppressions purged, kept in {path}")))
    }

    /// Writes what is about to go, next to the exports of the same day.
    fn export(&self, purge: &PurgeTable, text: &str) -> Result<PathBuf> {
        if let Some(directory) = &purge.directory {
            self.config.may_fill(directory)?;
        }
        let directory = purge.directory.clone().unwrap_or_else(|| self.config.state_dir());
        // If it fails, writing the file says so.
        let _ = private::make_directory(&directory);
        let date: String = clock::rfc3339(self.now_ms).chars().take("2026-11-21".len()).collect();
        let named = |number: u32| match number {
            1 => format!("purged_{date}.csv"),
            _ => format!("purged_{date}_{number}.csv"),
        };
        // The same text is there if we were killed before the list was purged.
        let is_same =
            |path: &Path| regular::read(path, text.len() as u64).is_ok_and(|there| there == text.as_bytes());
        let mut paths = (1..=EXPORTS).map(|number| directory.join(named(number)));
        let path = paths.find(|path| !path.exists() || is_same(path)).ok_or_else(|| {
            Error::new(format_args!("{}: too many exports of one day", directory.display()))
                .remedy("move some of purged_*.csv away")
        })?;
        publish(&path, text.as_bytes(), private::FILE)?;
        Ok(path)
    }
}

fn is_meant(purge: &PurgeTable, entry: &Suppressed, now_ms: i64) -> bool {
    let holds = |names: &[String], name: &str| names.iter().any(|one| one.eq_ignore_ascii_case(name));
    let is_sender = |domain: &String| normal_domain(domain) == entry.sender_domain;
    let of_domain = purge.sender_domains.is_empty() || purge.sender_domains.iter().any(is_sender);
    let is_old = entry.added_ms <= now_ms - purge.older_than.ms();
    holds(&purge.sources, &entry.source) && of_domain && is_old
}
