//! Servers that say they are Redis, and then send without end, drip, nest values or hang up, on every way to a shared store:
//! an exchange ends with its deadline, reads no more than an honest server says, and says why.

use crate::bounces::sandbox;
use crate::harness::{Sandbox, free_port};
use crate::shared_links::certificates;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// More than what is read of an answer, and what the kernel takes on the way.
const MOST: usize = 160 << 20;

/// What a server does once it has answered as Redis does.
#[derive(Clone, Copy, Debug)]
enum Then {
    AnnouncesMuch,
    CountsWithoutEnd,
    LineWithoutEnd,
    Nests,
    Drips,
    HangsUp,
    SaysHttp,
}

/// The seconds that it has, and what carom says of it.
const ALL: [(Then, u8, &[&str]); 7] = [
    (Then::AnnouncesMuch, 50, &["an answer is larger than"]),
    (Then::CountsWithoutEnd, 50, &["an answer is larger than"]),
    // The parser looks for the end in all that has come: time may be over before.
    (Then::LineWithoutEnd, 1, &["an answer is larger than", "no answer within 1 s"]),
    (Then::Nests, 50, &["what is there is not Redis"]),
    (Then::Drips, 1, &["no answer within 1 s"]),
    (Then::HangsUp, 50, &["it closed the connection"]),
    (Then::SaysHttp, 50, &["what is there is not Redis"]),
];

/// A server that plays one role after the other, and how much it could send.
#[derive(Clone)]
struct Peer {
    then: Then,
    port: u16,
    sent: Arc<AtomicUsize>,
}

impl Peer {
    fn of(then: Then, port: u16) -> Peer {
        Peer { then, port, sent: Arc::default() }
    }

    fn serve(&self, mut stream: impl Read + Write) {
        let mut asked = [0; 65_536];
        while let Ok(many @ 1..) = stream.read(&mut asked) {
            let asked = String::from_utf8_lossy(&asked[..many]).to_uppercase();
            let port = self.port;
            let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
            let answer = if asked.contains("\r\nSERVER\r\n") {
                bulk("# Server\r\nredis_version:7.0.0\r\n")
            } else if asked.contains("\r\nREPLICATION\r\n") {
                bulk("role:master\r\n")
            } else if asked.contains("SENTINEL") {
                format!("*2\r\n{}{}", bulk("localhost"), bulk(&port.to_string()))
            } else if asked.contains("SLOTS") {
                format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n{}:{port}\r\n", bulk("localhost"))
            } else {
                return self.misbehave(stream);
            };
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn misbehave(&self, mut stream: impl Read + Write) {
        let (begin, on, pause) = match self.then {
            Then::AnnouncesMuch => ("$536870911000\r\n", "x".repeat(65_536), 0),
            Then::CountsWithoutEnd => ("*2147483647\r\n", ":1\r\n".repeat(16_384), 0),
            Then::LineWithoutEnd => ("+", "x".repeat(65_536), 0),
            Then::Nests => ("*1\r\n", "*1\r\n".repeat(16_384), 0),
            Then::Drips => ("*2147483647\r\n", ":1\r\n".into(), 50),
            Then::HangsUp => ("*3\r\n:1\r\n", String::new(), 0),
            Then::SaysHttp => ("HTTP/1.1 400 Bad Request\r\n", String::new(), 0),
        };
        if stream.write_all(begin.as_bytes()).is_err() || on.is_empty() {
            return;
        }
        while let Ok(many @ 1..) = stream.write(on.as_bytes()) {
            self.sent.fetch_add(many, Relaxed);
            std::thread::sleep(Duration::from_millis(pause));
        }
    }

    fn listen(&self, listener: TcpListener, tls: Option<Arc<ServerConfig>>) {
        let peer = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (peer, tls) = (peer.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => peer.serve(stream),
                    Some(tls) => {
                        peer.serve(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream));
                    }
                });
            }
        });
    }
}

/// A tick says what is wrong with the server, and has not read much.
#[track_caller]
fn survives(config: &str, peer: &Peer, seconds: u8, why: &[&str]) {
    let host = sandbox(free_port(), "").config(&format!("[shared]\ntimeout = {seconds}\n{config}"));
    let ran = host.run(&["cron"], b"");
    let said = why.iter().any(|why| ran.stderr.contains(&format!("the shared store: {why}")));
    assert!(ran.code == 1 && said, "{:?}: {ran:?}", peer.then);
    let sent = peer.sent.load(Relaxed);
    assert!(sent < MOST, "{:?}: {sent}", peer.then);
}

/// All of them by TCP, with what the config needs besides.
fn by_tcp(scheme: &str, config: &str, tls: Option<&Arc<ServerConfig>>) {
    for (then, seconds, why) in ALL {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let peer = Peer::of(then, port);
        peer.listen(listener, tls.cloned());
        survives(&format!("url = \"{scheme}://localhost:{port}\"\n{config}"), &peer, seconds, why);
    }
}

#[test]
fn a_hostile_server_in_clear() {
    by_tcp("redis", "", None);
}

#[test]
fn a_hostile_server_that_sentinels_name() {
    by_tcp("redis", "sentinel = \"mail\"", None);
}

#[test]
fn a_hostile_node_of_a_cluster() {
    by_tcp("redis", "cluster = true", None);
}

#[test]
fn a_hostile_server_through_tls() {
    let keys = Sandbox::new();
    certificates(&keys);
    let chain = vec![CertificateDer::from_pem_file(keys.path("redis.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(keys.path("redis.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let ca = format!("ca = \"{}\"", keys.path("ca.pem").display());
    by_tcp("rediss", &ca, Some(&tls));
    by_tcp("rediss", &format!("{ca}\ncluster = true"), Some(&tls));
}

#[test]
fn a_hostile_server_on_a_socket() {
    for (then, seconds, why) in ALL {
        let place = Sandbox::new();
        let path = place.path("redis.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let peer = Peer::of(then, 0);
        let served = peer.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                served.serve(stream);
            }
        });
        survives(&format!("url = \"redis+unix://{}\"", path.display()), &peer, seconds, why);
    }
}
