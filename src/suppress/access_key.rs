//! How Postfix looks up what an entry of the suppression list is about: a key of an access map, or
//! a regular expression where a key would be more or something else.
//!
//! Not here: writing the maps (`postfix_access`). Invariant: a key matches the address and nothing
//! else that carom would not refuse; what cannot be written as either is left out.

use crate::store::Suppressed;
use crate::store::suppression_target::{is_wide, pattern_domain};
use std::fmt::Write;

/// Bytes of an address; Postfix takes no longer ones.
const LONGEST: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AccessKey {
    /// The address, in each form of its domain.
    Address(Vec<String>),
    /// The regular expressions that match.
    Patterns(Vec<String>),
}

impl AccessKey {
    /// None: it has characters that no table can hold.
    pub(super) fn of(entry: &Suppressed) -> Option<AccessKey> {
        let Suppressed { address, source, .. } = entry;
        let (local, domain) = address.rsplit_once('@').filter(|(_, domain)| !domain.is_empty())?;
        if address.contains(char::is_control) || address.len() > LONGEST {
            return None;
        }
        let domains = forms(domain);
        if is_wide(address, source) {
            let below = domain.strip_prefix("*.").filter(|_| local.is_empty());
            let any_local = if pattern_domain(address, source).is_some() { like(local) } else { ".*".into() };
            let pattern = |domain: &String| match below {
                Some(_) => format!("@.+{}", literal(&domain[1..])),
                None => format!("^{any_local}@{}", literal(domain)),
            };
            return Some(AccessKey::Patterns(domains.iter().map(pattern).collect()));
        }
        if is_plain(local) {
            return Some(AccessKey::Address(
                domains.iter().map(|domain| format!("{local}@{domain}")).collect(),
            ));
        }
        // Postfix looks up the local part without its quotes, in some places with them.
        let bare = unquoted(local);
        let locals = [local.to_owned(), bare.clone()].into_iter().take(if bare == *local { 1 } else { 2 });
        let pattern = |local: String| {
            domains.iter().map(move |domain| format!("^{}@{}", literal(&local), literal(domain)))
        };
        Some(AccessKey::Patterns(locals.flat_map(pattern).collect()))
    }
}

/// The domain as it is written, and as it is in DNS.
fn forms(domain: &str) -> Vec<String> {
    let (below, bare) = domain.strip_prefix("*.").map_or(("", domain), |bare| ("*.", bare));
    let mut forms = vec![domain.to_owned()];
    if let Ok(url::Host::Domain(ascii)) = url::Host::parse(bare) {
        let (unicode, ascii) = (url::quirks::domain_to_unicode(&ascii), ascii);
        forms.extend([ascii, unicode].map(|name| format!("{below}{name}")));
    }
    forms.sort();
    forms.dedup();
    forms
}

/// Whether the local part can be a key: no blank ends it, no mark begins a comment.
fn is_plain(local: &str) -> bool {
    let may_be = |c: char| c.is_alphanumeric() || "!$%&'*+-/=?^_`{|}~.".contains(c);
    !local.is_empty() && local.chars().all(may_be)
}

/// `john doe` in `"john doe"`.
fn unquoted(local: &str) -> String {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return local.to_owned();
    };
    let (mut bare, mut chars) = (String::new(), inner.chars());
    while let Some(c) = chars.next() {
        bare.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    bare
}

/// A pattern of the list, in which `*` is any text, as a regular expression.
fn like(pattern: &str) -> String {
    pattern.split('*').map(literal).collect::<Vec<_>>().join(".*")
}

/// A regular expression that matches just this text.
fn literal(text: &str) -> String {
    let mut written = String::new();
    for c in text.chars() {
        let _ = match c {
            '\\' | '/' | '^' => write!(written, "\\{c}"),
            '.' | '+' | '*' | '?' | '|' | '$' | '(' | ')' | '{' | '[' => write!(written, "[{c}]"),
            _ => write!(written, "{c}"),
        };
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str, source: &str) -> Option<AccessKey> {
        AccessKey::of(&Suppressed { address: address.into(), source: source.into(), ..Suppressed::default() })
    }

    #[test]
    fn an_address_is_a_key_and_whatever_a_key_cannot_say_is_a_pattern() {
        let keys = |keys: &[&str]| Some(AccessKey::Address(keys.iter().map(|&key| key.into()).collect()));
        let patterns = |all: &[&str]| Some(AccessKey::Patterns(all.iter().map(|&one| one.into()).collect()));
        assert_eq!(key("ann+x/y@example.com", ""), keys(&["ann+x/y@example.com"]));
        assert_eq!(key("ann@bücher.example", ""), keys(&["ann@bücher.example", "ann@xn--bcher-kva.example"]));
        assert_eq!(key("ann@xn--bcher-kva.example", ""), key("ann@bücher.example", ""));
        assert_eq!(
            key("\"john doe\"@example.com", ""),
            patterns(&["^\"john doe\"@example[.]com", "^john doe@example[.]com"])
        );
        assert_eq!(key("#a@example.com", ""), patterns(&["^#a@example[.]com"]));
        assert_eq!(key("@example.com", "operator"), patterns(&["^.*@example[.]com"]));
        assert_eq!(key("@*.example.com", "operator"), patterns(&["@.+[.]example[.]com"]));
        assert_eq!(key("shop+*@example.com", "import"), patterns(&["^shop[+].*@example[.]com"]));
        assert_eq!(key("shop+*@example.com", "report"), keys(&["shop+*@example.com"]));
        assert_eq!(key("a\tb@example.com", ""), None);
        assert_eq!(key("example.com", ""), None);
    }
}
