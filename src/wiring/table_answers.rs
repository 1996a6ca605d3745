//! What tables of Postfix say: each is asked with postmap(1), and about a key once.
//!
//! Not here: which keys an address has (`lookup_order`). Invariant: a table that cannot answer is
//! known as one, and says nothing.

use crate::error::Result;
use crate::files::command::Ran;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct TableAnswers {
    /// By table and key.
    said: RefCell<BTreeMap<(String, String), Option<String>>>,
    /// The keys of tables.
    keys: RefCell<BTreeMap<String, Vec<String>>>,
    /// Tables that could not be asked.
    mute: RefCell<BTreeSet<String>>,
}

impl TableAnswers {
    /// What a table says about a key; `postmap` runs that program with these arguments. `None`:
    /// nothing, or it cannot be asked.
    pub(super) fn look_up(
        &self,
        postmap: impl FnOnce(&[&str]) -> Result<Ran>,
        table: &str,
        key: &str,
    ) -> Option<String> {
        let asked = (table.to_owned(), key.to_owned());
        if let Some(known) = self.said.borrow().get(&asked) {
            return known.clone();
        }
        let ran = postmap(&["-q", key, table]).ok();
        if ran.as_ref().is_none_or(|ran| !ran.status.success() && ran.said().contains("fatal: ")) {
            self.mute.borrow_mut().insert(table.to_owned());
        }
        let found = ran.filter(|ran| ran.status.success()).map(|ran| ran.stdout.trim().to_owned());
        let found = found.filter(|found| !found.is_empty());
        self.said.borrow_mut().insert(asked, found.clone());
        found
    }

    /// The keys of a table; none if it cannot be listed.
    pub(super) fn keys(&self, postmap: impl FnOnce(&[&str]) -> Result<Ran>, table: &str) -> Vec<String> {
        if let Some(known) = self.keys.borrow().get(table) {
            return known.clone();
        }
        // A table behind proxymap(8) is listed itself.
        let listed = postmap(&["-s", table.trim_start_matches("proxy:")]).ok();
        let lines = listed.filter(|ran| ran.status.success()).map(|ran| ran.stdout).unwrap_or_default();
        let keys = lines.lines().filter_map(|line| Some(line.split_once('\t')?.0.to_owned()));
        let keys: Vec<String> = keys.collect();
        self.keys.borrow_mut().insert(table.to_owned(), keys.clone());
        keys
    }

    /// Whether a table that was asked could not answer.
    pub(super) fn is_mute(&self, table: &str) -> bool {
        self.mute.borrow().contains(table)
    }
}
