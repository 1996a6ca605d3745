//! What the service manager is told of this process (sd_notify(3)): it is ready, it reloads, it
//! stops.
//!
//! Own code, because the protocol is one datagram. Invariant: without a service manager, and when
//! it does not listen, nothing happens.

use rustix::time::{ClockId, clock_gettime};
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Where systemd listens: the path of a socket, or `@` and an abstract name.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Clients can connect.
    Ready,
    Reloading,
    Stopping,
}

pub(super) fn tell(phase: Phase) {
    let Some(name) = std::env::var_os(VARIABLE) else { return };
    let told = address(&name)
        .and_then(|address| UnixDatagram::unbound()?.send_to_addr(words(phase).as_bytes(), &address));
    if let Err(error) = told {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}

fn address(name: &OsStr) -> std::io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(name),
    }
}

fn words(phase: Phase) -> String {
    match phase {
        Phase::Ready => "READY=1\nSTATUS=serving".to_owned(),
        Phase::Reloading => {
            let now = clock_gettime(ClockId::Monotonic);
            let now_us = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
            format!("RELOADING=1\nMONOTONIC_USEC={now_us}\nSTATUS=reloading")
        }
        Phase::Stopping => "STOPPING=1\nSTATUS=stopping".to_owned(),
    }
}
