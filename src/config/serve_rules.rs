//! Who may ask `carom serve`, and within which limits: `[serve]`.
//!
//! Not here: the addresses, which `listen` reads, and what each scope opens (`crate::serve`).
//! Invariant: a token is known by its digest only; a customer's token can do nothing but read.

use super::fault::ConfigFault;
use super::tables::{ServeTable, ServeTokenTable, Tables};
use crate::digest::from_hex;
use crate::mailbox_syntax::{is_domain, normal_domain};
use std::collections::HashSet;
use std::net::IpAddr;
use url::quirks::domain_to_unicode;

#[derive(Clone, Debug)]
pub(crate) struct ServeRules {
    /// The plain values.
    pub(crate) table: ServeTable,
    pub(crate) tokens: Vec<ServeToken>,
}

/// A token, and what it opens.
#[derive(Clone, Debug)]
pub(crate) struct ServeToken {
    pub(crate) name: String,
    pub(crate) sha256: [u8; 32],
    /// Everything may be read.
    pub(crate) reads: bool,
    pub(crate) acts: bool,
    /// The mail of these clients may be read.
    pub(crate) clients: Vec<String>,
    /// The mail of these sender domains may be read, in lower case. A domain in another script is
    /// here in both spellings, because logs have either.
    pub(crate) domains: Vec<String>,
}

impl ServeRules {
    pub(super) const TABLES: &[&str] = &["serve"];

    pub(super) fn read(tables: Tables) -> Result<ServeRules, ConfigFault> {
        let table = tables.serve;
        check(&table)?;
        let (mut names, mut tokens) = (HashSet::new(), Vec::new());
        for (number, written) in table.tokens.iter().enumerate() {
            let token = token(written).map_err(|(key, what, fix)| fault_of(number, key, &what, fix))?;
            if !names.insert(token.name.clone()) {
                let what = format!("{:?} is the name of another token", token.name);
                return Err(fault_of(number, "name", &what, "choose another name"));
            }
            if let Some(same) = tokens.iter().find(|other: &&ServeToken| other.sha256 == token.sha256) {
                let what = format!("is that of the token {:?} too", same.name);
                let fix = "make another token with `carom secret new --token`, or remove one";
                return Err(fault_of(number, "sha256", &what, fix));
            }
            tokens.push(token);
        }
        Ok(ServeRules { table, tokens })
    }
}

fn fault_of(number: usize, key: &str, what: &str, fix: &str) -> ConfigFault {
    let mut fault = ConfigFault::new("serve", key, what, fix);
    fault.path.splice(1..1, ["tokens".to_owned(), number.to_string()]);
    fault
}

fn check(table: &ServeTable) -> Result<(), ConfigFault> {
    let fault = |key: &str, what: &str, fix: &str| Err(ConfigFault::new("serve", key, what, fix));
    if table.listen.is_empty() {
        return fault("listen", "is empty", "use [\"127.0.0.1:1523\"], or remove the key");
    }
    if table.certificate.is_some() != table.key.is_some() {
        return fault("certificate", "needs a key, and a key a certificate", "set both, or remove both");
    }
    for (key, is_none) in [
        ("connections", table.connections == 0),
        ("connections_per_client", table.connections_per_client == 0),
        ("requests", table.requests == 0),
        ("request_time", table.request_time == 0),
        ("failures", table.failures == 0),
    ] {
        if is_none {
            return fault(key, "nobody would be answered", "use at least 1, or remove the key");
        }
    }
    let is_name = |host: &String| is_domain(host) && !host.starts_with('[') || host.parse::<IpAddr>().is_ok();
    if let Some(odd) = table.hosts.iter().find(|host| !is_name(host)) {
        let what = format!("{odd:?} is not the name or the address of a host");
        return fault("hosts", &what, "write it without a port, a scheme and brackets");
    }
    if !(8192..=1 << 20).contains(&table.header_size) {
        return fault("header_size", "must be from 8192 to 1048576", "use 16384, or remove the key");
    }
    if !(1024..=16 << 20).contains(&table.body_size) {
        return fault("body_size", "must be from 1024 to 16777216", "use 65536, or remove the key");
    }
    Ok(())
}

type TokenFault = (&'static str, String, &'static str);

fn token(written: &ServeTokenTable) -> Result<ServeToken, TokenFault> {
    let ServeTokenTable { name, sha256, scopes } = written;
    let is_odd = |c: char| c == ':' || c.is_control();
    if name.is_empty() || name.len() > 100 || name.contains(is_odd) {
        let what = "is empty, too long, or has a colon or control characters".to_owned();
        return Err(("name", what, "use 1 to 100 characters"));
    }
    let digest = from_hex(sha256).and_then(|octets| <[u8; 32]>::try_from(octets).ok());
    let Some(sha256) = digest else {
        let what = "is not a SHA-256 of 64 hexadecimal digits".to_owned();
        return Err(("sha256", what, "use what `carom secret new --token` prints"));
    };
    let mut token = ServeToken {
        name: name.clone(),
        sha256,
        reads: false,
        acts: false,
        clients: Vec::new(),
        domains: Vec::new(),
    };
    for scope in scopes {
        match scope.split_once(' ').map_or((scope.as_str(), ""), |(kind, of)| (kind, of.trim())) {
            ("read", "") => token.reads = true,
            ("act", "") => (token.reads, token.acts) = (true, true),
            ("client", of) if !of.is_empty() => token.clients.push(of.to_owned()),
            ("domain", of) if is_domain(of) => token.domains.extend(spellings(of)),
            _ => {
                let what = format!("{scope:?} is not a scope");
                return Err(("scopes", what, "use \"read\", \"act\", \"client NAME\" or \"domain NAME\""));
            }
        }
    }
    let is_customer = !token.clients.is_empty() || !token.domains.is_empty();
    match (token.reads, is_customer) {
        (true, true) => {
            let what = "a customer's token reads that customer's mail, and nothing else".to_owned();
            Err(("scopes", what, "remove \"read\" and \"act\", or \"client …\" and \"domain …\""))
        }
        (false, false) => Err(("scopes", "is empty: it opens nothing".to_owned(), "use [\"read\"]")),
        _ => Ok(token),
    }
}
/// A domain with A-labels and, if that differs, in its script.
fn spellings(domain: &str) -> impl Iterator<Item = String> {
    let ascii = normal_domain(domain);
    let other = Some(domain_to_unicode(&ascii)).filter(|other| *other != ascii);
    [ascii].into_iter().chain(other)
}
