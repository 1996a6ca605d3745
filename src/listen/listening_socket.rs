//! Where connections come in: sockets of ours, sockets that systemd passes, or the one client on
//! standard input.
//!
//! Not here: who is served (`server`). Invariant: a unix socket of ours is open to its owner and
//! group only, replaces one that nobody listens on, and goes with the process.

use super::listen_address::ListenAddress;
use crate::error::{Context, Error, Result};
use listenfd::ListenFd;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// The ways in of a process.
pub(crate) enum Doorway {
    Sockets(Vec<ListeningSocket>),
    /// Standard input and output are the one connection.
    Standard {
        input: OwnedFd,
        output: OwnedFd,
    },
}

impl Doorway {
    /// Listens on these addresses; without any, on the sockets that systemd has passed; without
    /// those too, there is the client on standard input and output.
    pub(crate) fn open(
        addresses: &[ListenAddress],
        standard: impl FnOnce() -> io::Result<(OwnedFd, OwnedFd)>,
    ) -> Result<Doorway> {
        let sockets = Doorway::sockets(addresses, &[])?;
        if !sockets.is_empty() {
            return Ok(Doorway::Sockets(sockets));
        }
        let (input, output) = standard().context("standard input and output")?;
        Ok(Doorway::Standard { input, output })
    }

    /// Listens on these addresses; without any, on the sockets that systemd has passed; without
    /// those too, on the `usual` addresses.
    pub(crate) fn sockets(
        addresses: &[ListenAddress],
        usual: &[ListenAddress],
    ) -> Result<Vec<ListeningSocket>> {
        let bind = |addresses: &[ListenAddress]| {
            let bound = addresses
                .iter()
                .map(|address| ListeningSocket::bind(address).map_err(|error| unbound(address, &error)));
            bound.collect::<Result<Vec<_>>>()
        };
        if !addresses.is_empty() {
            return bind(addresses);
        }
        let passed = passed_sockets().context("a socket that systemd has passed")?;
        if passed.is_empty() { bind(usual) } else { Ok(passed) }
    }
}

/// Why an address cannot be listened on, and the fix.
fn unbound(address: &ListenAddress, error: &io::Error) -> Error {
    let fix = match error.kind() {
        io::ErrorKind::AddrInUse => "stop what listens there (`ss -ltnp` names it), or use another port",
        io::ErrorKind::AddrNotAvailable => "use an address of this host",
        io::ErrorKind::PermissionDenied => {
            "use a port above 1023 or a directory of this user, or a socket of systemd"
        }
        _ => "use another address",
    };
    Error::new(format_args!("cannot listen on {address}: {error}")).remedy(fix)
}

/// A client, or a socket that takes none.
const NO_LISTENER: &str = "it does not listen: use ListenStream= and Accept=no in the .socket, or for a client \
                           of Accept=yes StandardInput=socket in the .service";

pub(crate) struct ListeningSocket {
    socket: Socket,
    /// The file of a unix socket that was made here, and its inode.
    made: Option<(PathBuf, u64)>,
}

impl ListeningSocket {
    fn bind(address: &ListenAddress) -> io::Result<ListeningSocket> {
        let socket = match address {
            ListenAddress::Tcp(address) => {
                let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
                socket.set_reuse_address(true)?;
                socket.bind(&SockAddr::from(*address))?;
                ListeningSocket { socket, made: None }
            }
            ListenAddress::Unix(path) => {
                remove_unused(path)?;
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.bind(&SockAddr::unix(path)?)?;
                // Before anybody can connect.
                fs::set_permissions(path, Permissions::from_mode(0o660))?;
                ListeningSocket { socket, made: Some((path.clone(), fs::metadata(path)?.ino())) }
            }
        };
        socket.socket.listen(BACKLOG)?;
        socket.socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn passed(socket: Socket) -> io::Result<ListeningSocket> {
        if !socket.is_listener()? {
            return Err(io::Error::other(NO_LISTENER));
        }
        socket.set_nonblocking(true)?;
        Ok(ListeningSocket { socket, made: None })
    }

    /// Its address; `None` for a unix socket.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }

    /// Another handle, for who waits for connections in another way; this one holds its file.
    pub(crate) fn listener(&self) -> io::Result<Listener> {
        let handle = OwnedFd::from(self.socket.try_clone()?);
        Ok(match self.socket.domain()? {
            Domain::UNIX => Listener::Unix(handle.into()),
            _ => Listener::Tcp(handle.into()),
        })
    }

    /// A connection that waits; `None`: there is none.
    pub(super) fn accept(&self) -> io::Result<Option<Socket>> {
        match self.socket.accept() {
            Ok((socket, _)) => Ok(Some(socket)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A socket that does not block.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl AsFd for ListeningSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for ListeningSocket {
    fn drop(&mut self) {
        if let Some((path, inode)) = &self.made
            && fs::metadata(path).is_ok_and(|there| there.ino() == *inode)
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// The sockets of LISTEN_FDS.
fn passed_sockets() -> io::Result<Vec<ListeningSocket>> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        // What is taken by one is not there for the other.
        let socket = match (passed.take_tcp_listener(index), passed.take_unix_listener(index)) {
            (Ok(Some(listener)), _) => Socket::from(listener),
            (_, Ok(Some(listener))) => Socket::from(listener),
            (Ok(None), Ok(None)) => continue,
            _ => return Err(io::Error::other("it is no stream socket: use ListenStream= in the .socket")),
        };
        sockets.push(ListeningSocket::passed(socket)?);
    }
    Ok(sockets)
}

/// Removes a socket that a process left behind.
fn remove_unused(path: &Path) -> io::Result<()> {
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(()) };
    if !there.file_type().is_socket() {
        return Err(io::Error::other("there is a file of this name that is not a socket"));
    }
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::other("another process listens there"));
    }
    fs::remove_file(path)
}
