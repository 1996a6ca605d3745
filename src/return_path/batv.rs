//! Bounce Address Tag Validation (draft-levine-smtp-batv-01): return paths such as
//! `prvs=0685a1b2c3=joe@example.com`, as milters and mail servers write them.
//!
//! The tag is `KDDDSSSSSS`: a key number, the last three digits of the day (since 1970) on which it
//! expires, and the first 24 bits of HMAC-SHA1 over `KDDD` and the address. It proves whose mail
//! came back, but not to whom it went (`verp` does, with 60 bits; here one guess in 16 million
//! passes). The tags of others (`msprvs1`, nine or eleven digits) can be removed, but not verified.
//! Not here: what follows from a proof. Invariant: only an address with a tag made by one of our
//! keys is verified.

use super::Refused;
use super::keys::{Keys, equal};
use crate::digest::hex;

/// Days until the day's digits repeat.
const ROUND: i64 = 1000;
/// Digits of a tag: key number, day, signature.
const TAG: usize = 1 + 3 + 6;

/// An address with a tag made by one of our keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tagged {
    /// The address without the tag, as it came.
    pub(crate) mailbox: String,
    /// In days since 1970.
    pub(crate) expiry_day: i64,
}

/// The address without its tag, if one of `keys` made the tag for a day from `today` to `max_ahead`
/// days later.
///
/// Some signers sign the address as it is written, others in lower case: both are accepted. Only a
/// change of case can therefore pass unnoticed.
pub(crate) fn verify(keys: &Keys, address: &str, today: i64, max_ahead: u32) -> Result<Tagged, Refused> {
    let (kind, tag, mailbox) = split(address).ok_or(Refused::NotOurs)?;
    let digits = tag.as_bytes();
    if !kind.eq_ignore_ascii_case("prvs")
        || digits.len() != TAG
        || !digits[..4].iter().all(u8::is_ascii_digit)
        || !digits.iter().all(u8::is_ascii_hexdigit)
    {
        return Err(Refused::NotOurs);
    }
    let (day, signature) = tag.split_at(4);
    let signature = signature.to_ascii_lowercase();
    let forms = [mailbox.to_owned(), mailbox.to_ascii_lowercase()];
    let expected = forms.iter().flat_map(|form| signatures(keys, day, form));
    if !expected.fold(false, |found, expected| found | equal(&expected, &signature)) {
        return Err(Refused::Forged);
    }
    let expiry: i64 = day[1..].parse().map_err(|_| Refused::NotOurs)?;
    let left = (expiry - today).rem_euclid(ROUND);
    if left <= i64::from(max_ahead) {
        return Ok(Tagged { mailbox: mailbox.to_owned(), expiry_day: today + left });
    }
    // The digits repeat: a day that is not close ahead is taken as past, unless it is far ahead.
    let days = ROUND - left;
    Err(if days <= ROUND / 2 { Refused::TooOld { days } } else { Refused::Ahead { days: left } })
}

/// The address without anybody's tag, unverified: `prvs=…=joe@example.com`,
/// `msprvs1=…=joe@example.com` and the older forms with address and tag exchanged. `None` if there
/// is no tag.
pub(crate) fn untagged(address: &str) -> Option<String> {
    let (kind, tag, mailbox) = split(address)?;
    let version = kind.to_ascii_lowercase();
    let version = version.strip_prefix("ms").unwrap_or(&version).strip_prefix("prvs")?;
    if !version.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let is_tag = |text: &str| {
        text.len() >= 9
            && text.bytes().take(3).all(|c| c.is_ascii_hexdigit())
            && text.bytes().all(|c| c.is_ascii_alphanumeric())
    };
    let (local, domain) = mailbox.rsplit_once('@')?;
    if is_tag(tag) {
        return (!local.is_empty()).then(|| mailbox.to_owned());
    }
    (is_tag(local) && !tag.is_empty()).then(|| format!("{tag}@{domain}"))
}

/// `kind=tag=mailbox`; the older form has a slash between tag and mailbox.
fn split(address: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = address.split_once('=')?;
    let (tag, mailbox) = rest.split_once(['=', '/'])?;
    mailbox.contains('@').then_some((kind, tag, mailbox))
}

/// The signature by each key. `day` is key number and day.
fn signatures(keys: &Keys, day: &str, mailbox: &str) -> Vec<String> {
    keys.sha1(&[day.as_bytes(), mailbox.as_bytes()]).map(|tag| hex(&tag.as_ref()[..3])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: i64 = 20_679;

    /// As a milter with the same key signs.
    fn sign(keys: &Keys, mailbox: &str, expiry_day: i64) -> String {
        let day = format!("0{:03}", expiry_day.rem_euclid(ROUND));
        let signature = signatures(keys, &day, &mailbox.to_ascii_lowercase()).remove(0);
        format!("prvs={day}{signature}={mailbox}")
    }

    fn keys() -> Keys {
        Keys::new(&["the first secret, which signs"]).unwrap()
    }

    #[test]
    fn a_tag_is_what_another_implementation_makes_of_it() {
        // Calculated with Python: hmac over "0686joe@example.com", and over "0686Joe@Example.com".
        assert_eq!(sign(&keys(), "joe@example.com", 20_686), "prvs=0686ac58eb=joe@example.com");
        let tagged = Tagged { mailbox: "Joe@Example.com".into(), expiry_day: 20_686 };
        for theirs in ["prvs=06867aaa91=Joe@Example.com", "PRVS=0686ac58eb=Joe@Example.com"] {
            assert_eq!(verify(&keys(), theirs, TODAY, 7), Ok(tagged.clone()), "{theirs}");
        }
    }

    #[test]
    fn tags_expire() {
        for today in [0, 5, 995, 999, 1000, TODAY] {
            let path = sign(&keys(), "joe@example.com", today + 7);
            for (later, verdict) in [
                (0, Ok(())),
                (7, Ok(())),
                (8, Err(Refused::TooOld { days: 1 })),
                (400, Err(Refused::TooOld { days: 393 })),
                (-1, Err(Refused::Ahead { days: 8 })),
            ] {
                let verified = verify(&keys(), &path, today + later, 7);
                assert_eq!(verified.clone().map(|_| ()), verdict, "{today} {later}");
                assert!(verified.is_err() || verified.unwrap().expiry_day == today + 7);
            }
        }
    }

    #[test]
    fn what_is_changed_or_foreign_is_refused() {
        let path = sign(&keys(), "joe@example.com", TODAY + 7);
        assert!(verify(&keys(), &path.to_ascii_uppercase(), TODAY, 7).is_ok());
        for changed in
            [path.replace("joe", "jim"), path.replace("prvs=0", "prvs=1"), path.replace("=068", "=067")]
        {
            assert_ne!(changed, path);
            assert_eq!(verify(&keys(), &changed, TODAY, 7), Err(Refused::Forged), "{changed}");
        }
        for foreign in [
            "",
            "joe@example.com",
            "prvs=",
            "prvs==joe@example.com",
            "prvs=374a1453b=joe@example.com",
            "prvs=0686éa1b=joe@example.com",
            "prvs=0686aabbccd=joe@example.com",
            "msprvs1=0686aabbcc=joe@example.com",
        ] {
            assert_eq!(verify(&keys(), foreign, TODAY, 7), Err(Refused::NotOurs), "{foreign}");
        }
        let rotating = Keys::new(&["the second secret, to come", "the first secret, which signs"]).unwrap();
        assert!(verify(&rotating, &path, TODAY, 7).is_ok());
    }

    #[test]
    fn any_makers_tag_can_be_taken_off() {
        for (tagged, mailbox) in [
            ("prvs=0686aabbcc=joe@example.com", Some("joe@example.com")),
            ("PRVS=374A1453B=Joe.Doe@example.com", Some("Joe.Doe@example.com")),
            ("prvs=9905c7c8d6=ms@example.com", Some("ms@example.com")),
            ("msprvs1=17789xqxwlwks=bounces-1-2@example.com", Some("bounces-1-2@example.com")),
            ("prvs=joe/0686aabbcc@example.com", Some("joe@example.com")),
            ("prvs=joe=0686aabbcc@example.com", Some("joe@example.com")),
            ("prvs=joe@example.com", None),
            ("prvs=a=b@example.com", None),
            ("prvs=0686aabbcc=@example.com", None),
            ("prvsx=0686aabbcc=joe@example.com", None),
            ("other=0686aabbcc=joe@example.com", None),
            ("joe@example.com", None),
            ("", None),
        ] {
            assert_eq!(untagged(tagged).as_deref(), mailbox, "{tagged}");
        }
    }
}
