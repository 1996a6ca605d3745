//! The systemd journal, as `journalctl -o export` writes it.
//!
//! Not here: what the messages say (`postfix`). Invariant: the cursor is that of the last entry
//! that was given whole, so reading continues after it.

mod journald_entry;
mod export_format;
mod journalctl;
mod journalctl_errors;
mod newest_entries;
mod entries_between;

pub(crate) use entries_between::entries_between;
pub(crate) use export_format::JournalExport;
pub(crate) use journalctl::{WantedEntries, journalctl, require_journal};
pub(crate) use journalctl_errors::JournalctlErrors;
pub(crate) use journald_entry::JournaldEntry;
pub(crate) use newest_entries::newest_entries;

#[cfg(test)]
mod tests;
