//! The master that Sentinels name.
//!
//! Not here: connections (`server_connection`). Invariant: what a Sentinel names is asked whether
//! it is a master, because a Sentinel may not have heard of a fail-over.

use super::logged_change::{read_as, texts};
use super::server_access::{ServerAccess, ServerAddress};
use super::server_connection::ServerConnection;
use super::server_fault::accepted;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use redis::Value;

/// A connection to the master of this name.
pub(super) fn master(
    sentinels: &[ServerAddress],
    name: &str,
    access: &ServerAccess,
) -> Result<ServerConnection> {
    let until = Deadline::after(access.timeout);
    let mut last = Err(Error::new("[shared] url: is missing"));
    for (number, sentinel) in sentinels.iter().enumerate() {
        // One that hangs leaves time for the others.
        let share = until.left() / u32::try_from(sentinels.len() - number).unwrap_or(1);
        last = named_by(sentinel, name, access, until.within(share));
        if last.is_ok() {
            return last;
        }
    }
    last
}

fn named_by(
    sentinel: &ServerAddress,
    name: &str,
    access: &ServerAccess,
    until: Deadline,
) -> Result<ServerConnection> {
    let mut asked = ServerConnection::open(sentinel, &access.anonymous(), until)?;
    let which = redis::cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name).to_owned();
    let answer = asked.ask(&[which], until)?.into_iter().next().unwrap_or_default();
    let answer = accepted(answer).map_err(|error| of_sentinel(error, sentinel))?;
    let Some((host, port)) = read_as::<Option<(String, u16)>>(answer)? else {
        return Err(Error::new(format_args!("the shared store: no Sentinel knows a master {name}"))
            .remedy("correct [shared] sentinel: redis-cli -u URL SENTINEL MASTERS"));
    };
    let address = ServerAddress::Tcp { host, port };
    let mut master = ServerConnection::open(&address, access, until)?;
    let role = redis::cmd("INFO").arg("replication").to_owned();
    let role = texts(&first(master.ask(&[role], until)?)?);
    match role.lines().any(|line| line.trim_end() == "role:master") {
        true => Ok(master),
        false => Err(Error::new(format_args!("the shared store: {address} is no master any more"))
            .remedy("wait for the fail-over; carom tries again at each tick")),
    }
}

/// What a Sentinel does not answer, and the fix.
fn of_sentinel(error: Error, sentinel: &ServerAddress) -> Error {
    let text = error.text().to_lowercase();
    if text.contains("unknown command") {
        return Error::new(format_args!("the shared store: {sentinel} is no Sentinel"))
            .remedy("set [shared] url and other_urls to Sentinels (port 26379), or remove sentinel");
    }
    if text.contains("noauth") {
        return Error::new(format_args!("the shared store: the Sentinel {sentinel} wants a password"))
            .remedy("remove its requirepass: [shared] password is that of the master only");
    }
    error.within(sentinel)
}

fn first(answers: Vec<Value>) -> Result<Value> {
    accepted(answers.into_iter().next().unwrap_or_default())
}
