//! The secrets that return paths are signed with: the current one, and old ones until their
//! signatures have expired.
//!
//! Not here: what is signed (`verp`, `batv`) and where secrets are configured. Invariant: a secret
//! is never shown, and the time a comparison takes does not reveal where a forged tag is wrong.

use crate::digest::{Mac, MacKey};
use crate::error::{Error, Result};
use std::fmt;
use std::hint::black_box;

/// What the documents have in the place of a key.
const PUBLISHED: [&str; 3] =
    ["made by: carom secret new", "sixteen octets or more", "a key for comparing, thirty-two!"];

/// The first key signs, all verify.
#[derive(Clone)]
pub(crate) struct Keys(Vec<Key>);

/// One secret, prepared for both digests.
#[derive(Clone)]
struct Key {
    sha256: MacKey,
    sha1: MacKey,
}

impl Keys {
    /// 128 bits, if they are random.
    pub(crate) const MIN_OCTETS: usize = 16;

    /// An error gives the number of the key that is too short or published, and never shows it.
    pub(crate) fn new<S: AsRef<[u8]>>(secrets: &[S]) -> Result<Keys> {
        let remedy = "make one with: carom secret new";
        if secrets.is_empty() {
            return Err(Error::new("there is no key to sign return paths with").remedy(remedy));
        }
        if let Some(index) = secrets.iter().position(|secret| secret.as_ref().len() < Keys::MIN_OCTETS) {
            let least = Keys::MIN_OCTETS;
            let what = format!("key {} has less than {least} octets", index + 1);
            return Err(Error::new(what).remedy(remedy));
        }
        let is_published = |secret: &S| PUBLISHED.iter().any(|known| known.as_bytes() == secret.as_ref());
        if let Some(index) = secrets.iter().position(is_published) {
            let what =
                format!("key {} is an example from carom's documents, which everybody knows", index + 1);
            return Err(Error::new(what).remedy(remedy));
        }
        Ok(Keys(secrets.iter().map(|secret| Key::new(secret.as_ref())).collect()))
    }

    /// The HMAC-SHA256 of the joined `parts` by each key, the signing key first.
    pub(crate) fn sha256<'a>(&'a self, parts: &'a [&'a [u8]]) -> impl Iterator<Item = Mac> + 'a {
        self.0.iter().map(|key| key.sha256.sign(parts))
    }

    /// The same with HMAC-SHA1, which the BATV draft requires.
    pub(crate) fn sha1<'a>(&'a self, parts: &'a [&'a [u8]]) -> impl Iterator<Item = Mac> + 'a {
        self.0.iter().map(|key| key.sha1.sign(parts))
    }
}

impl Key {
    fn new(secret: &[u8]) -> Key {
        Key { sha256: MacKey::sha256(secret), sha1: MacKey::sha1(secret) }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

/// Compares two tags in a time that does not depend on where they differ. Their length is not
/// secret.
pub(crate) fn equal(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    one.len() == other.len()
        && one.iter().zip(other).fold(0, |unlike, (a, b)| black_box(unlike | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_short_key_is_an_error_that_names_it_without_showing_it() {
        assert!(Keys::new::<&str>(&[]).unwrap_err().text().contains("no key"));
        let error = Keys::new(&["0123456789abcdef", "hush"]).unwrap_err();
        assert_eq!(error.text(), "key 2 has less than 16 octets");
        assert!(!error.to_string().contains("hush"));
        assert_eq!(format!("{:?}", Keys::new(&["0123456789abcdef"]).unwrap()), "Keys(1)");
    }

    #[test]
    fn parts_are_signed_as_one_text_by_each_key() {
        // RFC 4231 test case 2 has a key that is too short for us; cases 1, 3 and 6 do not.
        let hex = |tag: Mac| tag.as_ref().iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        let keys = Keys::new(&[vec![0x0b; 20], vec![0xaa; 20]]).unwrap();
        let tags: Vec<String> = keys.sha256(&[b"Hi ", b"There"]).map(hex).collect();
        assert_eq!(tags[0], "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_eq!(
            hex(keys.sha256(&[&[0xdd; 50]]).nth(1).unwrap()),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        );
        // RFC 2202 test case 1.
        assert_eq!(
            hex(keys.sha1(&[b"Hi There"]).next().unwrap()),
            "b617318655057264e28bc0b6fb378c8ef146be00"
        );
    }

    #[test]
    fn tags_are_equal_or_not() {
        assert!(equal("", "") && equal("abc", "abc"));
        assert!(!equal("abc", "abd") && !equal("abc", "xbc") && !equal("abc", "ab") && !equal("", "a"));
    }
}
