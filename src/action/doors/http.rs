//! The door for links, notifications and documents: one GET or POST to a permitted address, within
//! a deadline and a size.
//!
//! Not here: which links are followed. Connections are kept for the next link of the same host.
//! Invariant: no cookie, no proxy, no user name, no redirect by itself, and never more than the
//! allowed bytes of an answer.

use super::bounded_answers::BoundedAnswers;
use super::guard::{self, TargetHost};
use crate::auth::Dns;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::text::{bounded, one_line};
use std::fmt;
use std::io::{ErrorKind, Read};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use ureq::http::{Response, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Connector, DefaultConnector, NextTimeout};
use ureq::{Agent, Error, RequestBuilder, Timeout};

/// What it says of itself.
const CAROM: &str = concat!("carom/", env!("CARGO_PKG_VERSION"));
/// Addresses that ureq takes at most.
const MAX_ADDRESSES: usize = 8;
/// Longest wait for an application to take a notification (Standard Webhooks advises 15 to 30 s).
const POST_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest wait for a document.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a document at most.
const MAX_DOCUMENT: u64 = 64 << 10;
/// Bytes of an answer on the connection, beyond two for each byte that is read of its body: fields
/// and chunks.
const MAX_FRAME: u64 = 256 << 10;
/// Characters of a header field that are of interest.
const MAX_FIELD: usize = 2048;

/// What a server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) server: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) retry_after: Option<String>,
}

/// What a database answered to rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InsertAnswer {
    pub(crate) status: u16,
    /// Whether the answer is ClickHouse's: it names each query, or sums it up.
    pub(crate) is_clickhouse: bool,
    /// The X-ClickHouse-Exception-Code header.
    pub(crate) exception: Option<String>,
    /// How the body begins, in one line.
    pub(crate) text: String,
}

/// A document, or the word that it has not changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) cache_control: Option<String>,
    /// What it holds.
    pub(crate) body: Vec<u8>,
}

/// No answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    /// Whether the host was not reached at all: its other links would fare no better.
    pub(crate) unreachable: bool,
    /// Whether the host was reached, and then had too little time.
    pub(crate) is_late: bool,
    /// What went wrong, in one line.
    pub(crate) text: String,
}

impl From<Error> for Missed {
    fn from(error: Error) -> Missed {
        let unreachable = match &error {
            Error::HostNotFound | Error::ConnectionFailed | Error::Tls(_) => true,
            Error::Timeout(when) => matches!(when, Timeout::Resolve | Timeout::Connect),
            Error::Io(error) => matches!(
                error.kind(),
                ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::Other
            ),
            _ => false,
        };
        let is_late = matches!(&error, Error::Timeout(_)) && !unreachable;
        let text = match &error {
            Error::Timeout(Timeout::Resolve) => "no answer of DNS in time".to_owned(),
            Error::Timeout(Timeout::Connect) => "no connection in time".to_owned(),
            Error::Timeout(_) => "no answer in time".to_owned(),
            other => one_line(bounded(&other.to_string(), 200)),
        };
        Missed { unreachable, is_late, text }
    }
}

impl Missed {
    fn within(self, what: &str) -> Missed {
        Missed { text: format!("{what}: {}", self.text), ..self }
    }
}

/// The client of a process. Nothing is set up before the first link.
pub(crate) struct Client {
    config: Arc<Config>,
    dns: Arc<Dns>,
    agent: OnceLock<Agent>,
}

impl Client {
    /// A client that connects to nothing yet.
    pub(crate) fn new(config: Arc<Config>, dns: Arc<Dns>) -> Client {
        Client { config, dns, agent: OnceLock::new() }
    }

    /// Fetches `url` and reads at most `[visit] max_bytes` of what it holds.
    pub(crate) fn get(&self, url: &str, user_agent: &str, deadline: Deadline) -> Result<Answered, Missed> {
        let request = self.agent().get(url).header("User-Agent", user_agent).header("Accept", "*/*");
        Ok(self.answered(within(deadline.left(), request).call()?))
    }

    /// Posts `body` to `url`.
    pub(crate) fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: &[u8],
        deadline: Deadline,
    ) -> Result<Answered, Missed> {
        Ok(self.answered(self.posted(url, headers, body, deadline)?))
    }

    /// Posts rows to a database, and reads what it says about them.
    pub(crate) fn insert(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        rows: &[u8],
        deadline: Deadline,
    ) -> Result<InsertAnswer, Missed> {
        let mut response = self.posted(url, headers, rows, deadline)?;
        let has = |name: &str| response.headers().contains_key(name);
        let is_clickhouse = has("x-clickhouse-query-id") || has("x-clickhouse-summary");
        let (status, exception) =
            (response.status().as_u16(), field(&response, "x-clickhouse-exception-code"));
        let mut begins = Vec::new();
        let body = response.body_mut().with_config().limit(u64::MAX).reader();
        let read = body.take(MAX_FIELD as u64).read_to_end(&mut begins);
        if let (Err(error), 200..=299) = (read, status) {
            // What it had to say about the rows may be in the rest.
            return Err(Missed::from(Error::from(error)).within(&format!("answered {status} and broke off")));
        }
        let text = one_line(bounded(&String::from_utf8_lossy(&begins), 200));
        Ok(InsertAnswer { status, is_clickhouse, exception, text })
    }

    fn posted(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: &[u8],
        deadline: Deadline,
    ) -> Result<Response<ureq::Body>, Missed> {
        let request = self.agent().post(url).header("User-Agent", CAROM);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        Ok(within(deadline.left().min(POST_TIMEOUT), request).send(body)?)
    }

    /// Fetches a JSON document, unless it is still the one with this ETag. A larger one than
    /// [`MAX_DOCUMENT`] is an error.
    pub(crate) fn fetch(
        &self,
        url: &str,
        etag: Option<&str>,
        deadline: Deadline,
    ) -> Result<Document, Missed> {
        let request = self.agent().get(url).header("User-Agent", CAROM).header("Accept", "application/json");
        let request = etag.into_iter().fold(request, |request, etag| request.header("If-None-Match", etag));
        let mut response = within(deadline.left().min(FETCH_TIMEOUT), request).call()?;
        let body = response.body_mut().with_config().limit(MAX_DOCUMENT).read_to_vec()?;
        Ok(Document {
            status: response.status().as_u16(),
            etag: field(&response, "etag"),
            cache_control: field(&response, "cache-control"),
            body,
        })
    }

    fn answered(&self, mut response: Response<ureq::Body>) -> Answered {
        let answered = Answered {
            status: response.status().as_u16(),
            server: field(&response, "server"),
            location: field(&response, "location"),
            retry_after: field(&response, "retry-after"),
        };
        // A body that has been read to its end leaves the connection fit for the next link; one
        // that is longer, or that breaks off, ends the connection and takes nothing from the
        // answer.
        let body = response.body_mut().with_config().limit(u64::MAX).reader();
        let _ = std::io::copy(&mut body.take(self.config.visit.max_bytes), &mut std::io::sink());
        answered
    }

    fn agent(&self) -> &Agent {
        self.agent.get_or_init(|| {
            let settings = Agent::config_builder()
                .http_status_as_error(false)
                .proxy(None)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .max_response_header_size(64 << 10)
                .max_idle_connections(256)
                .max_idle_connections_per_host(64)
                .max_idle_age(Duration::from_secs(15))
                .build();
            let vetted = Vetted { config: self.config.clone(), dns: self.dns.clone() };
            let read = self.config.visit.max_bytes.max(MAX_DOCUMENT);
            let bounded = BoundedAnswers(read.saturating_mul(2).saturating_add(MAX_FRAME));
            Agent::with_parts(settings, DefaultConnector::default().chain(bounded), vetted)
        })
    }
}

/// The same request, with this time for it; half of it for the connection.
fn within<Body>(time: Duration, request: RequestBuilder<Body>) -> RequestBuilder<Body> {
    request.config().timeout_global(Some(time)).timeout_connect(Some(time / 2)).build()
}

fn field(response: &Response<ureq::Body>, name: &str) -> Option<String> {
    let value = response.headers().get(name).and_then(|value| value.to_str().ok());
    value.map(|value| value.chars().take(MAX_FIELD).collect())
}

/// Gives ureq only addresses that may be connected to.
struct Vetted {
    config: Arc<Config>,
    dns: Arc<Dns>,
}

impl fmt::Debug for Vetted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vetted")
    }
}

impl Resolver for Vetted {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let deadline = Deadline::after(*timeout.after);
        let port = uri.port_u16().unwrap_or(default);
        let host = TargetHost { name: host.to_owned(), port, may_be_private: false };
        let found = guard::resolve(&self.dns, &host, &self.config.network, deadline)
            .map_err(|why| Error::Io(std::io::Error::other(why.text(&host.name))))?;
        let mut addresses = self.empty();
        for address in found.into_iter().take(MAX_ADDRESSES) {
            addresses.push(address);
        }
        Ok(addresses)
    }
}
