//! A batch: files that one worker claims for itself. Each is decided alone, and all go down the
//! road together.
//!
//! Not here: which files wait (`work_queue`), the road (`deliver`), and a file's end
//! (`handled_file`). Invariant: what goes wrong with one message of a batch touches no other.

use super::handled_file::{ClaimedFile, Files, Unopened};
use super::work_queue::{QueuedFile, WorkQueue};
use crate::deliver::{self, Asked, Carried, OnPromised};
use crate::error::Error;
use crate::intake::claim::Claim;
use crate::intake::formats::{self, FiledMessage, FiledMessages};
use crate::mail::{Content, Mail};
use crate::memory::{MemoryBudget, Room};
use crate::plan::Verdict;
use crate::policy::Policy;
use crate::redelivery;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Messages of one file that go down the road together at most.
const TOGETHER: usize = 64;
/// Memory for that, if there is some.
const TOGETHER_BYTES: u64 = 8 << 20;
/// A batch is closed after this time: what is decided waits no longer for what comes after it.
const OPEN_FOR: Duration = Duration::from_millis(100);

/// Nobody waits for a verdict.
const UNHEARD: OnPromised<'_> = &|_, _, _| ();

const DEFECT: &str = "carom failed on this message: please report it with the file";

/// Files with one message each, decided.
#[derive(Default)]
struct ClaimedBatch<'b> {
    asked: Vec<Asked>,
    files: Vec<(ClaimedFile, Room<'b>)>,
}

/// A file with several messages, or several recipients.
struct Several<'b> {
    file: ClaimedFile,
    bytes: Vec<u8>,
    _room: Room<'b>,
}

/// Why no more files are added to a batch.
enum Closed<'b> {
    Full,
    /// There is no memory for this file now.
    NoRoom(ClaimedFile),
    Several(Several<'b>),
}

/// What a file holds.
enum Opened {
    One(Box<Asked>),
    Several(Vec<u8>),
}

impl Files<'_> {
    /// Works until the queue is closed.
    pub(super) fn work(&self, queue: &WorkQueue, progress: &(dyn Fn(u64) + Sync)) {
        while let Some((first, share)) = queue.wait() {
            let mut next = self.claim(first);
            loop {
                let policy = self.house.policy();
                let mut batch = ClaimedBatch::default();
                let closed = self.fill(&mut batch, next.take(), share, queue, &policy);
                self.carry(&policy, batch, progress);
                match closed {
                    Closed::Full => break,
                    Closed::NoRoom(file) => next = Some(file),
                    Closed::Several(several) => {
                        self.carry_several(&policy, several);
                        progress(self.messages.load(Relaxed));
                        break;
                    }
                }
            }
            queue.done();
        }
    }

    /// `None`: another process has the file, or it cannot be claimed.
    fn claim(&self, waiting: QueuedFile) -> Option<ClaimedFile> {
        match waiting {
            QueuedFile::Orphan(claim) => Some(ClaimedFile::new(claim, true)),
            QueuedFile::File(path) => match self.spool.claim(&path) {
                Ok(claimed) => claimed.map(|claim| ClaimedFile::new(claim, false)),
                Err(error) => {
                    self.stop_for(error);
                    None
                }
            },
        }
    }

    /// Claims and decides files until `share` are in the batch.
    fn fill<'b>(
        &'b self,
        batch: &mut ClaimedBatch<'b>,
        mut first: Option<ClaimedFile>,
        share: usize,
        queue: &WorkQueue,
        policy: &Policy,
    ) -> Closed<'b> {
        let began = Instant::now();
        while batch.files.len() < share && (batch.files.is_empty() || began.elapsed() < OPEN_FOR) {
            let file = match first.take() {
                Some(file) => file,
                None => match queue.take() {
                    None => break,
                    Some(waiting) => match self.claim(waiting) {
                        None => continue,
                        Some(file) => file,
                    },
                },
            };
            let bytes = MemoryBudget::needed_by(file.size);
            let room = match batch.files.is_empty() {
                true => self.house.doors.memory.take(bytes),
                false => match self.house.doors.memory.try_take(bytes) {
                    Some(room) => room,
                    None => return Closed::NoRoom(file),
                },
            };
            match catch_unwind(AssertUnwindSafe(|| self.open(&file, policy))) {
                Ok(Ok(Opened::One(asked))) => {
                    batch.asked.push(*asked);
                    batch.files.push((file, room));
                }
                Ok(Ok(Opened::Several(bytes))) => {
                    return Closed::Several(Several { file, bytes, _room: room });
                }
                Ok(Err(Unopened::Short(error))) => self.hold(&file.claim, &error),
                Ok(Err(Unopened::Unfit(error))) => self.fail(&file.claim, &error.to_string()),
                Err(_) => self.fail(&file.claim, DEFECT),
            }
        }
        Closed::Full
    }

    fn open(&self, file: &ClaimedFile, policy: &Policy) -> Result<Opened, Unopened> {
        let bytes = self.read(file)?;
        if bytes.is_empty() {
            return Err(Unopened::Unfit(Error::new("the file is empty: it holds no message")));
        }
        let mut messages = formats::messages(&bytes);
        let (Some(only), None) = (messages.next(), messages.next()) else {
            return Ok(Opened::Several(bytes));
        };
        drop(messages);
        let length = bytes.len();
        let whole = only.range.start == 0 && only.is_rest_of(length);
        let raw = if whole { bytes } else { only.bytes(&bytes) };
        let content = Content::read(Arc::new(raw));
        // Whatever somebody has put there by mistake would be gone once it is handled.
        if whole && content.message(|message| message.raw_fields().is_empty()) {
            let what = "the file has neither a header nor x-receiver lines: it is not a message";
            return Err(Unopened::Unfit(Error::new(what)));
        }
        let mail = self.mail(file, length, &only, content, file.claim.key.clone());
        Ok(Opened::One(Box::new(self.ask(mail, policy))))
    }

    fn ask(&self, mail: Mail, policy: &Policy) -> Asked {
        let deadline = self.house.deadline();
        match redelivery::earlier(&self.house.log, &self.house.store, &mail, deadline) {
            Some(earlier) => deliver::recognized(self.house, mail, earlier, deadline),
            None => deliver::ask_about(self.house, policy, mail, deadline),
        }
    }

    fn carry(&self, policy: &Policy, batch: ClaimedBatch<'_>, progress: &(dyn Fn(u64) + Sync)) {
        let ClaimedBatch { asked, files } = batch;
        if !self.are_durable(files.iter().map(|(file, _)| file)) {
            return;
        }
        let mut ended = |carried: Carried| {
            let claim = &files[carried.index].0.claim;
            match self.note(&carried) {
                Some(reason) => self.defer(claim, reason),
                None => self.finish_if(carried.on_record, claim, std::iter::once(claim.key.clone())),
            }
            progress(self.messages.load(Relaxed));
        };
        let deadline = self.house.deadline();
        let carry = || deliver::carry(self.house, policy, asked, UNHEARD, deadline, &mut ended);
        if catch_unwind(AssertUnwindSafe(carry)).is_err() {
            tracing::error!(
                "carom failed on a batch: files that have not ended stay claimed until the next run"
            );
        }
    }

    /// Whether the claims survive a power cut. If not, the files are held.
    fn are_durable<'f>(&self, files: impl Iterator<Item = &'f ClaimedFile> + Clone) -> bool {
        let fresh = files.clone().filter(|file| !file.orphan).map(|file| &file.claim);
        if fresh.clone().next().is_none() {
            return true;
        }
        let synced = self.spool.sync_claims(fresh);
        if let Err(error) = &synced {
            files.for_each(|file| self.hold(&file.claim, error));
        }
        synced.is_ok()
    }

    /// Counts a message that has come to its end; returns why it is deferred, if it is.
    fn note<'c>(&self, carried: &'c Carried) -> Option<&'c str> {
        self.count(&carried.counted);
        match &carried.verdict {
            Verdict::Defer(reply) => {
                if carried.fault {
                    self.note_fault(reply.text.clone());
                }
                Some(&reply.text)
            }
            Verdict::Accept | Verdict::Reject(_) => {
                self.messages.fetch_add(1, Relaxed);
                None
            }
        }
    }

    /// Removes the file, unless a step needs it that is not settled.
    fn finish_if(&self, on_record: bool, claim: &Claim, keys: impl Iterator<Item = String>) {
        match on_record {
            true => self.finish(claim, keys),
            false => self.hold(claim, &Error::new("a step that needs it is not on record")),
        }
    }

    /// The messages of one file, some at a time.
    fn carry_several(&self, policy: &Policy, several: Several<'_>) {
        if self.are_durable(std::iter::once(&several.file)) {
            let handled = catch_unwind(AssertUnwindSafe(|| self.several(policy, &several)));
            handled.unwrap_or_else(|_| self.fail(&several.file.claim, DEFECT));
        }
    }

    fn several(&self, policy: &Policy, several: &Several<'_>) {
        let Several { file, bytes, .. } = several;
        let extra = self.house.doors.memory.try_take(TOGETHER_BYTES);
        let share = file.size.saturating_mul(2) + extra.as_ref().map_or(0, Room::bytes);
        let key = |index: usize| format!("{}.{index}", file.claim.key);
        let (mut count, mut deferred, mut on_record) = (0, Vec::new(), true);
        let mut reason = String::new();
        let mut next = NextMessages { bytes, messages: formats::messages(bytes), last: None };
        loop {
            let (first, mut asked) = (count, Vec::new());
            next.take(share, self.house.config.send.max_original, |part, content| {
                let mail = self.mail(file, bytes.len(), part, content, key(count));
                asked.push(self.ask(mail, policy));
                count += 1;
            });
            if asked.is_empty() {
                break;
            }
            let deadline = self.house.deadline();
            deliver::carry(self.house, policy, asked, UNHEARD, deadline, &mut |carried| {
                on_record &= carried.on_record;
                if let Some(why) = self.note(&carried) {
                    tracing::info!(file = file.claim.name, message = first + carried.index, why, "deferred");
                    deferred.push(first + carried.index);
                    reason = why.to_owned();
                }
            });
        }
        deferred.sort_unstable();
        let keys = (0..count).map(key);
        if deferred.is_empty() || !on_record {
            self.finish_if(on_record, &file.claim, keys);
        } else if deferred.len() == count {
            self.defer(&file.claim, &reason);
        } else {
            self.leave(&file.claim, bytes, &deferred, &reason, keys);
        }
    }
}

/// The messages of a file that are still to be asked about.
struct NextMessages<'f> {
    bytes: &'f [u8],
    messages: FiledMessages<'f>,
    last: Option<(FiledMessage, Arc<Content>)>,
}

impl NextMessages<'_> {
    /// Gives some to `ask`: at least one, and no more than can be handled in `share` bytes of
    /// memory together. Recipients of one message follow each other: its bytes are parsed once.
    fn take(&mut self, share: u64, max_original: u64, mut ask: impl FnMut(&FiledMessage, Arc<Content>)) {
        let mut needed = 0;
        for _ in 0..TOGETHER {
            let Some(part) = self.messages.next() else { return };
            let size = part.range.len() as u64;
            let content = match &self.last {
                Some((before, content)) if before.is_same_message(&part) => {
                    needed += MemoryBudget::needed_by(size.min(max_original));
                    content.clone()
                }
                _ => {
                    needed += MemoryBudget::needed_by(size);
                    Content::read(Arc::new(part.bytes(self.bytes)))
                }
            };
            ask(&part, content.clone());
            self.last = Some((part, content));
            if needed > share {
                return;
            }
        }
    }
}
