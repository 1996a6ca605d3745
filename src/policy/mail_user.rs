//! Could the user that the mail server runs carom as write this? What it could write is not
//! installed: a message that breaks into carom must not replace the policy.
//!
//! Not here: the users themselves (`files::user_database`). Invariant: what cannot be found out
//! counts as "could".

use crate::error::{Context, Error, Result};
use crate::files::command::shell_word;
use crate::files::user_database::{SystemUser, UserDatabase};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(crate) struct MailUser<'a> {
    name: String,
    /// `None`: the system has no such user. Error: it cannot be asked, and why.
    user: Result<Option<SystemUser>, String>,
    database: UserDatabase<'a>,
}

impl<'a> MailUser<'a> {
    /// Error: this process runs as that user.
    pub(crate) fn find(name: &str, database: UserDatabase<'a>) -> Result<MailUser<'a>> {
        let user = database.user(name).map_err(|error| error.to_string());
        let own = rustix::process::geteuid().as_raw();
        if own != 0 && user.as_ref().is_ok_and(|user| user.is_some_and(|user| user.uid == own)) {
            return Err(Error::new(format_args!("{name} is the user that the mail server runs carom as"))
                .remedy("install as root, so that a message that breaks in cannot replace the policy"));
        }
        Ok(MailUser { name: name.to_owned(), user, database })
    }

    /// Error: this user could write to `path`, or that cannot be ruled out.
    pub(crate) fn refuse(&self, path: &Path) -> Result<()> {
        let found = fs::metadata(path).context(path.display())?;
        let (shown, typed) = (path.display(), shell_word(path));
        // In a sticky directory nobody replaces the files of others.
        let sticky = found.is_dir() && found.mode() & 0o1000 != 0;
        if found.mode() & 0o002 != 0 && !sticky {
            return Err(could_write("anyone", path).remedy(format_args!("chmod o-w {typed}")));
        }
        let remedy = format!("chown root {typed} && chmod go-w {typed}");
        match self.could_write(&found, sticky) {
            Ok(false) => Ok(()),
            Ok(true) => Err(could_write(&self.name, path).remedy(remedy)),
            Err(why) => {
                let what = format!("cannot rule out that {} could write to {shown}: {why}", self.name);
                Err(Error::new(what).remedy(format_args!("or run {remedy}")))
            }
        }
    }

    fn could_write(&self, found: &Metadata, sticky: bool) -> Result<bool, String> {
        let group_writes = found.mode() & 0o020 != 0 && !sticky;
        match &self.user {
            Ok(None) => Ok(false),
            Ok(Some(user)) if user.uid == 0 => Ok(false),
            Ok(Some(user)) if user.uid == found.uid() => Ok(true),
            Ok(Some(user)) if group_writes && user.gid == found.gid() => Ok(true),
            Ok(Some(_)) if group_writes => {
                self.database.is_member(&self.name, found.gid()).map_err(|error| error.to_string())
            }
            Ok(Some(_)) => Ok(false),
            Err(why) => {
                let trusted = [0, rustix::process::geteuid().as_raw()].contains(&found.uid());
                if trusted && !group_writes { Ok(false) } else { Err(why.clone()) }
            }
        }
    }
}

fn could_write(who: &str, path: &Path) -> Error {
    Error::new(format_args!("{who} could write to {}, and so replace the policy", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// A file with these permissions, that goes with the test.
    struct Home(PathBuf);

    impl Home {
        fn new(mode: u32) -> Home {
            let path = std::env::temp_dir().join(format!("carom-mail-user-{:x}", fastrand::u64(..)));
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            Home(path)
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    /// What a user who is only in a directory server could do with a file of these permissions.
    fn refused(mode: u32, uid: u32, members: &str) -> Result<(), String> {
        let home = Home::new(mode);
        let group = fs::metadata(&home.0).unwrap().gid().to_string();
        let look_up = |database: &str, key: &str| {
            Ok(match database {
                "passwd" => Some(format!("ldap-mail:*:{uid}:59999::/:")),
                _ if key == group => Some(format!("writers:*:{key}:{members}")),
                _ => None,
            })
        };
        let user = MailUser::find("ldap-mail", UserDatabase(&look_up)).unwrap();
        user.refuse(&home.0).map_err(|error| error.to_string())
    }

    #[test]
    fn a_user_of_a_directory_server_counts() {
        assert_eq!(refused(0o644, 59_999, ""), Ok(()));
        assert_eq!(refused(0o664, 59_999, "joe,jim"), Ok(()), "in another group");
        assert!(refused(0o664, 59_999, "joe,ldap-mail").unwrap_err().starts_with("ldap-mail could write to"));
        assert!(refused(0o666, 59_999, "").unwrap_err().starts_with("anyone could write to"));
    }

    #[test]
    fn what_cannot_be_asked_counts_as_could() {
        let broken = |_: &str, _: &str| Err(Error::new("the program getent is missing"));
        let refuse = |mode: u32| {
            let user = MailUser::find("carom", UserDatabase(&broken)).unwrap();
            user.refuse(&Home::new(mode).0).map_err(|error| error.to_string())
        };
        assert_eq!(refuse(0o644), Ok(()), "our own, and only we write");
        let error = refuse(0o664).unwrap_err();
        assert!(error.contains("getent is missing") && error.contains("chmod go-w"), "{error}");
    }

    #[test]
    fn a_user_that_does_not_exist_writes_nothing() {
        let nobody = |_: &str, _: &str| Ok(None);
        let user = MailUser::find("carom", UserDatabase(&nobody)).unwrap();
        assert!(user.refuse(&Home::new(0o664).0).is_ok());
    }
}
