//! What is asked about a key: the store and the index of mail logs, and why they did not answer.
//!
//! Not here: the questions (`find`). Invariant: a question that fails is answered with nothing, and
//! the error is kept, each once.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::index::Index;
use crate::store::Store;
use std::cell::RefCell;
use std::path::Path;

pub(super) struct KnownSources<'a> {
    pub(super) store: &'a Store,
    pub(super) config: &'a Config,
    /// `None`: no log was ever read, or it cannot be opened.
    index: Option<Index>,
    unread: RefCell<Vec<Error>>,
}

impl<'a> KnownSources<'a> {
    pub(super) fn open(store: &'a Store, config: &'a Config) -> KnownSources<'a> {
        let sources = KnownSources { store, config, index: None, unread: RefCell::default() };
        let index = Index::to_read(&config.index_path());
        if matches!(index, Ok(None)) && config.mail_logs.get().is_ok_and(|logs| !logs.is_empty()) {
            sources.note(never_read(&config.index_path()));
        }
        KnownSources { index: sources.found(index), ..sources }
    }

    /// What was found; nothing, if that could not be read.
    pub(super) fn found<T: Default>(&self, found: Result<T>) -> T {
        found.unwrap_or_else(|error| {
            self.note(error);
            T::default()
        })
    }

    /// What the index says; nothing, if there is none.
    pub(super) fn index<T: Default>(&self, ask: impl FnOnce(&Index) -> Result<T>) -> T {
        self.index.as_ref().map(|index| self.found(ask(index))).unwrap_or_default()
    }

    /// With what earlier questions did not get.
    pub(super) fn after(self, unread: Vec<Error>) -> KnownSources<'a> {
        unread.into_iter().for_each(|error| self.note(error));
        self
    }

    pub(super) fn note(&self, error: Error) {
        let mut unread = self.unread.borrow_mut();
        if unread.iter().all(|known| known.text() != error.text()) {
            unread.push(error);
        }
    }

    pub(super) fn unread(&self) -> Vec<Error> {
        self.unread.borrow().clone()
    }
}

/// There are logs in the config, and no index.
fn never_read(index: &Path) -> Error {
    let text = format!("no log was read yet, so there is no {}", index.display());
    Error::new(text).remedy("run `carom cron`")
}
