//! Letters through TLS, to a host whose certificate nobody has signed.

use super::*;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const CERTIFICATE: &[u8] = include_bytes!("mx.example.certificate");
const KEY: &[u8] = include_bytes!("mx.example.key");

/// Offers STARTTLS, and `more` in the same piece as its consent to it.
fn secured_host(more: &'static str) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (at, heard) = (listener.local_addr().unwrap(), Heard::default());
    let hears = heard.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            hears.0.lock().unwrap().0 += 1;
            secure(client, more, &hears);
        }
    });
    (at, heard)
}

fn secure(mut client: TcpStream, more: &str, heard: &Heard) -> Option<()> {
    client.write_all(b"220 mx.example ESMTP\r\n").ok()?;
    for reply in ["250-mx.example\r\n250 STARTTLS\r\n".to_owned(), format!("220 go on\r\n{more}")] {
        let mut line = String::new();
        BufReader::new(client.try_clone().ok()?).read_line(&mut line).ok()?;
        client.write_all(reply.as_bytes()).ok()?;
    }
    let key = PrivateKeyDer::try_from(KEY).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .unwrap();
    let tls = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), client);
    let mut lines = BufReader::new(tls);
    let mut in_data = false;
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        heard.0.lock().unwrap().1.extend(&line);
        if !in_data || line == b".\r\n" {
            let reply = polite(&String::from_utf8_lossy(&line))?;
            in_data = reply.starts_with("354");
            lines.get_mut().write_all(reply.as_bytes()).ok()?;
        }
    }
}

#[test]
fn letters_go_through_tls_whoever_signed_the_certificate() {
    let (at, heard) = secured_host("");
    let pool = Pool::default();
    for _ in 0..2 {
        assert!(send(&["127.0.0.1"], &letter(b"A: b\r\n\r\nsecret\r\n"), &pool, at.port()).is_ok());
    }
    let text = heard.text();
    assert!(text.starts_with("EHLO carom.example\r\nMAIL FROM:<>\r\n"), "{text}");
    assert_eq!((text.matches("secret").count(), heard.connections()), (2, 1));
}

#[test]
fn nothing_that_came_in_clear_counts_as_said_through_tls() {
    let (at, heard) = secured_host("250 2.0.0 injected\r\n");
    let failure = send(&["127.0.0.1"], &letter(b"\r\n"), &Pool::default(), at.port());
    // The second connection is in clear, and this host knows no more than TLS.
    assert!(failure.is_err());
    assert_eq!(heard.text(), "", "nothing is said through TLS");
}
