//! Which hosts share: each signs in at every tick. Only people read it, except that two hosts with
//! one number are noticed, and two installations with the same keys of sums.
//!
//! Not here: which of two state directories is a copy (`sign_in_tokens`). Invariant: a host signs
//! in whatever its name and the time are.

use super::logged_change::read_as;
use super::server_keys as keys;
use super::server_link::ServerLink;
use super::sign_in_tokens::SignInTokens;
use crate::clock;
use crate::config::SharedStore;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::text::{bounded, one_line};
use serde::{Deserialize, Serialize};

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

/// What the shared store has of a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SignedIn {
    #[serde(flatten)]
    host: KnownHost,
    /// Another one at each sign-in; none: by an earlier carom.
    #[serde(default)]
    token: Option<String>,
}

pub(super) fn sign_in(
    store: &Store,
    link: &mut ServerLink,
    shared: &SharedStore,
    hostname: String,
) -> Result<()> {
    has_own_prefix(link, shared)?;
    let this = store.this_host()?;
    let host = KnownHost {
        host: String::new(),
        hostname,
        seen: clock::rfc3339(clock::now_ms()),
        version: env!("CARGO_PKG_VERSION").into(),
        waiting: this.waiting,
    };
    let (key, number) = (keys::hosts(&shared.name), format!("{:08x}", this.host));
    let known: Option<String> = read_as(link.ask_one(redis::cmd("HGET").arg(&key).arg(&number))?)?;
    let known: Option<SignedIn> = known.and_then(|text| serde_json::from_str(&text).ok());
    let mut tokens = SignInTokens::read(store)?;
    let there = known.as_ref().and_then(|known| known.token.as_deref());
    let may_sign_in = tokens.may_sign_in(there);
    if may_sign_in {
        tokens.renew();
    }
    // Before the shared store has it: a token that is there was noted here.
    tokens.write(store)?;
    if !may_sign_in {
        return Err(is_copied(&known.map(|known| known.host.hostname).unwrap_or_default(), &host.hostname));
    }
    let text = serde_json::to_string(&SignedIn { host, token: tokens.newest() }).unwrap_or_default();
    link.ask_one(redis::cmd("HSET").arg(&key).arg(&number).arg(text)).map(drop)
}

fn is_copied(other: &str, own: &str) -> Error {
    let other = if other == own { "another carom on a host of this name" } else { other };
    Error::new(format_args!(
        "{} signs in with the number of this host: one of the two state directories is a copy",
        one_line(bounded(other, 100))
    ))
    .remedy(
        "if this host was restored from a backup just now, wait some ticks; else stop one of the two, or give it a \
         new state directory; it gets the list",
    )
}

/// Error: the sums of another installation are under the same keys.
fn has_own_prefix(link: &mut ServerLink, shared: &SharedStore) -> Result<()> {
    let SharedStore { name, counter_prefix: prefix, .. } = shared;
    let key = keys::installation(prefix);
    link.ask_one(redis::cmd("SET").arg(&key).arg(name).arg("NX"))?;
    let whose: Option<String> = read_as(link.ask_one(redis::cmd("GET").arg(&key))?)?;
    match whose.filter(|whose| whose != name) {
        None => Ok(()),
        Some(whose) => {
            let whose = one_line(bounded(&whose, 100));
            let what = format!(
                "[shared] counter_prefix = \"{prefix}\": the installation {whose} has its sums there"
            );
            let fix = format!("use another counter_prefix; if {whose} is no more: redis-cli DEL '{key}'");
            Err(Error::new(what).remedy(fix))
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
