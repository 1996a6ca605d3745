//! Which rows of the trail are wanted.
//!
//! Not here: finding them (`trail`). Invariant: a report is for whom it went to and for whom it is
//! about.

use super::logged_event::LoggedEvent;
use super::trail_row::TrailRow;
use super::word_filter::SoughtWords;
use crate::archive;
use crate::config::Config;
use crate::named_address::NamedAddress;
use std::collections::HashSet;

/// Steps that act on the address that a report is about, and name it.
const ABOUT_AN_ADDRESS: [&str; 4] = ["keep-for", "notify", "strike", "suppress"];

#[derive(Default)]
pub(crate) struct TrailFilter {
    pub(crate) recipient: Option<SoughtRecipient>,
    /// Of messages of these states; empty: all.
    pub(crate) statuses: Vec<String>,
    pub(crate) since_ms: Option<i64>,
    /// Before this time; what happened to them later is part of them.
    pub(crate) until_ms: Option<i64>,
    /// At most this many, the newest.
    pub(crate) lines: Option<usize>,
    /// An address, a Message-ID or a queue id.
    pub(crate) about: Option<NamedAddress>,
    /// Keys of messages that are about it in any case; without it, of all that are wanted.
    pub(crate) messages: HashSet<String>,
}

impl TrailFilter {
    /// Whether it leaves lines out for what they say.
    pub(super) fn is_narrow(&self) -> bool {
        self.recipient.is_some() || !self.statuses.is_empty()
    }

    pub(super) fn shows(&self, row: &TrailRow) -> bool {
        let is_early = self.until_ms.is_none_or(|until_ms| row.at_ms < until_ms);
        is_early && (self.statuses.is_empty() || self.has_status(row))
    }

    fn has_status(&self, row: &TrailRow) -> bool {
        row.statuses().iter().any(|status| self.names(status))
    }

    /// Whether a line by itself is wanted.
    pub(crate) fn lets_through(&self, row: &TrailRow) -> bool {
        row.event.as_ref().is_none_or(|event| self.is_for(event)) && self.shows(row)
    }

    /// Whether a line is for the recipient that is wanted.
    pub(super) fn is_for(&self, event: &LoggedEvent) -> bool {
        self.recipient.as_ref().is_none_or(|recipient| recipient.is_of(event))
    }

    fn names(&self, status: &str) -> bool {
        self.statuses.iter().any(|one| one == status)
    }
}

/// A recipient: of messages, or of the mail that reports are about.
pub(crate) struct SoughtRecipient {
    address: String,
    named: NamedAddress,
    /// Digests of the keys of kept messages that name it.
    copies: HashSet<String>,
}

impl SoughtRecipient {
    pub(crate) fn new(config: &Config, address: String) -> SoughtRecipient {
        let named = NamedAddress::or_text(&address).in_paths(config.return_paths.prefixes());
        let copies = archive::digests_about(config, &address);
        SoughtRecipient { address, named, copies }
    }

    fn is_of(&self, event: &LoggedEvent) -> bool {
        let acts_on = |action: &str, note: &str| {
            ABOUT_AN_ADDRESS.contains(&action) && self.named.is_in(note.as_bytes())
        };
        let has_copy = || {
            !self.copies.is_empty()
                && event.message().is_some_and(|key| self.copies.contains(&archive::key_digest(key)))
        };
        event.is_for(&self.address)
            || event.addresses.iter().any(|address| self.named.is_in(address.as_bytes()))
            || self.named.is_in(event.recipient.as_bytes())
            || event.results.iter().any(|step| acts_on(&step.action, &step.note))
            || has_copy()
    }

    /// The words of which each of its lines has some; `None`: any line may be one.
    pub(super) fn sought(&self) -> Option<SoughtWords> {
        if !self.copies.is_empty() {
            return None;
        }
        let mut sought = SoughtWords::of(&self.named);
        sought.add_quoted(&self.address);
        Some(sought)
    }
}
