//! Which names an evaluation of SPF has asked the DNS for, and which of them have no record: what
//! RFC 7208 limits, and `mail_auth` does not.
//!
//! Not here: answers (`zone_answers`), and what the limits are (`spf_rules`). Invariant: noting
//! changes no answer.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The kinds of records that mechanisms of SPF ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskedKind {
    V4,
    V6,
    Exchanger,
    Pointer,
}

struct AskedName {
    kind: AskedKind,
    /// The resolver's cache gives names as something that can be hashed, and no more.
    name: u64,
    is_void: bool,
}

#[derive(Default)]
pub(crate) struct AskedNames {
    texts: RefCell<Vec<String>>,
    names: RefCell<Vec<AskedName>>,
    /// Hosts that answers have named: asking for their addresses is no mechanism.
    hosts: RefCell<Vec<u64>>,
}

impl AskedNames {
    /// A name whose text was asked for, and found.
    pub(super) fn note_text(&self, name: &str) {
        self.texts.borrow_mut().push(name.to_owned());
    }

    pub(super) fn note<Q: Hash + ?Sized>(&self, kind: AskedKind, name: &Q, is_void: bool) {
        self.names.borrow_mut().push(AskedName { kind, name: hashed(name), is_void });
    }

    /// The name that was asked for has such records.
    pub(super) fn note_answer<Q: Hash + ?Sized>(&self, kind: AskedKind, name: &Q) {
        let name = hashed(name);
        let mut names = self.names.borrow_mut();
        names
            .iter_mut()
            .filter(|one| one.kind == kind && one.name == name)
            .for_each(|one| one.is_void = false);
    }

    pub(super) fn note_host(&self, host: &str) {
        self.hosts.borrow_mut().push(hashed(host));
    }

    /// The names of the records that were evaluated.
    pub(super) fn texts(&self) -> Vec<String> {
        self.texts.borrow().clone()
    }

    /// How many names that mechanisms have asked for have no such record.
    pub(super) fn void_names(&self) -> usize {
        let (names, hosts) = (self.names.borrow(), self.hosts.borrow());
        let last = names.last().map(|one| one.name);
        // `exists` asks both families, and does not say what it found: it matched if it was last.
        let has_matched = |name: u64| {
            let asks = |kind| names.iter().any(|one| one.name == name && one.kind == kind);
            Some(name) == last && asks(AskedKind::V4) && asks(AskedKind::V6)
        };
        let is_void = |one: &&AskedName| one.is_void && !hosts.contains(&one.name) && !has_matched(one.name);
        let mut void: Vec<(u64, bool)> = names
            .iter()
            .filter(is_void)
            .map(|one| (one.name, matches!(one.kind, AskedKind::V4 | AskedKind::V6)))
            .collect();
        void.sort_unstable();
        void.dedup();
        void.len()
    }
}

fn hashed<Q: Hash + ?Sized>(name: &Q) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}
