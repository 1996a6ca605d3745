//! How servers of the shared store are reached: addresses, the user, the password, and whom TLS
//! trusts.
//!
//! Not here: connecting (`server_connection`). Invariant: secrets and certificates are read once
//! for all servers of a link.

use crate::config::{ConfigSection, SharedStore};
use crate::error::{Context, Error, Result};
use crate::files::regular;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

const PORT: u16 = 6379;
/// Octets of a file of certificates.
const LONGEST_CA: u64 = 4 << 20;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ServerAddress {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerAddress::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            ServerAddress::Tcp { host, port } => write!(f, "{host}:{port}"),
            ServerAddress::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

pub(super) struct ServerAccess {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// Of one server: a Cluster has no other database than 0.
    pub(super) database: Option<u32>,
    /// `None`: in clear.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// An answer must have come in this time.
    pub(super) timeout: Duration,
}

impl ServerAccess {
    /// The servers of the config, and how they are reached.
    pub(super) fn of(section: &ConfigSection<SharedStore>) -> Result<(Vec<ServerAddress>, ServerAccess)> {
        let shared = section.get()?;
        let urls: Vec<Url> = shared.urls.iter().filter_map(|url| Url::parse(url).ok()).collect();
        let access = ServerAccess {
            user: shared.user.clone(),
            password: shared.secret().map_err(|error| section.about("password", &error))?,
            database: urls.first().and_then(database).filter(|number| *number > 0),
            tls: tls(section)?,
            timeout: shared.timeout,
        };
        Ok((urls.iter().filter_map(address).collect(), access))
    }

    /// Without user and password.
    pub(super) fn anonymous(&self) -> ServerAccess {
        let (tls, timeout) = (self.tls.clone(), self.timeout);
        ServerAccess { user: None, password: None, database: None, tls, timeout }
    }
}

/// `None`: in clear.
pub(super) fn tls(section: &ConfigSection<SharedStore>) -> Result<Option<Arc<ClientConfig>>> {
    let shared = section.get()?;
    if !shared.is_tls() {
        return Ok(None);
    }
    let ca = &shared.ca;
    let key = if ca.is_some() { "ca" } else { "url" };
    let trusting = trusting(ca.as_deref()).map_err(|error| section.about(key, &error))?;
    Ok(Some(Arc::new(trusting)))
}

fn address(url: &Url) -> Option<ServerAddress> {
    if !matches!(url.scheme(), "redis" | "rediss") {
        return Some(ServerAddress::Unix(url.to_file_path().unwrap_or_else(|()| url.path().into())));
    }
    let host = match url.host()? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    Some(ServerAddress::Tcp { host, port: url.port().unwrap_or(PORT) })
}

/// The number after the port, or `db=` of a socket.
fn database(url: &Url) -> Option<u32> {
    match url.scheme() {
        "redis" | "rediss" => url.path().trim_matches('/').parse().ok(),
        _ => url.query_pairs().find(|(key, _)| key == "db").and_then(|(_, value)| value.parse().ok()),
    }
}

/// TLS that trusts this authority, or those of the system.
fn trusting(ca: Option<&Path>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(ca) => {
            let fix = "set [shared] ca to a PEM file that the mail user can read";
            add_authorities(&mut roots, ca).map_err(|error| error.remedy(fix))?;
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        let fix = "install ca-certificates, or set [shared] ca to the PEM file of its authority";
        return Err(Error::new("no authority of certificates is known for rediss://").remedy(fix));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(versions.context("TLS")?.with_root_certificates(roots).with_no_client_auth())
}

fn add_authorities(to: &mut RootCertStore, ca: &Path) -> Result<()> {
    let pem = regular::read(ca, LONGEST_CA).context(ca.display())?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        to.add(certificate.context(ca.display())?).context(ca.display())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_servers_are() {
        let read = |text: &str| {
            let url = Url::parse(text).unwrap();
            (address(&url).unwrap().to_string(), database(&url))
        };
        for (url, address, number) in [
            ("redis://mx.example", "mx.example:6379", None),
            ("rediss://[::1]:7000/2", "[::1]:7000", Some(2)),
            ("redis://192.0.2.1:1/", "192.0.2.1:1", None),
            ("redis+unix:///run/redis/redis.sock", "/run/redis/redis.sock", None),
            ("unix:///run/a%20b?db=3", "/run/a b", Some(3)),
        ] {
            assert_eq!(read(url), (address.to_owned(), number), "{url}");
        }
    }
}
