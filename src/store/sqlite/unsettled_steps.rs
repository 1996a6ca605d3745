//! How steps ended that the store could not take in time: a file beside the store for each settle
//! that failed, and memory where that cannot be written either.
//!
//! Not here: when a settle is given up (`settling`), and how they come on record (`step_rows`).
//! Invariant: a file is whole, and never changes.

use crate::digest;
use crate::error::{Context, Result};
use crate::files::publish::publish;
use crate::files::{private, regular};
use crate::plan::{StepEnd, state_as_written};
use crate::store::journal_entry::{Ended, Performed};
use crate::store::tally::Tally;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How the names of files end.
const ENDING: &str = ".json";
/// A longer file is none of carom's.
const LONGEST: u64 = 64 << 20;

/// How a step ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UnsettledStep {
    pub(super) key: String,
    pub(super) step: usize,
    end: SavedEnd,
    /// It was no try: the config held it back. Older releases take it for one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    held: bool,
    note: String,
    counted: Tally,
    /// When, in milliseconds since 1970.
    pub(super) at_ms: i64,
}

/// A [`StepEnd`] with all that it says.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SavedEnd {
    Succeeded,
    /// As older releases wrote it: the note says which of the next two it is.
    Failed,
    Noted,
    GivenUp,
    Parked,
    Later {
        at_ms: i64,
    },
}

/// What waits for the store.
pub(super) struct UnsettledSteps {
    directory: PathBuf,
    /// How the names of this store's files begin.
    prefix: String,
    /// By the names that their files would have.
    in_memory: Mutex<Vec<(String, Vec<UnsettledStep>)>>,
}

impl UnsettledStep {
    pub(super) fn of(ended: &[(&str, &[Ended])], at_ms: i64) -> Vec<UnsettledStep> {
        let of_message = |(key, ends): &(&str, &[Ended])| {
            let of_step = |Ended { step, done, .. }: &Ended| UnsettledStep {
                key: (*key).to_owned(),
                step: *step,
                end: SavedEnd::of(done.end),
                held: matches!(done.end, StepEnd::Held { .. }),
                note: done.note.clone(),
                counted: done.tally.clone(),
                at_ms,
            };
            ends.iter().map(of_step).collect::<Vec<_>>()
        };
        ended.iter().flat_map(of_message).collect()
    }

    pub(super) fn done(&self) -> Performed {
        let end = match self.end.known(&self.note) {
            StepEnd::Later { at_ms } if self.held => StepEnd::Held { at_ms },
            end => end,
        };
        Performed { end, note: self.note.clone(), tally: self.counted.clone() }
    }
}

impl SavedEnd {
    fn of(end: StepEnd) -> SavedEnd {
        match end {
            StepEnd::Succeeded => SavedEnd::Succeeded,
            StepEnd::Noted => SavedEnd::Noted,
            StepEnd::GivenUp => SavedEnd::GivenUp,
            StepEnd::Parked => SavedEnd::Parked,
            StepEnd::Later { at_ms } | StepEnd::Held { at_ms } => SavedEnd::Later { at_ms },
        }
    }

    fn known(self, note: &str) -> StepEnd {
        match self {
            SavedEnd::Succeeded => StepEnd::Succeeded,
            SavedEnd::Failed if state_as_written("failed", note).0 == StepEnd::Noted.word() => StepEnd::Noted,
            SavedEnd::Failed | SavedEnd::GivenUp => StepEnd::GivenUp,
            SavedEnd::Noted => StepEnd::Noted,
            SavedEnd::Parked => StepEnd::Parked,
            SavedEnd::Later { at_ms } => StepEnd::Later { at_ms },
        }
    }
}

impl UnsettledSteps {
    /// `store` is the path of the store.
    pub(super) fn of(store: &Path) -> UnsettledSteps {
        let prefix = format!("{}-", store.file_name().unwrap_or_default().to_string_lossy());
        UnsettledSteps { directory: store.with_file_name("unsettled"), prefix, in_memory: Mutex::default() }
    }

    /// Keeps how steps ended. Returns the file that has it, durably; an error: only this process
    /// knows.
    pub(super) fn put(&self, steps: Vec<UnsettledStep>) -> Result<PathBuf> {
        let name = format!("{}{}{ENDING}", self.prefix, digest::random_token(8));
        let path = self.directory.join(&name);
        let text = serde_json::to_vec(&steps).context("steps")?;
        let put = || {
            private::make_directory(&self.directory).context(self.directory.display())?;
            publish(&path, &text, private::FILE)
        };
        // Between the two, another process may have removed the directory because it was empty.
        let put = put().or_else(|_| put());
        if put.is_err() {
            self.in_memory().push((name, steps));
        }
        put.map(|()| path)
    }

    /// Drops what is on record now.
    pub(super) fn drop_taken(&self, names: &[String]) {
        if names.is_empty() {
            return;
        }
        self.in_memory().retain(|(name, _)| !names.contains(name));
        for name in names {
            let _ = fs::remove_file(self.directory.join(name));
        }
        // Fails while it is not empty. A directory that is not there costs a claim one system call.
        let _ = fs::remove_dir(&self.directory);
    }

    /// All that waits, by name.
    pub(super) fn kept(&self) -> Vec<(String, Vec<UnsettledStep>)> {
        let mut kept = self.in_memory().clone();
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with(&self.prefix) || !name.ends_with(ENDING) {
                continue;
            }
            let read = regular::read(&entry.path(), LONGEST);
            match read.map(|text| serde_json::from_slice(&text)) {
                Ok(Ok(steps)) => kept.push((name, steps)),
                // Another process has taken it in.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                _ => tracing::error!(
                    file = %entry.path().display(),
                    "how steps ended cannot be read; they may be done again"
                ),
            }
        }
        kept
    }

    fn in_memory(&self) -> MutexGuard<'_, Vec<(String, Vec<UnsettledStep>)>> {
        self.in_memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
