//! Who has typed a command, for the record of what operators do.
//!
//! Invariant: it is only a name; what the user may do is not decided by it.

use crate::files::user_database::SYSTEM;
use rustix::process::getuid;
use std::env;
use std::fs;

/// Who logged in, as the kernel keeps it when the process becomes another user.
const LOGIN: &str = "/proc/self/loginuid";

/// The user who called sudo, or who logged in, or else the one of the process.
pub(super) fn operator_name() -> String {
    let named = |name: &str| env::var(name).ok().filter(|name| !name.is_empty());
    // Nobody has logged in where a service or a container is: then it is the greatest number.
    let logged_in = || {
        let uid = fs::read_to_string(LOGIN).ok()?.trim().parse::<u32>().ok()?;
        (uid != u32::MAX).then(|| SYSTEM.name(uid))
    };
    let name = named("SUDO_USER").or_else(logged_in).or_else(|| named("LOGNAME")).or_else(|| named("USER"));
    name.unwrap_or_else(|| SYSTEM.name(getuid().as_raw()))
}
