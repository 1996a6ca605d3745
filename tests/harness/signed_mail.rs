//! Messages with a signature of `sender.example`, or of who else signs with the key of the tests.

use super::SENDER;
use mail_auth::common::crypto::Ed25519Key;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;

/// The key pair of RFC 8463 appendix A.
const SEED: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44,
    0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const PUBLIC: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
    0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];

/// A message of `SENDER` with a signature; `extra` are further header lines, each with its line end.
pub(crate) fn signed(recipient: &str, extra: &str, body: &[u8]) -> Vec<u8> {
    let mut message = format!(
        "From: Alice <{SENDER}>\r\nTo: <{recipient}>\r\nSubject: a test\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\
         Message-ID: <{:x}@sender.example>\r\n{extra}",
        fastrand::u64(..)
    )
    .into_bytes();
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(body);
    sign(&message)
}

/// The key that `ZONE` and tests publish.
pub(crate) fn key() -> Ed25519Key {
    Ed25519Key::from_seed_and_public_key(&SEED, &PUBLIC).unwrap()
}

/// Puts a signature in front of a message.
pub(crate) fn sign(message: &[u8]) -> Vec<u8> {
    sign_for("sender.example", message)
}

/// The same for another domain.
pub(crate) fn sign_for(domain: &str, message: &[u8]) -> Vec<u8> {
    sign_fields(domain, &["From", "To", "Subject", "Message-ID"], message)
}

/// The same over these header fields.
pub(crate) fn sign_fields(domain: &str, fields: &[&str], message: &[u8]) -> Vec<u8> {
    let fields: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
    let signer = DkimSigner::from_key(key()).domain(domain).selector("s1").headers(fields);
    let mut whole = signer.sign(message).unwrap().to_header().into_bytes();
    whole.extend_from_slice(message);
    whole
}

/// A signed plain message.
pub(crate) fn plain(recipient: &str) -> Vec<u8> {
    signed(recipient, "", b"hello\r\n")
}

/// A signed HTML message with these images and links.
pub(crate) fn html(recipient: &str, images: &[String], links: &[String]) -> Vec<u8> {
    let images: String = images.iter().map(|url| format!("<img src=\"{url}\">\r\n")).collect();
    let links: String = links.iter().map(|url| format!("<a href=\"{url}\">x</a>\r\n")).collect();
    let body = format!("<html><body>\r\n{images}{links}</body></html>\r\n");
    signed(recipient, "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n", body.as_bytes())
}
