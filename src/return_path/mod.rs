//! Return paths: signed by carom (VERP), tagged by a milter (BATV), rewritten by a forwarder (SRS).
//!
//! Not here: DNS and authentication (`auth`), and what a proof means for a bounce (`policy`).
//! Invariant: an address counts as ours only if one of our keys signed it.

/// Return paths with a milter's tag.
mod batv;
/// What our return paths look like.
mod form;
/// The secrets that return paths are signed with.
mod keys;
/// How an address is written inside a local part.
mod spelling;
/// Return paths that a forwarder rewrote.
mod srs;
/// Return paths that carom signs.
mod verp;
/// Signed tokens for a header field.
mod token;

pub(crate) use batv::{Tagged, verify as verify_batv};
pub(crate) use form::{PathForm, day};
pub(crate) use keys::Keys;
pub(crate) use spelling::parts;
pub(crate) use token::{sign_token, verify_token};
pub(crate) use verp::{SignedFor, Verified, ends_in_tag, sign, verify};

use std::fmt;

/// Tags and rewritings that are undone at most.
const MAX_LAYERS: usize = 8;

/// Why a return path proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Another domain, another prefix, or not of our form.
    NotOurs,
    /// Of our form, but signed by none of our keys.
    Forged,
    TooOld {
        days: i64,
    },
    /// Signed more than a day in the future: a clock is wrong.
    Ahead {
        days: i64,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NotOurs => f.write_str("not a signed return path of ours"),
            Refused::Forged => f.write_str("not signed by any of our keys"),
            Refused::TooOld { days } => write!(f, "signed {days} days ago, which is too long"),
            Refused::Ahead { days } => write!(f, "signed {days} days from now"),
        }
    }
}

/// A recipient as the return paths of carom name it.
pub(crate) fn spelled(local: &str, domain: &str) -> String {
    format!("{}={}", spelling::escape(local), spelling::escape(domain))
}

/// The address before milters tagged it and forwarders rewrote it; `None` if nobody did.
pub(crate) fn unwrapped(address: &str) -> Option<String> {
    let layer = |address: &str| batv::untagged(address).or_else(|| srs::decode(address));
    let mut inner = layer(address)?;
    for _ in 1..MAX_LAYERS {
        match layer(&inner) {
            Some(next) => inner = next,
            None => break,
        }
    }
    Some(inner)
}

/// The address that a report means when it names `address`, or `original` if it gives both. `None`:
/// it means the address that it names.
pub(crate) fn meant(address: &str, original: Option<&str>) -> Option<String> {
    unwrapped(original.unwrap_or(address)).or_else(|| original.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_rewritings_are_undone_in_any_order() {
        for (address, inner) in [
            ("prvs=0686aabbcc=joe@example.com", Some("joe@example.com")),
            ("SRS0=HHH=TT=example.org=joe@one.example", Some("joe@example.org")),
            ("prvs=0686aabbcc=SRS0=HHH=TT=example.org=joe@one.example", Some("joe@example.org")),
            ("SRS0=HHH=TT=example.com=prvs=0686aabbcc=joe@one.example", Some("joe@example.com")),
            ("joe@example.com", None),
            ("", None),
        ] {
            assert_eq!(unwrapped(address).as_deref(), inner, "{address}");
        }
    }

    #[test]
    fn a_report_about_a_rewritten_address_means_the_one_before() {
        let rewritten = "SRS0=JvSE=IT=example.org=joe@one.example";
        let joe = Some("joe@example.org".to_owned());
        assert_eq!(meant(rewritten, None), joe);
        assert_eq!(meant("box@two.example", Some(rewritten)), joe);
        assert_eq!(meant("box@two.example", Some("joe@example.org")), joe);
        assert_eq!(meant("joe@example.org", None), None);
        assert_eq!(meant("joe@example.com", Some("Joe@example.com")).as_deref(), Some("Joe@example.com"));
        assert_eq!(meant("x@y.example", Some("prvs=0686aabbcc=a@b.example")).as_deref(), Some("a@b.example"));
    }

    #[test]
    fn wrapping_without_end_costs_no_more_than_its_layers() {
        let mut address = "joe@example.com".to_owned();
        for _ in 0..20 {
            address = format!("prvs=0686aabbcc={address}");
        }
        assert_eq!(unwrapped(&address).unwrap().matches("prvs").count(), 20 - MAX_LAYERS);
    }
}
