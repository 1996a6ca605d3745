//! Loopback peers: an SMTP server and a tracker that record what reaches them, and answer as they are told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A mail as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arrived {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Dot-unstuffed, with CRLF.
    pub(crate) data: Vec<u8>,
}

/// How the SMTP server behaves: at this command (`.` for the end of the data) it gives this reply. At `silent` it takes
/// the connection and says nothing, at `drip` it greets a byte at a time, at `slow` it takes two seconds for a message, at
/// `` it takes everything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Manner {
    pub(crate) at: &'static str,
    pub(crate) reply: &'static str,
}

/// It takes everything.
pub(crate) const ACCEPT: Manner = Manner { at: "", reply: "" };

pub(crate) struct SmtpPeer {
    pub(crate) port: u16,
    pub(crate) arrived: Arc<Mutex<Vec<Arrived>>>,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) manner: Arc<Mutex<Manner>>,
}

impl SmtpPeer {
    pub(crate) fn at(address: &str, port: u16, manner: Manner) -> SmtpPeer {
        let listener = TcpListener::bind((address, port)).unwrap();
        let peer = SmtpPeer {
            port: listener.local_addr().unwrap().port(),
            arrived: Arc::default(),
            connections: Arc::default(),
            manner: Arc::new(Mutex::new(manner)),
        };
        let (arrived, connections, manner) =
            (peer.arrived.clone(), peer.connections.clone(), peer.manner.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever sees the connection counted may change the manner: this one keeps what it met.
                let first = *manner.lock().unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let (arrived, manner) = (arrived.clone(), manner.clone());
                std::thread::spawn(move || drop(talk(stream, first, &arrived, &manner)));
            }
        });
        peer
    }

    pub(crate) fn mails(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }
}

fn talk(
    stream: TcpStream,
    first: Manner,
    arrived: &Mutex<Vec<Arrived>>,
    manner: &Mutex<Manner>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream);
    match first.at {
        "silent" => {
            std::thread::sleep(Duration::from_secs(30));
            return Ok(());
        }
        "drip" => {
            for byte in b"220 a very long greeting that never comes to its end".iter() {
                out.write_all(&[*byte])?;
                std::thread::sleep(Duration::from_millis(500));
            }
            return Ok(());
        }
        _ => {}
    }
    out.write_all(b"220 peer ESMTP\r\n")?;
    let (mut from, mut to) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let verb = line.split(' ').next().unwrap_or("").to_ascii_uppercase();
        let scripted = |command: &str| {
            let manner = *manner.lock().unwrap();
            (manner.at == command).then(|| format!("{}\r\n", manner.reply))
        };
        if let Some(reply) = scripted(&verb) {
            out.write_all(reply.as_bytes())?;
            continue;
        }
        let inner = |line: &str| {
            line.split('<').nth(1).and_then(|rest| rest.split('>').next()).unwrap_or("?").to_owned()
        };
        match verb.as_str() {
            "EHLO" => out.write_all(b"250-peer\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 100000000\r\n")?,
            "MAIL" => {
                from = inner(line);
                out.write_all(b"250 2.1.0 ok\r\n")?;
            }
            "RCPT" => {
                to = inner(line);
                out.write_all(b"250 2.1.5 ok\r\n")?;
            }
            "DATA" => {
                out.write_all(b"354 go on\r\n")?;
                let mut data = Vec::new();
                loop {
                    let mut line = Vec::new();
                    if lines.read_until(b'\n', &mut line)? == 0 {
                        return Ok(());
                    }
                    if line == b".\r\n" {
                        break;
                    }
                    data.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                }
                if let Some(reply) = scripted(".") {
                    out.write_all(reply.as_bytes())?;
                    continue;
                }
                if first.at == "slow" {
                    std::thread::sleep(Duration::from_secs(2));
                }
                arrived.lock().unwrap().push(Arrived { from: from.clone(), to: to.clone(), data });
                out.write_all(b"250 2.0.0 taken\r\n")?;
            }
            "QUIT" => {
                out.write_all(b"221 2.0.0 bye\r\n")?;
                return Ok(());
            }
            _ => out.write_all(b"250 2.0.0 ok\r\n")?,
        }
    }
}

/// A request as it arrived: method, path, User-Agent, body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) body: String,
    pub(crate) path: String,
    pub(crate) agent: String,
}

pub(crate) struct Tracker {
    pub(crate) port: u16,
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
    pub(crate) connections: Arc<AtomicUsize>,
    /// Names itself as SparkPost's trackers do.
    pub(crate) msys: Arc<AtomicBool>,
}

impl Tracker {
    /// Answers 200; `/redirect` is a 302 to `/private`, `/missing` a 404, `/endless` never ends, `/drip` drips.
    pub(crate) fn at(port: u16) -> Tracker {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let tracker = Tracker {
            port: listener.local_addr().unwrap().port(),
            requests: Arc::default(),
            connections: Arc::default(),
            msys: Arc::new(AtomicBool::new(false)),
        };
        let (requests, connections, msys) =
            (tracker.requests.clone(), tracker.connections.clone(), tracker.msys.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (requests, msys) = (requests.clone(), msys.clone());
                std::thread::spawn(move || drop(serve(stream, &requests, &msys)));
            }
        });
        tracker
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|request| request.path.clone()).collect()
    }
}

fn serve(stream: TcpStream, requests: &Mutex<Vec<Request>>, msys: &AtomicBool) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let method = line.split(' ').next().unwrap_or("?").to_owned();
        let path = line.split(' ').nth(1).unwrap_or("?").to_owned();
        let mut agent = String::new();
        let mut length = 0;
        loop {
            let mut header = String::new();
            if lines.read_line(&mut header)? <= 2 {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("user-agent: ") {
                agent = value.trim().to_owned();
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        requests.lock().unwrap().push(Request { method, path: path.clone(), agent, body });
        let server = if msys.load(Ordering::SeqCst) { "msys-http" } else { "test" };
        match path.as_str() {
            "/redirect" => {
                write!(out, "HTTP/1.1 302 Found\r\nLocation: /private\r\nContent-Length: 0\r\n\r\n")?
            }
            "/missing" => write!(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")?,
            "/endless" => {
                write!(out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                let chunk = vec![b'x'; 65536];
                for _ in 0..10_000 {
                    write!(out, "10000\r\n")?;
                    out.write_all(&chunk)?;
                    write!(out, "\r\n")?;
                }
            }
            "/drip" => {
                for byte in b"HTTP/1.1 200 OK\r\nX-Slow: ".iter().chain([b'x'; 100].iter()) {
                    out.write_all(&[*byte])?;
                    std::thread::sleep(Duration::from_millis(300));
                }
            }
            _ => write!(out, "HTTP/1.1 200 OK\r\nServer: {server}\r\nContent-Length: 3\r\n\r\nok\n")?,
        }
    }
}
