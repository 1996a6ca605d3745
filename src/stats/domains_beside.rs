//! The recipient domains of a period, read by a thread of their own: they are about half of what
//! figures need.
//!
//! Not here: what is read of them (`groups`). Invariant: a thread has a connection of its own, and
//! ends with the scope; where the file cannot be opened twice, or no thread be started, nobody
//! reads beside.

use super::figures::GroupFigures;
use super::groups::{groups, groups_with};
use super::waiting::Waiting;
use crate::dimension::Dimension::RecipientDomain;
use crate::error::Result;
use crate::index::{Index, Stretch};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

pub(crate) struct DomainsBeside<'s> {
    index: &'s Index,
    stretches: &'s [Stretch],
    thread: Option<ReadingBeside<'s>>,
}

/// A thread that reads, and what tells it what waits.
struct ReadingBeside<'s> {
    tell: Sender<Arc<Waiting>>,
    thread: ScopedJoinHandle<'s, Result<Vec<GroupFigures>>>,
}

impl<'s> DomainsBeside<'s> {
    /// Begins to read. Without more, the thread ends when this value is dropped.
    pub(crate) fn begin<'e>(
        scope: &'s Scope<'s, 'e>,
        index: &'s Index,
        stretches: &'s [Stretch],
    ) -> DomainsBeside<'s> {
        let thread = index.beside().ok().and_then(|beside| {
            let (tell, told) = channel();
            let read = move || read(&beside, stretches, &told);
            let thread = Builder::new().name("domains".into()).spawn_scoped(scope, read).ok()?;
            Some(ReadingBeside { tell, thread })
        });
        DomainsBeside { index, stretches, thread }
    }

    /// Now it is known what waits.
    pub(crate) fn tell(&self, waiting: &Arc<Waiting>) {
        if let Some(beside) = &self.thread {
            // A thread that has failed says why when it ends.
            let _ = beside.tell.send(waiting.clone());
        }
    }

    /// What was read.
    pub(crate) fn end(self, waiting: &Waiting) -> Result<Vec<GroupFigures>> {
        match self.thread {
            Some(beside) => beside.thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            None => groups(self.index, self.stretches, RecipientDomain, waiting),
        }
    }
}

fn read(index: &Index, stretches: &[Stretch], told: &Receiver<Arc<Waiting>>) -> Result<Vec<GroupFigures>> {
    let sums = index.sums(stretches, RecipientDomain)?;
    match told.recv() {
        Ok(waiting) => groups_with(index, stretches, RecipientDomain, sums, &waiting),
        // The figures cannot be had.
        Err(_) => Ok(Vec::new()),
    }
}
