//! The system's users and groups, wherever they are kept: `/etc/passwd`, LDAP, whatever
//! nsswitch.conf names.
//!
//! Users that are not in `/etc/passwd`, and groups, are asked for through the program `getent`, so
//! that NSS modules never run in carom's own process. Not here: who could write a file
//! (`policy::mail_user`). Invariant: "does not exist" and "cannot be asked" are different answers.

use super::{command, regular};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use std::path::Path;
use std::time::Duration;

/// The users of this host. They are read without the program, which takes longer than a message.
const PASSWD: &str = "/etc/passwd";
/// A larger file is left to the program.
const LARGEST_PASSWD: u64 = 4 << 20;
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
pub(crate) const SYSTEM: UserDatabase<'static> = UserDatabase(&look_up);

impl UserDatabase<'_> {
    pub(crate) fn user(&self, name: &str) -> Result<Option<SystemUser>> {
        self.0("passwd", name)?.map(|line| user_in(name, &line)).transpose()
    }

    /// The name of a user, or the number of one that the system does not know.
    pub(crate) fn name(&self, uid: u32) -> String {
        let line = self.0("passwd", &uid.to_string()).ok().flatten().unwrap_or_default();
        let name = line.split(':').next().filter(|name| !name.is_empty());
        name.map_or_else(|| uid.to_string(), str::to_owned)
    }

    /// The name of a group; `None`: the system does not know it.
    pub(crate) fn group(&self, gid: u32) -> Option<String> {
        let line = self.0("group", &gid.to_string()).ok().flatten()?;
        line.split(':').next().filter(|name| !name.is_empty()).map(str::to_owned)
    }

    /// A user, and all groups of it, the primary one first. `name` may be its number. Groups that
    /// cannot be asked for are left out.
    pub(crate) fn user_and_groups(&self, name: &str) -> Result<Option<(SystemUser, Vec<u32>)>> {
        let Some(line) = self.0("passwd", name)? else { return Ok(None) };
        let user = user_in(name, &line)?;
        // `initgroups` wants a name.
        let name = line.split(':').next().unwrap_or(name);
        let groups = self.0("initgroups", name).ok().flatten().unwrap_or_default();
        let others = groups.split_whitespace().skip(1).filter_map(|group| group.parse().ok());
        let others = others.filter(|group| *group != user.gid);
        Ok(Some((user, [user.gid].into_iter().chain(others).collect())))
    }

    /// Whether a group lists the user as a member. Its primary group need not.
    pub(crate) fn is_member(&self, user: &str, gid: u32) -> Result<bool> {
        let line = self.0("group", &gid.to_string())?.unwrap_or_default();
        let members = line.split(':').nth(3).unwrap_or_default();
        Ok(members.split(',').any(|member| member.trim() == user))
    }
}

/// The user in a line of `passwd`.
fn user_in(name: &str, line: &str) -> Result<SystemUser> {
    let number = |place: usize| line.split(':').nth(place)?.trim().parse::<u32>().ok();
    match (number(2), number(3)) {
        (Some(uid), Some(gid)) => Ok(SystemUser { uid, gid }),
        _ => Err(Error::new(format_args!("user {name}: unreadable line of passwd {line:?}"))),
    }
}

fn look_up(database: &str, key: &str) -> Result<Option<String>> {
    if key.is_empty() || key.starts_with('-') {
        return Ok(None);
    }
    let passwd = (database == "passwd").then(|| regular::read_text(Path::new(PASSWD), LARGEST_PASSWD).ok());
    match passwd.flatten().as_deref().and_then(|passwd| line_of(passwd, key)) {
        Some(line) => Ok(Some(line.to_owned())),
        None => getent(database, key),
    }
}

/// The line of a user, by name or number.
fn line_of<'p>(passwd: &'p str, key: &str) -> Option<&'p str> {
    let place = if key.parse::<u32>().is_ok() { 2 } else { 0 };
    passwd.lines().find(|line| line.split(':').nth(place) == Some(key))
}

fn getent(database: &str, key: &str) -> Result<Option<String>> {
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
        assert!(database.user("odd").unwrap_err().text().contains("unreadable line"));
        assert!(database.is_member("mail", 50).unwrap());
        assert_eq!([50, 52].map(|gid| database.group(gid)), [Some("staff".to_owned()), None]);
        assert_eq!([8, 9].map(|uid| database.name(uid)), ["mail", "9"]);
        let mail = (SystemUser { uid: 8, gid: 12 }, vec![12, 4, 50]);
        assert_eq!(database.user_and_groups("8").unwrap(), Some(mail), "each once, the primary one first");
        assert_eq!(database.user_and_groups("77").unwrap(), None);
        assert!(!database.is_member("mail", 51).unwrap() && !database.is_member("mail", 52).unwrap());
    }

    #[test]
    fn a_user_of_this_host_is_found_by_name_or_number() {
        let passwd = "root:x:0:0::/root:/bin/sh\n+::::::\nmail:x:8:12:8:/var/mail:/bin/false\n";
        let mail = Some("mail:x:8:12:8:/var/mail:/bin/false");
        assert_eq!(["mail", "8"].map(|key| line_of(passwd, key)), [mail, mail]);
        assert_eq!(["12", "mai", "x", "/bin/sh"].map(|key| line_of(passwd, key)), [None; 4]);
    }

    #[test]
    fn the_system_knows_root_and_says_who_does_not_exist() {
        assert_eq!(SYSTEM.user("root").unwrap(), Some(SystemUser { uid: 0, gid: 0 }));
        assert_eq!(SYSTEM.user("no-such-user-of-carom").unwrap(), None);
        assert_eq!(SYSTEM.user("--help").unwrap(), None);
    }
}
