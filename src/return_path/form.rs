//! What our return paths look like: prefix, day, tag, recipient, domain.
//!
//! Not here: the signature (`verp`). Invariant: a form that exists can be signed with any
//! recipient: the local part never exceeds 64 octets.

use crate::clock::DAY_MS;
use crate::error::{Error, Result};

/// Octets of a local part at most (RFC 5321 section 4.5.3.1.1).
pub(super) const MAX_LOCAL: usize = 64;
/// A path has at most 256 octets with its brackets (RFC 5321 section 4.5.3.1.3).
const MAX_DOMAIN: usize = 254 - MAX_LOCAL - 1;
/// Digits of the day.
pub(super) const DAY: usize = 3;
/// Days until the day's digits repeat.
pub(super) const ROUND: i64 = 36 * 36 * 36;
/// Digits of the tag.
pub(super) const TAG: usize = 12;
/// Digits of the digest that replaces a long recipient.
pub(super) const DIGEST: usize = 24;
/// Octets of a prefix at most, so that a digest always fits.
const MAX_PREFIX: usize = MAX_LOCAL - DAY - 1 - TAG - 1 - DIGEST;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathForm {
    pub(super) prefix: String,
    pub(super) domain: String,
}

impl PathForm {
    /// Paths that begin with `prefix` and end with `@domain`. The prefix ends with the separator:
    /// `b+` under a mail server that delivers `b+anything` to `b`.
    pub(crate) fn new(prefix: &str, domain: &str) -> Result<PathForm> {
        PathForm::check_prefix(prefix)?;
        PathForm::check_domain(domain)?;
        Ok(PathForm { prefix: prefix.to_ascii_lowercase(), domain: domain.to_ascii_lowercase() })
    }

    pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
        let known = |c: char| c.is_ascii_alphanumeric() || ".+-_=".contains(c);
        let good = prefix.len() <= MAX_PREFIX
            && prefix.chars().all(known)
            && !prefix.starts_with('.')
            && !prefix.contains("..");
        if good {
            return Ok(());
        }
        let remedy = format!("use at most {MAX_PREFIX} letters, digits, `+`, `-`, `_` or `=`, like b+");
        Err(Error::new(format_args!("{prefix:?} cannot begin a return path")).remedy(remedy))
    }

    pub(crate) fn check_domain(domain: &str) -> Result<()> {
        let label = |label: &str| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        };
        if domain.len() <= MAX_DOMAIN && domain.split('.').all(label) {
            return Ok(());
        }
        let what = format!("{domain:?} is not a domain for return paths");
        Err(Error::new(what).remedy("use a domain that has an MX record, like bounces.example.com"))
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }

    pub(crate) fn is_domain(&self, domain: &str) -> bool {
        self.domain.eq_ignore_ascii_case(domain)
    }

    /// Whether an address reads like a return path of this form; nothing is verified.
    pub(crate) fn is_path(&self, address: &str) -> bool {
        self.split(&address.to_ascii_lowercase()).is_some()
    }

    /// Day, tag and recipient of an address in lower case.
    pub(super) fn split<'a>(&self, address: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
        let local = address.strip_suffix(&self.domain)?.strip_suffix('@')?.strip_prefix(&self.prefix)?;
        let (day, rest) = local.split_once('-')?;
        let (tag, about) = rest.split_once('-')?;
        (day.len() == DAY && tag.len() == TAG && !about.is_empty()).then_some((day, tag, about))
    }
}

/// The day, in days since 1970, of a time in milliseconds since 1970.
pub(crate) fn day(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// A day as three digits of base 36.
pub(super) fn digits(day: i64) -> String {
    let day = day.rem_euclid(ROUND);
    let digit =
        |value: i64| char::from_digit(u32::try_from(value % 36).unwrap_or_default(), 36).unwrap_or('0');
    [day / (36 * 36), day / 36, day].map(digit).iter().collect()
}

pub(super) fn number(digits: &str) -> Option<i64> {
    digits.chars().try_fold(0, |value, c| Some(value * 36 + i64::from(c.to_digit(36)?)))
}
