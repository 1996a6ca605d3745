//! The system's users and groups, wherever they are kept: `/etc/passwd`, LDAP, whatever
//! nsswitch.conf names.
//!
//! Asked through the program `getent`, so that NSS modules never run in carom's own process. Not
//! here: who could write a file (`policy::mail_user`). Invariant: "does not exist" and "cannot be
//! asked" are different answers.

use super::command;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use std::path::Path;
use std::time::Duration;

/// Where the program is. `PATH` is not searched: carom may run as root.
const GETENT: [&str; 3] = ["/usr/bin/getent", "/bin/getent", "/run/current-system/sw/bin/getent"];
/// A directory server that does not answer in this time is down.
const PATIENCE: Duration = Duration::from_secs(10);
/// The exit status of `getent` for a key that does not exist.
const NOT_FOUND: i32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SystemUser {
    pub(crate) uid: u32,
    /// The primary group.
    pub(crate) gid: u32,
}

/// What looks up a key in a database: the line, or `None` if there is none. Tests give their own.
pub(crate) struct UserDatabase<'a>(pub(crate) &'a dyn Fn(&str, &str) -> Result<Option<String>>);

/// The database of this system.
pub(crate) const SYSTEM: UserDatabase<'static> = UserDatabase(&getent);

impl UserDatabase<'_> {
    pub(crate) fn user(&self, name: &str) -> Result<Option<SystemUser>> {
        let Some(line) = self.0("passwd", name)? else { return Ok(None) };
        let number = |place: usize| line.split(':').nth(place)?.trim().parse::<u32>().ok();
        match (number(2), number(3)) {
            (Some(uid), Some(gid)) => Ok(Some(SystemUser { uid, gid })),
            _ => Err(Error::new(format_args!("getent passwd {name}: unreadable answer {line:?}"))),
        }
    }

    /// The name of a user, or the number of one that the system does not know.
    pub(crate) fn name(&self, uid: u32) -> String {
        let line = self.0("passwd", &uid.to_string()).ok().flatten().unwrap_or_default();
        let name = line.split(':').next().filter(|name| !name.is_empty());
        name.map_or_else(|| uid.to_string(), str::to_owned)
    }

    /// All groups of a user, its primary one first. `name` may be its number.
    pub(crate) fn groups(&self, name: &str, user: SystemUser) -> Result<Vec<u32>> {
        // `initgroups` wants a name.
        let line = self.0("passwd", name)?.unwrap_or_default();
        let name = line.split(':').next().filter(|name| !name.is_empty()).unwrap_or(name);
        let line = self.0("initgroups", name)?.unwrap_or_default();
        let others = line.split_whitespace().skip(1).filter_map(|group| group.parse().ok());
        Ok([user.gid].into_iter().chain(others.filter(|group| *group != user.gid)).collect())
    }

    /// Whether a group lists the user as a member. Its primary group need not.
    pub(crate) fn is_member(&self, user: &str, gid: u32) -> Result<bool> {
        let line = self.0("group", &gid.to_string())?.unwrap_or_default();
        let members = line.split(':').nth(3).unwrap_or_default();
        Ok(members.split(',').any(|member| member.trim() == user))
    }
}

fn getent(database: &str, key: &str) -> Result<Option<String>> {
    if key.is_empty() || key.starts_with('-') {
        return Ok(None);
    }
    let program = GETENT.into_iter().find(|path| Path::new(path).exists());
    let program = program.ok_or_else(|| {
        Error::new("the program getent is missing")
            .remedy("install it (Debian: libc-bin, Alpine: musl-utils)")
    })?;
    let words = [program, database, key].map(str::to_owned);
    let ran = command::output(&words, Deadline::after(PATIENCE))?;
    if database == "initgroups" && !ran.status.success() {
        return of_id(key);
    }
    match ran.status.code() {
        Some(0) => Ok(ran.stdout.lines().next().map(str::to_owned)),
        Some(NOT_FOUND) => Ok(None),
        _ => Err(Error::new(format_args!("{}: {}", words.join(" "), ran.status))),
    }
}

/// The groups of a user by the program `id`, in the form of `getent initgroups`, which musl lacks.
fn of_id(name: &str) -> Result<Option<String>> {
    let words = ["/usr/bin/id", "-G", "--", name].map(str::to_owned);
    let ran = command::output(&words, Deadline::after(PATIENCE))?;
    Ok(ran.status.success().then(|| format!("{name} {}", ran.stdout.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_members_are_read_from_the_lines_of_getent() {
        let look_up = |database: &str, key: &str| {
            Ok(match (database, key) {
                ("passwd", "mail") => Some("mail:*:8:12:Mail:/var/mail:/bin/false".to_owned()),
                ("passwd", "odd") => Some("odd".to_owned()),
                ("group", "50") => Some("staff:*:50:joe,mail".to_owned()),
                ("group", "51") => Some("empty:*:51:".to_owned()),
                ("passwd", "8") => Some("mail:*:8:12:Mail:/var/mail:/bin/false".to_owned()),
                ("initgroups", "mail") => Some("mail                  4 12 50".to_owned()),
                _ => None,
            })
        };
        let database = UserDatabase(&look_up);
        assert_eq!(database.user("mail").unwrap(), Some(SystemUser { uid: 8, gid: 12 }));
        assert_eq!(database.user("nobody-here").unwrap(), None);
        assert!(database.user("odd").unwrap_err().text().contains("unreadable answer"));
        assert!(database.is_member("mail", 50).unwrap());
        assert_eq!([8, 9].map(|uid| database.name(uid)), ["mail", "9"]);
        let mail = SystemUser { uid: 8, gid: 12 };
        assert_eq!(database.groups("8", mail).unwrap(), [12, 4, 50], "each once, the primary one first");
        assert_eq!(database.groups("77", SystemUser { uid: 77, gid: 78 }).unwrap(), [78]);
        assert!(!database.is_member("mail", 51).unwrap() && !database.is_member("mail", 52).unwrap());
    }

    #[test]
    fn the_system_knows_root_and_says_who_does_not_exist() {
        assert_eq!(SYSTEM.user("root").unwrap(), Some(SystemUser { uid: 0, gid: 0 }));
        assert_eq!(SYSTEM.user("no-such-user-of-carom").unwrap(), None);
        assert_eq!(SYSTEM.user("--help").unwrap(), None);
    }
}
