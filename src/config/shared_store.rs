//! The store that hosts share, by `[shared]`.
//!
//! Not here: connecting to it (`crate::shared`). Invariant: a password is in a file or a
//! credential, and never in a URL, which people paste.

use super::fault::ConfigFault;
use super::secret_source;
use super::tables::{SharedTable, Tables};
use crate::error::Result;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Bytes of the name of an installation.
const LONGEST_NAME: usize = 32;

#[derive(Clone, Debug)]
pub(crate) struct SharedStore {
    /// The first is asked first. Empty: nothing is shared.
    pub(crate) urls: Vec<String>,
    pub(crate) topology: Topology,
    /// The installation.
    pub(crate) name: String,
    pub(crate) counter_prefix: String,
    pub(crate) user: Option<String>,
    /// As it is written: the secret is read when it is needed.
    pub(crate) password: Option<String>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) timeout: Duration,
}

/// What the URLs lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    OneServer,
    Cluster,
    /// The name of the master.
    Sentinel(String),
}

impl SharedStore {
    pub(super) const TABLES: &[&str] = &["shared"];

    pub(super) fn read(tables: Tables) -> Result<SharedStore, ConfigFault> {
        let table = tables.shared;
        let fault = |key: &str, what: &str, fix: &str| Err(ConfigFault::new("shared", key, what, fix));
        let topology = match (table.cluster, table.sentinel.clone()) {
            (true, Some(_)) => {
                return fault("sentinel", "a Cluster has no Sentinels", "remove cluster or sentinel");
            }
            (true, None) => Topology::Cluster,
            (false, Some(master)) => Topology::Sentinel(master),
            (false, None) => Topology::OneServer,
        };
        let urls: Vec<String> = table.url.iter().chain(&table.other_urls).cloned().collect();
        if table.url.is_none() && !table.other_urls.is_empty() {
            return fault("url", "is missing", "set url to the first of the nodes");
        }
        if topology == Topology::OneServer && urls.len() > 1 {
            let fix = "set cluster = true or sentinel = \"NAME\", or remove the key";
            return fault("other_urls", "one server has one URL", fix);
        }
        check_urls(&table, &topology)?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
        if table.name.is_empty() || table.name.len() > LONGEST_NAME || !table.name.chars().all(is_word) {
            return fault("name", "must be 1 to 32 letters, digits, - _ .", "use a word such as \"mail\"");
        }
        if table.timeout == 0 || table.timeout > 60 {
            return fault("timeout", "must be from 1 to 60", "use 5, or remove the key");
        }
        let is_secret = |password: &String| secret_source::is_elsewhere(password);
        if table.password.as_ref().is_some_and(|password| !is_secret(password)) {
            let fix = "write it into a file, and name that: password = \"file:/etc/carom/redis.password\"";
            return fault("password", "the password cannot be written here", fix);
        }
        if table.ca.is_some() && table.url.is_some() && !urls.iter().any(|url| is_tls(url)) {
            let fix = "use rediss://HOST:PORT, with the port of tls-port, or remove ca";
            return fault("ca", "is for TLS, and the URL is not rediss://", fix);
        }
        let prefix = table.counter_prefix.unwrap_or_else(|| format!("consume-mail:{}:", table.name));
        Ok(SharedStore {
            urls,
            topology,
            counter_prefix: prefix,
            name: table.name,
            user: table.user,
            password: table.password,
            ca: table.ca,
            timeout: Duration::from_secs(table.timeout.into()),
        })
    }

    /// Whether anything is shared.
    pub(crate) fn is_used(&self) -> bool {
        !self.urls.is_empty()
    }

    /// Whether its servers are reached through TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.urls.iter().any(|url| is_tls(url))
    }

    /// The password, read now.
    pub(crate) fn secret(&self) -> Result<Option<String>> {
        let written: Vec<String> = self.password.iter().cloned().collect();
        Ok(secret_source::all(&written)?.into_iter().next())
    }
}

fn is_tls(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.scheme() == "rediss")
}

/// A part of a URL that nobody reads: whoever wrote it meant something by it.
fn odd_part(url: &Url, is_socket: bool) -> Option<String> {
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    let is_database = |query: &str| query.strip_prefix("db=").is_some_and(is_number);
    let path = url.path().trim_start_matches('/');
    let query = url.query().filter(|query| !(is_socket && is_database(query)));
    let odd_path = Some(path).filter(|path| !is_socket && !path.is_empty() && !is_number(path));
    let parts = [("/", odd_path), ("?", query), ("#", url.fragment())];
    // What follows `=` may be a secret.
    let shown = |text: &str| text.split('=').next().unwrap_or_default().to_owned();
    parts.into_iter().find_map(|(mark, part)| Some(format!("{mark}{}", shown(part?))))
}

fn check_urls(table: &SharedTable, topology: &Topology) -> Result<(), ConfigFault> {
    let urls = table.url.iter().map(|url| ("url", url));
    for (key, url) in urls.chain(table.other_urls.iter().map(|url| ("other_urls", url))) {
        let fault = |what: &str, fix: &str| Err(ConfigFault::new("shared", key, what, fix));
        let form = "use redis://HOST:6379, rediss://HOST:6379 or redis+unix:///run/redis/redis.sock";
        let Ok(parsed) = Url::parse(url) else { return fault("not a URL of Redis", form) };
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return fault("has a user or a password in it", "set user and password instead");
        }
        let is_socket = matches!(parsed.scheme(), "redis+unix" | "unix");
        let is_server = matches!(parsed.scheme(), "redis" | "rediss") && parsed.has_host();
        if !is_socket && !is_server {
            return fault("not a URL of Redis", form);
        }
        if is_socket && *topology != Topology::OneServer {
            return fault("a Cluster and Sentinels are reached by TCP", "use redis://HOST:PORT");
        }
        if let Some(odd) = odd_part(&parsed, is_socket) {
            return fault(&format!("{odd} means nothing here"), form);
        }
        let has_database = if is_socket { parsed.query().is_some() } else { parsed.path().len() > 1 };
        if has_database && *topology == Topology::Cluster {
            return fault("a Cluster has no other database than 0", "remove what follows the port");
        }
        if has_database && key == "other_urls" {
            return fault("the number of the database is that of url", "remove what follows the port");
        }
    }
    Ok(())
}
