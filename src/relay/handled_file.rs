//! One file of a spool from claim to end: its messages are delivered, and it is removed, put back
//! or failed.
//!
//! Not here: claiming (`intake/spool`) and what becomes of a message (`deliver`). Invariant:
//! nothing that goes wrong with a file leaves `handle`.

use super::file_backoff::FileBackoff;
use crate::clock::{self, HOUR};
use crate::deliver::deliver;
use crate::error::{Context, Error, Result};
use crate::house::House;
use crate::intake::formats::{self, FiledMessage};
use crate::intake::spool::{Claim, Spool};
use crate::mail::{Content, KeptCopy, Key, Mail};
use crate::plan::Verdict;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Finished messages that the journal forgets together.
const FORGOTTEN_TOGETHER: usize = 256;

/// What the files of a run share.
pub(crate) struct Files<'a> {
    pub(crate) house: &'a House,
    pub(crate) spool: &'a Spool,
    pub(crate) messages: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) backoff: FileBackoff,
    /// Keys of messages whose file is gone: the journal need not know them any more.
    gone: Mutex<Vec<String>>,
}

/// What became of the messages in a file.
enum End {
    /// Every one is handled; these keys are in the journal.
    Handled(Vec<String>),
    /// The only one is to be tried again, for this reason.
    Deferred(String),
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
        }
    }

    pub(crate) fn handle(&self, claim: &Claim) {
        let handled = catch_unwind(AssertUnwindSafe(|| self.deliver_all(claim)));
        let ended = match handled {
            Ok(Ok(End::Handled(keys))) => self.spool.remove(claim).and_then(|()| self.forget(keys)),
            Ok(Ok(End::Deferred(reason))) => self.defer(claim, &reason),
            Ok(Err(error)) => self.fail(claim, &error.to_string()),
            Err(_) => self.fail(claim, "carom failed on this message: please report it with the file"),
        };
        if let Err(error) = ended {
            tracing::error!(%error, file = claim.name, "the file stays claimed until the next run");
        }
    }

    fn deliver_all(&self, claim: &Claim) -> Result<End> {
        let file = self.read(claim)?;
        let parts = formats::parts(&file);
        let single = parts.len() == 1;
        let (mut keys, mut deferred) = (Vec::with_capacity(parts.len()), Vec::new());
        let mut last: Option<(&FiledMessage, Arc<Content>)> = None;
        for (index, part) in parts.iter().enumerate() {
            // Recipients of one message follow each other: its bytes are parsed once.
            let content = match &last {
                Some((before, content)) if before.is_same_message(part) => content.clone(),
                _ => Content::read(Arc::new(part.bytes(&file))),
            };
            last = Some((part, content.clone()));
            let key = if single { claim.key.clone() } else { format!("{}.{index}", claim.key) };
            let mut mail = self.mail(claim, part, content, key.clone());
            match deliver(self.house, &mut mail, self.house.deadline(), &|_| ()) {
                Verdict::Defer(reply) => deferred.push((part, reply.text)),
                Verdict::Accept | Verdict::Reject(_) => {
                    self.messages.fetch_add(1, Relaxed);
                    keys.push(key);
                }
            }
        }
        if let ([(_, reason)], true) = (&*deferred, single) {
            return Ok(End::Deferred(reason.clone()));
        }
        for (part, reason) in &deferred {
            let recipient = &part.envelope.recipient;
            tracing::info!(file = claim.name, recipient, reason, "deferred");
            self.backoff.defer(self.spool.write_back(claim, &pickup(part, &file))?);
        }
        Ok(End::Handled(keys))
    }

    fn read(&self, claim: &Claim) -> Result<Vec<u8>> {
        let limit = self.house.config.message.max_size;
        let size = std::fs::metadata(&claim.path).context(claim.path.display())?.len();
        if size > limit {
            return Err(Error::new(format_args!("{size} bytes are more than [message] max_size = {limit}"))
                .remedy("raise it and move the file back"));
        }
        std::fs::read(&claim.path).context(claim.path.display())
    }

    fn mail(&self, claim: &Claim, part: &FiledMessage, content: Arc<Content>, key: String) -> Mail {
        Mail {
            content,
            envelope: part.envelope.clone(),
            key: Key::of_claim(key),
            seed: fastrand::u64(..),
            at_ms: clock::now_ms(),
            keep: Some(KeptCopy { directory: self.spool.done().to_owned(), name: claim.name.clone() }),
        }
    }

    /// Puts the file back to be tried again, or gives it up after `[relay] give_up_hours`.
    fn defer(&self, claim: &Claim, reason: &str) -> Result<()> {
        if self.spool.age(claim) > HOUR * self.house.config.relay.give_up_hours {
            return self.fail(claim, &format!("deferred for too long; last: {reason}"));
        }
        tracing::info!(file = claim.name, reason, "deferred");
        self.backoff.defer(self.spool.put_back(claim)?);
        Ok(())
    }

    fn fail(&self, claim: &Claim, reason: &str) -> Result<()> {
        tracing::error!(file = claim.name, reason, "failed");
        self.failed.fetch_add(1, Relaxed);
        self.spool.fail(claim, reason)
    }

    /// Lets the journal forget these messages, many in one transaction.
    fn forget(&self, keys: Vec<String>) -> Result<()> {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.extend(keys);
        if gone.len() < FORGOTTEN_TOGETHER {
            return Ok(());
        }
        let keys = std::mem::take(&mut *gone);
        drop(gone);
        self.house.store.forget(&keys)
    }

    /// Lets the journal forget what is left.
    pub(crate) fn forget_all(&self) -> Result<()> {
        let gone = std::mem::take(&mut *self.gone.lock().unwrap_or_else(PoisonError::into_inner));
        self.house.store.forget(&gone)
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
