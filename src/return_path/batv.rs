//! Bounce Address Tag Validation: return paths such as `prvs=0685a1b2c3=joe@example.com`, as milters and mail servers make
//! them (draft-levine-smtp-batv-01), signed and verified with the keys of our own return paths.
//!
//! The tag is `KDDDSSSSSS`: a key number, the last three digits of the day (since 1970) on which it expires, and the
//! first 24 bits of HMAC-SHA1 over `KDDD` and the address. It tells whose mail came back, not to whom it had gone: `verp`
//! does, and with 60 bits; one guess in 16 million passes here. Other makers' tags (`msprvs1`, nine or eleven digits) cannot
//! be verified, but can be taken off. Not here: what follows from a proof. Invariant: an address without a tag that one of
//! our keys made is never taken for one of ours.

use super::keys::{Keys, equal};
use super::verp::Refused;
use crate::digest::hex;

/// Days until the day's digits come round.
const ROUND: i64 = 1000;
/// Digits of a tag: key number, day, signature.
const TAG: usize = 1 + 3 + 6;

/// An address with a tag that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tagged {
    /// The address without the tag, as it came.
    pub(crate) mailbox: String,
    /// The day on which the tag expires, in days since 1970.
    pub(crate) expiry_day: i64,
}

/// The return path for `mailbox`, good until `expiry_day` (days since 1970, at most some hundred days ahead). The first
/// key signs. What has no `@` comes back as it is.
pub(crate) fn sign(keys: &Keys, mailbox: &str, expiry_day: i64) -> String {
    if !mailbox.contains('@') {
        return mailbox.to_owned();
    }
    let day = format!("0{:03}", expiry_day.rem_euclid(ROUND));
    let signature =
        signatures(keys, &day, &mailbox.to_ascii_lowercase()).into_iter().next().unwrap_or_default();
    format!("prvs={day}{signature}={mailbox}")
}

/// The address without its tag, if one of `keys` made the tag, for a day from `today` to `max_ahead` days later.
///
/// [`sign`] signs the address in lower case; others sign it as it is written. Both are verified, so that only what
/// others sign and a mail server lower-cases afterwards is lost, and no more than letters' case can be changed unnoticed.
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
    // What does not expire soon has expired, except for the near future, in which nobody of ours can have written.
    let days = ROUND - left;
    Err(if days <= ROUND / 2 { Refused::TooOld { days } } else { Refused::Ahead { days: left } })
}

/// The address without a tag of any maker, unverified: `prvs=…=joe@example.com` and `msprvs1=…=joe@example.com` are
/// `joe@example.com`, and so are the older ones with address and tag the other way round. `None` if there is no tag.
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

/// `kind=tag=mailbox`. A slash between tag and mailbox is the older form's.
fn split(address: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = address.split_once('=')?;
    let (tag, mailbox) = rest.split_once(['=', '/'])?;
    mailbox.contains('@').then_some((kind, tag, mailbox))
}

/// The signature by each key, the one to sign with first. `day` is key number and day.
fn signatures(keys: &Keys, day: &str, mailbox: &str) -> Vec<String> {
    keys.sha1(&[day.as_bytes(), mailbox.as_bytes()]).map(|tag| hex(&tag.as_ref()[..3])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: i64 = 20_679;

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
        assert_eq!(sign(&keys(), "postmaster", TODAY), "postmaster");
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
