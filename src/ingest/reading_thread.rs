//! A long log: one thread reads, correlates and counts while another, which has the database,
//! classifies and writes.
//!
//! Not here: what each of them does (`log_lines`, `delivery_writer`). Invariant: deliveries and
//! messages for the shelf come in the order in which they were sent, through one channel, and a few
//! of them wait at most. When one thread fails, the other one ends.

use super::correlated_piece::CorrelatedPiece;
use super::delivery_counter::ChangedDeliveries;
use super::log_lines::{BytesRead, LogLines};
use super::log_reader::LogReader;
use crate::error::{Context, Error, Result};
use crate::index::{QueueIds, Shelved};
use crate::maillog::correlate::{QueuedMessage, Shelf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Builder};

/// Pieces that wait to be written: of long replies, each takes some MB.
const WAITING: usize = 2;

/// What the reading thread sends.
enum Sent {
    Changed(ChangedDeliveries, BytesRead),
    Shelve(Box<QueuedMessage>),
    /// Asks for a message on the shelf.
    Take {
        host: Box<str>,
        queue_id: Box<str>,
        answer: SyncSender<Option<QueuedMessage>>,
    },
}

/// Reads to the end of the transaction; returns whether there may be more. `known` are the queue
/// ids on the shelf.
pub(crate) fn read<'i>(
    reader: &mut LogReader<'i>,
    piece: &mut CorrelatedPiece<'i>,
    lines: LogLines<'_>,
    known: QueueIds,
) -> Result<bool> {
    let mut counter = reader.take_counter();
    let CorrelatedPiece { batch, shelf, correlator } = piece;
    let (more, counter) = thread::scope(|scope| {
        let (send, sent) = sync_channel(WAITING);
        let read = move || {
            let mut shelf = SentShelf { known, send: send.clone() };
            let more = lines.read(correlator, &mut shelf, &mut counter, |changed, read| {
                send.send(Sent::Changed(changed, read)).map_err(|_| Error::new("writing has ended"))
            })?;
            Ok((more, counter))
        };
        let reading = Builder::new().spawn_scoped(scope, read).context("a thread that reads a log")?;
        let written = write(sent, shelf, |changed, read| {
            reader.write(batch, changed, read.memory)?;
            reader.show_progress(read.bytes, read.ahead);
            Ok(())
        });
        let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and(read)
    })?;
    reader.give_back(counter);
    Ok(more)
}

/// Takes what is sent, until there is no more or a fault.
fn write(
    sent: Receiver<Sent>,
    shelf: &mut Shelved<'_>,
    mut take: impl FnMut(ChangedDeliveries, BytesRead) -> Result<()>,
) -> Result<()> {
    for one in sent {
        match one {
            Sent::Changed(changed, read) => take(changed, read)?,
            Sent::Shelve(message) => shelf.put(*message),
            Sent::Take { host, queue_id, answer } => {
                // Nobody waits if the other thread has ended.
                let _ = answer.send(shelf.take(&host, &queue_id));
            }
        }
    }
    Ok(())
}

/// The shelf, as the reading thread has it.
struct SentShelf {
    known: QueueIds,
    send: SyncSender<Sent>,
}

impl Shelf for SentShelf {
    fn put(&mut self, message: QueuedMessage) {
        self.known.note(&message);
        // If nobody takes it, the transaction fails.
        let _ = self.send.send(Sent::Shelve(Box::new(message)));
    }

    fn take(&mut self, host: &str, queue_id: &str) -> Option<QueuedMessage> {
        if !self.known.may_have(queue_id) {
            return None;
        }
        let (answer, answered) = sync_channel(1);
        let (host, queue_id) = (host.into(), queue_id.into());
        self.send.send(Sent::Take { host, queue_id, answer }).ok()?;
        answered.recv().ok()?
    }
}
