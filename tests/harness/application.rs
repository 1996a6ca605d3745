//! An application that is told of bounces: it takes POSTs, remembers them, and answers as it is told. It may have a document that
//! says where it wants to be told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Told {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }
}

pub(crate) struct Application {
    pub(crate) port: u16,
    told: Arc<Mutex<Vec<Told>>>,
    status: Arc<AtomicU16>,
    document: Arc<Mutex<Document>>,
}

/// What a GET is answered.
#[derive(Clone, Debug)]
struct Document {
    status: u16,
    /// Further header lines, each with its line end.
    header: String,
    body: String,
    asked: Vec<Told>,
}

impl Application {
    /// Listens on this port of 127.0.0.1; 0 for any.
    pub(crate) fn at(port: u16) -> Application {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, status) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU16::new(200)));
        let none = Document { status: 404, header: String::new(), body: String::new(), asked: Vec::new() };
        let document = Arc::new(Mutex::new(none));
        let application =
            Application { port, told: told.clone(), status: status.clone(), document: document.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let mut line = String::new();
                let _ = reader.read_line(&mut line);
                let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                let mut headers = Vec::new();
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
                        break;
                    }
                    if let Some((name, value)) = line.split_once(':') {
                        headers.push((name.trim().to_lowercase(), value.trim().to_owned()));
                    }
                }
                let length = headers.iter().find(|(name, _)| name == "content-length");
                let mut body = vec![0; length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)];
                // A request that is cut off tells nothing: its process was killed before the end.
                if line.is_empty() || reader.read_exact(&mut body).is_err() {
                    continue;
                }
                let body = String::from_utf8_lossy(&body).into_owned();
                if line.starts_with("GET ") {
                    let mut document = document.lock().unwrap();
                    document.asked.push(Told { path, headers, body });
                    let Document { status, header, body, .. } = &*document;
                    let answer = format!(
                        "HTTP/1.1 {status} x\r\n{header}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                        body.len()
                    );
                    let _ = reader.get_mut().write_all(answer.as_bytes());
                    continue;
                }
                told.lock().unwrap().push(Told { path, headers, body });
                let status = status.load(Ordering::SeqCst);
                let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = reader.get_mut().write_all(answer.as_bytes());
            }
        });
        application
    }

    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// A GET is answered so from now on.
    pub(crate) fn publish(&self, status: u16, header: &str, body: &str) {
        let mut document = self.document.lock().unwrap();
        (document.status, document.header, document.body) = (status, header.into(), body.into());
    }

    /// The GETs that came.
    pub(crate) fn asked(&self) -> Vec<Told> {
        self.document.lock().unwrap().asked.clone()
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }
}
