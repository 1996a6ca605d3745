//! Messages without a queue id that clients hand in again, for a process that takes very many: what
//! `unanswered` keeps in a file for each message is a record in one file of the process.
//!
//! A record is written before anything else is done about a message, and cleared with its answer:
//! two writes, and no sync, because the page cache outlives a kill. A process holds its file
//! locked; the records of a dead one are taken over. What a power cut leaves is not believed.
//! Invariant: as many messages count as were answered, if clients hand in again what was not; the
//! records that stay are `MOST` at most.

use super::unanswered;
use crate::digest;
use crate::files::lock::{self, LockFile};
use crate::files::private;
use crate::mail::{Key, Mail};
use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of a record: a line as `unanswered` has it, and zeros.
const RECORD: usize = 80;
/// Records that stay because their messages come again.
const MOST: usize = 10_000;
/// How often the directory is looked at for files of others.
const EVERY: Duration = Duration::from_secs(5);

pub(crate) struct UnansweredSlots {
    directory: PathBuf,
    slots: Mutex<Slots>,
}

/// The record of a message in hand. It has to be `answered` or `left`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnansweredSlot {
    /// Its place in the file.
    number: u64,
    key: String,
    at_ms: i64,
}

/// The file of this process, which holds it locked.
struct OwnFile {
    path: PathBuf,
    lock: LockFile,
}

#[derive(Default)]
struct Slots {
    /// The file of this process.
    file: Option<Arc<OwnFile>>,
    /// Places in it: used so far, and free again.
    used: u64,
    free: Vec<u64>,
    /// Messages that come again, by what their key has in common with those of the same bytes.
    left: HashMap<String, Vec<UnansweredSlot>>,
    many_left: usize,
    /// Files of living processes, and when they were listed.
    others: Vec<PathBuf>,
    listed: Option<Instant>,
}

impl UnansweredSlots {
    pub(crate) fn new(state: &Path) -> UnansweredSlots {
        UnansweredSlots { directory: slots_in(state), slots: Mutex::default() }
    }

    /// Whether it is in this state directory.
    pub(crate) fn is_in(&self, state: &Path) -> bool {
        self.directory == slots_in(state)
    }

    /// Gives the message the key of an earlier delivery without an answer, if there was one.
    /// `None`: it has a queue id, or no record can be written, and then a kill makes it another
    /// message.
    pub(crate) fn begin(&self, mail: &mut Mail) -> Option<UnansweredSlot> {
        if mail.envelope.queue_id.is_some() {
            return None;
        }
        let mut slots = self.slots();
        self.take_over(&mut slots, mail.at_ms);
        if let Some(earlier) = slots.take_left(mail.key.shared()) {
            mail.key = Key::on_record(earlier.key.clone());
            return Some(earlier);
        }
        let place = self.take_place(&mut slots);
        // Sessions do not wait for each other's writes.
        drop(slots);
        let written = place.and_then(|(file, number)| {
            let written = file.put(number, mail.key.text(), mail.at_ms);
            written.inspect_err(|_| self.slots().free.push(number))
        });
        let warn = |error: &io::Error| {
            tracing::warn!(%error, "if this process is killed, the message may count twice");
        };
        written.inspect_err(warn).ok()
    }

    /// The client has the answer, and the message does not come again.
    pub(crate) fn answered(&self, one: UnansweredSlot) {
        self.clear(one.number);
    }

    /// The message comes again, for all that is known.
    pub(crate) fn left(&self, one: UnansweredSlot) {
        let mut slots = self.slots();
        if slots.many_left < MOST {
            slots.add_left(one);
        } else {
            drop(slots);
            tracing::warn!("too many messages are to come again: more of them count as new ones");
            self.clear(one.number);
        }
    }

    /// Forgets what clients hand in no more.
    pub(crate) fn look_around(&self, now_ms: i64) {
        let mut slots = self.slots();
        let all: Vec<UnansweredSlot> = std::mem::take(&mut slots.left).into_values().flatten().collect();
        slots.many_left = 0;
        let (stay, go): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|one| now_ms - one.at_ms <= unanswered::TRIED_FOR_MS);
        stay.into_iter().for_each(|one| slots.add_left(one));
        drop(slots);
        go.into_iter().for_each(|one| self.clear(one.number));
    }

    /// A place in the file without a record.
    fn take_place(&self, slots: &mut Slots) -> io::Result<(Arc<OwnFile>, u64)> {
        let file = match &slots.file {
            Some(file) => file.clone(),
            None => slots.file.insert(Arc::new(self.make_file()?)).clone(),
        };
        let number = slots.free.pop().unwrap_or_else(|| {
            slots.used += 1;
            slots.used - 1
        });
        Ok((file, number))
    }

    fn clear(&self, number: u64) {
        let Some(file) = self.slots().file.clone() else { return };
        if let Err(error) = file.write(number, &[0; RECORD]) {
            tracing::warn!(%error, "the next message of these bytes may not count");
        }
        self.slots().free.push(number);
    }

    fn make_file(&self) -> io::Result<OwnFile> {
        private::make_directory(&self.directory)?;
        let path = self.directory.join(digest::random_token(8));
        private::make_file(&path)?;
        let lock = lock::try_take_to_change(&path)?.ok_or(ErrorKind::WouldBlock)?;
        Ok(OwnFile { path, lock })
    }

    /// Takes over the records of processes that have died.
    fn take_over(&self, slots: &mut Slots, now_ms: i64) {
        if slots.listed.is_none_or(|at| at.elapsed() >= EVERY) {
            slots.listed = Some(Instant::now());
            let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
            let own = slots.file.as_ref().map(|own| &own.path);
            slots.others = entries.map(|entry| entry.path()).filter(|path| Some(path) != own).collect();
        }
        for path in std::mem::take(&mut slots.others) {
            match lock::try_take_to_change(&path) {
                Ok(Some(file)) => match self.copy(slots, file.file(), now_ms) {
                    Ok(()) => drop(fs::remove_file(&path)),
                    Err(error) => tracing::warn!(%error, "messages that come again may count twice"),
                },
                Ok(None) => slots.others.push(path),
                Err(_) => {}
            }
        }
    }

    /// Copies the records of a file.
    fn copy(&self, slots: &mut Slots, file: &fs::File, now_ms: i64) -> io::Result<()> {
        let mut records = Vec::new();
        file.take((MOST * 2 * RECORD) as u64).read_to_end(&mut records)?;
        let about = file.metadata()?;
        for record in records.chunks(RECORD) {
            let end = record.iter().position(|byte| *byte == 0).unwrap_or(record.len());
            let text = String::from_utf8_lossy(&record[..end]);
            let Some(key) = unanswered::key_in(&text, &about, now_ms) else { continue };
            if slots.many_left < MOST && !slots.has_left(key) {
                let (file, number) = self.take_place(slots)?;
                let put = file.put(number, key, now_ms).inspect_err(|_| slots.free.push(number))?;
                slots.add_left(put);
            }
        }
        Ok(())
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OwnFile {
    /// Writes the record of a message in this place.
    fn put(&self, number: u64, key: &str, at_ms: i64) -> io::Result<UnansweredSlot> {
        let mut record = format!("{key} {at_ms}\n").into_bytes();
        record.resize(RECORD, 0);
        self.write(number, &record)?;
        Ok(UnansweredSlot { number, key: key.to_owned(), at_ms })
    }

    fn write(&self, number: u64, record: &[u8]) -> io::Result<()> {
        self.lock.file().write_all_at(record, number * RECORD as u64)
    }
}

impl Slots {
    fn add_left(&mut self, one: UnansweredSlot) {
        self.many_left += 1;
        self.left.entry(shared(&one.key).to_owned()).or_default().push(one);
    }

    fn take_left(&mut self, shared: &str) -> Option<UnansweredSlot> {
        let same = self.left.get_mut(shared)?;
        let one = same.pop();
        if same.is_empty() {
            self.left.remove(shared);
        }
        self.many_left -= usize::from(one.is_some());
        one
    }

    fn has_left(&self, key: &str) -> bool {
        self.left.get(shared(key)).is_some_and(|same| same.iter().any(|one| one.key == key))
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if let Some(own) = self.file.take().filter(|_| self.free.len() as u64 == self.used) {
            let _ = fs::remove_file(&own.path);
        }
    }
}

fn slots_in(state: &Path) -> PathBuf {
    unanswered::directory(state).join("slots")
}

/// What a key has in common with those of all messages of the same bytes and envelope.
fn shared(key: &str) -> &str {
    key.split_once('-').map_or(key, |(shared, _)| shared)
}

/// Removes files of dead processes that nobody has taken over in time.
pub(crate) fn expire(state: &Path, now_ms: i64) {
    for path in fs::read_dir(slots_in(state)).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let is_old = |about: fs::Metadata| about.mtime() < (now_ms - unanswered::TRIED_FOR_MS) / 1000;
        if path.metadata().is_ok_and(is_old) {
            let _ = lock::remove_free(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::envelope::Envelope;

    fn mail(number: u32, at_ms: i64) -> Mail {
        let text = format!("Subject: {number}\r\n\r\n").into_bytes();
        Mail::arrived(text, Envelope::default(), 1, at_ms)
    }

    fn files(state: &Path) -> usize {
        fs::read_dir(state.join("unanswered/slots")).into_iter().flatten().count()
    }

    #[test]
    fn what_a_dead_process_had_in_hand_is_recognized_once() {
        let state = std::env::temp_dir().join(format!("carom-slots-{:x}", fastrand::u64(..)));
        let now_ms = clock::now_ms();
        let first = UnansweredSlots::new(&state);
        let [mut one, mut same, mut other] = [1, 1, 2].map(|number| mail(number, now_ms));
        let begun = [&mut one, &mut same, &mut other].map(|mail| first.begin(mail).unwrap());
        assert_ne!(one.key, same.key);
        let [_, answered, _] = begun;
        first.answered(answered);
        // Another process that lives does not see them.
        let second = UnansweredSlots::new(&state);
        let mut again = mail(1, now_ms);
        let slot = second.begin(&mut again).unwrap();
        assert!(again.key != one.key && files(&state) == 2);
        second.answered(slot);
        drop(first);
        let [mut again, mut third, mut late] = [1, 1, 2].map(|number| mail(number, now_ms));
        let begun = [&mut again, &mut third, &mut late].map(|mail| second.begin(mail).unwrap());
        assert_eq!(
            (&again.key, &late.key),
            (&Key::on_record(one.key.text().to_owned()), &Key::on_record(other.key.text().to_owned()))
        );
        assert!(third.key.is_new() && files(&state) == 1);
        begun.into_iter().for_each(|one| second.answered(one));
        drop(second);
        assert_eq!(files(&state), 0);
        fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn what_is_left_comes_again_under_its_key_and_not_for_ever() {
        let state = std::env::temp_dir().join(format!("carom-slots-{:x}", fastrand::u64(..)));
        let (now_ms, slots) = (clock::now_ms(), UnansweredSlots::new(&state));
        let key_of = |number: u32| {
            let mut one = mail(number, now_ms);
            let slot = slots.begin(&mut one).unwrap();
            slots.left(slot);
            one.key.text().to_owned()
        };
        let first = key_of(1);
        assert_eq!(key_of(1), first);
        slots.look_around(now_ms + unanswered::TRIED_FOR_MS);
        assert_eq!(key_of(1), first);
        slots.look_around(now_ms + unanswered::TRIED_FOR_MS + 1);
        assert_ne!(key_of(1), first);
        slots.slots().many_left = MOST;
        assert_ne!(key_of(2), key_of(2), "too many");
        slots.slots().many_left = 1;
        drop(slots);
        fs::remove_dir_all(state).unwrap();
    }
}
