//! Claiming the files of a relay directory: each is taken by one process, and ends removed, kept, put back or failed.
//!
//! A claim is a rename into `.claimed/RUN/`, whose lock the run holds while it lives: a claim in a directory that
//! nobody locks is an orphan, and the next run adopts it. Not here: what the files hold (`formats`) and what becomes
//! of the messages. Invariant: at every moment a message stands under exactly one name, and that name survives a crash.

use crate::clock::{self, DAY};
use crate::error::{Context, Error, Result};
use crate::files::lock::{self, LockFile};
use crate::files::publish::Unfinished;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Where claims stand, below the relay directory, so that claiming never crosses file systems.
const CLAIMED: &str = ".claimed";
/// The file that a run keeps locked in its directory of claims.
const LOCK: &str = ".lock";

/// A relay directory and this run's place in it.
pub(crate) struct Relay {
    directory: PathBuf,
    run: String,
    claims: PathBuf,
    done: PathBuf,
    failed: PathBuf,
    settle: Duration,
    next: AtomicU64,
    _lock: LockFile,
}

/// A file that is ours.
#[derive(Debug)]
pub(crate) struct Claim {
    /// Where it stands now.
    pub(crate) path: PathBuf,
    /// Identifies the claim for ever, across runs: `RUN.NUMBER`.
    pub(crate) key: String,
    /// The name it came under.
    pub(crate) name: String,
    /// The directory it came from: the relay directory or a Maildir's `new`.
    home: PathBuf,
}

impl Relay {
    /// Takes a place in `directory`. Kept messages go to `done`, failed ones to `failed`; without them to folders of these names in
    /// `directory`.
    pub(crate) fn open(
        directory: &Path,
        done: Option<&Path>,
        failed: Option<&Path>,
        settle: Duration,
    ) -> Result<Relay> {
        let remedy = "give a directory that the mail server writes to and carom may write to";
        if !directory.is_dir() {
            let what = format_args!("{}: not a directory", directory.display());
            return Err(Error::new(what).remedy(remedy));
        }
        let run = format!("{:x}{:04x}", clock::now_ms(), fastrand::u16(..));
        let claims = directory.join(CLAIMED).join(&run);
        let locked = fs::create_dir_all(&claims).and_then(|()| lock::take(&claims.join(LOCK)));
        let lock = locked.context(claims.display()).map_err(|error| error.remedy(remedy))?;
        Ok(Relay {
            done: done.map_or_else(|| directory.join("done"), Path::to_owned),
            failed: failed.map_or_else(|| directory.join("failed"), Path::to_owned),
            directory: directory.canonicalize().context(directory.display())?,
            run,
            claims,
            settle,
            next: AtomicU64::new(0),
            _lock: lock,
        })
    }

    /// Files that are whole and wait to be claimed, oldest name first, and how many are still being written.
    pub(crate) fn waiting(&self) -> Result<(Vec<PathBuf>, usize)> {
        let new = self.directory.join("new");
        let maildir = new.is_dir() && self.directory.join("tmp").is_dir();
        let mut young = Vec::new();
        let mut whole = Vec::new();
        for (folder, any_name) in [(&self.directory, false), (&new, true)] {
            if any_name && !maildir {
                continue;
            }
            for entry in fs::read_dir(folder).context(folder.display())?.flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let known = [".msg", ".eml", ".mbox"].iter().any(|ending| name.ends_with(ending));
                let taken = (known || any_name) && !name.starts_with('.') && !name.ends_with(".tmp");
                if !taken || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
                    continue;
                }
                let age = entry.metadata().ok().and_then(|metadata| metadata.modified().ok()).map(age);
                let settled = age.is_none_or(|age| age >= self.settle) || any_name;
                (if settled { &mut whole } else { &mut young }).push(entry.path());
            }
        }
        let mut unfinished = 0;
        if !young.is_empty() {
            let written = open_for_writing();
            for path in young {
                if written.contains(&path) || !ends_properly(&path) {
                    unfinished += 1;
                } else {
                    whole.push(path);
                }
            }
        }
        whole.sort_unstable();
        Ok((whole, unfinished))
    }

    /// Claims a file; `None` if somebody else has.
    pub(crate) fn claim(&self, path: &Path) -> Result<Option<Claim>> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let key = format!("{}.{}", self.run, self.next.fetch_add(1, Ordering::Relaxed));
        let kept: String = tail(&name, 160).to_owned();
        let in_new = path.parent() == Some(&self.directory.join("new"));
        let claimed = self.claims.join(format!("{key}.{}.{kept}", if in_new { "n" } else { "d" }));
        match fs::rename(path, &claimed) {
            Ok(()) => {
                let home = path.parent().unwrap_or(&self.directory).to_owned();
                Ok(Some(Claim { path: claimed, key, name, home }))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context(path.display()),
        }
    }

    /// Takes over the claims of runs that died.
    pub(crate) fn adopt(&self) -> Result<Vec<Claim>> {
        let mut adopted = Vec::new();
        let runs = self.directory.join(CLAIMED);
        for run in fs::read_dir(&runs).context(runs.display())?.flatten() {
            let folder = run.path();
            if folder == self.claims {
                continue;
            }
            let Ok(Some(_dead)) = lock::try_existing(&folder.join(LOCK)) else { continue };
            for entry in fs::read_dir(&folder).context(folder.display())?.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let Some((key, home, original)) = claim_name(&name) else {
                    continue;
                };
                let path = self.claims.join(&name);
                fs::rename(entry.path(), &path).context(path.display())?;
                let home = if home == "n" { self.directory.join("new") } else { self.directory.clone() };
                adopted.push(Claim { path, key, name: original.to_owned(), home });
            }
            let _ = fs::remove_file(folder.join(LOCK));
            let _ = fs::remove_dir(&folder);
        }
        adopted.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(adopted)
    }

    /// The claim has been dealt with.
    pub(crate) fn remove(&self, claim: &Claim) -> Result<()> {
        fs::remove_file(&claim.path).context(claim.path.display())
    }

    /// Puts the file in `failed`, with the reason beside it.
    pub(crate) fn fail(&self, claim: &Claim, reason: &str) -> Result<()> {
        let target = self.move_to(claim, &self.failed)?;
        let mut beside = target.into_os_string();
        beside.push(".reason");
        fs::write(&beside, format!("{reason}\n")).context(Path::new(&beside).display())
    }

    /// Gives the file back under its own name, to be tried again later.
    pub(crate) fn put_back(&self, claim: &Claim) -> Result<PathBuf> {
        self.move_to(claim, &claim.home)
    }

    /// Writes a file of its own for a message of the claim that is to be tried again; durable on return.
    pub(crate) fn write_back(&self, claim: &Claim, bytes: &[u8]) -> Result<PathBuf> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let target = self.directory.join(format!("{}.{number}.msg", self.run));
        let written = Unfinished::create(&self.directory, 0o666).and_then(|mut file| {
            file.write_all(bytes)?;
            file.replace(&target)
        });
        written.context(format_args!("{} (from {})", target.display(), claim.name))?;
        Ok(target)
    }

    /// Where kept messages go.
    pub(crate) fn done(&self) -> &Path {
        &self.done
    }

    /// Since when the file has lain here.
    pub(crate) fn age(&self, claim: &Claim) -> Duration {
        fs::metadata(&claim.path).and_then(|metadata| metadata.modified()).map(age).unwrap_or_default()
    }

    /// Moves a claim into `folder`, durably, under its own name or, where that is taken, one like it.
    fn move_to(&self, claim: &Claim, folder: &Path) -> Result<PathBuf> {
        fs::create_dir_all(folder).context(folder.display())?;
        for attempt in 0.. {
            let target = match attempt {
                0 => folder.join(&claim.name),
                _ => folder.join(format!("{}.{attempt}.{}", claim.key, tail(&claim.name, 160))),
            };
            match renameat_with(CWD, &claim.path, CWD, &target, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(target),
                Err(Errno::EXIST) if attempt < 1000 => continue,
                Err(Errno::XDEV) => match copy_over(&claim.path, &target) {
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && attempt < 1000 => {
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

impl Drop for Relay {
    /// Leaves no empty directory behind; claims that are still there are adopted by the next run.
    fn drop(&mut self) {
        let left = fs::read_dir(&self.claims).map(|entries| entries.count()).unwrap_or(0);
        if left <= 1 {
            let _ = fs::remove_file(self.claims.join(LOCK));
            let _ = fs::remove_dir(&self.claims);
            let _ = fs::remove_dir(self.directory.join(CLAIMED));
        }
    }
}

/// A rename across file systems: the copy is whole and durable under its own name before the original goes.
fn copy_over(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.exists() {
        return Err(std::io::ErrorKind::AlreadyExists.into());
    }
    let mut copy = Unfinished::create(to.parent().unwrap_or(Path::new(".")), 0o666)?;
    std::io::copy(&mut File::open(from)?, &mut copy)?;
    copy.place(to)?;
    fs::remove_file(from)
}

/// `RUN.NUMBER.HOME.NAME` → key, home, name.
fn claim_name(name: &str) -> Option<(String, &str, &str)> {
    let mut fields = name.splitn(4, '.');
    let (run, number, home, original) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    (!run.is_empty() && !original.is_empty()).then(|| (format!("{run}.{number}"), home, original))
}

/// The last `limit` bytes of a name, from a character on.
fn tail(name: &str, limit: usize) -> &str {
    &name[name.ceil_char_boundary(name.len().saturating_sub(limit))..]
}

fn age(time: SystemTime) -> Duration {
    clock::age(time).unwrap_or_default()
}

/// Files that some process we may look at has open for writing.
fn open_for_writing() -> HashSet<PathBuf> {
    let mut written = HashSet::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let folder = process.path();
        for descriptor in fs::read_dir(folder.join("fd")).into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(descriptor.path()) else {
                continue;
            };
            let ours = target
                .extension()
                .is_some_and(|ending| ending == "msg" || ending == "eml" || ending == "mbox");
            if !ours {
                continue;
            }
            let info =
                fs::read_to_string(folder.join("fdinfo").join(descriptor.file_name())).unwrap_or_default();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            let access = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).unwrap_or(0) & 0o3;
            if access != 0 {
                written.insert(target);
            }
        }
    }
    written
}

/// Whether a young file ends like a message: with a line end, and with the closing boundary if it announces one.
fn ends_properly(path: &Path) -> bool {
    const LOOK: u64 = 64 << 10;
    let read = || -> std::io::Result<(Vec<u8>, Vec<u8>)> {
        use std::os::unix::fs::FileExt;
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut head = Vec::new();
        Read::by_ref(&mut file).take(LOOK).read_to_end(&mut head)?;
        let mut end = vec![0; size.min(4096) as usize];
        file.read_exact_at(&mut end, size - size.min(4096))?;
        Ok((head, end))
    };
    let Ok((head, end)) = read() else { return false };
    if !end.ends_with(b"\n") {
        return false;
    }
    let header_end = head
        .windows(2)
        .position(|two| two == b"\n\n")
        .or_else(|| head.windows(4).position(|four| four == b"\r\n\r\n"));
    let Some(header_end) = header_end else {
        return false;
    };
    match boundary(&head[..header_end]) {
        Some(boundary) => {
            let closing = format!("--{boundary}--");
            end.windows(closing.len()).any(|window| window == closing.as_bytes())
        }
        None => true,
    }
}

/// The boundary of a multipart header block, as far as it is plain to see.
fn boundary(header: &[u8]) -> Option<String> {
    let header = String::from_utf8_lossy(header);
    let lower = header.to_ascii_lowercase();
    let multipart = lower.find("content-type: multipart/")?;
    let start = multipart + lower[multipart..].find("boundary=")? + "boundary=".len();
    let value = header[start..].trim_start();
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().map(str::to_owned),
        None => value.split(|c: char| c.is_whitespace() || c == ';').next().map(str::to_owned),
    }
}

/// Removes kept files older than `days`; 0 keeps all.
pub(crate) fn expire_kept(kept: &Path, days: u32) {
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
