//! Signed return paths: `b+fxz-k3q…-joe=example.org@bounces.example.com` says for which recipient a message was sent and
//! on which day, and proves that we said so. What comes back to such an address is about a message of ours.
//!
//! ```text
//! prefix  day  -  tag  -  recipient                              domain of the bounces
//! b+      fxz  -  12   -  local=domain, escaped, or a digest  @  bounces.example.com
//! ```
//!
//! * **day**: three digits of base 36, days since 1970 modulo 46656 (it comes round in 127 years).
//! * **tag**: HMAC-SHA256 over a fixed word, domain, day and recipient, cut to 60 bits (12 digits of base32, RFC 4648, in
//!   lower case). Whoever guesses can only try by sending us mail: 2⁶⁰ of them for one address and day.
//! * **recipient**: lower-case letters, digits, `.`, `-` and `_` stand for themselves, every other octet is `+` and two
//!   hexadecimal digits, `=` stands for the `@`. A recipient for whom the 64 octets of a local part (RFC 5321 section
//!   4.5.3.1.1) are too few is written as the first 120 bits of its SHA-256: such a path proves that it is ours and that a
//!   recipient somebody names is the right one (`Recipient::is`), but does not tell who it is without a look-up.
//!
//! Not here: the keys' files, and what follows from a proof. Invariant: PowerMTA lower-cases local parts, so no meaning
//! hangs on the case of a letter: recipients that differ only in the case of ASCII letters are one recipient, and it is
//! given back in lower case. (RFC 5321 section 2.4 would let a host tell them apart; none that matters does.) Letters
//! beyond ASCII keep their case. Nothing is told of an address whose tag is wrong.

use super::keys::{Keys, equal};
use crate::clock::DAY_MS;
use crate::digest::{base32, sha256};
use crate::error::{Error, Result};
use std::fmt;

/// Octets of a local part at most (RFC 5321 section 4.5.3.1.1).
const MAX_LOCAL: usize = 64;
/// Octets of a path are 256 at most with its brackets (RFC 5321 section 4.5.3.1.3): these are left for the domain.
const MAX_DOMAIN: usize = 254 - MAX_LOCAL - 1;
/// Digits of the day.
const DAY: usize = 3;
/// Days until the day's digits come round.
const ROUND: i64 = 36 * 36 * 36;
/// Digits of the tag.
const TAG: usize = 12;
/// Digits of a digest that stands for a long recipient.
const DIGEST: usize = 24;
/// Octets of a prefix at most, so that a digest always fits.
const MAX_PREFIX: usize = MAX_LOCAL - DAY - 1 - TAG - 1 - DIGEST;
/// What is signed begins with this word, so that no other signature by the same keys is ever a return path.
const WORD: &[u8] = b"carom-verp-1\0";

/// What our return paths look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    prefix: String,
    domain: String,
}

/// A return path that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    /// To whom the message went.
    pub(crate) recipient: Recipient,
    /// The day it was signed, in days since 1970.
    pub(crate) signed_day: i64,
}

/// To whom a message went, as its return path tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// The address, in lower case and quoted only where it must be (RFC 5321 section 4.1.2).
    Address(String),
    /// The [`digest()`] of an address that was too long.
    Digest(String),
}

/// Why a return path proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Another domain, another prefix, or not of our form.
    NotOurs,
    /// Of our form, but none of the keys has signed it.
    Forged,
    /// Ours, but signed longer ago than is allowed.
    TooOld {
        /// Days since it was signed.
        days: i64,
    },
    /// Ours, but signed more than a day from now: a clock is wrong.
    Ahead {
        /// Days until then.
        days: i64,
    },
}

impl Form {
    /// Paths that begin with `prefix` and end in `@domain`. The prefix ends with what separates it from the rest: `b+`
    /// under a mail server that delivers `b+anything` to `b`. Letters (in lower case), digits and `.+-_=` make a prefix
    /// of at most 23 octets; a domain name of ASCII letters, digits, dots and hyphens has at most 189.
    pub(crate) fn new(prefix: &str, domain: &str) -> Result<Form> {
        let (prefix, domain) = (prefix.to_ascii_lowercase(), domain.to_ascii_lowercase());
        let known = |c: char| c.is_ascii_alphanumeric() || ".+-_=".contains(c);
        if prefix.len() > MAX_PREFIX
            || !prefix.chars().all(known)
            || prefix.starts_with('.')
            || prefix.contains("..")
        {
            let what = format!("{prefix:?} cannot begin a return path");
            let remedy = format!("take at most {MAX_PREFIX} letters, digits, `+`, `-`, `_` or `=`: b+");
            return Err(Error::new(what).remedy(remedy));
        }
        let label = |label: &str| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        };
        if domain.len() > MAX_DOMAIN || !domain.split('.').all(label) {
            let what = format!("{domain:?} is not a domain for return paths");
            return Err(Error::new(what).remedy("give a name that has an MX record: bounces.example.com"));
        }
        Ok(Form { prefix, domain })
    }
}

impl Recipient {
    /// Whether `address` is this recipient. The case of ASCII letters and needless quotes make no difference.
    pub(crate) fn is(&self, address: &str) -> bool {
        match self {
            Recipient::Address(own) => parts(address).is_some_and(|parts| join(&parts) == *own),
            Recipient::Digest(own) => digest(address).is_some_and(|digest| digest == *own),
        }
    }

    /// The address, unless only its digest is known.
    pub(crate) fn address(&self) -> Option<&str> {
        match self {
            Recipient::Address(address) => Some(address),
            Recipient::Digest(_) => None,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NotOurs => f.write_str("not a signed return path of ours"),
            Refused::Forged => f.write_str("signed by none of our keys"),
            Refused::TooOld { days } => write!(f, "signed {days} days ago, which is too long"),
            Refused::Ahead { days } => write!(f, "signed {days} days from now"),
        }
    }
}

/// The day, in days since 1970, of a time in milliseconds since 1970.
pub(crate) fn day(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// The return path of a message that is sent to `recipient` on `day` (see [`day`]). An error names a recipient that is
/// no address: without local part or domain, or with a control character in it.
pub(crate) fn sign(keys: &Keys, form: &Form, recipient: &str, day: i64) -> Result<String> {
    let Some((local, domain)) = parts(recipient) else {
        let what = format!("{recipient:?} is not an address");
        return Err(Error::new(what).remedy("give the recipient as local-part@domain"));
    };
    let mut about = escape(&local);
    about.push('=');
    about.push_str(&escape(&domain));
    if form.prefix.len() + DAY + 1 + TAG + 1 + about.len() > MAX_LOCAL {
        about = digest_of(&local, &domain);
    }
    let day = digits(day);
    let tag = tags(keys, &form.domain, &day, &about).into_iter().next().unwrap_or_default();
    Ok(format!("{}{day}-{tag}-{about}@{}", form.prefix, form.domain))
}

/// Who and when, if `address` is one that [`sign`] made with one of `keys`, at most `max_age` days before `today`.
/// A day ahead is allowed for clocks that differ.
pub(crate) fn verify(
    keys: &Keys,
    form: &Form,
    address: &str,
    today: i64,
    max_age: u32,
) -> Result<Verified, Refused> {
    let address = address.to_ascii_lowercase();
    let (day, tag, about) = form.split(&address).ok_or(Refused::NotOurs)?;
    let signed_on = number(day).ok_or(Refused::NotOurs)?;
    let expected = tags(keys, &form.domain, day, about);
    if !expected.iter().fold(false, |found, expected| found | equal(expected, tag)) {
        return Err(Refused::Forged);
    }
    // What is not at most half a round old is not old but ahead.
    let age = (today - signed_on).rem_euclid(ROUND);
    let age = if age > ROUND / 2 { age - ROUND } else { age };
    if age > i64::from(max_age) {
        return Err(Refused::TooOld { days: age });
    }
    if age < -1 {
        return Err(Refused::Ahead { days: -age });
    }
    let recipient = match about.split_once('=') {
        None => Recipient::Digest(about.to_owned()),
        Some((local, domain)) => {
            let parts = unescape(local).zip(unescape(domain));
            Recipient::Address(join(&parts.ok_or(Refused::NotOurs)?))
        }
    };
    Ok(Verified { recipient, signed_day: today - age })
}

/// The digest that stands for `address` in a return path when it is too long, so that a look-up table can be made; `None`
/// if it is no address.
pub(crate) fn digest(address: &str) -> Option<String> {
    parts(address).map(|(local, domain)| digest_of(&local, &domain))
}

impl Form {
    /// Day, tag and recipient of an address in lower case.
    fn split<'a>(&self, address: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
        let local = address.strip_suffix(&self.domain)?.strip_suffix('@')?.strip_prefix(&self.prefix)?;
        let (day, rest) = local.split_once('-')?;
        let (tag, about) = rest.split_once('-')?;
        (day.len() == DAY && tag.len() == TAG && !about.is_empty()).then_some((day, tag, about))
    }
}

/// The tag by each key, the one to sign with first.
fn tags(keys: &Keys, domain: &str, day: &str, about: &str) -> Vec<String> {
    let parts = [WORD, domain.as_bytes(), b"\0", day.as_bytes(), b"\0", about.as_bytes()];
    keys.sha256(&parts).map(|tag| base32(tag.as_ref(), TAG)).collect()
}

fn digest_of(local: &str, domain: &str) -> String {
    base32(&sha256(&[local.as_bytes(), b"\0", domain.as_bytes()]), DIGEST)
}

/// Local part without quotes, and domain, both with ASCII letters in lower case.
fn parts(address: &str) -> Option<(String, String)> {
    let (local, domain) = address.rsplit_once('@')?;
    let local = match local.strip_prefix('"').and_then(|local| local.strip_suffix('"')) {
        Some(quoted) => unquote(quoted),
        None => local.to_owned(),
    };
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let bad = local.is_empty() || domain.is_empty() || address.chars().any(|c| c.is_ascii_control());
    (!bad).then(|| (local.to_ascii_lowercase(), domain.to_ascii_lowercase()))
}

/// A quoted string's content (RFC 5321 section 4.1.2): a backslash stands for the character behind it.
fn unquote(quoted: &str) -> String {
    let mut content = String::with_capacity(quoted.len());
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        content.push(if c == '\\' { rest.next().unwrap_or(c) } else { c });
    }
    content
}

/// The address of a local part without quotes and a domain.
fn join((local, domain): &(String, String)) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii();
    if local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(plain)) {
        return format!("{local}@{domain}");
    }
    let quoted = local.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{quoted}\"@{domain}")
}

/// Text in letters that survive in an unquoted local part. No dot follows another, and none ends it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for (at, octet) in text.bytes().enumerate() {
        let plain = match octet {
            b'.' => !escaped.ends_with('.') && at + 1 < text.len(),
            _ => octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-' || octet == b'_',
        };
        if plain {
            escaped.push(char::from(octet));
        } else {
            escaped.push('+');
            escaped.extend(
                [octet >> 4, octet & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])),
            );
        }
    }
    escaped
}

/// What [`escape`] was given.
fn unescape(escaped: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'+' {
            octets.push(octet);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        octets.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(octets).ok()
}

/// A day as three digits of base 36.
fn digits(day: i64) -> String {
    let day = day.rem_euclid(ROUND);
    let digit =
        |value: i64| char::from_digit(u32::try_from(value % 36).unwrap_or_default(), 36).unwrap_or('0');
    [day / (36 * 36), day / 36, day].map(digit).iter().collect()
}

fn number(digits: &str) -> Option<i64> {
    digits.chars().try_fold(0, |value, c| Some(value * 36 + i64::from(c.to_digit(36)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: i64 = 20_679;

    fn keys() -> Keys {
        Keys::new(&["the first secret, which signs"]).unwrap()
    }

    fn form() -> Form {
        Form::new("b+", "bounces.example.com").unwrap()
    }

    fn signed(recipient: &str) -> String {
        sign(&keys(), &form(), recipient, TODAY).unwrap()
    }

    fn checked(address: &str) -> Result<Verified, Refused> {
        verify(&keys(), &form(), address, TODAY, 14)
    }

    fn told(address: &str) -> String {
        match checked(address).unwrap().recipient {
            Recipient::Address(address) => address,
            Recipient::Digest(digest) => panic!("{digest}"),
        }
    }

    #[test]
    fn a_path_is_what_another_implementation_makes_of_it() {
        // Calculated with Python: hmac, hashlib, base64.b32encode.
        assert_eq!(signed("joe@example.org"), "b+fyf-reatroqprun2-joe=example.org@bounces.example.com");
        let long = "a-very-long-local-part-of-a-recipient@a-long-name.of-a-host.example.org";
        assert_eq!(signed(long), "b+fyf-gmpgl4llw2mb-7nl46niq5bto22rdozxewywk@bounces.example.com");
        assert_eq!(digest(long).as_deref(), Some("7nl46niq5bto22rdozxewywk"));
    }

    #[test]
    fn it_comes_back_in_upper_case_lower_case_or_as_it_was() {
        let path = signed("Joe.User@Example.ORG");
        for came in [path.clone(), path.to_ascii_uppercase(), path.to_ascii_lowercase()] {
            let verified =
                Verified { recipient: Recipient::Address("joe.user@example.org".into()), signed_day: TODAY };
            assert_eq!(checked(&came), Ok(verified));
        }
        assert_eq!(signed("joe.user@example.org"), path);
    }

    #[test]
    fn every_kind_of_recipient_comes_back() {
        for (recipient, back) in [
            ("a@b", "a@b"),
            ("a+tag@example.org", "a+tag@example.org"),
            ("x=y@example.org", "x=y@example.org"),
            ("x=y=z+40@e.org", "x=y=z+40@e.org"),
            ("o'neil!%&/@e.org", "o'neil!%&/@e.org"),
            ("_-_@e-x.org", "_-_@e-x.org"),
            ("-@-", "-@-"),
            (r#""joe"@example.org"#, "joe@example.org"),
            (r#""joe doe"@example.org"#, r#""joe doe"@example.org"#),
            (r#""a@b"@example.org"#, r#""a@b"@example.org"#),
            (r#""a\"\\b"@example.org"#, r#""a\"\\b"@example.org"#),
            (r#""\a\b"@example.org"#, "ab@example.org"),
            (r#"".a..b."@example.org"#, r#"".a..b."@example.org"#),
            (r#""."@example.org"#, r#""."@example.org"#),
            (r#"" "@example.org"#, r#"" "@example.org"#),
            ("a..b.@example.org", r#""a..b."@example.org"#),
            ("joe@example.org.", "joe@example.org"),
            ("joe@[192.0.2.1]", "joe@[192.0.2.1]"),
            ("joe@[IPv6:2001:db8::1]", "joe@[ipv6:2001:db8::1]"),
            ("jörg@example.org", "jörg@example.org"),
            ("Jörg.Ü@Example.org", "jörg.Ü@example.org"),
            ("用户@例子.cn", "用户@例子.cn"),
        ] {
            let path = signed(recipient);
            let (local, domain) = path.split_once('@').unwrap();
            assert!(path.is_ascii() && domain == "bounces.example.com", "{path}");
            assert!(local.len() <= 64 && !local.contains("..") && !local.ends_with('.'), "{path}");
            assert!(local.bytes().all(|c| c.is_ascii_alphanumeric() || b".-_+=".contains(&c)), "{path}");
            assert_eq!(told(&path), back);
            assert_eq!(told(&path.to_ascii_uppercase()), back);
            assert!(checked(&path).unwrap().recipient.is(recipient), "{recipient}");
        }
    }

    #[test]
    fn random_recipients_come_back() {
        let mut random = fastrand::Rng::with_seed(7);
        let letters: Vec<char> = "abz019.-_+=@ \"\\!%~/:[]ßÜ語🦀".chars().collect();
        for _ in 0..3000 {
            let mut some = |least: usize, most: usize| -> String {
                (0..random.usize(least..=most)).map(|_| letters[random.usize(0..letters.len())]).collect()
            };
            let (local, domain) = (some(1, 9), some(1, 5).replace(['@', '.'], "x"));
            let recipient = join(&(local, domain));
            let path = signed(&recipient);
            assert!(path.len() <= 64 + 1 + 19, "{path}");
            match checked(&path.to_ascii_uppercase()).unwrap().recipient {
                Recipient::Address(back) => assert_eq!(back, recipient),
                digest => assert!(digest.is(&recipient)),
            }
        }
    }

    #[test]
    fn what_fits_is_told_and_what_does_not_is_proved() {
        let fits = 64 - "b+fyf-abcdefghijkl-".len() - "=example.org".len();
        let recipient = format!("{}@example.org", "x".repeat(fits));
        let path = signed(&recipient);
        assert_eq!(path.find('@'), Some(64));
        assert_eq!(told(&path), recipient);

        let longer = format!("X{recipient}");
        let path = signed(&longer);
        let verified = checked(&path).unwrap();
        assert_eq!(path.find('@'), Some("b+fyf-abcdefghijkl-".len() + DIGEST));
        assert_eq!(verified.recipient.address(), None);
        assert_eq!(Some(verified.recipient.clone()), digest(&longer).map(Recipient::Digest));
        assert!(verified.recipient.is(&longer) && verified.recipient.is(&longer.to_ascii_uppercase()));
        assert!(!verified.recipient.is(&recipient) && !verified.recipient.is("nonsense"));

        let longest = Form::new(&"p".repeat(23), "bounces.example.com").unwrap();
        let path = sign(&keys(), &longest, &longer, TODAY).unwrap();
        assert_eq!(path.find('@'), Some(64));
        assert!(verify(&keys(), &longest, &path, TODAY, 1).unwrap().recipient.is(&longer));
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let path = signed("joe+news@example.org");
        let mut found = 0;
        for at in 0..path.len() {
            for new in "a0+-=.@z".chars() {
                let mut changed = path.clone();
                changed.replace_range(at..=at, &new.to_string());
                if changed != path {
                    assert!(
                        matches!(checked(&changed), Err(Refused::Forged | Refused::NotOurs)),
                        "{changed}"
                    );
                    found += 1;
                }
            }
            assert!(checked(&path[at + 1..]).is_err() && checked(&path[..at]).is_err());
        }
        assert!(found > 300);
        let other = Keys::new(&["another secret that is ours"]).unwrap();
        assert_eq!(verify(&other, &form(), &path, TODAY, 14), Err(Refused::Forged));
        let elsewhere = Form::new("b+", "other.example.com").unwrap();
        assert_eq!(verify(&keys(), &elsewhere, &path, TODAY, 14), Err(Refused::NotOurs));
        let moved = path.replace("bounces.", "other.");
        assert_eq!(verify(&keys(), &elsewhere, &moved, TODAY, 14), Err(Refused::Forged));
    }

    #[test]
    fn what_is_not_ours_is_refused_without_a_panic() {
        for address in [
            "",
            "@",
            "joe@example.org",
            "b+@bounces.example.com",
            "b+---@bounces.example.com",
            "b+fyf-aaaaaaaaaaaa-@bounces.example.com",
            "b+fyf-aaaaaaaaaaaaa-a=b@bounces.example.com",
            "b+f f-aaaaaaaaaaaa-a=b@bounces.example.com",
            "b+ffyf-aaaaaaaaaaaa-a=b@bounces.example.com",
            "b+é-aaaaaaaaaaaa-a=b@bounces.example.com",
            "bounces.example.com",
            "xbounces.example.com",
        ] {
            assert_eq!(checked(address), Err(Refused::NotOurs), "{address}");
        }
        assert_eq!(checked("b+fyf-aaaaaaaaaaaa-a=b@bounces.example.com"), Err(Refused::Forged));
    }

    #[test]
    fn age_is_counted_in_days_also_where_the_digits_come_round() {
        for today in [0, 1, 35, 36, TODAY, ROUND - 1, ROUND, ROUND + 5, 3 * ROUND + 7] {
            for age in [-1, 0, 1, 14] {
                let path = sign(&keys(), &form(), "joe@example.org", today - age).unwrap();
                let verified = verify(&keys(), &form(), &path, today, 14).unwrap();
                assert_eq!(verified.signed_day, today - age);
            }
            for (age, refused) in [
                (15, Refused::TooOld { days: 15 }),
                (9000, Refused::TooOld { days: 9000 }),
                (-2, Refused::Ahead { days: 2 }),
                (-300, Refused::Ahead { days: 300 }),
            ] {
                let path = sign(&keys(), &form(), "joe@example.org", today - age).unwrap();
                assert_eq!(verify(&keys(), &form(), &path, today, 14), Err(refused));
            }
        }
        let path = signed("joe@example.org");
        assert!(verify(&keys(), &form(), &path, TODAY + 23_328, u32::MAX).is_ok());
        assert!(verify(&keys(), &form(), &path, TODAY + 23_329, u32::MAX).is_err());
        assert_eq!((day(0), day(86_399_999), day(DAY_MS), day(-1)), (0, 0, 1, -1));
        assert_eq!(Refused::TooOld { days: 15 }.to_string(), "signed 15 days ago, which is too long");
    }

    #[test]
    fn both_keys_verify_while_one_replaces_the_other() {
        let (old, new) = ("the first secret, which signs", "the second secret, to come");
        let rotating = Keys::new(&[new, old]).unwrap();
        let path = signed("joe@example.org");
        assert!(verify(&rotating, &form(), &path, TODAY, 14).is_ok());
        let fresh = sign(&rotating, &form(), "joe@example.org", TODAY).unwrap();
        assert_ne!(fresh, path);
        assert!(verify(&Keys::new(&[new]).unwrap(), &form(), &fresh, TODAY, 14).is_ok());
        assert_eq!(checked(&fresh), Err(Refused::Forged));
    }

    #[test]
    fn what_is_no_address_is_not_signed() {
        for recipient in
            ["", "joe", "@example.org", "joe@", "joe@.", "\"\"@example.org", "a\r\nb@example.org"]
        {
            let error = sign(&keys(), &form(), recipient, TODAY).unwrap_err();
            assert!(error.text().contains("is not an address"), "{recipient}");
            assert_eq!(digest(recipient), None);
        }
    }

    #[test]
    fn a_form_that_cannot_work_is_an_error() {
        for prefix in ["", "b+", "B-", "bounce.", "a=b_"] {
            let form = Form::new(prefix, "Bounces.Example.com").unwrap();
            let path = sign(&keys(), &form, "joe@example.org", TODAY).unwrap();
            assert!(verify(&keys(), &form, &path, TODAY, 1).is_ok(), "{path}");
        }
        for prefix in [".b", "b..", "b b", "ü", "b@", &"b".repeat(24)] {
            assert!(
                Form::new(prefix, "example.com").unwrap_err().text().contains("cannot begin"),
                "{prefix}"
            );
        }
        for domain in ["", ".", "a..b", "exämple.com", "a b", "[192.0.2.1]", &"a".repeat(190)] {
            assert!(Form::new("b+", domain).unwrap_err().text().contains("not a domain"), "{domain}");
        }
    }
}
