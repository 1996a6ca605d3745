//! A spool: a directory of messages whose files are claimed. Each is claimed by one process, and
//! ends removed, kept, put back or failed.
//!
//! A claim is a rename into `.claimed/RUN/`, whose lock the run holds while it lives: a claim in a
//! directory that nobody locks is an orphan, and the next run adopts it. Not here: when a file is
//! whole (`whole_file`), what it holds (`formats`), and what becomes of the messages (`relay`).
//! Invariants: a message has exactly one name at every moment, and that name survives a crash; a
//! claim that names another one takes its place, and the other one counts no more. On a file system
//! whose renames are atomic, both hold through a power cut too.

use super::claim::{Claim, ClaimName, tail};
use super::run_directory::{self, LOCK};
use super::whole_file;
use crate::clock::{self, DAY};
use crate::error::{Context, Error, Result};
use crate::files::lock::LockFile;
use crate::files::publish::{self, Unfinished, remove_scraps, sync_directory};
use crate::files::shared_sync::SharedSync;
use crate::files::{owner, private, regular};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The directory of claims, below the spool, so that claiming never crosses file systems.
const CLAIMED: &str = ".claimed";

const ENDINGS: [&str; 3] = [".msg", ".eml", ".mbox"];

/// A directory of messages, and this run's place in it.
pub(crate) struct Spool {
    directory: PathBuf,
    run: String,
    claims: PathBuf,
    done: PathBuf,
    failed: PathBuf,
    settle: Duration,
    next: AtomicU64,
    /// The directories whose names claims change.
    syncs: [SharedSync; 2],
    _lock: LockFile,
    /// What has the name of a message and is no file.
    odd: Mutex<HashSet<PathBuf>>,
    /// Directories of runs that died, whose claims are ours now.
    adopted: Mutex<Vec<(PathBuf, LockFile)>>,
}

impl Spool {
    /// Begins a run in `directory`. Kept messages go to `done` and failed ones to `failed`, or else
    /// to directories of these names in `directory`.
    pub(crate) fn open(
        directory: &Path,
        done: Option<&Path>,
        failed: Option<&Path>,
        settle: Duration,
    ) -> Result<Spool> {
        let remedy = "give a directory that the mail server writes to and carom may write to";
        if !directory.is_dir() {
            let what = format_args!("{}: not a directory", directory.display());
            return Err(Error::new(what).remedy(remedy));
        }
        let (done, failed) = (
            done.map_or_else(|| directory.join("done"), Path::to_owned),
            failed.map_or_else(|| directory.join("failed"), Path::to_owned),
        );
        let directory = directory.canonicalize().context(directory.display())?;
        [&directory, &done, &failed].into_iter().try_for_each(|folder| owner::guard_directory(folder))?;
        let (run, lock) =
            run_directory::begin(&directory.join(CLAIMED)).map_err(|error| error.remedy(remedy))?;
        let claims = directory.join(CLAIMED).join(&run);
        let spool = Spool {
            syncs: [claims.clone(), directory.clone()].map(SharedSync::of),
            done,
            failed,
            directory,
            run,
            claims,
            settle,
            next: AtomicU64::new(0),
            _lock: lock,
            odd: Mutex::default(),
            adopted: Mutex::default(),
        };
        spool.remove_scraps();
        Ok(spool)
    }

    /// Removes what killed processes have left unfinished, some time later.
    pub(crate) fn remove_scraps(&self) {
        [&self.directory, &self.failed, &self.done].into_iter().for_each(|folder| remove_scraps(folder));
    }

    /// Whole files that wait to be claimed, sorted by name, and how many files are still being
    /// written.
    pub(crate) fn waiting(&self) -> Result<(Vec<PathBuf>, usize)> {
        let (mut whole, mut young) = (Vec::new(), Vec::new());
        for path in self.files()? {
            let age = path.metadata().and_then(|metadata| metadata.modified()).ok().map(age);
            let settled = age.is_none_or(|age| age >= self.settle) || self.is_in_new(&path);
            (if settled { &mut whole } else { &mut young }).push(path);
        }
        let count = young.len();
        let finished = whole_file::finished(young);
        let unfinished = count - finished.len();
        whole.extend(finished);
        whole.sort_unstable();
        Ok((whole, unfinished))
    }

    /// Files that a mail server left, whole or not; in a Maildir, everything in `new`.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let new = self.directory.join("new");
        let maildir = new.is_dir() && self.directory.join("tmp").is_dir();
        let mut found = Vec::new();
        for (folder, any_name) in [(&self.directory, false), (&new, true)] {
            if any_name && !maildir {
                continue;
            }
            for entry in fs::read_dir(folder).context(folder.display())?.flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let ours = any_name || ENDINGS.iter().any(|ending| name.ends_with(ending));
                let hidden = name.starts_with('.');
                if ours && !hidden {
                    match entry.file_type().is_ok_and(|kind| kind.is_file()) {
                        true => found.push(entry.path()),
                        false => self.name_odd(entry.path()),
                    }
                }
            }
        }
        Ok(found)
    }

    /// Once in a run: a directory, a link or a named pipe stays where it is.
    fn name_odd(&self, path: PathBuf) {
        let mut odd = self.odd.lock().unwrap_or_else(PoisonError::into_inner);
        if path.symlink_metadata().is_ok() && odd.insert(path.clone()) {
            tracing::warn!(path = %path.display(), "left alone: not a regular file");
        }
    }

    /// Files get their name in a Maildir's `new` only when they are whole.
    fn is_in_new(&self, path: &Path) -> bool {
        path.parent() == Some(&self.directory.join("new"))
    }

    /// Claims a file. `None`: another process has.
    pub(crate) fn claim(&self, path: &Path) -> Result<Option<Claim>> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let key = self.next_key();
        let claimed = self.claims.join(ClaimName::written(&key, self.is_in_new(path), None, &name));
        match fs::rename(path, &claimed) {
            Ok(()) => {
                let home = path.parent().unwrap_or(&self.directory).to_owned();
                Ok(Some(Claim { path: claimed, key, name, home }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context(path.display()),
        }
    }

    fn next_key(&self) -> String {
        format!("{}.{}", self.run, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes the claims so far survive a power cut: what is put on record under their keys must not
    /// find the files under their old names again.
    pub(crate) fn sync_claims<'c>(&self, mut claims: impl Iterator<Item = &'c Claim>) -> Result<()> {
        self.syncs.iter().try_for_each(SharedSync::sync).context(self.directory.display())?;
        if claims.any(|claim| claim.home != self.directory) {
            let new = self.directory.join("new");
            sync_directory(&new).context(new.display())?;
        }
        Ok(())
    }

    /// Takes over the claims of runs that died. They stay where they are: the journal may know
    /// their names.
    pub(crate) fn adopt(&self) -> Result<Vec<Claim>> {
        let mut adopted = Vec::new();
        let runs = self.directory.join(CLAIMED);
        for run in fs::read_dir(&runs).context(runs.display())?.flatten() {
            let folder = run.path();
            if folder == self.claims || self.adopted().iter().any(|(ours, _)| *ours == folder) {
                continue;
            }
            let Some(lock) = run_directory::of_dead_run(&folder)? else { continue };
            adopted.extend(self.orphans(&folder)?);
            self.adopted().push((folder, lock));
        }
        if !adopted.is_empty() {
            self.sync_claims(adopted.iter())?;
            self.sync()?;
        }
        adopted.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(adopted)
    }

    /// The claims of a run that died, without those that others have taken the place of.
    fn orphans(&self, folder: &Path) -> Result<Vec<Claim>> {
        let (mut orphans, mut replaced) = (Vec::new(), HashSet::new());
        for entry in fs::read_dir(folder).context(folder.display())?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if publish::is_hidden(&name) {
                let _ = fs::remove_file(entry.path());
            }
            let Some(ClaimName { key, in_new, replaces, original }) = ClaimName::read(&name) else {
                continue;
            };
            replaced.extend(replaces);
            let home = if in_new { self.directory.join("new") } else { self.directory.clone() };
            orphans.push(Claim { path: entry.path(), key, name: original, home });
        }
        for claim in orphans.extract_if(.., |claim| replaced.contains(&claim.key)) {
            self.remove(&claim)?;
        }
        Ok(orphans)
    }

    fn adopted(&self) -> MutexGuard<'_, Vec<(PathBuf, LockFile)>> {
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that claims that were removed do not come back after a power cut.
    pub(crate) fn sync(&self) -> Result<()> {
        let adopted: Vec<PathBuf> = self.adopted().iter().map(|(folder, _)| folder.clone()).collect();
        for folder in adopted.iter().chain([&self.claims]) {
            sync_directory(folder).context(folder.display())?;
        }
        Ok(())
    }

    /// All messages of the claim are handled.
    pub(crate) fn remove(&self, claim: &Claim) -> Result<()> {
        fs::remove_file(&claim.path).context(claim.path.display())
    }

    /// Puts the file in `failed`, durably, with the reason beside it if there is room for that.
    pub(crate) fn fail(&self, claim: &Claim, reason: &str) -> Result<()> {
        let target = self.move_to(claim, &self.failed)?;
        let mut beside = target.into_os_string();
        beside.push(".reason");
        let written = publish::publish(Path::new(&beside), format!("{reason}\n").as_bytes(), private::FILE);
        if let Err(error) = written {
            tracing::warn!(%error, "the reason is only here");
        }
        sync_directory(&self.failed).context(self.failed.display())?;
        self.sync()
    }

    /// Gives the file back under its own name, to be tried again later.
    pub(crate) fn put_back(&self, claim: &Claim) -> Result<PathBuf> {
        self.move_to(claim, &claim.home)
    }

    /// A claim with other contents takes the place of this one: from the moment that it has its
    /// name. It is durable on return, and as old as the other one, which is to be removed.
    pub(crate) fn replace(
        &self,
        claim: &Claim,
        write: impl FnOnce(&mut BufWriter<&mut Unfinished>) -> io::Result<()>,
    ) -> Result<Claim> {
        let folder = claim.path.parent().unwrap_or(&self.claims);
        let (key, in_new) = (self.next_key(), claim.home != self.directory);
        let path = folder.join(ClaimName::written(&key, in_new, Some(&claim.key), &claim.name));
        let written = (|| {
            let mut file = Unfinished::create(folder)?;
            let mut buffered = BufWriter::new(&mut file);
            write(&mut buffered)?;
            buffered.flush()?;
            drop(buffered);
            file.set_modified(fs::metadata(&claim.path)?.modified()?)?;
            file.replace(&path)
        })();
        written.context(path.display())?;
        Ok(Claim { path, key, name: claim.name.clone(), home: claim.home.clone() })
    }

    /// Removes a claim that another one has taken the place of, before that one leaves.
    pub(crate) fn remove_replaced(&self, claim: &Claim) -> Result<()> {
        self.remove(claim)?;
        let folder = claim.path.parent().unwrap_or(&self.claims);
        sync_directory(folder).context(folder.display())
    }

    /// Where files go that cannot be handled.
    pub(crate) fn failed(&self) -> &Path {
        &self.failed
    }

    /// Where kept messages go.
    pub(crate) fn done(&self) -> &Path {
        &self.done
    }

    /// How long the file has been here.
    pub(crate) fn age(&self, claim: &Claim) -> Duration {
        fs::symlink_metadata(&claim.path)
            .and_then(|metadata| metadata.modified())
            .map(age)
            .unwrap_or_default()
    }

    /// Moves a claim into `folder`, durably, under its own name, or a similar one if that is taken.
    fn move_to(&self, claim: &Claim, folder: &Path) -> Result<PathBuf> {
        private::make_directory(folder).context(folder.display())?;
        for attempt in 0.. {
            let target = match attempt {
                0 => folder.join(&claim.name),
                _ => folder.join(format!("{}.{attempt}.{}", claim.key, tail(&claim.name, 160))),
            };
            match renameat_with(CWD, &claim.path, CWD, &target, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(target),
                Err(Errno::EXIST) if attempt < 1000 => continue,
                Err(Errno::XDEV) => match copy_over(&claim.path, &target) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1000 => {
                        continue;
                    }
                    copied => return copied.map(|()| target).context(folder.display()),
                },
                Err(error) => return Err(error).context(target.display()),
            }
        }
        Err(Error::new(format_args!("{}: no free name", folder.display())))
    }
}

impl Drop for Spool {
    /// Removes empty directories; the next run adopts claims that are left.
    fn drop(&mut self) {
        let adopted = std::mem::take(&mut *self.adopted());
        for folder in adopted.iter().map(|(folder, _)| folder).chain([&self.claims]) {
            let left = fs::read_dir(folder).map(|entries| entries.count()).unwrap_or(0);
            if left <= 1 {
                let _ = fs::remove_file(folder.join(LOCK));
                let _ = fs::remove_dir(folder);
            }
        }
        let runs = self.directory.join(CLAIMED);
        // A run that died before it had its lock has left an empty one. One that begins takes
        // another name.
        for run in fs::read_dir(&runs).into_iter().flatten().flatten() {
            let _ = fs::remove_dir(run.path());
        }
        let _ = fs::remove_dir(runs);
    }
}

/// A rename across file systems: the copy is whole and durable under its own name before the
/// original goes.
fn copy_over(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut copy = Unfinished::create(to.parent().unwrap_or(Path::new(".")))?;
    io::copy(&mut regular::open_no_link(from)?, &mut copy)?;
    copy.place(to)?;
    fs::remove_file(from)
}

fn age(time: SystemTime) -> Duration {
    clock::age(time).unwrap_or_default()
}

/// Removes kept files older than `days`; 0 keeps all.
pub(crate) fn expire_kept(kept: &Path, days: u32) {
    remove_scraps(kept);
    if days == 0 {
        return;
    }
    let limit = DAY * days;
    for entry in fs::read_dir(kept).into_iter().flatten().flatten() {
        let old =
            entry.metadata().and_then(|metadata| metadata.modified()).is_ok_and(|time| age(time) > limit);
        if old && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
