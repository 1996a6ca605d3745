//! The request that tells an application: its body, and the Standard Webhooks signature (standardwebhooks.com) that proves
//! who sent it.
//!
//! Signed is `id.timestamp.body` with HMAC-SHA256; the headers are `webhook-id`, `webhook-timestamp` and
//! `webhook-signature`. Not here: the URL (`template`), when to try again (`retry`) and the door. Invariant: a secret
//! is never shown, and nothing that a stranger wrote reaches a header.

use crate::digest::{self, MacKey, base64, from_base64};
use crate::error::{Context, Error, Result};
use serde::Serializer;
use std::fmt;
use url::form_urlencoded;

/// Octets of a secret: the specification wants 192 to 512 bits.
const SECRET: std::ops::RangeInclusive<usize> = 24..=64;

/// The secrets of one application. Each signs, so that it can change from one to the other at its leisure.
pub(crate) struct Secrets(Vec<MacKey>);

/// How the fields of a notification are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// One JSON object.
    Json,
    /// `application/x-www-form-urlencoded`, as browsers send it (WHATWG URL section 5.2).
    Form,
}

/// A value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
    /// Yes or no.
    Truth(bool),
    /// Nothing: `null` in JSON, and not there in a form.
    Nothing,
}

impl Secrets {
    /// Secrets as they are handed out: `whsec_` and 24 to 64 octets in base64. At least one; the order is that of the
    /// signatures. An error says which one is wrong and does not show it.
    pub(crate) fn new<S: AsRef<str>>(secrets: &[S]) -> Result<Secrets> {
        let remedy = "make one with: echo whsec_$(openssl rand -base64 32)";
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

    /// The three headers of a request with this `body`. `id` is the notification's own, the same at each try (see [`id`]);
    /// `at_ms` is the time of this try, in milliseconds since 1970. An error if `id` is not made of letters, digits, `_`
    /// and `-`: a dot would let one text be taken for another.
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

/// The id of what is told with these words: the same for the same, another for anything else. Applications take a second
/// one with the same id for a repetition (the id is the idempotency key).
pub(crate) fn id(about: &[&str]) -> String {
    let mut text = Vec::new();
    for part in about {
        text.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    format!("msg_{}", digest::sha256_hex(&[&text], 30))
}

impl Body {
    /// The value of Content-Type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Body::Json => "application/json",
            Body::Form => "application/x-www-form-urlencoded",
        }
    }

    /// The fields, in their order. In JSON a name that comes twice is written once, with its last value; a form keeps
    /// both. An error if a field cannot be written, which no field should be able to cause.
    pub(crate) fn write(self, fields: &[(&str, Value)]) -> Result<Vec<u8>> {
        match self {
            Body::Json => {
                let last = |(at, (name, _)): &(usize, &(&str, Value))| {
                    !fields[at + 1..].iter().any(|(later, _)| later == name)
                };
                let fields = fields.iter().enumerate().filter(last).map(|(_, (name, value))| (name, value));
                let mut json = Vec::new();
                let mut serializer = serde_json::Serializer::new(&mut json);
                serializer.collect_map(fields).context("JSON")?;
                Ok(json)
            }
            Body::Form => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, value) in fields {
                    match value {
                        Value::Text(text) => form.append_pair(name, text),
                        Value::Number(number) => form.append_pair(name, &number.to_string()),
                        Value::Truth(truth) => form.append_pair(name, &truth.to_string()),
                        Value::Nothing => &mut form,
                    };
                }
                Ok(form.finish().into_bytes())
            }
        }
    }
}

impl serde::Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Text(text) => serializer.serialize_str(text),
            Value::Number(number) => serializer.serialize_i64(*number),
            Value::Truth(truth) => serializer.serialize_bool(*truth),
            Value::Nothing => serializer.serialize_none(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
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

    #[test]
    fn fields_are_written_in_their_order() {
        let fields = [
            ("type", "bounce".into()),
            ("address", "joe+\"x\"&=é\u{2028}\r\n@example.org".into()),
            ("attempts", Value::Number(-3)),
            ("hard", Value::Truth(true)),
            ("status", Value::Nothing),
            ("a b", "~*".into()),
        ];
        let text = |body: Body| String::from_utf8(body.write(&fields).unwrap()).unwrap();
        assert_eq!(
            text(Body::Json),
            "{\"type\":\"bounce\",\"address\":\"joe+\\\"x\\\"&=é\u{2028}\\r\\n@example.org\",\"attempts\":-3,\
             \"hard\":true,\"status\":null,\"a b\":\"~*\"}"
        );
        assert_eq!(
            text(Body::Form),
            "type=bounce&address=joe%2B%22x%22%26%3D%C3%A9%E2%80%A8%0D%0A%40example.org&attempts=-3&hard=true&a+b=%7E*"
        );
        let twice = [("a", "1".into()), ("b", "2".into()), ("a", "3".into())];
        assert_eq!(Body::Json.write(&twice).unwrap(), br#"{"b":"2","a":"3"}"#);
        assert_eq!(Body::Form.write(&twice).unwrap(), b"a=1&b=2&a=3");
        assert_eq!(
            (Body::Json.write(&[]).unwrap(), Body::Form.write(&[]).unwrap()),
            (b"{}".to_vec(), vec![])
        );
        assert_eq!(Body::Form.content_type(), "application/x-www-form-urlencoded");
    }
}
