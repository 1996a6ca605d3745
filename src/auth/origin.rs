//! Who sent a message: each fact is computed when it is first asked for, and kept.
//!
//! Not here: judging; a failed check is a fact like any other. Invariants: a fact that is not asked
//! for costs neither parsing nor DNS; with `trusted_authserv_ids` nothing is verified here, and
//! what the trusted server left out is `None`.

use super::auth_result::{self, AuthResult, Signature};
use super::dns::Dns;
use super::trusted::{self, Trusted};
use super::verify;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::envelope::Envelope;
use crate::mail::Content;
use crate::message::Message;
use crate::message::received::Received;
use crate::text;
use std::net::IpAddr;
use std::sync::OnceLock;

pub(crate) struct Check<'a, 'm> {
    pub(super) message: &'a Message<'m>,
    pub(super) envelope: &'a Envelope,
    config: &'a Config,
    pub(super) dns: &'a Dns,
    pub(super) deadline: Deadline,
    /// Nothing in the header counts that is not signed.
    pub(super) signed_only: bool,
    trusted: OnceLock<Option<Trusted>>,
    received: OnceLock<Option<Received>>,
    signatures: OnceLock<Vec<Signature>>,
    spf: OnceLock<AuthResult>,
    dmarc: OnceLock<AuthResult>,
}

impl<'a, 'm> Check<'a, 'm> {
    /// Computes nothing yet.
    pub(crate) fn new(
        message: &'a Message<'m>,
        envelope: &'a Envelope,
        config: &'a Config,
        dns: &'a Dns,
        deadline: Deadline,
    ) -> Check<'a, 'm> {
        Check {
            message,
            envelope,
            config,
            dns,
            deadline,
            signed_only: false,
            trusted: OnceLock::new(),
            received: OnceLock::new(),
            signatures: OnceLock::new(),
            spf: OnceLock::new(),
            dmarc: OnceLock::new(),
        }
    }

    /// By what no stranger can write: the client is the one that the mail server told us of, and no
    /// Authentication-Results header is believed.
    pub(crate) fn signed_only(self) -> Check<'a, 'm> {
        Check { signed_only: true, ..self }
    }

    /// With signatures that were verified before: they do not depend on the envelope.
    pub(crate) fn with_signatures(self, verified: Vec<Signature>) -> Check<'a, 'm> {
        Check { signatures: OnceLock::from(verified), ..self }
    }

    /// With an SPF result that is known already.
    pub(crate) fn with_spf(self, known: AuthResult) -> Check<'a, 'm> {
        Check { spf: OnceLock::from(known), ..self }
    }

    /// The result of all signatures together: pass if any passed, temp-error if none did and one
    /// still may.
    pub(crate) fn dkim(&self) -> AuthResult {
        auth_result::of_all(self.signatures())
    }

    /// Every DKIM signature with its result, topmost first; at most ten are verified.
    pub(crate) fn signatures(&self) -> &[Signature] {
        if let Some(trusted) = self.trusted() {
            return &trusted.dkim;
        }
        self.signatures.get_or_init(|| {
            let none = |name: &str| self.message.headers(name).is_empty();
            if none("DKIM-Signature") && none("ARC-Seal") {
                return Vec::new();
            }
            let wire = text::crlf(self.message.raw());
            let mut signatures = verify::dkim(&wire, self.dns, self.deadline);
            if auth_result::of_all(&signatures) != AuthResult::Pass {
                signatures.extend(self.sealed(&wire));
            }
            signatures
        })
    }

    /// Signatures that a forwarder with a trusted seal verified before it changed the message.
    fn sealed(&self, wire: &[u8]) -> Vec<Signature> {
        let sealers = &self.config.auth.arc_sealers;
        if sealers.is_empty() {
            return Vec::new();
        }
        let Some((results, seen)) = verify::arc(wire, sealers, self.dns, self.deadline) else {
            return Vec::new();
        };
        let verified = trusted::sealed(&results).dkim.into_iter();
        let passed = verified.filter(|signature| signature.result == AuthResult::Pass);
        passed.map(|signature| Signature { seen: seen.clone(), ..signature }).collect()
    }

    /// SPF (RFC 7208) of the envelope sender, or of the HELO name for the null sender; `None` if
    /// the client's address is unknown.
    pub(crate) fn spf(&self) -> AuthResult {
        if let Some(trusted) = self.trusted() {
            return trusted.spf_of(&self.envelope.sender).unwrap_or(AuthResult::None);
        }
        *self.spf.get_or_init(|| {
            let Some(client) = self.client_address() else {
                return AuthResult::None;
            };
            let helo = self.client_helo().unwrap_or_default();
            verify::spf(&self.envelope.sender, helo, client, self.dns, self.deadline)
        })
    }

    /// DMARC (RFC 7489) of the From domain.
    pub(crate) fn dmarc(&self) -> AuthResult {
        if let Some(trusted) = self.trusted() {
            let author = self.message.author();
            return trusted.dmarc_of(author.as_deref()).unwrap_or(AuthResult::None);
        }
        *self.dmarc.get_or_init(|| {
            let helo = self.client_helo().unwrap_or_default();
            let spf = (verify::mail_from_domain(&self.envelope.sender, helo), self.spf());
            let author = self.message.author();
            let from = (self.message.raw(), author.as_deref());
            verify::dmarc(from, self.signatures(), spf, self.dns, self.deadline)
        })
    }

    /// The address of the SMTP client: from the mail server, or from its Received header.
    pub(crate) fn client_address(&self) -> Option<IpAddr> {
        let address = self.envelope.client_address.or_else(|| self.received()?.client_address)?;
        Some(address.to_canonical())
    }

    /// The name that the SMTP client gave in HELO or EHLO, from the same sources.
    pub(crate) fn client_helo(&self) -> Option<&str> {
        let given = self.envelope.client_helo.as_deref();
        given.or_else(|| self.received()?.from_helo.as_deref())
    }

    /// The results of the trusted server; `None` if there is none, and carom verifies.
    pub(super) fn trusted(&self) -> Option<&Trusted> {
        let ids = &self.config.auth.trusted_authserv_ids;
        let read = || {
            (!ids.is_empty() && !self.signed_only).then(|| {
                trusted::read(&verify::field_values(self.message.raw(), "Authentication-Results"), ids)
            })
        };
        self.trusted.get_or_init(read).as_ref()
    }

    /// The Received header that our own mail server wrote.
    fn received(&self) -> Option<&Received> {
        if self.signed_only {
            return None;
        }
        self.received.get_or_init(|| received_by_us(self.message, self.config)).as_ref()
    }
}

/// The SMTP client that brought a message: from the mail server, or from the Received header that
/// our own mail server wrote.
pub(crate) fn client_address(content: &Content, envelope: &Envelope, config: &Config) -> Option<IpAddr> {
    let traced = |message: &Message<'_>| received_by_us(message, config)?.client_address;
    let traced = || content.message(traced).map(|address| address.to_canonical());
    envelope.client_address.or_else(traced)
}

fn received_by_us(message: &Message<'_>, config: &Config) -> Option<Received> {
    let ours = &config.auth.received_by;
    let is_ours = |received: &Received| {
        let by = received.by.as_deref().unwrap_or_default();
        ours.is_empty() || ours.iter().any(|host| host.eq_ignore_ascii_case(by))
    };
    message.headers("Received").iter().map(|value| Received::parse(value)).find(is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use mail_auth::common::crypto::Ed25519Key;
    use mail_auth::common::headers::HeaderWriter;
    use mail_auth::dkim::DkimSigner;
    use std::time::{Duration, Instant};

    /// The key pair of RFC 8463 appendix A (RFC 8032 section 7.1, test 1).
    const SEED: [u8; 32] = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44,
        0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ];
    const PUBLIC: [u8; 32] = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
        0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    ];
    const ZONE: &str = r#"
s1._domainkey.sender.example. TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
_dmarc.sender.example.        TXT "v=DMARC1; p=reject"
sender.example.               TXT "unrelated"
                              TXT "v=spf1 a:out.sender.example include:more.example -all"
out.sender.example.           A   192.0.2.1
more.example.                 TXT "v=spf1 exists:%{ir}.list.more.example mx ~all"
                              MX  10 mail.more.example.
mail.more.example.            A   192.0.2.2
3.2.0.192.list.more.example.  A   127.0.0.2
helo.example.                 TXT "v=spf1 ip4:192.0.2.9 -all"
"#;
    const MESSAGE: &str =
        "From: Joe <joe@Sender.example>\r\nTo: x@y.example\r\nSubject: a\r\n b\r\n\r\nHi,\r\n\r\nJoe\r\n";

    fn signed(domain: &str) -> String {
        let key = Ed25519Key::from_seed_and_public_key(&SEED, &PUBLIC).unwrap();
        let signer =
            DkimSigner::from_key(key).domain(domain).selector("s1").headers(["From", "To", "Subject"]);
        signer.sign(MESSAGE.as_bytes()).unwrap().to_header() + MESSAGE
    }

    fn zone(name: &str) -> config::DnsTable {
        let path = std::env::temp_dir().join(format!("carom-check-{name}-{}.zone", std::process::id()));
        std::fs::write(&path, ZONE).unwrap();
        config::DnsTable { zone: Some(path), ..config::DnsTable::default() }
    }

    fn envelope(sender: &str, client: &str) -> Envelope {
        Envelope { sender: sender.into(), client_address: client.parse().ok(), ..Envelope::default() }
    }

    /// Checks a message and tells what `facts` makes of it.
    fn check<T>(
        raw: &str,
        envelope: &Envelope,
        config: &Config,
        facts: impl FnOnce(&Check<'_, '_>) -> T,
    ) -> T {
        let message = Message::read(raw.as_bytes());
        let dns = Dns::open(&config.dns).unwrap();
        let deadline = Deadline::after(Duration::from_secs(5));
        let result = facts(&Check::new(&message, envelope, config, &dns, deadline));
        if let Some(zone) = &config.dns.zone {
            let _ = std::fs::remove_file(zone);
        }
        result
    }

    #[test]
    fn a_signed_message_passes_also_with_bare_line_feeds() {
        let crlf = signed("sender.example");
        for (name, raw) in [("crlf", crlf.clone()), ("lf", crlf.replace("\r\n", "\n"))] {
            let config = Config { dns: zone(name), ..Config::default() };
            let results = check(&raw, &Envelope::default(), &config, |check| (check.dkim(), check.dmarc()));
            assert_eq!(results, (AuthResult::Pass, AuthResult::Pass), "{name}");
        }
    }

    #[test]
    fn a_changed_message_and_a_missing_key_do_not_pass() {
        let forged = |name: &str, raw: &str| {
            let config = Config { dns: zone(name), ..Config::default() };
            check(raw, &Envelope::default(), &config, |check| (check.dkim(), check.dmarc()))
        };
        let body = signed("sender.example").replace("Hi,", "Ho,");
        assert_eq!(forged("body", &body), (AuthResult::Fail, AuthResult::Fail));
        let head = signed("sender.example").replace("Joe <", "Jim <");
        assert_eq!(forged("head", &head), (AuthResult::Fail, AuthResult::Fail));
        assert_eq!(forged("key", &signed("keyless.example")), (AuthResult::PermError, AuthResult::Fail));
        assert_eq!(forged("broken", &format!("DKIM-Signature: v=1\r\n{MESSAGE}")).0, AuthResult::Neutral);
        assert_eq!(forged("none", MESSAGE), (AuthResult::None, AuthResult::Fail));
        assert_eq!(forged("garbage", "\0\u{1}").0, AuthResult::None);
    }

    #[test]
    fn at_most_ten_signatures_are_verified_each_by_itself() {
        let config = Config { dns: zone("many"), ..Config::default() };
        let keyless = signed("keyless.example").replace(MESSAGE, "");
        let many = keyless.repeat(9) + &signed("sender.example");
        let results = check(&many, &Envelope::default(), &config, |check| check.signatures().to_vec());
        assert_eq!(results.len(), 10);
        assert_eq!((&*results[9].domain, results[9].result), ("sender.example", AuthResult::Pass));
        assert_eq!(results[0].result, AuthResult::PermError);
        let config = Config { dns: zone("more"), ..Config::default() };
        let more = keyless + &many;
        assert_eq!(check(&more, &Envelope::default(), &config, |check| check.dkim()), AuthResult::PermError);
    }

    #[test]
    fn a_signature_over_endless_fields_is_not_worth_the_time() {
        let config = Config { dns: zone("endless"), ..Config::default() };
        let fields: String = (0..200_000).map(|number| format!("x{number}:")).collect();
        let tags = "v=1; a=ed25519-sha256; c=relaxed/relaxed; s=s1; d=sender.example; bh=AAAA; b=AAAA";
        let endless = format!("DKIM-Signature: {tags}; h={fields}From\r\n{MESSAGE}");
        let begun = Instant::now();
        let result = check(&endless, &Envelope::default(), &config, |check| check.dkim());
        assert_eq!(result, AuthResult::PermError);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    #[test]
    fn b26_spf_is_checked() {
        let spf = |sender: &str, client: &str| {
            let config = Config { dns: zone(&format!("spf{client}{}", sender.len())), ..Config::default() };
            let mut envelope = envelope(sender, client);
            envelope.client_helo = Some("helo.example".into());
            check(MESSAGE, &envelope, &config, |check| (check.spf(), check.dmarc()))
        };
        assert_eq!(spf("joe@sender.example", "192.0.2.1"), (AuthResult::Pass, AuthResult::Pass));
        assert_eq!(
            spf("joe@sender.example", "192.0.2.2"),
            (AuthResult::Pass, AuthResult::Pass),
            "include and mx"
        );
        assert_eq!(spf("joe@sender.example", "192.0.2.3"), (AuthResult::Pass, AuthResult::Pass), "exists");
        assert_eq!(spf("joe@sender.example", "192.0.2.4"), (AuthResult::Fail, AuthResult::Fail));
        assert_eq!(spf("joe@more.example", "192.0.2.4"), (AuthResult::SoftFail, AuthResult::Fail));
        assert_eq!(spf("", "192.0.2.9"), (AuthResult::Pass, AuthResult::Fail), "helo, not aligned");
        assert_eq!(spf("joe@unknown.example", "192.0.2.1").0, AuthResult::None);
        assert_eq!(spf("joe@[192.0.2.1]", "192.0.2.1").0, AuthResult::None);
        assert_eq!(spf("joe@sender.example", "").0, AuthResult::None, "no client known");
    }

    #[test]
    fn the_client_is_read_from_the_received_header_of_our_own_server() {
        let raw = "Received: from inner (inner [10.0.0.1]) by filter.example with ESMTP;\r\n\
            Received: from out.sender.example (x [192.0.2.1]) by MX.example with ESMTP;\r\n";
        let raw = format!("{raw}{MESSAGE}");
        let mut config = Config { dns: zone("received"), ..Config::default() };
        let envelope = envelope("joe@sender.example", "");
        let client = |check: &Check<'_, '_>| (check.client_address(), check.client_helo().map(str::to_owned));
        assert_eq!(check(&raw, &envelope, &config, client), ("10.0.0.1".parse().ok(), Some("inner".into())));
        config.auth.received_by = vec!["mx.example".into()];
        let helo = Some("out.sender.example".into());
        assert_eq!(check(&raw, &envelope, &config, client), ("192.0.2.1".parse().ok(), helo));
    }

    #[test]
    fn b27_only_the_header_of_a_trusted_server_counts() {
        let results = |check: &Check<'_, '_>| (check.dkim(), check.spf(), check.dmarc());
        let mut config = Config::default();
        config.auth.trusted_authserv_ids = vec!["mx.example".into()];
        let forged =
            format!("Authentication-Results: evil.example; dkim=pass\r\n{}", signed("sender.example"));
        let nothing = (AuthResult::None, AuthResult::None, AuthResult::None);
        assert_eq!(check(&forged, &Envelope::default(), &config, results), nothing);
        let encoded = "Authentication-Results: mx.example; spf=fail (=?utf-8?q?=29=3B_dkim=3Dpass_=28?=) smtp.helo=x\r\n";
        let fail = (AuthResult::None, AuthResult::Fail, AuthResult::None);
        assert_eq!(check(&format!("{encoded}{forged}"), &Envelope::default(), &config, results), fail);
        let real = "Authentication-Results: mx.example;\n\tdkim=pass header.d=A.example; dmarc=pass\n";
        let pass = (AuthResult::Pass, AuthResult::None, AuthResult::Pass);
        assert_eq!(check(&format!("{real}{forged}"), &Envelope::default(), &config, results), pass);
    }

    #[test]
    fn b32_a_silent_dns_is_a_temporary_error_within_the_deadline() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let servers = vec![silent.local_addr().unwrap()];
        let config = Config {
            dns: config::DnsTable { servers, timeout: 120, ..config::DnsTable::default() },
            ..Config::default()
        };
        let envelope = envelope("joe@sender.example", "192.0.2.1");
        let raw = signed("sender.example");
        let message = Message::read(raw.as_bytes());
        let dns = Dns::open(&config.dns).unwrap();
        let begun = Instant::now();
        let deadline = Deadline::after(Duration::from_millis(300));
        let check = Check::new(&message, &envelope, &config, &dns, deadline);
        assert_eq!(
            (check.dkim(), check.spf(), check.dmarc()),
            (AuthResult::TempError, AuthResult::TempError, AuthResult::TempError)
        );
        assert!(begun.elapsed() < Duration::from_secs(60), "the deadline ends it, not the timeout");
    }
}
