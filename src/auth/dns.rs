//! The DNS as the rest of carom sees it: mail exchangers and addresses, by plain function calls.
//!
//! Not here: how questions travel (`dns_servers`), and the static zone (`zone`). Invariants:
//! nothing is read or opened before the first question; a name is checked before it is looked up;
//! "no such record" means that a server or the zone said so, never that no answer came.

use super::dns_failure::DnsFailure;
use super::dns_servers::{self, DnsServers};
use super::name;
use super::zone::{Node, Zone};
use super::zone_answers::ZoneAnswers;
use crate::config;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use hickory_resolver::proto::rr::{RData, RecordType};
use mail_auth::MessageAuthenticator;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Poll, Waker};
use std::time::Duration;

/// The DNS, shared by all threads.
pub(crate) struct Dns {
    config: config::DnsTable,
    source: OnceLock<Result<Source>>,
}

/// Where answers come from.
enum Source {
    /// The authenticator has no servers: the zone answers.
    Zone(Zone, OnceLock<Result<MessageAuthenticator, String>>),
    DnsServers(Box<DnsServers>, MessageAuthenticator),
}

impl Dns {
    /// Reads and opens nothing yet.
    pub(crate) fn open(config: &config::DnsTable) -> Result<Dns> {
        if config.timeout == 0 {
            let error = Error::new("[dns] timeout: no answer can come in no time");
            return Err(error.remedy("give at least 1 second, or remove the key for the default"));
        }
        Ok(Dns { config: config.clone(), source: OnceLock::new() })
    }

    /// Opens the source of answers now, not at the first question. Error: what is wrong with it.
    pub(crate) fn ready(&self) -> Result<()> {
        self.opened().map(drop)
    }

    /// The hosts that accept mail for a domain, most preferred first, lower case, without the
    /// trailing dot. A domain with an address and no MX record accepts its mail itself (RFC 5321
    /// section 5.1).
    pub(crate) fn mx(&self, domain: &str, deadline: Deadline) -> Result<Vec<String>, DnsFailure> {
        let domain = name::absolute(domain).ok_or(DnsFailure::NotFound)?;
        let source = self.source().map_err(DnsFailure::Temporary)?;
        let mut exchangers = source.mx(&domain, deadline)?;
        if exchangers.is_empty() {
            source.addresses(&domain, deadline)?;
            return Ok(vec![without_dot(&domain)]);
        }
        exchangers.sort_by_key(|(preference, _)| *preference);
        let hosts = exchangers.iter().filter_map(|(_, host)| name::absolute(host));
        let hosts: Vec<String> = hosts.map(|host| without_dot(&host)).collect();
        if hosts.is_empty() { Err(DnsFailure::NoMail) } else { Ok(hosts) }
    }

    /// The addresses of a host, IPv4 first. The address of an address literal (RFC 5321 section
    /// 4.1.3) is itself.
    pub(crate) fn addresses(&self, host: &str, deadline: Deadline) -> Result<Vec<IpAddr>, DnsFailure> {
        if let Some(address) = literal(host) {
            return Ok(vec![address]);
        }
        let host = name::absolute(host).ok_or(DnsFailure::NotFound)?;
        self.source().map_err(DnsFailure::Temporary)?.addresses(&host, deadline)
    }

    /// The TXT records of a name, the strings of each joined; empty if it has none.
    pub(crate) fn texts(&self, name: &str, deadline: Deadline) -> Result<Vec<Vec<u8>>, DnsFailure> {
        let name = name::absolute(name).ok_or(DnsFailure::NotFound)?;
        match self.source().map_err(DnsFailure::Temporary)? {
            Source::Zone(zone, _) => Ok(node(zone, &name)?.txt.iter().map(|text| text.to_vec()).collect()),
            Source::DnsServers(servers, _) => {
                let records = servers.query(&name, RecordType::TXT, deadline)?.into_iter();
                let text = |record| match record {
                    RData::TXT(txt) => Some(txt.txt_data.concat()),
                    _ => None,
                };
                Ok(records.filter_map(text).collect())
            }
        }
    }

    /// The zone as `mail_auth` asks for it; empty if answers come from servers.
    pub(crate) fn answers(&self) -> ZoneAnswers<'_> {
        match self.source() {
            Ok(Source::Zone(zone, _)) => ZoneAnswers { zone: Some(zone), ..ZoneAnswers::default() },
            _ => ZoneAnswers::default(),
        }
    }

    /// The names of the zone, without the dot at their end; none if answers come from servers.
    pub(crate) fn zone_names(&self) -> Vec<&str> {
        match self.source() {
            Ok(Source::Zone(zone, _)) => zone.names.keys().map(|name| name.trim_end_matches('.')).collect(),
            _ => Vec::new(),
        }
    }

    /// Verifies signatures and policies. Drive its futures with [`Dns::wait`].
    pub(crate) fn authenticator(&self) -> Result<&MessageAuthenticator, DnsFailure> {
        let authenticator = match self.source().map_err(DnsFailure::Temporary)? {
            Source::DnsServers(_, authenticator) => return Ok(authenticator),
            Source::Zone(_, authenticator) => authenticator.get_or_init(|| {
                let unasked = dns_servers::resolver(Vec::new(), self.timeout());
                unasked.map(MessageAuthenticator).map_err(|error| error.to_string())
            }),
        };
        authenticator.as_ref().map_err(|error| DnsFailure::Temporary(error.clone()))
    }

    /// Drives a future of the authenticator to its end; `None` if the deadline comes first.
    pub(crate) fn wait<T>(&self, deadline: Deadline, future: impl Future<Output = T>) -> Option<T> {
        if let Ok(Source::DnsServers(servers, _)) = self.source() {
            return servers.wait(deadline, future);
        }
        // A zone answers immediately: there is nothing to wait for.
        match pin!(future).poll(&mut std::task::Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(self.config.timeout.into())
    }

    fn source(&self) -> Result<&Source, String> {
        self.opened().map_err(|error| error.to_string())
    }

    fn opened(&self) -> Result<&Source> {
        let open = || match &self.config.zone {
            Some(path) => Zone::load(path).map(|zone| Source::Zone(zone, OnceLock::new())),
            None => DnsServers::open(&self.config.servers, self.timeout()).map(|servers| {
                let authenticator = MessageAuthenticator(servers.resolver().clone());
                Source::DnsServers(Box::new(servers), authenticator)
            }),
        };
        self.source.get_or_init(open).as_ref().map_err(Error::clone)
    }
}

impl Source {
    /// The MX records of a domain, in no order; empty if it exists without one.
    fn mx(&self, domain: &str, deadline: Deadline) -> Result<Vec<(u16, String)>, DnsFailure> {
        match self {
            Source::Zone(zone, _) => {
                let records = node(zone, domain)?.mx.iter();
                Ok(records.map(|(preference, host)| (*preference, host.to_string())).collect())
            }
            Source::DnsServers(servers, _) => {
                let records = servers.query(domain, RecordType::MX, deadline)?.into_iter();
                let exchanger = |record| match record {
                    RData::MX(mx) => Some((mx.preference, mx.exchange.to_ascii())),
                    _ => None,
                };
                Ok(records.filter_map(exchanger).collect())
            }
        }
    }

    /// The addresses of a host, at least one. Those of one family are enough if the other one
    /// failed.
    fn addresses(&self, host: &str, deadline: Deadline) -> Result<Vec<IpAddr>, DnsFailure> {
        let servers = match self {
            Source::Zone(zone, _) => {
                let node = node(zone, host)?;
                let v4 = node.v4.iter().copied().map(IpAddr::V4);
                let all: Vec<IpAddr> = v4.chain(node.v6.iter().copied().map(IpAddr::V6)).collect();
                return if all.is_empty() { Err(DnsFailure::NotFound) } else { Ok(all) };
            }
            Source::DnsServers(servers, _) => servers,
        };
        let mut found = Vec::new();
        let mut failure = DnsFailure::NotFound;
        for kind in [RecordType::A, RecordType::AAAA] {
            match servers.query(host, kind, deadline) {
                Ok(records) => found.extend(records.iter().filter_map(RData::ip_addr)),
                Err(DnsFailure::NotFound) => break,
                Err(other) => failure = other,
            }
        }
        if found.is_empty() { Err(failure) } else { Ok(found) }
    }
}

fn node<'a>(zone: &'a Zone, name: &str) -> Result<&'a Node, DnsFailure> {
    zone.find(name).map(|(_, node)| node).ok_or(DnsFailure::NotFound)
}

fn without_dot(absolute: &str) -> String {
    absolute.trim_end_matches('.').to_owned()
}

/// An address in the forms of RFC 5321 section 4.1.3, or bare.
fn literal(host: &str) -> Option<IpAddr> {
    let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return host.parse().ok();
    };
    match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => inner[5..].parse().map(IpAddr::V6).ok(),
        _ => inner.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_server::{self, Questions, Reply};
    use super::*;
    use hickory_resolver::proto::op::ResponseCode;
    use hickory_resolver::proto::rr::Name;
    use hickory_resolver::proto::rr::rdata::MX;
    use std::net::Ipv4Addr;
    use std::time::Instant;

    fn serve(reply: fn(&str, RecordType) -> Reply) -> (Dns, Questions) {
        let (server, questions) = test_server::serve(reply);
        let config = config::DnsTable { servers: vec![server], timeout: 1, ..config::DnsTable::default() };
        (Dns::open(&config).unwrap(), questions)
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    fn mx(preference: u16, host: &str) -> RData {
        RData::MX(MX::new(preference, Name::from_ascii(host).unwrap()))
    }

    fn a(address: [u8; 4]) -> RData {
        RData::A(Ipv4Addr::from(address).into())
    }

    #[test]
    fn exchangers_come_by_preference_and_keep_their_order() {
        let (dns, _) = serve(|_, _| {
            Reply::Records(vec![
                mx(20, "b.Example."),
                mx(10, "Z.example."),
                mx(20, "a.example."),
                mx(30, "."),
            ])
        });
        assert_eq!(dns.mx("Example.COM", soon()).unwrap(), ["z.example", "b.example", "a.example"]);
    }

    #[test]
    fn b32_a_null_mx_takes_no_mail() {
        let (dns, _) = serve(|_, _| Reply::Records(vec![mx(0, ".")]));
        assert_eq!(dns.mx("example.com", soon()), Err(DnsFailure::NoMail));
    }

    #[test]
    fn b32_only_no_such_record_makes_a_domain_its_own_exchanger() {
        let (dns, _) = serve(|name, kind| match (name, kind) {
            ("implicit.example.", RecordType::A) => Reply::Records(vec![a([192, 0, 2, 1])]),
            ("implicit.example.", _) => Reply::Records(vec![]),
            ("gone.example.", _) => Reply::Code(ResponseCode::NXDomain),
            (_, RecordType::A) => Reply::Records(vec![a([192, 0, 2, 1])]),
            ("silent.example.", _) => Reply::Silence,
            ("refused.example.", _) => Reply::Code(ResponseCode::Refused),
            _ => Reply::Code(ResponseCode::ServFail),
        });
        assert_eq!(dns.mx("implicit.example", soon()).unwrap(), ["implicit.example"]);
        assert_eq!(dns.mx("gone.example", soon()), Err(DnsFailure::NotFound));
        for domain in ["silent.example", "refused.example", "broken.example"] {
            assert!(matches!(dns.mx(domain, soon()), Err(DnsFailure::Temporary(_))), "{domain}");
        }
    }

    #[test]
    fn a_silent_server_is_given_up_within_the_deadline() {
        let (server, _) = test_server::serve(|_, _| Reply::Silence);
        let config = config::DnsTable { servers: vec![server], timeout: 120, ..config::DnsTable::default() };
        let dns = Dns::open(&config).unwrap();
        let begun = Instant::now();
        let deadline = Deadline::after(Duration::from_millis(200));
        assert!(matches!(dns.mx("example.com", deadline), Err(DnsFailure::Temporary(_))));
        assert!(begun.elapsed() < Duration::from_secs(60), "the deadline ends it, not the timeout");
    }

    #[test]
    fn an_answer_too_long_for_udp_comes_over_tcp() {
        let (dns, _) = serve(|_, kind| match kind {
            RecordType::A => Reply::OverTcp((0..=255).map(|last| a([192, 0, 2, last])).collect()),
            _ => Reply::Records(vec![]),
        });
        assert_eq!(dns.addresses("many.example", soon()).unwrap().len(), 256);
    }

    #[test]
    fn every_answer_is_kept_also_a_negative_one_but_no_failure() {
        let (dns, questions) = serve(|name, kind| match (name, kind) {
            ("good.example.", RecordType::MX) => Reply::Records(vec![mx(1, "mx.example.")]),
            ("gone.example.", _) => Reply::Code(ResponseCode::NXDomain),
            ("broken.example.", _) => Reply::Code(ResponseCode::ServFail),
            _ => Reply::Records(vec![]),
        });
        std::thread::scope(|scope| {
            scope.spawn(|| dns.mx("good.example", soon()));
            scope.spawn(|| dns.mx("gone.example", soon()));
        });
        for domain in ["good.example", "gone.example", "empty.example", "broken.example"] {
            let _ = (dns.mx(domain, soon()), dns.mx(domain, soon()));
        }
        let questions = questions.lock().unwrap();
        let asked = |name: &str, kind| questions.get(&(name.to_owned(), kind)).copied().unwrap_or(0);
        assert_eq!(asked("good.example.", RecordType::MX), 1);
        assert_eq!(asked("gone.example.", RecordType::MX), 1);
        assert_eq!(asked("empty.example.", RecordType::MX), 1);
        assert_eq!(asked("empty.example.", RecordType::AAAA), 1);
        assert!(asked("broken.example.", RecordType::MX) >= 2);
    }

    #[test]
    fn many_threads_may_ask_at_once() {
        let (dns, _) = serve(|_, _| Reply::Records(vec![mx(1, "mx.example.")]));
        std::thread::scope(|scope| {
            for thread in 0..16 {
                let dns = &dns;
                scope.spawn(move || {
                    for question in 0..20 {
                        let domain = format!("d{thread}-{question}.example");
                        assert_eq!(dns.mx(&domain, soon()).unwrap(), ["mx.example"]);
                    }
                });
            }
        });
    }

    #[test]
    fn literals_need_no_question_and_odd_names_get_none() {
        let nowhere =
            config::DnsTable { zone: Some("/nonexistent/zone".into()), ..config::DnsTable::default() };
        let dns = Dns::open(&nowhere).unwrap();
        assert_eq!(dns.addresses("192.0.2.1", soon()).unwrap().len(), 1);
        assert_eq!(dns.addresses("[IPv6:2001:db8::1]", soon()).unwrap().len(), 1);
        assert_eq!(dns.mx("a b.example", soon()), Err(DnsFailure::NotFound));
        let failure = dns.mx("example.com", soon()).unwrap_err().to_string();
        assert!(failure.contains("/nonexistent/zone") && failure.contains("[dns] zone"), "{failure}");
    }
}
