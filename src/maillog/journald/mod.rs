//! The systemd journal, as `journalctl -o export` writes it.
//!
//! Not here: what the messages say (`postfix`). Invariant: the cursor is that of the last entry
//! that was given whole, so reading continues after it.

mod journald_entry;
mod export_format;
mod journalctl;

pub(crate) use export_format::JournalExport;
pub(crate) use journalctl::journalctl;
pub(crate) use journald_entry::JournaldEntry;

#[cfg(test)]
mod tests;
