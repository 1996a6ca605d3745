//! Digests, signatures, random tokens, and the alphabets they are written in.
//!
//! The home of `ring` and `data-encoding`. Not here: what is signed, and where keys come from
//! (`return_path`, `webhook`). Invariant: a key is never shown.

use data_encoding::{BASE32_NOPAD, BASE64, BASE64_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use ring::digest::{Context, SHA256};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// A message authentication code; `as_ref` gives its octets.
pub(crate) use ring::hmac::Tag as Mac;

/// SHA-256 of the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut octets = [0; 32];
    octets.copy_from_slice(context.finish().as_ref());
    octets
}

/// The first `digits` hexadecimal digits of the SHA-256 of the parts. The parts are not delimited.
pub(crate) fn sha256_hex(parts: &[&[u8]], digits: usize) -> String {
    let mut text = hex(&sha256(parts));
    text.truncate(digits);
    text
}

/// The first eight octets of the SHA-256, as a number.
pub(crate) fn sha256_number(octets: &[u8]) -> u64 {
    sha256(&[octets]).as_chunks().0.first().map_or(0, |first| u64::from_be_bytes(*first))
}

/// A secret key for HMAC (RFC 2104).
#[derive(Clone)]
pub(crate) struct MacKey(hmac::Key);

impl MacKey {
    pub(crate) fn sha256(secret: &[u8]) -> MacKey {
        MacKey(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// For protocols that name SHA-1 and nothing else.
    pub(crate) fn sha1(secret: &[u8]) -> MacKey {
        MacKey(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret))
    }

    /// The code of the parts, one after the other. The parts are not delimited.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> Mac {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        context.sign()
    }
}

/// Octets that nobody can predict, in base64. `None`: the system has no source of them.
pub(crate) fn random_secret(octets: usize) -> Option<String> {
    let mut random = vec![0; octets];
    SystemRandom::new().fill(&mut random).ok()?;
    Some(base64(&random))
}

/// Hexadecimal digits that nobody can predict: two for each octet.
pub(crate) fn random_token(octets: usize) -> String {
    let mut random = vec![0; octets];
    if SystemRandom::new().fill(&mut random).is_err() {
        fastrand::fill(&mut random);
    }
    hex(&random)
}

/// In lower case.
pub(crate) fn hex(octets: &[u8]) -> String {
    HEXLOWER.encode(octets)
}

/// `None` if the text is not hexadecimal.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()
}

/// Whether digests are the same; how long that takes does not tell where they differ.
pub(crate) fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let difference = one.iter().zip(other).fold(0, |all, (one, other)| all | (one ^ other));
    std::hint::black_box(difference) == 0
}

/// The first `digits` digits of base 32 (RFC 4648 section 6), in lower case.
pub(crate) fn base32(octets: &[u8], digits: usize) -> String {
    let mut text = BASE32_NOPAD.encode(octets).to_ascii_lowercase();
    text.truncate(digits);
    text
}

/// Base 64 (RFC 4648 section 4), with padding.
pub(crate) fn base64(octets: &[u8]) -> String {
    BASE64.encode(octets)
}

/// `None` if the text is not base 64, or if bits are left over. The padding may be missing.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    BASE64_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(&[b"abc"], 64), abc);
        assert_eq!(sha256_hex(&[b"a", b"", b"bc"], 16), abc[..16]);
        assert_eq!(format!("{:x}", sha256_number(b"abc")), abc[..16]);
        // RFC 4231 test case 1, RFC 2202 test case 1.
        let sha256 = MacKey::sha256(&[0x0b; 20]).sign(&[b"Hi ", b"There"]);
        assert_eq!(hex(&sha256.as_ref()[..8]), "b0344c61d8db3853");
        let sha1 = MacKey::sha1(&[0x0b; 20]).sign(&[b"Hi There"]);
        assert_eq!(hex(sha1.as_ref()), "b617318655057264e28bc0b6fb378c8ef146be00");
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        assert_eq!(base32(b"foobar\0\0", 10), "mzxw6ytboi");
        assert_eq!(base32(b"fooba", 8), "mzxw6ytb");
    }

    #[test]
    fn base64_may_lack_its_padding_and_nothing_else() {
        for (text, octets) in
            [("Zg==", "f"), ("Zg", "f"), ("Zm9vYmE=", "fooba"), ("Zm9vYmE", "fooba"), ("Zm9v", "foo")]
        {
            assert_eq!(from_base64(text).as_deref(), Some(octets.as_bytes()), "{text}");
        }
        for wrong in ["Z", "Zh==", "Zm9=", "Zm 9v", "Zm-v", "Zg==Zg==", "ü"] {
            assert_eq!(from_base64(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_token_comes_twice() {
        let (one, other) = (random_token(12), random_token(12));
        assert!(one.len() == 24 && one != other, "{one} {other}");
    }
}
