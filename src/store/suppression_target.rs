//! What an entry of the suppression list is about: an address, or for a term a domain, the domains
//! below it, or the addresses of a domain that fit a pattern.
//!
//! | written | suppresses |
//! |---|---|
//! | `@a.example`, `*@a.example` | every address of the domain |
//! | `@*.a.example`, `*@*.a.example` | every address of the domains below it |
//! | `shop+*@a.example` | the addresses of the domain whose local part fits; `*` is any text |
//!
//! Not here: which of them may be suppressed (`crate::suppress`). Invariants: looking up an address
//! takes one query by key for each label of its domain, and one for the patterns of the domain;
//! every verb of the store that takes an address writes its domain with A-labels first.

use crate::mailbox_syntax::{split_address, undotted};

/// Domains above one that are looked up at most.
const MAX_ABOVE: usize = 10;

/// The form in which a domain or a pattern is on the list; `None`: an address, or nothing.
pub(crate) fn normal_target(text: &str) -> Option<String> {
    let text = undotted(text.trim()).to_lowercase();
    let (local, domain) = text.rsplit_once('@')?;
    match local {
        "" | "*" => Some(format!("@{domain}")),
        _ if local.contains('*') && !local.starts_with('"') => Some(text),
        _ => None,
    }
}

/// Whether an entry of this form is about more than an address. What a report names is an address,
/// even with an asterisk.
pub(crate) fn is_wide(address: &str, source: &str) -> bool {
    address.starts_with('@') || pattern_domain(address, source).is_some()
}

/// The domain of an entry that is a pattern.
pub(crate) fn pattern_domain<'a>(address: &'a str, source: &str) -> Option<&'a str> {
    let (local, domain) = split_address(address)?;
    (source != "report" && local.contains('*') && !local.starts_with('"')).then_some(domain)
}

/// The forms in which an address, its domain and the domains above that are on the list, the
/// narrowest first.
pub(crate) fn forms(address: &str) -> Vec<String> {
    let mut forms = vec![address.to_owned()];
    let Some((_, domain)) = address.rsplit_once('@') else { return forms };
    if !address.starts_with('@') {
        forms.push(format!("@{domain}"));
    }
    let mut above = domain;
    while let Some((_, rest)) = above.split_once('.').filter(|_| forms.len() < MAX_ABOVE) {
        forms.push(format!("@*.{rest}"));
        above = rest;
    }
    forms
}

/// Whether a local part fits a pattern: `*` is any text, also none.
pub(crate) fn fits(pattern: &str, local: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = local.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_as_it_reads() {
        for (pattern, fitting, other) in [
            ("a+*", "a+", "a"),
            ("a+*", "a+b", "ba+"),
            ("*-x", "y-x", "y-x-"),
            ("a*b*c", "abc", "acb"),
            ("a*b*c", "a-b-bc", "ab"),
            ("a*a", "aa", "a"),
        ] {
            assert!(fits(pattern, fitting) && !fits(pattern, other), "{pattern}");
        }
    }

    #[test]
    fn an_address_is_looked_up_by_its_domain_and_the_domains_above() {
        assert_eq!(forms("x@a.b.example"), ["x@a.b.example", "@a.b.example", "@*.b.example", "@*.example"]);
        assert_eq!(forms("@a.b.example"), ["@a.b.example", "@*.b.example", "@*.example"]);
        assert_eq!(normal_target("*@A.example").as_deref(), Some("@a.example"));
        assert_eq!(normal_target("@*.a.example").as_deref(), Some("@*.a.example"));
        assert_eq!(normal_target("x@a.example"), None);
        assert_eq!(forms(&format!("x@{}example", "a.".repeat(100))).len(), MAX_ABOVE);
    }
}
