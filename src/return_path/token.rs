//! Signed tokens for a header field: `fxz-k3q…-joe=example:org` in the header of a message says to
//! which recipient it was sent and on which day, and proves that we said so. A complaint that
//! returns it is about our message to that recipient, whatever else it leaves out.
//!
//! Day, tag and recipient are those of a signed return path (`verp`); a `:` stands for each dot, so
//! that the token is a value of CFBL-Feedback-ID (RFC 9477 section 3.1.2). Not here: reading
//! complaints (`report`). Invariant: a token is never valid as a return path, nor the reverse.

use super::form::{DAY, TAG, digits, number};
use super::keys::{Keys, equal};
use super::spelling::{escape, join, parts, unescape};
use super::verp::age;
use super::{Refused, SignedFor, Verified};
use crate::digest::base32;
use crate::error::{Error, Result};

/// Signed first, so that no other signature made with the same keys is ever a token.
const WORD: &[u8] = b"carom-token-1\0";
/// A longer text is not looked at.
const MAX_TOKEN: usize = 1_000;

/// The token of a message to `recipient`, signed on `day` (days since 1970).
pub(crate) fn sign_token(keys: &Keys, recipient: &str, day: i64) -> Result<String> {
    let Some((local, domain)) = parts(recipient) else {
        let what = format!("{recipient:?} is not an address");
        return Err(Error::new(what).remedy("give the recipient as local-part@domain"));
    };
    let about = format!("{}={}", escape(&local), escape(&domain)).replace('.', ":");
    let day = digits(day);
    let tag = tags(keys, &day, &about).into_iter().next().unwrap_or_default();
    Ok(format!("{day}-{tag}-{about}"))
}

/// Recipient and day of a token that [`sign_token`] made with one of `keys`, at most `max_age` days
/// before `today`.
pub(crate) fn verify_token(keys: &Keys, token: &str, today: i64, max_age: u32) -> Result<Verified, Refused> {
    if token.len() > MAX_TOKEN {
        return Err(Refused::NotOurs);
    }
    let token = token.to_ascii_lowercase();
    let (day, rest) = token.split_once('-').ok_or(Refused::NotOurs)?;
    let (tag, about) = rest.split_once('-').ok_or(Refused::NotOurs)?;
    if day.len() != DAY || tag.len() != TAG {
        return Err(Refused::NotOurs);
    }
    let signed_on = number(day).ok_or(Refused::NotOurs)?;
    let expected = tags(keys, day, about);
    if !expected.iter().fold(false, |found, expected| found | equal(expected, tag)) {
        return Err(Refused::Forged);
    }
    let age = age(signed_on, today, max_age)?;
    let about = about.replace(':', ".");
    let named = about.split_once('=').and_then(|(local, domain)| unescape(local).zip(unescape(domain)));
    let recipient = SignedFor::Address(join(&named.ok_or(Refused::NotOurs)?));
    Ok(Verified { recipient, signed_day: today - age })
}

/// The tag by each key, the signing key's first.
fn tags(keys: &Keys, day: &str, about: &str) -> Vec<String> {
    let parts = [WORD, day.as_bytes(), b"\0", about.as_bytes()];
    keys.sha256(&parts).map(|tag| base32(tag.as_ref(), TAG)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: i64 = 20_000;

    fn keys(secret: &str) -> Keys {
        Keys::new(&[secret.to_owned()]).unwrap()
    }

    #[test]
    fn a_token_names_its_recipient_for_as_long_as_it_is_valid() {
        let ours = keys("a secret of sixteen octets");
        for address in
            ["joe@example.org", "o'neill+news@mail.example.org", "\"a b\"@example.org", "x.y@a.example"]
        {
            let token = sign_token(&ours, address, TODAY).unwrap();
            let is_fid = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~:".contains(c);
            assert!(token.chars().all(is_fid), "{token}");
            let verified = verify_token(&ours, &token.to_uppercase(), TODAY + 30, 30).unwrap();
            assert_eq!((verified.recipient.address(), verified.signed_day), (Some(address), TODAY));
            assert_eq!(verify_token(&ours, &token, TODAY + 31, 30), Err(Refused::TooOld { days: 31 }));
            let other = keys("another secret of that size");
            assert_eq!(verify_token(&other, &token, TODAY, 30), Err(Refused::Forged));
        }
    }

    #[test]
    fn what_was_changed_or_is_something_else_proves_nothing() {
        let ours = keys("a secret of sixteen octets");
        let token = sign_token(&ours, "joe@example.org", TODAY).unwrap();
        assert_eq!(verify_token(&ours, &token.replace("joe", "jim"), TODAY, 30), Err(Refused::Forged));
        for text in ["", "111:222:333", "a-b-c", "fxz-", "joe@example.org"] {
            assert_eq!(verify_token(&ours, text, TODAY, 30), Err(Refused::NotOurs), "{text}");
        }
        assert!(sign_token(&ours, "joe", TODAY).is_err());
    }
}
