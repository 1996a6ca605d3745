//! Questions to DNS servers: the system's (resolv.conf, without its search list) or configured
//! ones.
//!
//! The resolver keeps answers, also negative ones, as long as their TTL says, and at least for
//! `KEEP_LEAST`. Not here: what the answers mean (`dns`). Invariant: a timeout, SERVFAIL, REFUSED
//! or anything else that is not an answer is `Temporary`; no question outlives the smaller of the
//! configured time and the deadline.

use super::dns_failure::DnsFailure;
use crate::deadline::Deadline;
use crate::error::{Context, Result};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Answers are kept at least this long, so that each question about a message is asked once.
const KEEP_LEAST: Duration = Duration::from_secs(60);

/// Answers to keep.
const KEEP_MOST: u64 = 10_000;

/// A resolver and the runtime that drives it. Threads that ask at the same time share the runtime:
/// one of them drives it for all, and another one takes over when that one has its answer.
pub(crate) struct DnsServers {
    runtime: Runtime,
    resolver: TokioResolver,
    timeout: Duration,
}

impl DnsServers {
    /// Asks `servers`, or the system's if there are none. Sends nothing yet.
    pub(crate) fn open(servers: &[SocketAddr], timeout: Duration) -> Result<DnsServers> {
        let servers =
            if servers.is_empty() { system_servers()? } else { servers.iter().map(server).collect() };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("DNS runtime")?;
        Ok(DnsServers { runtime, resolver: resolver(servers, timeout)?, timeout })
    }

    /// For other libraries, inside [`DnsServers::wait`].
    pub(crate) fn resolver(&self) -> &TokioResolver {
        &self.resolver
    }

    /// Drives a future to its end; `None` if the deadline comes first.
    pub(crate) fn wait<T>(&self, deadline: Deadline, future: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async { tokio::time::timeout(deadline.left(), future).await.ok() })
    }

    /// The records of an absolute name; empty if the name exists without such a record.
    pub(crate) fn query(
        &self,
        name: &str,
        kind: RecordType,
        deadline: Deadline,
    ) -> Result<Vec<RData>, DnsFailure> {
        let asked = Name::from_ascii(name).map_err(|_| DnsFailure::NotFound)?;
        let answer = self.wait(deadline.within(self.timeout), self.resolver.lookup(asked, kind));
        match answer {
            Some(Ok(lookup)) => Ok(lookup.answers().iter().map(|record| record.data.clone()).collect()),
            Some(Err(NetError::Dns(DnsError::NoRecordsFound(none)))) => match none.response_code {
                ResponseCode::NXDomain => Err(DnsFailure::NotFound),
                _ => Ok(Vec::new()),
            },
            Some(Err(error)) => Err(DnsFailure::Temporary(format!("{kind} of {name}: {error}"))),
            None => Err(DnsFailure::Temporary(format!("{kind} of {name}: no answer in time"))),
        }
    }
}

/// Without servers, every question fails immediately.
pub(crate) fn resolver(servers: Vec<NameServerConfig>, timeout: Duration) -> Result<TokioResolver> {
    let mut options = ResolverOpts::default();
    options.attempts = 1;
    options.timeout = timeout / 2;
    options.cache_size = if servers.is_empty() { 0 } else { KEEP_MOST };
    options.positive_min_ttl = Some(KEEP_LEAST);
    options.negative_min_ttl = Some(KEEP_LEAST);
    options.use_hosts_file = ResolveHosts::Never;
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .with_tls_config(no_tls().context("DNS resolver")?)
        .build()
        .context("DNS resolver")
}

fn system_servers() -> Result<Vec<NameServerConfig>> {
    let (config, _) = hickory_resolver::system_conf::read_system_conf()
        .context("/etc/resolv.conf")
        .map_err(|error| error.remedy("name DNS servers there, or in [dns] servers"))?;
    let (_, _, servers) = config.into_parts();
    Ok(servers)
}

/// UDP first, TCP if an answer is too long for it, both on the given port.
fn server(address: &SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())];
    NameServerConfig::new(address.ip(), true, connections)
}

/// DNS is asked without TLS. The resolver has to be told, or it reads the system's root
/// certificates, which takes milliseconds.
fn no_tls() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}
