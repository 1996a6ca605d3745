//! Root becomes the user whose files it is going to write, for good: then nothing of root's can be
//! written through a link that this user has put there.
//!
//! Not here: which user that is for a command (`cli::identity`), and the permissions of files
//! (`private`). Invariants: a process that has become another user cannot go back; where root stays
//! root, nobody else could write to the directory or to what is in it.

use super::command::shell_word;
use super::user_database::{SYSTEM, SystemUser};
use super::{others, own_place};
use crate::error::{Context, Error, Result};
use rustix::process::{DumpableBehavior, Resource, Rlimit, geteuid, set_dumpable_behavior, setrlimit};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// Root becomes the owner of a directory, or of the one above it if it is missing. Other users stay
/// who they are.
pub(crate) fn become_owner(directory: &Path) -> Result<()> {
    let found = nearest(directory).context(directory.display())?;
    match found.uid() {
        uid if is_root() && uid != 0 => become_user(&uid.to_string(), SystemUser { uid, gid: found.gid() }),
        _ => Ok(()),
    }
}

/// The same for a user of the system; a user that does not exist changes nothing.
pub(crate) fn become_named(name: &str) -> Result<()> {
    match SYSTEM.user(name) {
        Ok(Some(user)) if is_root() && user.uid != 0 => become_user(name, user),
        _ => Ok(()),
    }
}

/// Becomes the user whose rights are to be tested. Error: there is none of this name, or this
/// process cannot become it.
pub(crate) fn become_tester(name: &str) -> Result<()> {
    let user = SYSTEM.user(name)?.ok_or_else(|| {
        Error::new(format_args!("there is no user {name}")).remedy(format_args!(
            "create it: useradd --system --no-create-home --shell /usr/sbin/nologin {name}"
        ))
    })?;
    match user.uid == geteuid().as_raw() {
        true => Ok(()),
        false if is_root() => become_user(name, user),
        false => Err(Error::new(format_args!("only root can test as {name}"))
            .remedy(format_args!("run it as root, or as {name}: sudo -u {name} carom check"))),
    }
}

/// Whether a directory, or the nearest one above it that exists, can be looked at.
pub(crate) fn is_reachable(directory: &Path) -> bool {
    nearest(directory).is_ok()
}

/// Whether it belongs to root, or the nearest directory above it that exists does.
pub(crate) fn is_of_root(directory: &Path) -> bool {
    nearest(directory).is_ok_and(|found| found.uid() == 0)
}

/// Error, for root: the file that is about to be made could be made somewhere else, because others
/// could have put a link on the way to it.
pub(crate) fn guard(path: &Path) -> io::Result<()> {
    let above = path.parent().filter(|_| is_root());
    let above = above.map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    above.map_or(Ok(()), others::refuse_above).map_err(|error| {
        let fix = "root makes no files where others can write: run carom as the mail user";
        io::Error::other(format!("{}; {fix}", error.text()))
    })
}

/// The same for a directory whose files root moves and opens by their names.
pub(crate) fn guard_directory(directory: &Path) -> Result<()> {
    match is_root() {
        true => others::refuse(directory).map_err(|error| refused(&error, directory)),
        false => Ok(()),
    }
}

/// Error, for root: somebody else could write to this directory or to something in it.
pub(crate) fn refuse_shared(directory: &Path) -> Result<()> {
    match is_root() {
        true => shared(directory).map_err(|error| refused(&error, directory)),
        false => Ok(()),
    }
}

fn shared(directory: &Path) -> Result<()> {
    others::refuse(directory)?;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.metadata() {
            Ok(found) if found.is_symlink() => others::refuse(&path)?,
            Ok(found) => others::refuse_one(&path, &found, true)?,
            // It was there a moment ago: a file of another process of root.
            Err(_) => {}
        }
    }
    Ok(())
}

fn refused(error: &Error, directory: &Path) -> Error {
    let shown = directory.display();
    let fix = error.remedy_text().unwrap_or_default();
    Error::new(format_args!("{shown}: carom does not work as root where others can write: {}", error.text()))
        .remedy(match own_place::is_own(directory) {
            false => format!("set the key of the config to a directory of carom's own, not {shown}"),
            true => format!(
                "{fix}, or give the whole directory to the mail user: chown -R carom {}",
                shell_word(directory)
            ),
        })
}

/// What is known about a directory, or about the nearest one above it that exists.
fn nearest(directory: &Path) -> io::Result<Metadata> {
    let whole = std::path::absolute(directory)?;
    for above in whole.ancestors() {
        match fs::metadata(above) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
    }
    fs::metadata("/")
}

/// `name` may be a number. A user that the system does not know has no other groups.
fn become_user(name: &str, given: SystemUser) -> Result<()> {
    let known = SYSTEM.user_and_groups(name).ok().flatten();
    let (user, groups) = known.unwrap_or_else(|| (given, vec![given.gid]));
    change(user, &groups)
        .context(format_args!("cannot become user {name}, whose directory this is"))
        .map_err(|error| error.remedy(format_args!("run carom as this user: setpriv --reuid {name} …")))
}

/// The groups first: without root, they can no longer be changed.
fn change(user: SystemUser, groups: &[u32]) -> io::Result<()> {
    let ends = |result: libc::c_int| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    // SAFETY: the pointer and the length are those of one slice; the others take no pointers. They
    // change every thread of the process.
    unsafe {
        ends(libc::setgroups(groups.len(), groups.as_ptr()))?;
        ends(libc::setresgid(user.gid, user.gid, user.gid))?;
        ends(libc::setresuid(user.uid, user.uid, user.uid))?;
    }
    // Another user's process may be dumped again, if the system says so.
    leave_no_core();
    Ok(())
}

/// A crash leaves no mail and no keys, in a file or in the program that takes core dumps, which
/// heeds no limit. Programs that carom starts may be dumped.
pub(crate) fn leave_no_core() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
