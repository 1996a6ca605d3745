//! One claimed file of a spool: it is read, and in the end removed, put back or failed.
//!
//! Not here: claiming (`intake/spool`), and what becomes of its messages (`worker`). Invariant:
//! nothing that goes wrong with a file leaves this module; a file goes only when the journal needs
//! it no more.

use super::file_backoff::FileBackoff;
use super::memory_budget::MemoryBudget;
use crate::clock::{self, HOUR};
use crate::deadline::Deadline;
use crate::error::{Context, Error, Result};
use crate::files::regular;
use crate::house::House;
use crate::intake::formats::FiledMessage;
use crate::intake::spool::{Claim, Spool};
use crate::mail::{Content, KeptCopy, Key, Mail, MessageFile};
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Finished messages that the journal forgets together.
const FORGOTTEN_TOGETHER: usize = 8192;

/// Time for records of the message log that are new to the store.
const FOLDING: Duration = Duration::from_secs(60);

/// Bytes for messages in work: what a process of 256 MB has left besides its policy and its store.
const BUDGET: u64 = 160 << 20;

/// What the files of a run share.
pub(crate) struct Files<'a> {
    pub(crate) house: &'a House,
    pub(crate) spool: &'a Spool,
    pub(crate) messages: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) backoff: FileBackoff,
    pub(crate) memory: MemoryBudget,
    /// Keys of messages whose file is gone: the journal need not know them any more.
    gone: Mutex<Vec<String>>,
    /// The first file that could not be claimed: the run ends with it.
    fault: Mutex<Option<Error>>,
}

/// A file that is ours.
pub(crate) struct ClaimedFile {
    pub(crate) claim: Claim,
    /// An earlier run has claimed it, and may have promised something about it.
    pub(crate) orphan: bool,
    pub(crate) size: u64,
}

impl ClaimedFile {
    pub(crate) fn new(claim: Claim, orphan: bool) -> ClaimedFile {
        let size = std::fs::metadata(&claim.path).map_or(0, |metadata| metadata.len());
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
            memory: MemoryBudget::new(BUDGET),
            gone: Mutex::default(),
            fault: Mutex::default(),
        }
    }

    pub(crate) fn read(&self, file: &ClaimedFile) -> Result<Vec<u8>> {
        let (limit, size) = (self.house.config.message.max_size, file.size);
        if size > limit {
            return Err(Error::new(format_args!("{size} bytes are more than [message] max_size = {limit}"))
                .remedy("raise it and move the file back"));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        // Not more than the budget of memory has room for, if the file grows.
        let read = regular::open_no_link(&file.claim.path)
            .and_then(|opened| opened.take(limit.saturating_add(1)).read_to_end(&mut bytes));
        read.map(|_| bytes).context(file.claim.path.display())
    }

    /// The only message of a file. The file is durable: its bytes need not be kept elsewhere.
    pub(crate) fn only_mail(&self, file: &ClaimedFile, part: &FiledMessage, content: Arc<Content>) -> Mail {
        let path = file.claim.path.to_str().filter(|_| !part.quoted);
        let path = path.map(|path| MessageFile { path: path.to_owned(), begins: part.range.start as u64 });
        Mail { file: path, ..self.mail(file, part, content, file.claim.key.clone()) }
    }

    pub(crate) fn mail(
        &self,
        file: &ClaimedFile,
        part: &FiledMessage,
        content: Arc<Content>,
        key: String,
    ) -> Mail {
        Mail {
            content,
            envelope: part.envelope.clone(),
            key: Key::of_claim(key, !file.orphan),
            seed: fastrand::u64(..),
            at_ms: clock::now_ms(),
            keep: Some(KeptCopy { directory: self.spool.done().to_owned(), name: file.claim.name.clone() }),
            file: None,
        }
    }

    /// Every message of the file is handled; these keys may be in the journal.
    pub(crate) fn finish(&self, claim: &Claim, keys: Vec<String>) {
        match self.spool.remove(claim) {
            Ok(()) => self.forget(keys).unwrap_or_else(|error| {
                tracing::warn!(%error, "finished messages stay in the journal for ten days");
            }),
            removed => self.complain(claim, removed),
        }
    }

    /// Puts the file back to be tried again, or gives it up after `[relay] give_up_hours`.
    pub(crate) fn defer(&self, claim: &Claim, reason: &str) {
        if self.spool.age(claim) > HOUR * self.house.config.relay.give_up_hours {
            return self.fail(claim, &format!("deferred for too long; last: {reason}"));
        }
        tracing::info!(file = claim.name, reason, "deferred");
        let put_back = self.spool.put_back(claim).map(|path| self.backoff.defer(path));
        self.complain(claim, put_back);
    }

    pub(crate) fn fail(&self, claim: &Claim, reason: &str) {
        tracing::error!(file = claim.name, reason, "failed");
        self.failed.fetch_add(1, Relaxed);
        self.complain(claim, self.spool.fail(claim, reason));
    }

    /// One message of a file with several is to be tried again: it gets its own file.
    pub(crate) fn write_back(
        &self,
        claim: &Claim,
        part: &FiledMessage,
        file: &[u8],
        reason: &str,
    ) -> Result<()> {
        let recipient = &part.envelope.recipient;
        tracing::info!(file = claim.name, recipient, reason, "deferred");
        self.backoff.defer(self.spool.write_back(claim, &pickup(part, file))?);
        Ok(())
    }

    fn complain(&self, claim: &Claim, ended: Result<()>) {
        if let Err(error) = ended {
            tracing::error!(%error, file = claim.name, "the file stays claimed until the next run");
        }
    }

    /// Lets the journal forget these messages, many in one transaction.
    fn forget(&self, keys: Vec<String>) -> Result<()> {
        let mut gone = self.gone();
        gone.extend(keys);
        if gone.len() < FORGOTTEN_TOGETHER {
            return Ok(());
        }
        let keys = std::mem::take(&mut *gone);
        drop(gone);
        self.forget_these(keys)
    }

    /// Lets the journal forget what is left.
    pub(crate) fn forget_all(&self) -> Result<()> {
        let gone = std::mem::take(&mut *self.gone());
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
        log.fold_gone(store, &keys.iter().cloned().collect(), Deadline::after(FOLDING))?;
        store.forget(&keys)
    }

    fn gone(&self) -> MutexGuard<'_, Vec<String>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No file can be claimed.
    pub(crate) fn stop_for(&self, error: Error) {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(crate) fn fault(&self) -> Option<Error> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// One message of a file with several, in its own file: PowerMTA's newfile-pickup.
fn pickup(part: &FiledMessage, file: &[u8]) -> Vec<u8> {
    let envelope = &part.envelope;
    let mut written =
        format!("x-sender: {}\r\nx-receiver: {}\r\n", envelope.sender, envelope.recipient).into_bytes();
    written.extend_from_slice(&part.bytes(file));
    written
}
