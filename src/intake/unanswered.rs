//! Messages without a queue id that the mail server delivers again: it has not heard their answer.
//!
//! Two deliveries of the same bytes look the same, whether the second is another message or the
//! first one again, after a kill. What tells them apart is a file that a delivery makes before
//! anything else, holds locked, and removes with its answer: if it is there and nobody locks it,
//! the mail server has that message still, and this delivery is that message. Nothing is synced,
//! because the page cache outlives a kill; what a power cut leaves is not believed, and counts as
//! another message. Not here: messages with a queue id, which names them. Invariant: as many
//! messages count as deliveries were answered, if the mail server delivers again what was not.

use crate::clock::DAY_MS;
use crate::files::lock::{self, LockFile};
use crate::files::private;
use crate::mail::{Key, Mail};
use rustix::time::{ClockId, clock_gettime};
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Mail servers give up by then: Postfix's `maximal_queue_lifetime`.
pub(super) const TRIED_FOR_MS: i64 = 5 * DAY_MS;
/// Deliveries of the same bytes that are told apart at one time.
const AT_ONE_TIME: usize = 64;

/// A delivery that has no answer yet.
pub(crate) struct Unanswered {
    path: PathBuf,
    _lock: LockFile,
}

impl Unanswered {
    /// Gives the message the key of an earlier delivery without an answer, if there was one.
    /// `None`: it has a queue id, or no file can be written, and then a kill makes it another
    /// message.
    pub(crate) fn begin(state: &Path, mail: &mut Mail) -> Option<Unanswered> {
        if mail.envelope.queue_id.is_some() {
            return None;
        }
        let begun = begin(&directory(state), mail);
        begun.unwrap_or_else(|error| {
            tracing::warn!(%error, "if this process is killed, the message may count twice");
            None
        })
    }

    /// The file, to be removed with the answer, unless that is "try again later".
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Forgets what mail servers deliver no more.
pub(crate) fn expire(state: &Path, now_ms: i64) {
    for entry in fs::read_dir(directory(state)).into_iter().flatten().flatten() {
        let (path, metadata) = (entry.path(), entry.metadata());
        let is_over = |file: &Metadata| {
            fs::read_to_string(&path).is_ok_and(|text| key_in(&text, file, now_ms).is_none())
        };
        if lock::is_free(&path).unwrap_or(false) && metadata.as_ref().is_ok_and(is_over) {
            let _ = fs::remove_file(&path);
        }
    }
}

pub(super) fn directory(state: &Path) -> PathBuf {
    state.join("unanswered")
}

fn begin(directory: &Path, mail: &mut Mail) -> io::Result<Option<Unanswered>> {
    let shared = mail.key.shared().to_owned();
    for number in 0..AT_ONE_TIME {
        let path = directory.join(format!("{shared}.{number}"));
        let taken = match lock::try_take(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                private::make_directory(directory)?;
                lock::try_take(&path)
            }
            taken => taken,
        };
        // `None`: another delivery of the same bytes is under way.
        let Some(lock) = taken? else { continue };
        let (mut file, mut text) = (lock.file(), String::new());
        file.read_to_string(&mut text)?;
        match key_in(&text, &file.metadata()?, mail.at_ms).filter(|key| key.starts_with(&shared)) {
            Some(key) => mail.key = Key::on_record(key.to_owned()),
            None => {
                file.set_len(0)?;
                file.write_all(format!("{} {}\n", mail.key.text(), mail.at_ms).as_bytes())?;
            }
        }
        return Ok(Some(Unanswered { path, _lock: lock }));
    }
    Ok(None)
}

/// The key in a file, unless that was cut off, is too old, or comes from before a power cut, which
/// may have brought it back.
pub(super) fn key_in<'t>(text: &'t str, file: &Metadata, now_ms: i64) -> Option<&'t str> {
    let (key, at_ms) = text.strip_suffix('\n')?.split_once(' ')?;
    let age_ms = now_ms - at_ms.parse::<i64>().ok()?;
    let up = clock_gettime(ClockId::Boottime);
    let now = clock_gettime(ClockId::Realtime);
    (age_ms <= TRIED_FOR_MS && file.mtime() >= now.tv_sec - up.tv_sec).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Envelope;
    use std::fs::File;

    /// A state directory that goes with the test.
    struct Home(PathBuf);

    impl Home {
        fn new() -> Home {
            let path = std::env::temp_dir().join(format!("carom-unanswered-{:x}", fastrand::u64(..)));
            fs::create_dir(&path).unwrap();
            Home(path)
        }

        /// A delivery of the same bytes at this time: its key, and what is to be answered.
        fn deliver(&self, at_ms: i64) -> (String, Unanswered) {
            let envelope = Envelope { sender: "a@a.example".into(), ..Envelope::default() };
            let mut mail = Mail::arrived(b"Subject: x\r\n\r\n".to_vec(), envelope, 1, at_ms);
            let begun = Unanswered::begin(&self.0, &mut mail).unwrap();
            (mail.key.text().to_owned(), begun)
        }

        fn files(&self) -> Vec<PathBuf> {
            let entries = fs::read_dir(directory(&self.0)).unwrap().flatten();
            entries.map(|entry| entry.path()).collect()
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn answered(one: Unanswered) {
        fs::remove_file(one.path()).unwrap();
    }

    #[test]
    fn a_delivery_that_was_killed_comes_again_and_others_are_other_messages() {
        let home = Home::new();
        let ((first, one), (second, other)) = (home.deliver(1), home.deliver(1));
        assert_ne!(first, second, "both are under way");
        drop(one);
        answered(other);
        let (again, one) = home.deliver(2);
        assert_eq!(again, first);
        answered(one);
        assert!(home.files().is_empty());
        let (third, _three) = home.deliver(3);
        assert!(third != first && third != second, "it was answered");
    }

    #[test]
    fn what_is_cut_off_too_old_or_from_before_a_power_cut_is_another_message() {
        let home = Home::new();
        let (mut last, one) = home.deliver(0);
        drop(one);
        assert_eq!(home.deliver(TRIED_FOR_MS).0, last);
        let mut is_another = |at_ms: i64| {
            let (next, _dropped) = home.deliver(at_ms);
            std::mem::replace(&mut last, next.clone()) != next
        };
        assert!(is_another(TRIED_FOR_MS + 1), "too old");
        let [file] = &home.files()[..] else { panic!() };
        let text = fs::read(file).unwrap();
        fs::write(file, &text[..text.len() - 1]).unwrap();
        assert!(is_another(TRIED_FOR_MS + 2), "cut off");
        assert!(!is_another(TRIED_FOR_MS + 3));
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
        assert!(is_another(TRIED_FOR_MS + 4), "before a power cut");
    }

    #[test]
    fn what_mail_servers_deliver_no_more_is_forgotten() {
        let home = Home::new();
        let (_, one) = home.deliver(5);
        expire(&home.0, TRIED_FOR_MS + 6);
        assert_eq!(home.files().len(), 1, "it is under way");
        drop(one);
        expire(&home.0, TRIED_FOR_MS + 5);
        assert_eq!(home.files().len(), 1);
        expire(&home.0, TRIED_FOR_MS + 6);
        assert!(home.files().is_empty());
    }
}
