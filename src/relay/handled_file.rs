//! One claimed file of a spool: it is read, and in the end removed, put back or failed.
//!
//! Not here: claiming (`intake/spool`), and what becomes of its messages (`worker`). Invariants:
//! nothing that goes wrong with a file leaves this module; a file goes only when the journal needs
//! it no more, and the journal forgets its messages only once it is durably gone; what fails for a
//! fault of ours is tried again, and only a message that cannot be handled goes to `failed`.

use super::file_backoff::FileBackoff;
use crate::clock::{self, HOUR};
use crate::deadline::Deadline;
use crate::envelope::Envelope;
use crate::error::{Error, Result};
use crate::files::regular;
use crate::house::House;
use crate::intake::claim::Claim;
use crate::intake::formats::{self, FiledMessage};
use crate::intake::spool::Spool;
use crate::mail::{Content, KeptCopy, Key, Mail, MessageFile};
use crate::store::Tally;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Finished messages that the journal forgets together.
const FORGOTTEN_TOGETHER: usize = 8192;

/// How long a file is held before it is tried again.
const HELD_FOR: Duration = Duration::from_secs(10);

/// Octets of a file in `failed` that are read for its envelopes, and lines about it at most.
const READ_OF_FAILED: u64 = 64 << 10;
const MOST_FAILED: usize = 100;

/// What the files of a run share.
pub(crate) struct Files<'a> {
    pub(crate) house: &'a House,
    pub(crate) spool: &'a Spool,
    pub(crate) messages: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) backoff: FileBackoff,
    /// Keys of messages whose file is gone: the journal need not know them any more.
    gone: Mutex<Vec<String>>,
    /// What was counted for the messages.
    counted: Mutex<Tally>,
    /// Files that stay claimed for now, because something of ours failed, and since when.
    held: Mutex<Vec<(Instant, Claim)>>,
    /// What failed.
    fault: Mutex<Option<String>>,
    /// The first file that could not be claimed: the run ends with it.
    end: Mutex<Option<Error>>,
}

/// A file that is ours.
pub(crate) struct ClaimedFile {
    pub(crate) claim: Claim,
    /// An earlier run has claimed it, and may have promised something about it.
    pub(crate) orphan: bool,
    pub(crate) size: u64,
}

/// Why no message was read from a file.
pub(crate) enum Unopened {
    /// This process or the system is short of something, and the file may be right.
    Short(Error),
    /// The file is not one that can be handled.
    Unfit(Error),
}

impl ClaimedFile {
    pub(crate) fn new(claim: Claim, orphan: bool) -> ClaimedFile {
        let size = std::fs::symlink_metadata(&claim.path).map_or(0, |metadata| metadata.len());
        ClaimedFile { claim, orphan, size }
    }
}

impl<'a> Files<'a> {
    pub(crate) fn new(house: &'a House, spool: &'a Spool) -> Files<'a> {
        Files {
            house,
            spool,
            messages: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            backoff: FileBackoff::default(),
            gone: Mutex::default(),
            counted: Mutex::default(),
            held: Mutex::default(),
            fault: Mutex::default(),
            end: Mutex::default(),
        }
    }

    pub(crate) fn read(&self, file: &ClaimedFile) -> Result<Vec<u8>, Unopened> {
        let (limit, size) = (self.house.config.message.max_size, file.size);
        let too_large = |size: u64| {
            let what = format_args!("{size} bytes are more than [message] max_size = {limit}");
            Err(Unopened::Unfit(Error::new(what).remedy("raise it and move the file back")))
        };
        if size > limit {
            return too_large(size);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        // Not more than the budget of memory has room for, if the file grows.
        let read = regular::open_no_link(&file.claim.path)
            .and_then(|opened| opened.take(limit.saturating_add(1)).read_to_end(&mut bytes));
        if let Err(error) = read {
            let is_ours = regular::is_shortage(&error);
            let error = Error::new(format_args!("{}: {error}", file.claim.path.display()));
            return Err(if is_ours { Unopened::Short(error) } else { Unopened::Unfit(error) });
        }
        match bytes.len() as u64 {
            size if size > limit => too_large(size),
            _ => Ok(bytes),
        }
    }

    /// A message of a file that has `length` bytes. If the file holds it as it is, its bytes need
    /// not be kept elsewhere.
    pub(crate) fn mail(
        &self,
        file: &ClaimedFile,
        length: usize,
        part: &FiledMessage,
        content: Arc<Content>,
        key: String,
    ) -> Mail {
        let path = file.claim.path.to_str().filter(|_| part.is_rest_of(length));
        let path = path.map(|path| MessageFile { path: path.to_owned(), begins: part.range.start as u64 });
        let mail = Mail {
            content,
            envelope: part.envelope.clone(),
            key: Key::of_claim(key, !file.orphan),
            seed: fastrand::u64(..),
            at_ms: clock::now_ms(),
            keep: Some(KeptCopy { directory: self.spool.done().to_owned(), name: file.claim.name.clone() }),
            file: path,
        };
        mail.seeded_by(self.house.config.message.seed.as_deref())
    }

    /// Every message of the file is handled; these keys may be in the journal.
    pub(crate) fn finish(&self, claim: &Claim, keys: impl Iterator<Item = String>) {
        match self.spool.remove(claim) {
            Ok(()) => self.forget(keys),
            Err(error) => self.hold(claim, &error),
        }
    }

    /// Puts the file back to be tried again, or gives it up after `[relay] give_up_hours`.
    pub(crate) fn defer(&self, claim: &Claim, reason: &str) {
        if self.spool.age(claim) > HOUR * self.house.config.relay.give_up_hours {
            return self.fail(claim, &format!("deferred for too long; last: {reason}"));
        }
        tracing::info!(file = claim.name, reason, "deferred");
        match self.spool.put_back(claim) {
            Ok(path) => self.backoff.defer(path),
            Err(error) => self.hold(claim, &error),
        }
    }

    pub(crate) fn fail(&self, claim: &Claim, reason: &str) {
        tracing::error!(file = claim.name, reason, "failed");
        let envelopes = envelopes_of(claim);
        match self.spool.fail(claim, reason) {
            Ok(()) => {
                self.failed.fetch_add(1, Relaxed);
                let why = format!("its file is in {}: {reason}", self.spool.failed().display());
                self.house.log.append_failed(&claim.key, &envelopes, &claim.name, &why);
            }
            Err(error) => self.hold(claim, &error),
        }
    }

    /// The messages with these places in the file are to be tried again: the file is left with them
    /// alone. `keys` are of all its messages.
    pub(crate) fn leave(
        &self,
        claim: &Claim,
        file: &[u8],
        left: &[usize],
        reason: &str,
        keys: impl Iterator<Item = String>,
    ) {
        let is_left = |index: usize| left.binary_search(&index).is_ok();
        match self.spool.replace(claim, |into| formats::write_left(file, is_left, into)) {
            Err(error) => self.hold(claim, &error),
            Ok(next) => match self.spool.remove_replaced(claim) {
                Err(error) => {
                    self.note_fault(error.to_string());
                    tracing::error!(%error, file = claim.name, "the file stays claimed until the next run");
                }
                Ok(()) => {
                    self.forget(keys);
                    self.defer(&next, reason);
                }
            },
        }
    }

    /// Something of ours failed: the file stays claimed and is tried again later, or by the next
    /// run.
    pub(crate) fn hold(&self, claim: &Claim, error: &Error) {
        tracing::error!(%error, file = claim.name, "the file stays claimed and is tried again");
        self.note_fault(error.to_string());
        locked(&self.held).push((Instant::now(), claim.clone()));
    }

    /// The files that were held for some time.
    pub(crate) fn take_held(&self) -> Vec<Claim> {
        let mut held = locked(&self.held);
        held.extract_if(.., |(since, _)| since.elapsed() >= HELD_FOR).map(|(_, claim)| claim).collect()
    }

    pub(crate) fn held(&self) -> usize {
        locked(&self.held).len()
    }

    pub(crate) fn note_fault(&self, what: String) {
        locked(&self.fault).get_or_insert(what);
    }

    /// The first fault of ours that has left a file.
    pub(crate) fn fault(&self) -> Option<String> {
        locked(&self.fault).clone()
    }

    pub(crate) fn count(&self, counted: &Tally) {
        locked(&self.counted).add_all(counted);
    }

    pub(crate) fn counted(&self) -> Tally {
        locked(&self.counted).clone()
    }

    /// Lets the journal forget these messages, many in one transaction.
    fn forget(&self, keys: impl Iterator<Item = String>) {
        for key in keys {
            let mut gone = locked(&self.gone);
            gone.push(key);
            if gone.len() < FORGOTTEN_TOGETHER {
                continue;
            }
            let keys = std::mem::take(&mut *gone);
            drop(gone);
            if let Err(error) = self.forget_these(keys) {
                tracing::warn!(%error, "finished messages stay in the journal for ten days");
            }
        }
    }

    /// Lets the journal forget what is left.
    pub(crate) fn forget_all(&self) -> Result<()> {
        let gone = std::mem::take(&mut *locked(&self.gone));
        self.forget_these(gone)
    }

    /// The store takes what the message log has on record first: these keys count without a row.
    fn forget_these(&self, keys: Vec<String>) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        // A file that came back after a power cut would be a new message.
        self.spool.sync()?;
        let House { log, store, .. } = self.house;
        log.fold_gone(store, &keys.iter().cloned().collect(), Deadline::after(super::FOLDING))?;
        store.forget(&keys)
    }

    /// No file can be claimed.
    pub(crate) fn stop_for(&self, error: Error) {
        locked(&self.end).get_or_insert(error);
    }

    pub(crate) fn end(&self) -> Option<Error> {
        locked(&self.end).take()
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The envelopes of the first messages in a file, as far as its beginning says them; without one,
/// an empty one.
fn envelopes_of(claim: &Claim) -> Vec<Envelope> {
    let mut start = Vec::new();
    let read =
        regular::open_no_link(&claim.path).and_then(|file| file.take(READ_OF_FAILED).read_to_end(&mut start));
    if let Err(error) = read {
        tracing::debug!(%error, file = claim.name, "nothing is known of its messages");
    }
    let mut envelopes: Vec<Envelope> =
        formats::messages(&start).take(MOST_FAILED).map(|message| message.envelope).collect();
    if envelopes.is_empty() {
        envelopes.push(Envelope::default());
    }
    envelopes
}
