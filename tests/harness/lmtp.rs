//! `carom lmtp` as a listener, and a client that speaks LMTP or SMTP to it.

use super::{Ran, Sandbox, finish, free_port, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a client waits for a reply.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running listener, killed when it is dropped.
pub(crate) struct Listener {
    child: Option<Child>,
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
    /// Its unix socket.
    pub(crate) path: PathBuf,
}

impl Listener {
    /// Starts `carom lmtp` with these arguments, on a port and a unix socket.
    pub(crate) fn start(sandbox: &Sandbox, arguments: &[&str]) -> Listener {
        let (port, path) = (free_port(), sandbox.path("lmtp.sock"));
        let (tcp, unix) = (format!("127.0.0.1:{port}"), path.display().to_string());
        let listen = ["lmtp", "--listen", &tcp, "--listen", &unix];
        let child = sandbox.command(&[&listen[..], arguments].concat()).spawn().unwrap();
        let listener = Listener { child: Some(child), port, path };
        wait_for(60, "carom lmtp to listen", || UnixStream::connect(&listener.path).is_ok());
        listener
    }

    /// A program that makes this socket, and passes it to carom.
    pub(crate) fn of(mut command: Command, path: PathBuf) -> Listener {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let listener = Listener { child: Some(child), port: 0, path };
        wait_for(60, "the socket", || listener.path.exists());
        listener
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// Stops it until `Signal::CONT`. A thread of it may run on for a while after the signal.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        let status = format!("/proc/{}/status", self.id());
        wait_for(30, "the process to stop", || fs::read_to_string(&status).unwrap().contains("State:\tT"));
    }

    /// How it ends, within a minute.
    pub(crate) fn end(mut self) -> Ran {
        finish(self.child.take().unwrap(), Duration::from_secs(60))
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn stop(self) {
        self.signal(Signal::TERM);
        let ran = self.end();
        assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    }

    /// None yet.
    pub(crate) fn idle() -> Listener {
        Listener { child: None, port: 0, path: PathBuf::new() }
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// A session by TCP, greeted.
    pub(crate) fn tcp(&self) -> Client {
        self.from([127, 0, 0, 1])
    }

    /// The same from this address.
    pub(crate) fn from(&self, address: [u8; 4]) -> Client {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
        socket.connect(&SocketAddr::from(([127, 0, 0, 1], self.port)).into()).unwrap();
        Client::over(socket)
    }

    /// A session by the unix socket, greeted.
    pub(crate) fn unix(&self) -> Client {
        let mut connected = None;
        wait_for(10, "the socket to listen", || {
            connected = UnixStream::connect(&self.path).ok();
            connected.is_some()
        });
        Client::over(connected.unwrap().into())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A client's session, ended when it is dropped.
pub(crate) struct Client {
    reader: BufReader<Socket>,
    writer: Socket,
    /// What it was greeted with.
    pub(crate) greeting: String,
}

impl Drop for Client {
    /// To close the socket is not enough: a program that another test starts at this moment has a
    /// copy of it until it runs.
    fn drop(&mut self) {
        let _ = self.writer.shutdown(Shutdown::Both);
    }
}

impl Client {
    fn over(socket: Socket) -> Client {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let reader = BufReader::new(socket.try_clone().unwrap());
        let mut client = Client { reader, writer: socket, greeting: String::new() };
        client.greeting = client.reply();
        client
    }

    /// The lines of the next reply; empty if the connection is closed.
    pub(crate) fn reply(&mut self) -> String {
        let mut whole = String::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).unwrap_or(0) == 0 {
                return whole;
            }
            let goes_on = line.as_bytes().get(3) == Some(&b'-');
            whole.push_str(&line);
            if !goes_on {
                return whole;
            }
        }
    }

    /// Writes bytes; returns whether the other side still takes them.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        self.writer.write_all(bytes).and_then(|()| self.writer.flush()).is_ok()
    }

    /// Says a command; returns the reply.
    pub(crate) fn say(&mut self, command: &str) -> String {
        self.write(format!("{command}\r\n").as_bytes());
        self.reply()
    }

    /// The same; the reply has to begin with this.
    #[track_caller]
    pub(crate) fn expect(&mut self, command: &str, start: &str) -> String {
        let reply = self.say(command);
        assert!(reply.starts_with(start), "{command}: {reply}");
        reply
    }

    /// Begins the session.
    #[track_caller]
    pub(crate) fn hello(mut self) -> Client {
        let verb = if self.greeting.contains(" LMTP ") { "LHLO" } else { "EHLO" };
        self.expect(&format!("{verb} client.sender.example"), "250");
        self
    }

    /// Says sender and recipients.
    #[track_caller]
    pub(crate) fn envelope(&mut self, from: &str, to: &[&str]) {
        self.expect(&format!("MAIL FROM:<{from}>"), "250");
        to.iter().for_each(|to| drop(self.expect(&format!("RCPT TO:<{to}>"), "250")));
    }

    /// Writes the text of a message after DATA, without waiting for an answer.
    #[track_caller]
    pub(crate) fn data(&mut self, message: &[u8]) {
        self.expect("DATA", "354");
        for line in message.split_inclusive(|&byte| byte == b'\n') {
            if line.starts_with(b".") {
                self.write(b".");
            }
            self.write(line);
        }
        self.write(b".\r\n");
    }

    /// Hands a message in; returns the reply to each recipient, or the one reply in SMTP.
    #[track_caller]
    pub(crate) fn send(&mut self, from: &str, to: &[&str], message: &[u8]) -> Vec<String> {
        self.envelope(from, to);
        self.data(message);
        let replies = if self.greeting.contains(" LMTP ") { to.len() } else { 1 };
        (0..replies).map(|_| self.reply()).collect()
    }
}
