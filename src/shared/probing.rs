//! Whether the shared store is one that carom can use: for `carom check --connect`.
//!
//! Not here: exchanging. Invariant: what is written is gone within seconds.

use super::logged_change::texts;
use super::server_access::tls;
use super::server_keys as keys;
use super::server_link::ServerLink;
use super::state_mark::clock_difference;
use super::wrong_clock;
use crate::config::{ConfigSection, SharedStore};
use crate::error::{Error, Result};

/// The fix.
pub(crate) const SET_CLOCK: &str = "set the one that is wrong: timedatectl set-ntp true";
/// A script as carom's are, of one key.
const SCRIPT: &str = "return redis.call('EXPIRE', KEYS[1], 10)";

/// What was found.
pub(crate) struct Probed {
    /// The version that the server gives.
    pub(crate) version: String,
    pub(crate) faults: Vec<Error>,
}

pub(crate) fn probe(section: &ConfigSection<SharedStore>) -> Result<Probed> {
    let (shared, mut link) = (section.get()?, ServerLink::open(section)?);
    let mut faults = Vec::new();
    faults.extend(may_write(&mut link, shared).err());
    faults.extend(keeps_all(&mut link).err());
    faults.extend(is_in_time(&mut link).err());
    Ok(Probed { version: link.version().to_owned(), faults })
}

/// Error: the authority of its certificate cannot be read. Nothing is connected to.
pub(crate) fn try_authority(section: &ConfigSection<SharedStore>) -> Result<()> {
    tls(section).map(drop)
}

/// Error: it takes no writes of ours now.
fn may_write(link: &mut ServerLink, shared: &SharedStore) -> Result<()> {
    let probe = keys::probe(&shared.name);
    for key in [&probe, &format!("{}probe", shared.counter_prefix)] {
        link.ask_one(redis::cmd("SET").arg(key).arg(1).arg("EX").arg(10))?;
    }
    link.ask_one(redis::cmd("EVAL").arg(SCRIPT).arg(1).arg(probe)).map(drop)
}

/// Error: what is full throws entries away.
fn keeps_all(link: &mut ServerLink) -> Result<()> {
    let memory = texts(&link.ask_one(redis::cmd("INFO").arg("memory"))?);
    let policy = memory.lines().find_map(|line| line.strip_prefix("maxmemory_policy:"));
    match policy.map(str::trim).filter(|policy| policy.starts_with("allkeys-")) {
        None => Ok(()),
        Some(policy) => {
            let what =
                format!("the shared store drops suppressions when it is full: maxmemory-policy is {policy}");
            Err(Error::new(what).remedy("set maxmemory-policy noeviction in its configuration"))
        }
    }
}

/// Error: its clock and ours differ.
fn is_in_time(link: &mut ServerLink) -> Result<()> {
    match clock_difference(wrong_clock::ahead_ms(link)?) {
        None => Ok(()),
        Some(what) => Err(Error::new(what).remedy(SET_CLOCK)),
    }
}
