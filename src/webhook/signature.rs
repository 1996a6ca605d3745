//! Standard Webhooks (standardwebhooks.com): the signature that proves who sent a request.
//!
//! HMAC-SHA256 signs `id.timestamp.body`; the headers are `webhook-id`, `webhook-timestamp` and
//! `webhook-signature`. Invariant: a secret is never shown, and nothing that a stranger wrote
//! reaches a header.

use crate::digest::{MacKey, base64, from_base64, sha256_hex};
use crate::error::{Error, Result};
use std::fmt;

/// Octets of a secret: the specification requires 192 to 512 bits.
const SECRET: std::ops::RangeInclusive<usize> = 24..=64;

/// The secrets of one application. Each signs, so that the application can replace one without a
/// gap.
#[derive(Clone)]
pub(crate) struct Secrets(Vec<MacKey>);

impl Secrets {
    /// Secrets as services hand them out: `whsec_` and 24 to 64 octets in base64. The signatures
    /// have the same order. An error gives the number of the secret, and never shows it.
    pub(crate) fn new<S: AsRef<str>>(secrets: &[S]) -> Result<Secrets> {
        let remedy = "make one with: carom secret new --webhook";
        if secrets.is_empty() {
            return Err(Error::new("there is no secret to sign notifications with").remedy(remedy));
        }
        let key = |(index, secret): (usize, &S)| {
            let octets = secret.as_ref().trim().strip_prefix("whsec_").and_then(from_base64);
            match octets.filter(|octets| SECRET.contains(&octets.len())) {
                Some(octets) => Ok(MacKey::sha256(&octets)),
                None => {
                    let what = "is not whsec_ and 24 to 64 octets in base64";
                    Err(Error::new(format_args!("webhook secret {} {what}", index + 1)).remedy(remedy))
                }
            }
        };
        secrets.iter().enumerate().map(key).collect::<Result<_>>().map(Secrets)
    }

    /// The three headers of a request with this `body`. `id` is the same at each try (see [`id`]),
    /// `at_ms` the time of this try. An error if `id` has other characters than letters, digits,
    /// `_` and `-`: with a dot in it, two requests could have one signature.
    pub(crate) fn headers(&self, id: &str, at_ms: i64, body: &[u8]) -> Result<[(&'static str, String); 3]> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if id.is_empty() || !id.chars().all(plain) {
            return Err(Error::new(format_args!("{id:?} cannot be the id of a notification")));
        }
        let timestamp = at_ms.div_euclid(1000).to_string();
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        let signature = |key: &MacKey| format!("v1,{}", base64(key.sign(&signed).as_ref()));
        let signatures: Vec<String> = self.0.iter().map(signature).collect();
        Ok([
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signatures.join(" ")),
        ])
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// The id of a notification about these words: the same words, the same id. Applications use it to
/// recognize a repetition (idempotency key).
pub(crate) fn id(about: &[&str]) -> String {
    let mut text = Vec::new();
    for part in about {
        text.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    format!("msg_{}", sha256_hex(&[&text], 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_published_example() {
        let headers = Secrets::new(&[SECRET])
            .unwrap()
            .headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330_999, br#"{"test": 2432232314}"#)
            .unwrap();
        assert_eq!(
            headers,
            [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
                ("webhook-timestamp", "1614265330".to_owned()),
                ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()),
            ]
        );
    }

    #[test]
    fn while_rotating_there_is_a_signature_for_each_secret() {
        let other = "whsec_c2VjcmV0LW9mLWEtcm90YXRlZC1lbmRwb2ludA==";
        let signature = |secrets: &[&str]| {
            let [_, _, (_, value)] = Secrets::new(secrets).unwrap().headers("msg_1", 1000, b"{}").unwrap();
            value
        };
        let (one, two) = (signature(&[SECRET]), signature(&[other]));
        assert_ne!(one, two);
        assert_eq!(signature(&[other, SECRET]), format!("{two} {one}"));
        assert_eq!(format!("{:?}", Secrets::new(&[SECRET, other]).unwrap()), "Secrets(2)");
    }

    #[test]
    fn a_secret_that_is_none_is_an_error_that_does_not_show_it() {
        assert!(Secrets::new::<&str>(&[]).is_err());
        assert!(Secrets::new(&[&format!(" {SECRET}\n")]).is_ok());
        for wrong in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa_w",
        ] {
            let error = Secrets::new(&[SECRET, wrong]).unwrap_err();
            assert_eq!(error.text(), "webhook secret 2 is not whsec_ and 24 to 64 octets in base64");
        }
        let long = format!("whsec_{}", base64(&[7; 65]));
        assert!(Secrets::new(&[long]).is_err());
        assert!(Secrets::new(&[format!("whsec_{}", base64(&[7; 64]))]).is_ok());
    }

    #[test]
    fn an_id_is_the_same_for_the_same_and_fit_for_a_header() {
        let one = id(&["joe@example.org", "user-unknown"]);
        assert_eq!(one, id(&["joe@example.org", "user-unknown"]));
        assert_ne!(one, id(&["joe@example.orguser-unknown", ""]));
        assert_ne!(one, id(&["joe@example.org", "user-unknown", ""]));
        assert!(one.len() == 34 && one.starts_with("msg_"));
        let secrets = Secrets::new(&[SECRET]).unwrap();
        assert!(secrets.headers(&one, 0, b"").is_ok());
        for wrong in ["", "a.b", "a b", "a\r\nb: c", "ü"] {
            assert!(secrets.headers(wrong, 0, b"").is_err());
        }
    }
}
