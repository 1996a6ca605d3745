//! `carom serve` as a listener, and a client that speaks HTTP to it.

pub(crate) mod schema;

use super::{Ran, Sandbox, finish, free_port, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::time::Duration;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server, killed when it is dropped.
pub(crate) struct WebServer {
    child: Option<Child>,
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl WebServer {
    /// Starts `carom serve` with these arguments.
    pub(crate) fn start(sandbox: &Sandbox, arguments: &[&str]) -> WebServer {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let serve = ["serve", "--listen", &address];
        WebServer::of(sandbox.command(&[&serve[..], arguments].concat()).spawn().unwrap(), port)
    }

    /// A process that serves on this port.
    pub(crate) fn of(child: Child, port: u16) -> WebServer {
        let server = WebServer { child: Some(child), port };
        wait_for(60, "carom serve to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.as_ref().unwrap().id();
        kill_process(Pid::from_raw(id.cast_signed()).unwrap(), signal).unwrap();
    }

    /// How it ends, within a minute.
    pub(crate) fn end(mut self) -> Ran {
        finish(self.child.take().unwrap(), Duration::from_secs(60))
    }

    /// A connection that was not used yet.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes as they are, and reads until the server closes.
    pub(crate) fn send(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        let _ = stream.write_all(bytes);
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        all
    }

    /// A request with these header fields, each with its line end, and a body.
    pub(crate) fn ask(&self, method: &str, target: &str, fields: &str, body: &str) -> Answer {
        let port = self.port;
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{fields}{length}\r\n{body}"
        );
        Answer::read(&self.send(request.as_bytes()))
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "", "")
    }

    /// The same with a token.
    pub(crate) fn get_as(&self, token: &str, target: &str) -> Answer {
        self.ask("GET", target, &format!("Authorization: Bearer {token}\r\n"), "")
    }

    pub(crate) fn post_as(&self, token: &str, target: &str, body: &str) -> Answer {
        self.ask("POST", target, &format!("Authorization: Bearer {token}\r\n"), body)
    }

    /// The JSON of a good answer.
    pub(crate) fn json(&self, target: &str) -> Value {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer.value()
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Answer {
    pub(crate) fn read(bytes: &[u8]) -> Answer {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let field = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let fields: Vec<(String, String)> = lines.map(field).collect();
        let body = bytes[end + 4..].to_vec();
        let is_chunked = fields.iter().any(|(name, _)| name == "transfer-encoding");
        assert!(!is_chunked, "answers have a length: {fields:?}");
        Answer { status, fields, body }
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(one, _)| one == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// A `[[serve.tokens]]` with these scopes; the token is its name and `-token`.
pub(crate) fn token(name: &str, scopes: &str) -> String {
    let digest = sha256(format!("{name}-token").as_bytes());
    format!("[[serve.tokens]]\nname = \"{name}\"\nsha256 = \"{digest}\"\nscopes = [{scopes}]\n")
}

pub(crate) fn sha256(octets: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, octets);
    digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}
