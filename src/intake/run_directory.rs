//! The directory of a run among the claims of a spool: begun by the run, and adopted by another one
//! if the run has died.
//!
//! Not here: what is claimed (`spool`). Invariant: a run holds the lock in its directory from
//! before its first claim to its end.

use crate::clock::{self, HOUR};
use crate::digest;
use crate::error::{Context, Error, Result};
use crate::files::lock::{self, LockFile};
use crate::files::private;
use crate::files::publish::sync_directory;
use crate::files::regular;
use std::fs;
use std::io;
use std::path::Path;

/// The file that a run keeps locked.
pub(super) const LOCK: &str = ".lock";
/// Names that are tried, at most.
const TRIES: u32 = 100;

/// Makes the directory of a run among these claims, and takes its lock; returns the name of the
/// run. Until its lock is held, other runs take the directory for one of a run that died, and a run
/// that ends removes what is empty: then another name is tried.
pub(super) fn begin(runs: &Path) -> Result<(String, LockFile)> {
    for attempt in 1.. {
        let run = format!("{:x}{}", clock::now_ms(), digest::random_token(2));
        let claims = runs.join(&run);
        match private::make_directory(&claims).and_then(|()| lock::try_take(&claims.join(LOCK))) {
            Ok(Some(lock)) => {
                // A claim is no more durable than the directory that it is in.
                let mut above = claims.ancestors().skip(1).take(2);
                above.try_for_each(sync_directory).context(claims.display())?;
                return Ok((run, lock));
            }
            Ok(None) if attempt < TRIES => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < TRIES => {}
            Ok(None) => break,
            Err(error) => return Err(error).context(claims.display()),
        }
    }
    Err(Error::new(format_args!("{}: other runs take each new directory", runs.display())))
}

/// The lock of a directory whose run has died; `None`: it lives, or another run has adopted it.
/// Error: this process is short of something, and cannot know.
pub(super) fn of_dead_run(folder: &Path) -> Result<Option<LockFile>> {
    let lock = match lock::try_existing(&folder.join(LOCK)) {
        // A power cut has left the directory without its lock. No run is as slow to begin.
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_old(folder) => {
            lock::try_take(&folder.join(LOCK))
        }
        taken => taken,
    };
    match lock {
        Err(error) if regular::is_shortage(&error) => Err(error).context(folder.display()),
        lock => Ok(lock.ok().flatten()),
    }
}

fn is_old(folder: &Path) -> bool {
    fs::metadata(folder)
        .and_then(|folder| folder.modified())
        .is_ok_and(|time| clock::age(time).unwrap_or_default() > HOUR)
}
