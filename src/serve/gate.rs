//! THE GATE: who asks is known before anything is looked up.
//!
//! A token comes in a header field, as `Bearer` or as the password of `Basic`, whose user is the
//! token's name. Not here: what a caller may see (`view`). Invariants: a token is compared by its
//! digest, with every token, in the same time; an address that fails too often waits; without
//! tokens, only names of this host are answered, so that no page elsewhere can read the answers
//! under a name of its own.

use super::caller::Caller;
use super::problem::Problem;
use crate::config::{ServeRules, ServeToken};
use crate::digest;
use crate::listen::Peer;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use url::form_urlencoded;

/// Failures are counted for this long.
const MINUTE: Duration = Duration::from_secs(60);
/// Addresses that failures are counted of.
const ADDRESSES: usize = 10_000;
/// The header field that a page of ours adds to actions, and that no form of another site can.
pub(crate) const OURS: &str = "x-carom-action";
/// The cookie with the token of somebody who signed in on the page.
pub(crate) const COOKIE: &str = "carom_token";
/// The header field that a proxy adds.
const FORWARDED: &str = "x-forwarded-for";
/// The name of every host for itself.
const LOOPBACK: &str = "localhost";

pub(crate) struct Gate {
    tokens: Vec<ServeToken>,
    hosts: Vec<String>,
    most_failures: u32,
    /// A proxy on this host is believed.
    forwarded: bool,
    failures: Mutex<HashMap<Option<IpAddr>, (Instant, u32)>>,
}

impl Gate {
    pub(crate) fn new(rules: &ServeRules) -> Gate {
        let hosts = rules.table.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        let (most_failures, forwarded) = (rules.table.failures, rules.table.forwarded);
        Gate { tokens: rules.tokens.clone(), hosts, most_failures, forwarded, failures: Mutex::default() }
    }

    /// Whether everybody who can connect may read.
    pub(crate) fn is_open(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Who sends these header fields.
    pub(crate) fn admit(&self, asked: &HeaderMap, peer: Peer) -> Result<Caller, Problem> {
        if self.is_open() {
            return match peer == Peer::Local || self.knows_host(asked) {
                true => Ok(Caller::anybody()),
                false => Err(Problem::new(
                    StatusCode::FORBIDDEN,
                    "unknown-host",
                    "the request is for a host that this server is not known as",
                    "ask for localhost, add the name to [serve] hosts, or add [[serve.tokens]]",
                )),
            };
        }
        let from = self.client_of(asked, peer);
        if self.has_failed_often(from) {
            let fix = "wait a minute, and use the right token";
            let detail = "too many failed authentications";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-failures", detail, fix)
                .with("retry-after", MINUTE.as_secs()));
        }
        let Some(given) = credentials(asked) else { return Err(unauthorized("a token is needed")) };
        match self.caller(&given) {
            Some(caller) => Ok(caller),
            None => {
                self.note_failure(from);
                Err(unauthorized("the token is not known"))
            }
        }
    }

    /// Whether a token is known, which somebody typed.
    pub(crate) fn knows(&self, token: &str, asked: &HeaderMap, peer: Peer) -> Result<(), Problem> {
        let mut asked = asked.clone();
        asked.remove(header::AUTHORIZATION);
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
        asked.extend(bearer.ok().map(|bearer| (header::AUTHORIZATION, bearer)));
        self.admit(&asked, peer).map(drop)
    }

    /// From where a request comes, as far as that is known.
    fn client_of(&self, asked: &HeaderMap, peer: Peer) -> Option<IpAddr> {
        let is_near = match peer {
            Peer::Local => true,
            Peer::Address(address) => address.is_loopback(),
        };
        let named = asked.get_all(FORWARDED).into_iter().next_back().and_then(|value| value.to_str().ok());
        let last = named.and_then(|value| value.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
        match last.filter(|_| self.forwarded && is_near) {
            Some(address) => address_of(Peer::Address(address.to_canonical())),
            None => address_of(peer),
        }
    }

    fn caller(&self, given: &Credentials) -> Option<Caller> {
        let sha256 = digest::sha256(&[given.token.as_bytes()]);
        let mut found = None;
        for token in &self.tokens {
            let is_named = given.name.as_ref().is_none_or(|name| *name == token.name);
            if digest::is_same(&token.sha256, &sha256) && is_named {
                found = Some(token);
            }
        }
        found.map(|token| Caller::of(token, given.by_browser))
    }

    fn knows_host(&self, asked: &HeaderMap) -> bool {
        let Some(host) = asked.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
        let name = host_name(host).to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let is_loopback = name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        is_loopback || name == LOOPBACK || self.hosts.iter().any(|host| host == name)
    }

    fn has_failed_often(&self, from: Option<IpAddr>) -> bool {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let of = failures.get(&from);
        of.is_some_and(|(since, many)| since.elapsed() < MINUTE && *many >= self.most_failures)
    }

    fn note_failure(&self, from: Option<IpAddr>) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= ADDRESSES {
            failures.retain(|_, (since, _)| since.elapsed() < MINUTE);
        }
        if failures.len() >= ADDRESSES {
            failures.clear();
        }
        let of = failures.entry(from).or_insert((Instant::now(), 0));
        if of.0.elapsed() >= MINUTE {
            *of = (Instant::now(), 0);
        }
        of.1 += 1;
        if of.1 == self.most_failures {
            let from = from.map_or_else(|| "this host".to_owned(), |address| address.to_string());
            tracing::warn!(from, "too many failed authentications: this address waits for a minute");
        }
    }
}

/// Whether this caller may act, with a request that a page of another site cannot have made.
pub(crate) fn may_act(caller: &Caller, asked: &HeaderMap) -> Result<(), Problem> {
    if !caller.may_act {
        let detail = format!("{} may not act", caller.name);
        let fix = "use a token with the scope act, see [[serve.tokens]]";
        return Err(Problem::new(StatusCode::FORBIDDEN, "may-not-act", detail, fix));
    }
    is_from_here(asked)?;
    match !caller.by_password || asked.contains_key(OURS) {
        true => Ok(()),
        false => Err(other_site()),
    }
}

fn other_site() -> Problem {
    let detail = "the request may have been made by another site";
    let fix = format!("send the token as Authorization: Bearer, or the header field {OURS}: 1");
    Problem::new(StatusCode::FORBIDDEN, "other-site", detail, fix)
}

/// Whether no page of another site has made a request, as far as the browser says.
pub(crate) fn is_from_here(asked: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| asked.get(name).and_then(|value| value.to_str().ok());
    if !text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none")) {
        return Err(other_site());
    }
    let (own, origin) = (text("host").unwrap_or_default(), text("origin"));
    let is_own =
        |origin: &str| origin.split_once("://").is_some_and(|(_, host)| host.eq_ignore_ascii_case(own));
    match origin.filter(|origin| !is_own(origin)) {
        None => Ok(()),
        Some(origin) => {
            let detail = format!("the page is of {origin}, and the request is for the host {own}");
            let fix = "use this server's own page; a proxy in front of it has to pass on Host as it came";
            Err(Problem::new(StatusCode::FORBIDDEN, "other-site", detail, fix))
        }
    }
}

/// The cookies of a request.
pub(crate) fn cookies(asked: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = asked.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).filter_map(|one| one.trim().split_once('='))
}

/// The field that lets a browser keep a token: for this site's own requests, and for no script.
pub(crate) fn cookie_of(token: &str, asked: &HeaderMap, is_secured: bool) -> String {
    let value: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    format!("{COOKIE}={value}; {}", terms(asked, is_secured))
}

/// The field that lets a browser forget it.
pub(crate) fn no_cookie(asked: &HeaderMap, is_secured: bool) -> String {
    format!("{COOKIE}=; Max-Age=0; {}", terms(asked, is_secured))
}

fn terms(asked: &HeaderMap, is_secured: bool) -> &'static str {
    let origin = asked.get(header::ORIGIN);
    match is_secured || origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https:")) {
        true => "Path=/; SameSite=Strict; HttpOnly; Secure",
        false => "Path=/; SameSite=Strict; HttpOnly",
    }
}

/// Failures of one network of IPv6 count together.
fn address_of(peer: Peer) -> Option<IpAddr> {
    match peer {
        Peer::Local => None,
        Peer::Address(IpAddr::V6(six)) => {
            let [a, b, c, d, ..] = six.segments();
            Some(IpAddr::from([a, b, c, d, 0, 0, 0, 0]))
        }
        Peer::Address(address) => Some(address),
    }
}

/// A host without its port and brackets.
fn host_name(host: &str) -> &str {
    if let Some(literal) = host.strip_prefix('[') {
        return literal.split(']').next().unwrap_or_default();
    }
    host.split(':').next().unwrap_or_default()
}

/// A token, and the user name that came with it.
struct Credentials {
    name: Option<String>,
    token: String,
    /// A browser adds it by itself.
    by_browser: bool,
}

fn credentials(asked: &HeaderMap) -> Option<Credentials> {
    if !asked.contains_key(header::AUTHORIZATION) {
        let (_, value) = cookies(asked).find(|(name, _)| *name == COOKIE)?;
        let (token, _) = form_urlencoded::parse(value.as_bytes()).next()?;
        return Some(Credentials { name: None, token: token.into_owned(), by_browser: true });
    }
    let (scheme, rest) = asked.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials { name: None, token: rest.to_owned(), by_browser: false });
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(digest::from_base64(rest)?).ok()?;
    let (name, token) = text.split_once(':')?;
    Some(Credentials { name: Some(name.to_owned()), token: token.to_owned(), by_browser: true })
}

fn unauthorized(detail: &str) -> Problem {
    let fix = "send Authorization: Bearer TOKEN, or Basic with the token's name and the token";
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail, fix)
        .with("www-authenticate", "Basic realm=\"carom\", charset=\"UTF-8\", Bearer realm=\"carom\"")
}
