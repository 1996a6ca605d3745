//! What a run does to the disk below one directory: every write, name and sync, in order, of all its threads; and what a power
//! cut may leave of it.
//!
//! A name that was given, moved or removed survives for certain once one of its directories was synced afterwards (a rename is
//! atomic), and bytes once their file was.

use super::traced_memory::{bytes_at, position, text_at};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// A change of the disk. Files are known by their `identity`.
#[derive(Debug)]
enum Change {
    /// A file has this name now.
    Named {
        file: u64,
        path: PathBuf,
    },
    Directory(PathBuf),
    Renamed {
        from: PathBuf,
        to: PathBuf,
    },
    Removed(PathBuf),
    Written {
        file: u64,
        at: u64,
        bytes: Vec<u8>,
    },
    Cut {
        file: u64,
        length: u64,
    },
    Dated {
        file: u64,
        at: SystemTime,
    },
    FileSynced(u64),
    DirectorySynced(PathBuf),
}

/// What a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsynced {
    Lost,
    Kept,
    /// The names are kept, and the bytes are not.
    OnlyNames,
}

/// Bytes of a file, and when they were written.
type Content = (Vec<u8>, SystemTime);

/// The changes of a run, and the state before.
pub(crate) struct DiskTrace {
    before: Vec<(PathBuf, Option<Content>)>,
    inodes: HashMap<PathBuf, u64>,
    changes: Vec<Change>,
}

/// Runs a command to its end. `None`: this system lets nobody trace, or the run failed.
pub(crate) fn record(mut command: Command, root: &Path) -> Option<DiskTrace> {
    let (mut before, mut inodes) = (Vec::new(), HashMap::new());
    walk(root, &mut |path, metadata| {
        inodes.insert(path.to_owned(), identity(metadata));
        before.push((
            path.to_owned(),
            metadata.is_file().then(|| (fs::read(path).unwrap(), metadata.modified().unwrap())),
        ));
    });
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: ptrace is a plain system call, allowed between fork and exec.
    unsafe {
        command.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let child = command.spawn().ok()?;
    let mut tracer = Tracer { root, changes: Vec::new(), entered: HashMap::new() };
    let ended = tracer.follow(child.id() as libc::pid_t);
    (ended == Some(0)).then_some(DiskTrace { before, inodes, changes: tracer.changes })
}

/// What tells a file from all others: the inode of one that was removed is used again, and then it was born later.
fn identity(metadata: &fs::Metadata) -> u64 {
    let born = metadata.created().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    metadata.ino().rotate_left(40) ^ born.map_or(0, |age| age.as_nanos() as u64)
}

fn walk(folder: &Path, visit: &mut dyn FnMut(&Path, &fs::Metadata)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        if metadata.is_dir() || metadata.is_file() {
            visit(&path, &metadata);
        }
        if metadata.is_dir() {
            walk(&path, visit);
        }
    }
}

struct Tracer<'r> {
    root: &'r Path,
    changes: Vec<Change>,
    /// What threads have entered: the call and its arguments, and what their paths and files were then.
    entered: HashMap<libc::pid_t, Call>,
}

struct Call {
    number: i64,
    arguments: [u64; 6],
    paths: Vec<PathBuf>,
    file: Option<(PathBuf, u64)>,
}

impl Tracer<'_> {
    fn follow(&mut self, id: libc::pid_t) -> Option<i32> {
        let mut status = 0;
        // SAFETY: the process and its threads are this thread's to trace; the only pointer is to `status`.
        unsafe {
            libc::waitpid(id, &raw mut status, 0);
            let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACECLONE;
            libc::ptrace(libc::PTRACE_SETOPTIONS, id, 0, options);
            libc::ptrace(libc::PTRACE_SYSCALL, id, 0, 0);
        }
        loop {
            // SAFETY: as above.
            let thread = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
            if thread <= 0 {
                return None;
            }
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                self.entered.remove(&thread);
                if thread == id {
                    return libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
                }
                continue;
            }
            let signal = match libc::WSTOPSIG(status) {
                libc::SIGTRAP | libc::SIGSTOP => 0,
                call if call == libc::SIGTRAP | 0x80 => {
                    self.call(thread);
                    0
                }
                other => other,
            };
            // SAFETY: as above.
            unsafe { libc::ptrace(libc::PTRACE_SYSCALL, thread, 0, signal) };
        }
    }

    /// A thread enters a call or leaves it.
    fn call(&mut self, thread: libc::pid_t) {
        // SAFETY: the kernel fills the structure, of which every pattern of bits is a value.
        let info = unsafe {
            let mut info: libc::ptrace_syscall_info = std::mem::zeroed();
            let size = size_of::<libc::ptrace_syscall_info>();
            libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, thread, size, &raw mut info);
            info
        };
        if info.op == libc::PTRACE_SYSCALL_INFO_ENTRY {
            // SAFETY: `op` says which of the union's fields is filled.
            let entry = unsafe { info.u.entry };
            let number = entry.nr as i64;
            let paths = path_arguments(number, &entry.args);
            let paths =
                paths.map(|(folder, at)| self.path(thread, folder.map(|at| entry.args[at]), entry.args[at]));
            let (paths, file) = (paths.collect(), self.file(thread, number, entry.args[0]));
            self.entered.insert(thread, Call { number, arguments: entry.args, paths, file });
        } else if info.op == libc::PTRACE_SYSCALL_INFO_EXIT
            && let Some(call) = self.entered.remove(&thread)
        {
            // SAFETY: as above.
            let result = unsafe { info.u.exit.sval };
            if result >= 0 {
                self.done(thread, call, result as u64);
            }
        }
    }

    /// The file of a call that takes one; files that are elsewhere are none.
    fn file(&self, thread: libc::pid_t, number: i64, descriptor: u64) -> Option<(PathBuf, u64)> {
        let takes =
            [libc::SYS_write, libc::SYS_pwrite64, libc::SYS_ftruncate, libc::SYS_fsync, libc::SYS_fdatasync];
        let dates = [libc::SYS_utimensat];
        let takes_vector =
            [libc::SYS_writev, libc::SYS_pwritev, libc::SYS_copy_file_range, libc::SYS_fallocate];
        if !takes.contains(&number) && !dates.contains(&number) && !takes_vector.contains(&number) {
            return None;
        }
        let link = PathBuf::from(format!("/proc/{thread}/fd/{descriptor}"));
        let path = fs::read_link(&link).ok().filter(|path| path.starts_with(self.root))?;
        assert!(
            !takes_vector.contains(&number),
            "call {number} on {}: the trace does not know it",
            path.display()
        );
        Some((path, identity(&fs::metadata(&link).ok()?)))
    }

    fn path(&self, thread: libc::pid_t, folder: Option<u64>, text: u64) -> PathBuf {
        let text = PathBuf::from(String::from_utf8_lossy(&text_at(thread, text)).into_owned());
        let folder = folder.filter(|folder| *folder as i32 != libc::AT_FDCWD && text.is_relative());
        match folder {
            Some(folder) => {
                fs::read_link(format!("/proc/{thread}/fd/{folder}")).unwrap_or_default().join(text)
            }
            None => text,
        }
    }

    fn done(&mut self, thread: libc::pid_t, call: Call, result: u64) {
        let Call { number, arguments, mut paths, file } = call;
        let inode = |path: &Path| fs::metadata(path).map_or(0, |metadata| identity(&metadata));
        let ours = paths.iter().any(|path| path.starts_with(self.root));
        match number {
            libc::SYS_write | libc::SYS_pwrite64 => {
                let Some((path, file)) = file else { return };
                let bytes = bytes_at(thread, arguments[1], result as usize);
                let at = if number == libc::SYS_pwrite64 {
                    arguments[3]
                } else {
                    position(thread, arguments[0], &path) - result
                };
                self.changes.push(Change::Written { file, at, bytes });
            }
            libc::SYS_ftruncate => {
                self.changes.extend(file.map(|(_, file)| Change::Cut { file, length: arguments[1] }));
            }
            libc::SYS_utimensat => self.changes.extend(file.map(|(path, file)| Change::Dated {
                file,
                at: fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap(),
            })),
            libc::SYS_fsync | libc::SYS_fdatasync => {
                self.changes.extend(file.map(|(path, file)| match path.is_dir() {
                    true => Change::DirectorySynced(path),
                    false => Change::FileSynced(file),
                }))
            }
            libc::SYS_openat if ours && arguments[2] as i32 & libc::O_CREAT != 0 => {
                let path = paths.remove(0);
                let file =
                    fs::metadata(format!("/proc/{thread}/fd/{result}")).map_or(0, |file| identity(&file));
                self.changes.push(Change::Named { file, path });
            }
            libc::SYS_mkdir | libc::SYS_mkdirat if ours => {
                self.changes.push(Change::Directory(paths.remove(0)))
            }
            libc::SYS_unlink | libc::SYS_unlinkat | libc::SYS_rmdir if ours => {
                self.changes.push(Change::Removed(paths.remove(0)));
            }
            libc::SYS_rename | libc::SYS_renameat | libc::SYS_renameat2 if ours => {
                let (from, to) = (paths.remove(0), paths.remove(0));
                self.changes.push(Change::Renamed { from, to });
            }
            libc::SYS_link | libc::SYS_linkat if ours => {
                let path = paths.remove(1);
                self.changes.push(Change::Named { file: inode(&path), path });
            }
            _ => {}
        }
    }
}

/// Where the paths of a call are among its arguments, each with its directory.
fn path_arguments(number: i64, _: &[u64; 6]) -> impl Iterator<Item = (Option<usize>, usize)> + use<> {
    let places: &[(Option<usize>, usize)] = match number {
        libc::SYS_openat | libc::SYS_mkdirat | libc::SYS_unlinkat => &[(Some(0), 1)],
        libc::SYS_mkdir | libc::SYS_unlink | libc::SYS_rmdir => &[(None, 0)],
        libc::SYS_rename | libc::SYS_link => &[(None, 0), (None, 1)],
        libc::SYS_renameat | libc::SYS_renameat2 | libc::SYS_linkat => &[(Some(0), 1), (Some(2), 3)],
        _ => &[],
    };
    places.iter().copied()
}

impl DiskTrace {
    /// The numbers of changes after which a power cut says something: before each sync, and at the end.
    pub(crate) fn boundaries(&self) -> Vec<usize> {
        let syncs = |change: &Change| matches!(change, Change::FileSynced(_) | Change::DirectorySynced(_));
        let before = self.changes.iter().enumerate().filter(|(_, change)| syncs(change));
        before.map(|(number, _)| number).chain([self.changes.len()]).collect()
    }

    /// The numbers of changes of names below a directory: before each of them a process may be killed.
    pub(crate) fn name_changes(&self, below: &Path) -> Vec<usize> {
        let names = |change: &Change| match change {
            Change::Named { path, .. } | Change::Directory(path) | Change::Removed(path) => {
                path.starts_with(below)
            }
            Change::Renamed { to, .. } => to.starts_with(below),
            _ => false,
        };
        let changes = self.changes.iter().enumerate().filter(|(_, change)| names(change));
        changes.map(|(number, _)| number).collect()
    }

    /// A path that each file has had.
    fn places(&self) -> HashMap<u64, &Path> {
        let mut places: HashMap<_, _> =
            self.inodes.iter().map(|(path, file)| (*file, path.as_path())).collect();
        for change in &self.changes {
            if let Change::Named { file, path } = change {
                places.insert(*file, path);
            }
        }
        places
    }

    /// Puts below `root` what a power cut after this many changes leaves: each file system, which a
    /// path tells, writes back as it likes what was not synced.
    pub(crate) fn replay(&self, root: &Path, cut: usize, unsynced: &dyn Fn(&Path) -> Unsynced) {
        let (changes, places) = (&self.changes[..cut], self.places());
        let (mut names, mut contents) = (BTreeMap::new(), HashMap::new());
        let (mut folders, mut dates) = (BTreeSet::new(), HashMap::new());
        for (path, bytes) in &self.before {
            match bytes {
                Some((bytes, modified)) => {
                    dates.insert(self.inodes[path], *modified);
                    names.insert(path.clone(), self.inodes[path]);
                    contents.insert(self.inodes[path], bytes.clone());
                }
                None => _ = folders.insert(path.clone()),
            }
        }
        for (number, change) in changes.iter().enumerate() {
            let later = &changes[number..];
            let named =
                |paths: &[&Path]| unsynced(paths[0]) != Unsynced::Lost || is_name_synced(paths, later);
            let written = |file: u64| {
                let synced =
                    |change: &Change| matches!(change, Change::FileSynced(synced) if *synced == file);
                let place = places.get(&file).copied().unwrap_or(root);
                unsynced(place) == Unsynced::Kept || later.iter().any(synced)
            };
            match change {
                Change::Named { file, path } if named(&[path]) => {
                    names.insert(path.clone(), *file);
                    contents.entry(*file).or_default();
                }
                Change::Directory(path) if named(&[path]) => _ = folders.insert(path.clone()),
                Change::Renamed { from, to } if named(&[from, to]) => {
                    if let Some(file) = names.remove(from) {
                        names.insert(to.clone(), file);
                    }
                }
                Change::Removed(path) if named(&[path]) => {
                    names.remove(path);
                    folders.remove(path);
                }
                Change::Written { file, at, bytes } if written(*file) => {
                    let content: &mut Vec<u8> = contents.entry(*file).or_default();
                    content.resize(content.len().max(*at as usize + bytes.len()), 0);
                    content[*at as usize..][..bytes.len()].copy_from_slice(bytes);
                }
                Change::Dated { file, at } if written(*file) => _ = dates.insert(*file, *at),
                Change::Cut { file, length } if written(*file) => {
                    contents.entry(*file).or_default().resize(*length as usize, 0);
                }
                _ => {}
            }
        }
        for entry in fs::read_dir(root).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => fs::remove_dir_all(entry.path()).unwrap(),
                false => fs::remove_file(entry.path()).unwrap(),
            }
        }
        folders.iter().for_each(|folder| fs::create_dir_all(folder).unwrap());
        for (path, file) in names {
            // What is in a directory whose own name is lost is lost with it.
            if path.parent().is_some_and(Path::is_dir) && !path.ends_with("carom.db-shm") {
                fs::write(&path, &contents[&file]).unwrap();
                if let Some(at) = dates.get(&file) {
                    fs::File::options().write(true).open(path).unwrap().set_modified(*at).unwrap();
                }
            }
        }
    }
}

/// Whether a directory of one of these paths is synced afterwards.
fn is_name_synced(paths: &[&Path], later: &[Change]) -> bool {
    let is_of = |folder: &Path| paths.iter().any(|path| path.parent() == Some(folder));
    later.iter().any(|change| matches!(change, Change::DirectorySynced(folder) if is_of(folder)))
}
