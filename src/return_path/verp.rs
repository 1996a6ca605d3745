//! Signed return paths: `b+fxz-k3q…-joe=example.org@bounces.example.com` says to which recipient a
//! message was sent and on which day, and proves that we said so. A bounce to it is about our
//! message.
//!
//! ```text
//! prefix  day  -  tag  -  recipient                              domain
//! b+      fxz  -  12   -  local=domain, escaped, or a digest  @  bounces.example.com
//! ```
//!
//! * **day**: three digits of base 36, days since 1970 modulo 46656 (127 years).
//! * **tag**: HMAC-SHA256 over a fixed word, domain, day and recipient, cut to 60 bits (12 digits
//!   of base32 in lower case). Guessing one takes 2⁶⁰ mails to us for one address and day.
//! * **recipient**: as `spelling` writes it, with `=` for the `@`. A recipient that does not fit
//!   into the 64 octets of a local part is written as the first 120 bits of its SHA-256. Such a
//!   path proves that it is ours, and whether an address that somebody names is the recipient, but
//!   does not name it.
//!
//! Not here: the files of keys, and what follows from a proof. Invariant: PowerMTA lower-cases
//! local parts, so the case of letters carries no meaning. Nothing is said about an address with a
//! wrong tag.

use super::form::{DAY, DIGEST, MAX_LOCAL, PathForm, ROUND, TAG, digits, number};
use super::keys::{Keys, equal};
use super::spelling::{join, parts, unescape};
use super::{Refused, spelled};
use crate::digest::{base32, sha256};
use crate::error::{Error, Result};

/// Signed first, so that no other signature made with the same keys is ever a return path.
const WORD: &[u8] = b"carom-verp-1\0";

/// A return path of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) recipient: SignedFor,
    /// In days since 1970.
    pub(crate) signed_day: i64,
}

/// The recipient of a message, as its return path gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SignedFor {
    /// In lower case, and quoted only where it must be (RFC 5321 section 4.1.2).
    Address(String),
    /// The digest of an address that was too long.
    Digest(String),
}

impl SignedFor {
    /// Whether it is this address. The case of ASCII letters and needless quotes make no
    /// difference.
    pub(crate) fn is(&self, address: &str) -> bool {
        let Some(parts) = parts(address) else { return false };
        match self {
            SignedFor::Address(own) => join(&parts) == *own,
            SignedFor::Digest(own) => digest(&parts) == *own,
        }
    }

    pub(crate) fn address(&self) -> Option<&str> {
        match self {
            SignedFor::Address(address) => Some(address),
            SignedFor::Digest(_) => None,
        }
    }
}

/// Whether a text, in lower case, ends where the recipient of a return path of ours begins: after
/// the day, the tag and their hyphens.
pub(crate) fn ends_in_tag(text: &[u8]) -> bool {
    let Some(rest) = text.strip_suffix(b"-") else { return false };
    let Some((rest, tag)) = rest.split_at_checked(rest.len().wrapping_sub(TAG)) else { return false };
    let Some(rest) = rest.strip_suffix(b"-") else { return false };
    let day = &rest[rest.len().saturating_sub(DAY)..];
    let is_tag = |byte: &u8| matches!(byte, b'a'..=b'z' | b'2'..=b'7');
    tag.iter().all(is_tag) && day.len() == DAY && day.iter().all(u8::is_ascii_alphanumeric)
}

/// The return path of a message to `recipient`, signed on `day` (days since 1970).
pub(crate) fn sign(keys: &Keys, form: &PathForm, recipient: &str, day: i64) -> Result<String> {
    let Some((local, domain)) = parts(recipient) else {
        let what = format!("{recipient:?} is not an address");
        return Err(Error::new(what).remedy("give the recipient as local-part@domain"));
    };
    let mut about = spelled(&local, &domain);
    if form.prefix.len() + DAY + 1 + TAG + 1 + about.len() > MAX_LOCAL {
        about = digest(&(local, domain));
    }
    let day = digits(day);
    let tag = tags(keys, &form.domain, &day, &about).into_iter().next().unwrap_or_default();
    Ok(format!("{}{day}-{tag}-{about}@{}", form.prefix, form.domain))
}

/// Recipient and day of an address that [`sign`] made with one of `keys`, at most `max_age` days
/// before `today`. One day ahead is allowed, because clocks differ.
pub(crate) fn verify(
    keys: &Keys,
    form: &PathForm,
    address: &str,
    today: i64,
    max_age: u32,
) -> Result<Verified, Refused> {
    let address = address.to_ascii_lowercase();
    let (day, tag, about) = form.split(&address).ok_or(Refused::NotOurs)?;
    let signed_on = number(day).ok_or(Refused::NotOurs)?;
    let expected = tags(keys, &form.domain, day, about);
    // Every key is compared, so that the time does not reveal which one fits.
    if !expected.iter().fold(false, |found, expected| found | equal(expected, tag)) {
        return Err(Refused::Forged);
    }
    let age = age(signed_on, today, max_age)?;
    let recipient = match about.split_once('=') {
        None => SignedFor::Digest(about.to_owned()),
        Some((local, domain)) => {
            let parts = unescape(local).zip(unescape(domain));
            SignedFor::Address(join(&parts.ok_or(Refused::NotOurs)?))
        }
    };
    Ok(Verified { recipient, signed_day: today - age })
}

/// The age in days of what was signed on the day with this number, if it is valid.
pub(super) fn age(signed_on: i64, today: i64, max_age: u32) -> Result<i64, Refused> {
    // The digits repeat: more than half a round ago means in the future.
    let age = (today - signed_on).rem_euclid(ROUND);
    let age = if age > ROUND / 2 { age - ROUND } else { age };
    if age > i64::from(max_age) {
        return Err(Refused::TooOld { days: age });
    }
    if age < -1 {
        return Err(Refused::Ahead { days: -age });
    }
    Ok(age)
}

/// The tag by each key, the signing key's first.
fn tags(keys: &Keys, domain: &str, day: &str, about: &str) -> Vec<String> {
    let parts = [WORD, domain.as_bytes(), b"\0", day.as_bytes(), b"\0", about.as_bytes()];
    keys.sha256(&parts).map(|tag| base32(tag.as_ref(), TAG)).collect()
}

fn digest((local, domain): &(String, String)) -> String {
    base32(&sha256(&[local.as_bytes(), b"\0", domain.as_bytes()]), DIGEST)
}

#[cfg(test)]
mod tests;
