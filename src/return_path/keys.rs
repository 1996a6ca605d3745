//! The secrets that return paths are signed with, while one is in force and while it is being replaced.
//!
//! Not here: what is signed (`verp`, `batv`) and where secrets are kept. Invariant: a secret is never shown, and how long
//! a comparison takes says nothing about where a forged tag is wrong.

use crate::digest::{Mac, MacKey};
use crate::error::{Error, Result};
use std::fmt;
use std::hint::black_box;

/// Keys of which the first signs and all verify: to rotate, put the new one in front and drop the old one when what it
/// has signed is too old anyway.
pub(crate) struct Keys(Vec<Key>);

/// One secret, ready for both digests.
struct Key {
    sha256: MacKey,
    sha1: MacKey,
}

impl Keys {
    /// Octets that a secret has at least: 128 bits, if they are random.
    pub(crate) const MIN_OCTETS: usize = 16;

    /// Keys from secrets, the one that signs first. An error if there is none, or if one is shorter than
    /// [`Keys::MIN_OCTETS`]; it names which, and never shows it.
    pub(crate) fn new<S: AsRef<[u8]>>(secrets: &[S]) -> Result<Keys> {
        let remedy = "make one with: openssl rand -base64 32";
        if secrets.is_empty() {
            return Err(Error::new("there is no key to sign return paths with").remedy(remedy));
        }
        let short = secrets.iter().position(|secret| secret.as_ref().len() < Keys::MIN_OCTETS);
        if let Some(index) = short {
            let least = Keys::MIN_OCTETS;
            return Err(
                Error::new(format_args!("key {} has less than {least} octets", index + 1)).remedy(remedy)
            );
        }
        Ok(Keys(secrets.iter().map(|secret| Key::new(secret.as_ref())).collect()))
    }

    /// The HMAC-SHA256 of `parts`, one after the other, by each key: the first is the one to sign with.
    pub(crate) fn sha256<'a>(&'a self, parts: &'a [&'a [u8]]) -> impl Iterator<Item = Mac> + 'a {
        self.0.iter().map(|key| key.sha256.sign(parts))
    }

    /// The same with HMAC-SHA1, for BATV, whose draft wants it.
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

/// Whether two tags are equal, found out without stopping at the first difference. Their length is no secret.
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
