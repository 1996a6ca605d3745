//! A batch: files that one worker claims for itself. Each is decided alone, and all go down the
//! road together.
//!
//! Not here: which files wait (`work_queue`), the road (`deliver`), and a file's end
//! (`handled_file`). Invariant: what goes wrong with one message of a batch touches no other.

use super::handled_file::{ClaimedFile, Files};
use super::memory_budget::Room;
use super::work_queue::{QueuedFile, WorkQueue};
use crate::deliver::{self, Asked, Carried, Promised};
use crate::error::Result;
use crate::intake::formats::{self, FiledMessage};
use crate::mail::{Content, Mail};
use crate::plan::Verdict;
use crate::policy::Policy;
use crate::redelivery;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Messages of one file that go down the road together at most.
const TOGETHER: usize = 64;
/// A batch is closed after this time: what is decided waits no longer for what comes after it.
const OPEN_FOR: Duration = Duration::from_millis(100);

/// Nobody waits for a verdict.
const UNHEARD: Promised<'_> = &|_, _| ();

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
    parts: Vec<FiledMessage>,
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
    Several(Vec<u8>, Vec<FiledMessage>),
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
        first: Option<ClaimedFile>,
        share: usize,
        queue: &WorkQueue,
        policy: &Policy,
    ) -> Closed<'b> {
        let began = Instant::now();
        let mut first = first;
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
            // The file, its parsed form, the copy that DNS signatures are verified on, an answer.
            let bytes = file.size.saturating_mul(4) + (16 << 10);
            let room = match batch.files.is_empty() {
                true => self.memory.take(bytes),
                false => match self.memory.try_take(bytes) {
                    Some(room) => room,
                    None => return Closed::NoRoom(file),
                },
            };
            match catch_unwind(AssertUnwindSafe(|| self.open(&file, policy))) {
                Ok(Ok(Opened::One(asked))) => {
                    batch.asked.push(*asked);
                    batch.files.push((file, room));
                }
                Ok(Ok(Opened::Several(bytes, parts))) => {
                    return Closed::Several(Several { file, bytes, parts, _room: room });
                }
                Ok(Err(error)) => self.fail(&file.claim, &error.to_string()),
                Err(_) => self.fail(&file.claim, DEFECT),
            }
        }
        Closed::Full
    }

    fn open(&self, file: &ClaimedFile, policy: &Policy) -> Result<Opened> {
        let bytes = self.read(file)?;
        let parts = formats::parts(&bytes);
        let [only] = &*parts else { return Ok(Opened::Several(bytes, parts)) };
        let whole = !only.quoted && only.range == (0..bytes.len());
        let raw = if whole { bytes } else { only.bytes(&bytes) };
        let mail = self.only_mail(file, only, Content::read(Arc::new(raw)));
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
        let mut ended = |Carried { index, verdict, on_record, .. }: Carried| {
            let claim = &files[index].0.claim;
            match verdict {
                Verdict::Defer(reply) => self.defer(claim, &reply.text),
                Verdict::Accept | Verdict::Reject(_) => {
                    self.messages.fetch_add(1, Relaxed);
                    self.finish_if(on_record, claim, vec![claim.key.clone()]);
                }
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

    /// Removes the file, unless a step needs it that is not settled.
    fn finish_if(&self, on_record: bool, claim: &crate::intake::spool::Claim, keys: Vec<String>) {
        match on_record {
            true => self.finish(claim, keys),
            false => tracing::error!(file = claim.name, "the file stays claimed until the next run"),
        }
    }

    /// The messages of one file, some at a time.
    fn carry_several(&self, policy: &Policy, several: Several<'_>) {
        let handled = catch_unwind(AssertUnwindSafe(|| self.several(policy, &several)));
        match handled {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.fail(&several.file.claim, &error.to_string()),
            Err(_) => self.fail(&several.file.claim, DEFECT),
        }
    }

    fn several(&self, policy: &Policy, several: &Several<'_>) -> Result<()> {
        let Several { file, bytes, parts, .. } = several;
        let (mut keys, mut deferred, mut on_record) = (Vec::with_capacity(parts.len()), Vec::new(), true);
        let mut last: Option<(&FiledMessage, Arc<Content>)> = None;
        for (chunk, some) in parts.chunks(TOGETHER).enumerate() {
            let mut asked = Vec::with_capacity(some.len());
            for (index, part) in some.iter().enumerate() {
                // Recipients of one message follow each other: its bytes are parsed once.
                let content = match &last {
                    Some((before, content)) if before.is_same_message(part) => content.clone(),
                    _ => Content::read(Arc::new(part.bytes(bytes))),
                };
                last = Some((part, content.clone()));
                let key = format!("{}.{}", file.claim.key, chunk * TOGETHER + index);
                keys.push(key.clone());
                asked.push(self.ask(self.mail(file, part, content, key), policy));
            }
            let deadline = self.house.deadline();
            deliver::carry(
                self.house,
                policy,
                asked,
                UNHEARD,
                deadline,
                &mut |carried| match carried.verdict {
                    Verdict::Defer(reply) => deferred.push((&some[carried.index], reply.text)),
                    Verdict::Accept | Verdict::Reject(_) => {
                        self.messages.fetch_add(1, Relaxed);
                        on_record &= carried.on_record;
                    }
                },
            );
        }
        for (part, reason) in &deferred {
            self.write_back(&file.claim, part, bytes, reason)?;
        }
        self.finish_if(on_record, &file.claim, keys);
        Ok(())
    }
}
