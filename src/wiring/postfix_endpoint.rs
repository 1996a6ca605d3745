//! A socket of carom as Postfix names it, `unix:PATH` or `inet:HOST:PORT`, and whether somebody
//! answers there.
//!
//! Not here: listening (`listen`). Invariant: no wait is longer than `PATIENCE`, and what may not
//! be tried from here is no fault: only this host is asked.

use super::postconf::Postconf;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// It can be a word in a table or a list of restrictions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PostfixEndpoint(pub(super) String);

impl FromStr for PostfixEndpoint {
    type Err = Error;

    fn from_str(text: &str) -> std::result::Result<PostfixEndpoint, Error> {
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
        Err(Error::new("write unix:PATH or inet:HOST:PORT, as Postfix names sockets"))
    }
}

/// Why nobody answers at an endpoint with bytes that begin like `answer`, after `probe`; `None`:
/// somebody does, or it cannot be tried from here.
pub(super) fn silence(postconf: &Postconf, endpoint: &str, probe: &[u8], answer: &[u8]) -> Option<String> {
    let tried = match endpoint.split_once(':')? {
        ("unix", path) => {
            let directory = PathBuf::from(postconf.value("queue_directory").ok()?);
            UnixStream::connect(directory.join(path)).and_then(|stream| {
                stream.set_read_timeout(Some(PATIENCE))?;
                heard(stream, probe, answer)
            })
        }
        ("inet", place) => {
            let place: SocketAddr =
                place.parse().ok().filter(|place: &SocketAddr| place.ip().is_loopback())?;
            TcpStream::connect_timeout(&place, PATIENCE).and_then(|stream| {
                stream.set_read_timeout(Some(PATIENCE))?;
                heard(stream, probe, answer)
            })
        }
        _ => return None,
    };
    match tried {
        Ok(true) => None,
        Ok(false) => Some("it speaks another protocol".to_owned()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
        Err(error) => Some(error.to_string()),
    }
}

fn heard(mut stream: impl Read + Write, probe: &[u8], answer: &[u8]) -> Result<bool> {
    stream.write_all(probe)?;
    let mut heard = vec![0; answer.len()];
    stream.read_exact(&mut heard)?;
    Ok(heard == answer)
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
