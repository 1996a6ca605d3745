//! Why a database cannot be used, and the fix for just that.
//!
//! Not here: the work that failed. Invariant: a fix names the file, and does not lose what is in
//! it.

use super::encryption;
use crate::error::Error;
use crate::files::command::{OTHER, moving, shell_word};
use crate::files::regular;
use rusqlite::ErrorCode;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// How a file of SQLite begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Bytes of a page of the store and of the index, and how a page of SQLite's trees begins.
const PAGES: [u64; 2] = [4096, 8192];
const PAGE_KINDS: [u8; 4] = [2, 5, 10, 13];
/// Pages that are looked at, after the first.
const LOOKED_AT: u64 = 9;

/// A database of carom's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Database {
    Store,
    Index,
}

/// Of a database and the files that SQLite opens beside it, the first that is something else than
/// a file, and what it is. SQLite would wait for the other end of a named pipe.
fn not_a_file(path: &Path) -> Option<(PathBuf, io::Error)> {
    let beside = ["-wal", "-shm", "-journal"].map(|ending| super::beside(path, ending));
    let is_other = |file: &PathBuf| file.metadata().is_ok_and(|about| !about.is_file() && !about.is_dir());
    let found = [path.to_owned()].into_iter().chain(beside).find(is_other)?;
    let kind = regular::open(&found).err()?;
    Some((found, kind))
}

/// Looks at the files of a database, and for its key, before SQLite opens them.
pub(crate) fn guard(path: &Path) -> rusqlite::Result<()> {
    encryption::held_key()?;
    match not_a_file(path) {
        None => Ok(()),
        Some((_, kind)) => {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
            Err(rusqlite::Error::SqliteFailure(code, Some(kind.to_string())))
        }
    }
}

impl Database {
    fn name(self) -> &'static str {
        match self {
            Database::Store => "store",
            Database::Index => "index",
        }
    }

    /// The fault of the file at `path`.
    pub(crate) fn fault(self, path: &Path, error: &rusqlite::Error) -> Error {
        let fault = self.explained(path, error);
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => fault.lasting(),
            _ => fault,
        }
    }

    fn explained(self, path: &Path, error: &rusqlite::Error) -> Error {
        let code = error.sqlite_error_code().map(|code| match code {
            ErrorCode::NotADatabase if begins_like_one(path) => ErrorCode::DatabaseCorrupt,
            code => code,
        });
        if code == Some(ErrorCode::AuthorizationForStatementDenied)
            && let Err(error) = encryption::require_key()
        {
            let fix = error.remedy_text().unwrap_or_default();
            return self.error(path, error.text()).remedy(fix);
        }
        if let Some((file, kind)) = not_a_file(path) {
            let fix = format!("move it away: {}", moving(&file));
            return self.error(path, &format!("{}: {kind}", file.display())).remedy(fix);
        }
        let text = match code {
            Some(ErrorCode::CannotOpen) if path.is_dir() => "a directory, not a database".to_owned(),
            Some(ErrorCode::CannotOpen) if no_more_files() => {
                let fix = "raise the limit of open files (LimitNOFILE= of the service, ulimit -n), or lower \
                           the number of sessions in the config";
                return self.error(path, "this process has too many files open").remedy(fix);
            }
            Some(ErrorCode::NotADatabase) if error.to_string().contains("[store] key") => {
                let fix = "set [store] key to the key that it was written with";
                return self.error(path, &error.to_string()).remedy(fix);
            }
            Some(ErrorCode::NotADatabase) if has_pages_of_one(path) => return self.beheaded(path),
            Some(ErrorCode::NotADatabase) => "not a database of SQLite".to_owned(),
            Some(ErrorCode::DatabaseCorrupt) => format!("damaged: {error}"),
            // SQLite may name the file too.
            _ => error.to_string().replace(&format!(": {}", path.display()), ""),
        };
        self.error(path, &text).remedy(self.fix(path, code))
    }

    /// Without its first page, SQLite reads nothing of a database, and has nothing to save.
    fn beheaded(self, path: &Path) -> Error {
        let fix = match self {
            Database::Store => format!(
                "stop carom, then restore a backup; without one, its suppressions, pending steps and counters are lost, \
                 and another store is begun after: {}",
                self.beginning_again(path)
            ),
            Database::Index => self.reading_again(path),
        };
        self.error(path, "damaged: its first page is overwritten").remedy(fix)
    }

    /// What is in an index, the logs say too.
    fn reading_again(self, path: &Path) -> String {
        format!("move it away, and `carom cron` reads the logs again: {}", self.beginning_again(path))
    }

    /// The command that moves a damaged database away.
    fn beginning_again(self, path: &Path) -> String {
        let [plain, damaged, log, index] =
            ["", DAMAGED, "-wal", "-shm"].map(|suffix| shell_word(&super::beside(path, suffix)));
        format!("mv {plain} {damaged} && rm -f {log} {index}")
    }

    /// An error that has another cause than SQLite.
    pub(crate) fn error(self, path: &Path, text: &str) -> Error {
        Error::new(format_args!("{} {}: {text}", self.name(), path.display()))
    }

    /// A file of a later version, or of another program.
    pub(crate) fn foreign(self, path: &Path) -> Error {
        let fix = format!("install that version again, or set [{}] path to another file", self.name());
        self.error(path, "written by a newer carom, or by another program").remedy(fix)
    }

    /// A file that a reader cannot bring to its own version.
    pub(crate) fn of_version(self, path: &Path, found: i64, ours: i64) -> Error {
        let fix = match found < ours {
            true => "run `carom cron`, which brings the file up to date",
            false => "restart this process: a newer carom was installed after it had started",
        };
        self.error(path, "written by another version of carom").remedy(fix)
    }

    fn fix(self, path: &Path, code: Option<ErrorCode>) -> String {
        let (file, name) = (path.display(), self.name());
        let plain = shell_word(path);
        let directory = path.parent().unwrap_or(Path::new("/")).display();
        match code {
            Some(ErrorCode::CannotOpen) if path.is_dir() => {
                format!("set [{name}] path to a file in it: {file}/{}", self.usual_name())
            }
            Some(ErrorCode::NotADatabase) => {
                format!("move it away: {}; or set [{name}] path to another file", moving(path))
            }
            Some(ErrorCode::DatabaseCorrupt) => match self {
                Database::Store => format!(
                    "stop carom, then restore a backup, or save what can be read; if a step fails, nothing is changed: \
                     {}",
                    saving(path, &plain, DAMAGED)
                ),
                Database::Index => self.reading_again(path),
            },
            Some(ErrorCode::DiskFull) => format!("free space on the disk of {directory}"),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                format!("wait for the process that locks it, or find it: fuser {plain}")
            }
            Some(ErrorCode::SystemIoFailure) => {
                format!("free space on the disk of {directory}, and look for its errors: dmesg")
            }
            _ => format!(
                "let the user that runs carom write {directory} and what is in it, or set [{name}] path \
                 to another file"
            ),
        }
    }

    fn usual_name(self) -> &'static str {
        match self {
            Database::Store => "carom.db",
            Database::Index => "index.db",
        }
    }
}

/// Files that SQLite opens for a database: it, its log, its index, and its directory.
const OPENED_TOGETHER: usize = 4;

/// Where a damaged store is while what could be read of it, or another one, is in its place.
const DAMAGED: &str = ".damaged";
/// Where a store is that was made in the place of a damaged one.
const NEWER: &str = ".newer";

/// The commands that put what can be read of the database `from` in the place of that at `path`,
/// which gets another name. Each only after the one before: not every sqlite3 can recover.
fn saving(path: &Path, from: &str, aside: &str) -> String {
    let typed = |suffix: &str| shell_word(&super::beside(path, suffix));
    let [plain, new, sql, aside, log, index] = ["", ".new", ".sql", aside, "-wal", "-shm"].map(typed);
    format!(
        "(umask 077 && sqlite3 {from} .recover > {sql} && sqlite3 {new} < {sql} && chown --reference={from} {new} && \
         chmod --reference={from} {new} && mv {plain} {aside} && rm -f {log} {index} && mv {new} {plain} && rm {sql})"
    )
}

/// A damaged store that was moved away and has not come back; `begun_ms`: since when the one in its
/// place has something, in milliseconds since 1970, if it has.
pub(crate) fn moved_away(path: &Path, begun_ms: Option<i64>) -> Option<Error> {
    let damaged = super::beside(path, DAMAGED);
    let written = damaged.metadata().ok()?.modified().ok()?;
    let written_ms = written.duration_since(UNIX_EPOCH).ok()?.as_millis() as i64;
    // What was saved, or restored from a backup, has an earlier beginning.
    if begun_ms.is_some_and(|begun_ms| begun_ms < written_ms) {
        return None;
    }
    let shown = damaged.display();
    let text = format!("nothing of what {shown} knows is here: suppressions, pending steps, counters");
    let from = shell_word(&damaged);
    let back = match path.exists() {
        true => {
            let newer = super::beside(path, NEWER);
            format!("{}; what is new since then is in {}", saving(path, &from, NEWER), newer.display())
        }
        false => format!("mv {from} {0}, and do what `carom check` says then", shell_word(path)),
    };
    let fix = format!(
        "stop carom, then restore a backup, or save what can be read: {back}; if nothing of it is wanted: rm {from}"
    );
    Some(Database::Store.error(path, &text).remedy(fix))
}

/// Whether this process, or the system, may not open as many more as SQLite needs.
fn no_more_files() -> bool {
    let opened: Vec<io::Result<File>> = (0..OPENED_TOGETHER).map(|_| File::open("/")).collect();
    opened.iter().any(|opened| opened.as_ref().is_err_and(regular::is_shortage))
}

/// Whether most pages of a file are pages of a database: then only the first one was lost.
fn has_pages_of_one(path: &Path) -> bool {
    let Ok(file) = regular::open(path) else { return false };
    let length = file.metadata().map_or(0, |about| about.len());
    PAGES.into_iter().any(|size| {
        let begins_as_one = |page: &u64| {
            let mut kind = [0];
            file.read_exact_at(&mut kind, page * size).is_ok() && PAGE_KINDS.contains(&kind[0])
        };
        let looked_at = 1..(length / size).min(LOOKED_AT);
        let of_one = looked_at.clone().filter(begins_as_one).count();
        length.is_multiple_of(size) && 2 * of_one > looked_at.count()
    })
}

/// Databases that were moved out of the place of this one, and what was saved of them, by carom's
/// own fixes.
pub(crate) fn set_aside(path: &Path) -> Vec<PathBuf> {
    let names = [DAMAGED, NEWER, OTHER, ".new", ".sql"].map(|suffix| super::beside(path, suffix));
    names.into_iter().filter(|path| path.is_file()).collect()
}

/// Whether a file has the first bytes of a database: then the rest can be saved.
fn begins_like_one(path: &Path) -> bool {
    let mut first = [0; MAGIC.len()];
    let read = regular::open(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first == *MAGIC
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    #[test]
    fn each_fault_has_the_fix_of_its_own_cause() {
        let path = Path::new("/var/lib/carom/carom.db");
        let fault = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            Database::Store.fault(path, &error)
        };
        for (code, fix) in [
            (ffi::SQLITE_NOTADB, "mv /var/lib/carom/carom.db "),
            (ffi::SQLITE_CORRUPT, "sqlite3 /var/lib/carom/carom.db .recover"),
            (ffi::SQLITE_FULL, "free space on the disk of /var/lib/carom"),
            (ffi::SQLITE_BUSY, "fuser /var/lib/carom/carom.db"),
            (ffi::SQLITE_READONLY, "write /var/lib/carom and what is in it"),
            (ffi::SQLITE_CANTOPEN, "write /var/lib/carom and what is in it"),
        ] {
            let fault = fault(code);
            assert!(fault.to_string().contains(fix), "{code}: {fault}");
            assert_eq!(
                fault.is_lasting(),
                [ffi::SQLITE_NOTADB, ffi::SQLITE_CORRUPT].contains(&code),
                "{code}"
            );
        }
    }
}
