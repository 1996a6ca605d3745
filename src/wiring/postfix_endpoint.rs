//! A socket of carom as Postfix names it, `unix:PATH` or `inet:HOST:PORT`, and a conversation
//! with what listens there.
//!
//! Not here: listening (`listen`), and what is said (`lmtp_route`, `asking_findings`,
//! `socketmap_findings`). Invariant: no conversation is longer than `PATIENCE`, and what may not be
//! tried from here is no fault: only this host is asked.

use super::postconf::Postconf;
use crate::deadline::Deadline;
use crate::deadline::timed_stream::TimedStream;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How long a conversation may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How a connection fails that the other end has closed.
const CLOSED: [ErrorKind; 4] = [
    ErrorKind::UnexpectedEof,
    ErrorKind::ConnectionReset,
    ErrorKind::ConnectionAborted,
    ErrorKind::BrokenPipe,
];
/// Bytes of a line or a length that is listened to.
const LONGEST: u64 = 4096;

/// It can be a word in a table or a list of restrictions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PostfixEndpoint(pub(super) String);

impl FromStr for PostfixEndpoint {
    type Err = crate::error::Error;

    fn from_str(text: &str) -> std::result::Result<PostfixEndpoint, crate::error::Error> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}$,=;#\"'\\".contains(&byte));
        let port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
        let is_place = match text.split_once(':') {
            Some(("unix", path)) => !path.is_empty(),
            Some(("inet", place)) => {
                place.rsplit_once(':').is_some_and(|(host, number)| !host.is_empty() && port(number))
            }
            _ => false,
        };
        if is_plain && is_place {
            return Ok(PostfixEndpoint(text.to_owned()));
        }
        Err(crate::error::Error::new("write unix:PATH or inet:HOST:PORT, as Postfix names sockets"))
    }
}

/// The other end of a connection to an endpoint.
pub(super) struct EndpointPeer(BufReader<TimedStream>);

impl EndpointPeer {
    pub(super) fn say(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// What it says up to this byte, without it.
    pub(super) fn until(&mut self, end: u8) -> Result<String> {
        let mut said = Vec::new();
        self.0.by_ref().take(LONGEST).read_until(end, &mut said)?;
        match said.pop() {
            Some(last) if last == end => Ok(String::from_utf8_lossy(&said).trim_end_matches('\r').to_owned()),
            Some(_) => Err(of_another_protocol()),
            None => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// As many bytes as these.
    pub(super) fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.0.read_exact(bytes)
    }
}

pub(super) fn of_another_protocol() -> Error {
    Error::other("it speaks another protocol")
}

/// What `talk` hears at an endpoint, or why nobody answers there. `None`: it cannot be tried from
/// here.
pub(super) fn talk<T>(
    postconf: &Postconf,
    endpoint: &str,
    talk: impl FnOnce(&mut EndpointPeer) -> Result<T>,
) -> Option<std::result::Result<T, String>> {
    let until = Deadline::after(PATIENCE);
    let connected = match endpoint.split_once(':')? {
        ("unix", path) => {
            let directory = PathBuf::from(postconf.value("queue_directory").ok()?);
            TimedStream::connect_unix(&directory.join(path), until)
        }
        ("inet", place) => TimedStream::connect(&on_this_host(place)?, until),
        _ => return None,
    };
    let heard = connected.and_then(|stream| talk(&mut EndpointPeer(BufReader::new(stream))));
    match heard {
        Ok(heard) => Some(Ok(heard)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
        Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
            Some(Err(format!("it says nothing within {} s", PATIENCE.as_secs())))
        }
        Err(error) if CLOSED.contains(&error.kind()) => Some(Err("it closes the connection".to_owned())),
        Err(error) => Some(Err(error.to_string())),
    }
}

/// `127.0.0.1:24`, `[127.0.0.1]:24`, `[::1]:24`, `localhost:24`.
fn on_this_host(place: &str) -> Option<SocketAddr> {
    let (host, port) = place.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_start_matches("ipv6:");
    let address = match host.eq_ignore_ascii_case("localhost") {
        true => IpAddr::from(Ipv4Addr::LOCALHOST),
        false => host.parse().ok()?,
    };
    address.is_loopback().then_some(SocketAddr::new(address, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_postfix_can_read_is_a_place() {
        for good in
            ["unix:/run/carom/lmtp", "unix:private/carom-access", "inet:127.0.0.1:24", "inet:[::1]:24"]
        {
            assert_eq!(good.parse::<PostfixEndpoint>().unwrap().0, good);
        }
        for bad in [
            "",
            "unix:",
            "/run/carom/lmtp",
            "inet:24",
            "inet::24",
            "inet:a:0",
            "inet:a:65536",
            "unix:/a b",
            "unix:/a,b",
            "unix:/a}",
            "unix:$x",
            "tcp:a:24",
            "unix:/ü",
        ] {
            assert!(bad.parse::<PostfixEndpoint>().is_err(), "{bad}");
        }
    }
}
