//! A carom that listens on a unix socket, and connections to it.

use super::{Sandbox, wait_for};
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) struct Listener {
    child: Child,
    pub(crate) socket: PathBuf,
}

/// A directory in the sandbox where every user may make sockets.
pub(crate) fn sockets(sandbox: &Sandbox) -> PathBuf {
    let directory = sandbox.path("run");
    fs::create_dir_all(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
    directory
}

impl Listener {
    /// `carom COMMAND --listen`, on a socket in the sandbox that everybody may use.
    pub(crate) fn start(sandbox: &Sandbox, command: &str) -> Listener {
        let socket = sockets(sandbox).join(command);
        let mut started = sandbox.command(&[command, "--listen", &socket.display().to_string()]);
        started.stdin(Stdio::null()).stdout(Stdio::null());
        let child = started.spawn().unwrap();
        wait_for(20, "a socket", || UnixStream::connect(&socket).is_ok());
        fs::set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
        Listener { child, socket }
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// Everything that it answers to these bytes, until it closes or the end of the bytes is read.
    pub(crate) fn all(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // It may close before it has read them all.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answers = Vec::new();
        let _ = stream.read_to_end(&mut answers);
        String::from_utf8(answers).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Asks it to end, and returns its exit code.
    pub(crate) fn stop(mut self) -> i32 {
        self.signal("-TERM");
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
