//! Which hosts share: each signs in at every tick. Only people read it, except that two hosts with
//! one number are noticed: the state directory of one was copied to the other.

use super::logged_change::read_as;
use super::server_keys as keys;
use super::server_link::ServerLink;
use crate::clock;
use crate::config::SharedStore;
use crate::error::{Error, Result};
use crate::store::Store;
use serde::{Deserialize, Serialize};

/// Milliseconds in which a host that lives has signed in.
const RECENT_MS: i64 = 150_000;

/// A host, and when it last exchanged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KnownHost {
    /// Its number, in hexadecimal digits.
    #[serde(default)]
    pub(crate) host: String,
    pub(crate) hostname: String,
    pub(crate) seen: String,
    /// The version of carom.
    pub(crate) version: String,
    /// Facts that it had not shipped yet.
    pub(crate) waiting: u64,
}

pub(super) fn sign_in(store: &Store, link: &mut ServerLink, shared: &SharedStore) -> Result<()> {
    let this = store.this_host()?;
    let known = KnownHost {
        host: String::new(),
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        seen: clock::rfc3339(clock::now_ms()),
        version: env!("CARGO_PKG_VERSION").into(),
        waiting: this.waiting,
    };
    refuse_copy(link, shared, this.host, &known.hostname)?;
    let text = serde_json::to_string(&known).unwrap_or_default();
    let mut put = redis::cmd("HSET");
    put.arg(keys::hosts(&shared.name)).arg(format!("{:08x}", this.host)).arg(text);
    link.ask_one(&put).map(drop)
}

/// Error: another host has signed in with this number a moment ago.
fn refuse_copy(link: &mut ServerLink, shared: &SharedStore, number: u32, hostname: &str) -> Result<()> {
    let get = redis::cmd("HGET").arg(keys::hosts(&shared.name)).arg(format!("{number:08x}")).to_owned();
    let text: Option<String> = read_as(link.ask_one(&get)?)?;
    let signed_in = text.and_then(|text| serde_json::from_str::<KnownHost>(&text).ok());
    let seen_ms = |host: &KnownHost| clock::parse(&host.seen).unwrap_or(0);
    let copy =
        signed_in.filter(|host| host.hostname != hostname && clock::now_ms() - seen_ms(host) < RECENT_MS);
    match copy {
        None => Ok(()),
        Some(copy) => {
            let what =
                format!("{} shares with the same number: its state directory is a copy", copy.hostname);
            Err(Error::new(what).remedy("give one of the hosts a new state directory; it gets the list"))
        }
    }
}

pub(super) fn hosts(link: &mut ServerLink, shared: &SharedStore) -> Result<Vec<KnownHost>> {
    let get = redis::cmd("HGETALL").arg(keys::hosts(&shared.name)).to_owned();
    let pairs: Vec<(String, String)> = read_as(link.ask_one(&get)?)?;
    let known = pairs.into_iter().filter_map(|(host, text)| {
        let known: KnownHost = serde_json::from_str(&text).ok()?;
        Some(KnownHost { host, ..known })
    });
    let mut known: Vec<KnownHost> = known.collect();
    known.sort_by(|one, other| one.host.cmp(&other.host));
    Ok(known)
}
