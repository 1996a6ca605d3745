//! What carom is measured with: a config, a zone, and a signed message of six kilobytes.

use super::Outcome;
use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) const SENDER: &str = "alice@sender.example";
/// From where it comes, as the envelope and the message say it.
const CLIENT: &str = "192.0.2.1";
const KEY: &str = include_str!("rsa2048.pem");
const PUBLIC_KEY: &str = include_str!("rsa2048.txt");

/// A config and its state directory.
pub(crate) struct Setting {
    pub(crate) config: PathBuf,
    pub(crate) state: PathBuf,
}

impl Setting {
    /// Mail goes to `smtp_port` on loopback. `settings` are the sink policy's, `tables` more of the
    /// config.
    pub(crate) fn new(
        dir: &Path,
        name: &str,
        smtp_port: u16,
        settings: &str,
        tables: &str,
    ) -> Outcome<Setting> {
        let (zone, config, state) =
            (dir.join("zone"), dir.join(format!("{name}.toml")), dir.join(format!("{name}.state")));
        let key = PUBLIC_KEY.trim();
        fs::write(
            &zone,
            format!(
                "s1._domainkey.sender.example. 300 IN TXT {key}\n\
                 sender.example. 300 IN TXT \"v=spf1 ip4:{CLIENT} -all\"\n\
                 sender.example. 300 IN MX 10 mx1.sender.example.\n\
                 mx1.sender.example. 300 IN A 127.0.0.1\n\
                 tracker.example. 300 IN A 127.0.0.1\n"
            ),
        )?;
        fs::write(
            &config,
            format!(
                "state = {state:?}\n[dns]\nzone = {zone:?}\n\
                 [network]\nallow_private = [\"127.0.0.0/8\"]\nsmtp_port = {smtp_port}\n\
                 hostname = \"sink.example\"\n\
                 [policy.sink.settings]\ndomains = [\"sink.example\"]\n{settings}\
                 [policy.sink.settings.mx_allowlist]\n\
                 \"mx1.sender.example\" = \"fbl@sender.example\"\n{tables}"
            ),
        )?;
        Ok(Setting { config, state })
    }

    /// The command, without its standard input.
    pub(crate) fn carom(&self, binary: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary);
        command.arg("--config").arg(&self.config).args(arguments).stdout(Stdio::null());
        command
    }

    /// `carom pipe` for a message to this address.
    pub(crate) fn pipe(&self, binary: &Path, recipient: &str) -> Command {
        let arguments = ["pipe", "--sender", SENDER, "--recipient", recipient, "--client-address", CLIENT];
        self.carom(binary, &arguments)
    }
}

/// A message of six kilobytes, signed with RSA-2048.
pub(crate) fn message(recipient: &str, image: &str, link: &str) -> Outcome<String> {
    let filler = "<p>Some text of the kind that newsletters are made of, line after line.</p>\r\n".repeat(65);
    let message = format!(
        "From: Alice <{SENDER}>\r\nTo: <{recipient}>\r\nSubject: a benchmark\r\n\
         Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
         <html><body>{filler}<img src=\"{image}\"><a href=\"{link}\">x</a></body></html>\r\n"
    );
    let key = RsaKey::<Sha256>::from_key_der(PrivateKeyDer::from_pem_slice(KEY.as_bytes())?)?;
    let signer =
        DkimSigner::from_key(key).domain("sender.example").selector("s1").headers(["From", "To", "Subject"]);
    Ok(signer.sign(message.as_bytes())?.to_header() + &message)
}
