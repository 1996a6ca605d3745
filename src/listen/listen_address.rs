//! An address to listen on, as it is typed: `127.0.0.1:2424`, `[::1]:2424`, `/run/x.sock` or
//! `unix:/run/x.sock`.

use crate::error::Error;
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListenAddress {
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl FromStr for ListenAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<ListenAddress, Error> {
        let path = text.strip_prefix("unix:").unwrap_or(text);
        if path.starts_with('/') {
            return Ok(ListenAddress::Unix(path.into()));
        }
        let address = text.strip_prefix("inet:").unwrap_or(text);
        address.parse().map(ListenAddress::Tcp).map_err(|_| {
            Error::new(format_args!("not an address to listen on: {text}"))
                .remedy("use ADDRESS:PORT, with an address of this host such as 127.0.0.1 or [::1], or the path of a socket")
        })
    }
}

impl Display for ListenAddress {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp(address) => address.fmt(out),
            ListenAddress::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths_are_told_apart() {
        let shown = |text: &str| text.parse::<ListenAddress>().map(|address| address.to_string());
        for (typed, address) in [
            ("127.0.0.1:2424", "127.0.0.1:2424"),
            ("[::1]:24", "[::1]:24"),
            ("inet:127.0.0.1:2424", "127.0.0.1:2424"),
            ("/run/x.sock", "unix:/run/x.sock"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
        ] {
            assert_eq!(shown(typed).ok().as_deref(), Some(address));
        }
        for wrong in ["", "2424", "localhost:24", "unix:x.sock", "::1:24", "127.0.0.1"] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }
}
