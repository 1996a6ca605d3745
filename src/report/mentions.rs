//! What a notice says about a recipient, found by its address.
//!
//! Not here: reading the notice. Invariant: case does not count in an address.

use super::mention::Mention;
use std::collections::HashMap;

pub(crate) struct Mentions<'m> {
    all: &'m [Mention],
    by_address: HashMap<String, usize>,
}

impl<'m> Mentions<'m> {
    pub(crate) fn new(all: &'m [Mention]) -> Mentions<'m> {
        let mut by_address = HashMap::new();
        for (at, mention) in all.iter().enumerate() {
            by_address.entry(mention.address.to_lowercase()).or_insert(at);
            if let Some(original) = &mention.original {
                by_address.entry(original.to_lowercase()).or_insert(at);
            }
        }
        Mentions { all, by_address }
    }

    pub(crate) fn of(&self, address: &str) -> Option<&'m Mention> {
        self.by_address.get(&address.to_lowercase()).map(|at| &self.all[*at])
    }

    /// The only mention there is.
    pub(crate) fn only(&self) -> Option<&'m Mention> {
        self.all.first().filter(|_| self.all.len() == 1)
    }
}
