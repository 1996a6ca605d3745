//! Could the user that the mail server runs carom as read, or run, this file? Root can read
//! everything, so what root sees says little.
//!
//! Not here: who could write a file (`policy::mail_user`). Invariant: what cannot be found out (no
//! such user, an access control list) counts as "could".

use super::granting::granting;
use super::user_database::{SYSTEM, SystemUser};
use crate::error::{Error, Result};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(crate) struct Reader<'a> {
    name: &'a str,
    /// None: this process runs as the user that reads.
    user: Option<SystemUser>,
}

impl<'a> Reader<'a> {
    /// The mail user, if this process is root.
    pub(crate) fn of_mail(name: &'a str) -> Reader<'a> {
        let is_root = rustix::process::geteuid().is_root();
        let user = if is_root { SYSTEM.user(name).ok().flatten() } else { None };
        Reader { name, user: user.filter(|user| user.uid != 0) }
    }

    /// Error: the user could not read the file, and why.
    pub(crate) fn may_read(&self, path: &Path) -> Result<()> {
        let Some(user) = self.user else { return Ok(()) };
        let directories = path.ancestors().skip(1).filter(|directory| !directory.as_os_str().is_empty());
        for directory in directories {
            self.check(user, directory, 0o1, "search")?;
        }
        self.check(user, path, 0o4, "read")
    }

    /// Error: the user could not run the program, and why.
    pub(crate) fn may_run(&self, path: &Path) -> Result<()> {
        let Some(user) = self.user else { return Ok(()) };
        path.ancestors().skip(1).try_for_each(|directory| self.check(user, directory, 0o1, "search"))?;
        self.check(user, path, 0o1, "run")
    }

    fn check(&self, user: SystemUser, path: &Path, right: u32, word: &str) -> Result<()> {
        let Ok(found) = fs::metadata(path) else { return Ok(()) };
        if self.has(user, &found, right) || has_access_list(path) {
            return Ok(());
        }
        let (name, shown) = (self.name, path.display());
        let what = format!("{shown}: the user {name} cannot {word} it (mode {:o})", found.mode() & 0o7777);
        let way = granting(name, path, if right == 0o4 { 'r' } else { 'x' });
        Err(Error::new(what).remedy(format_args!("let {name} {word} it{way}")))
    }

    fn has(&self, user: SystemUser, found: &Metadata, right: u32) -> bool {
        let shift = if user.uid == found.uid() {
            6
        } else if user.gid == found.gid() || SYSTEM.is_member(self.name, found.gid()).unwrap_or(true) {
            3
        } else {
            0
        };
        found.mode() >> shift & right != 0
    }
}

fn has_access_list(path: &Path) -> bool {
    rustix::fs::getxattr(path, "system.posix_acl_access", &mut [0u8; 0]).is_ok_and(|length| length > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn another_user_reads_what_its_permissions_allow() {
        let directory = std::env::temp_dir().join(format!("carom-reader-{:x}", fastrand::u64(..)));
        fs::create_dir(&directory).unwrap();
        let file = directory.join("mail.log");
        fs::write(&file, "").unwrap();
        let reader = Reader { name: "nobody-here", user: Some(SystemUser { uid: 65_533, gid: 65_533 }) };
        for (of_directory, of_file, says) in
            [(0o755, 0o644, None), (0o755, 0o640, Some("cannot read")), (0o750, 0o644, Some("cannot search"))]
        {
            fs::set_permissions(&directory, Permissions::from_mode(of_directory)).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(of_file)).unwrap();
            let error = reader.may_read(&file).err().map(|error| error.to_string());
            assert_eq!(error.is_some(), says.is_some(), "{error:?}");
            assert!(says.is_none_or(|says| error.unwrap_or_default().contains(says)));
        }
        let own = Reader { user: None, ..reader };
        assert!(own.may_read(&file).is_ok());
        fs::remove_dir_all(&directory).unwrap();
    }
}
