//! What is to be erased of the store, and what there was.
//!
//! Not here: erasing it (`erasing`).

use crate::named_address::NamedAddress;

/// Whose traces are to go.
#[derive(Clone, Copy)]
pub(crate) struct ToErase<'a> {
    /// In lower case.
    pub(crate) address: &'a str,
    pub(crate) named: &'a NamedAddress,
    /// Entries of the suppression list stay, so that no mail is sent to the address again.
    pub(crate) keeps_suppressions: bool,
}

/// What the store had about an address.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoreErasure {
    pub(crate) suppressions: usize,
    pub(crate) soft_bounces: usize,
    /// Finished messages that named it.
    pub(crate) messages: usize,
    /// Differences between policies that named it.
    pub(crate) differences: usize,
    /// Return paths that may name it, and were cut: they stay.
    pub(crate) cut: usize,
    /// The keys of messages that name it and have steps that are to be done. They stay as they are.
    pub(crate) pending: Vec<String>,
}
