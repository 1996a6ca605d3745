//! An address in the middle of other text, in the forms in which mail programs write it.
//!
//! Not here: whose text it is (`erase`). Invariant: an address is not found within a longer one,
//! and blanked text is as long as it was, so that it is still JSON and every later byte keeps its
//! place.

use crate::return_path;
use memchr::memmem::Finder;
use std::ops::Range;

/// What blanks a byte of an address.
const BLANK: u8 = b'x';

/// An address to look for.
pub(crate) struct NamedAddress {
    forms: Vec<Form>,
}

struct Form {
    /// In lower case.
    text: Finder<'static>,
    /// Bytes that continue an address before this form, besides letters and digits, and after it.
    /// `None`: whatever is beside it.
    continued: Option<(&'static [u8], &'static [u8])>,
}

const OF_LOCAL_PART: &[u8] = b"._+-";
const OF_DOMAIN: &[u8] = b"-";
/// Return paths put other things around the address that they hold.
const OF_RETURN_PATH: &[u8] = b"._";

impl NamedAddress {
    /// The forms: as it is, quoted or not, as JSON and in a URL; and in return paths, as carom and
    /// others write them (VERP, `local=domain`) and as forwarders do (SRS, `domain=local`).
    pub(crate) fn of(address: &str) -> NamedAddress {
        let address = address.to_lowercase();
        let mut named = NamedAddress { forms: Vec::new() };
        let plain = Some((OF_LOCAL_PART, OF_DOMAIN));
        named.add(&address, plain);
        let json = serde_json::Value::from(address.as_str()).to_string();
        named.add(json.trim_matches('"'), plain);
        let Some((local, domain)) = return_path::parts(&address) else { return named };
        named.add(&format!("{local}@{domain}"), plain);
        named.add(&format!("\"{local}\"@{domain}"), plain);
        named.add(&format!("\\\"{local}\\\"@{domain}"), plain);
        for local in [local.clone(), local.replace('+', "%2b")] {
            named.add(&format!("{local}%40{domain}"), plain);
        }
        let verp = return_path::spelled(&local, &domain);
        for text in [format!("{local}={domain}"), verp] {
            named.add(&text, Some((OF_RETURN_PATH, OF_DOMAIN)));
        }
        named.add(&format!("{domain}={local}"), Some((OF_DOMAIN, OF_LOCAL_PART)));
        named
    }

    /// The same; a text that is no address is looked for wherever it is.
    pub(crate) fn or_text(key: &str) -> NamedAddress {
        let mut named = match key.starts_with('@') {
            true => NamedAddress { forms: Vec::new() },
            false => NamedAddress::of(key),
        };
        if named.forms.len() < 2 {
            named.forms.clear();
            named.add(&key.to_lowercase(), None);
        }
        named
    }

    fn add(&mut self, text: &str, continued: Option<(&'static [u8], &'static [u8])>) {
        let is_new = self.forms.iter().all(|form| form.text.needle() != text.as_bytes());
        if is_new {
            self.forms.push(Form { text: Finder::new(text).into_owned(), continued });
        }
    }

    /// Whether the text names the address.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        !self.places(text).is_empty()
    }

    /// Where the text names it, in order.
    pub(crate) fn places(&self, text: &[u8]) -> Vec<Range<usize>> {
        let lower = text.to_ascii_lowercase();
        let mut places: Vec<Range<usize>> = Vec::new();
        for form in &self.forms {
            let length = form.text.needle().len();
            let found = form.text.find_iter(&lower).map(|start| start..start + length);
            places.extend(found.filter(|place| form.is_whole(&lower, place)));
        }
        places.sort_unstable_by_key(|place| (place.start, place.end));
        places
    }

    /// Overwrites it; returns whether it was there.
    pub(crate) fn blank(&self, text: &mut [u8]) -> bool {
        let places = self.places(text);
        for place in &places {
            blank(&mut text[place.clone()]);
        }
        !places.is_empty()
    }

    /// The text without it; `None` if it is not there.
    pub(crate) fn blanked(&self, text: &str) -> Option<String> {
        let mut bytes = text.as_bytes().to_vec();
        self.blank(&mut bytes).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Overwrites an address with as many bytes.
pub(crate) fn blank(address: &mut [u8]) {
    address.iter_mut().filter(|byte| **byte != b'@').for_each(|byte| *byte = BLANK);
}

impl Form {
    /// Whether no longer address goes on before or after the place.
    fn is_whole(&self, text: &[u8], place: &Range<usize>) -> bool {
        let Some((before, after)) = self.continued else { return true };
        let is_inside =
            |byte: u8, more: &[u8]| byte.is_ascii_alphanumeric() || !byte.is_ascii() || more.contains(&byte);
        let begins = place.start == 0 || !is_inside(text[place.start - 1], before);
        let ends = match text[place.end..] {
            [] => true,
            [b'.', next, ..] => !next.is_ascii_alphanumeric(),
            [next, ..] => !is_inside(next, after),
        };
        begins && ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blanked(address: &str, text: &str) -> Option<String> {
        NamedAddress::of(address).blanked(text)
    }

    #[test]
    fn every_form_is_found_in_upper_and_lower_case() {
        for (address, text) in [
            ("joe@example.org", "to=<Joe@Example.ORG>,"),
            ("joe@example.org", "see joe@example.org."),
            ("joe@example.org", "b+fyf-reatroqprun2-joe=example.org@bounces.example.com"),
            ("joe@example.org", "SRS0=ab=cd=example.org=joe@forwarder.example"),
            ("joe@example.org", "https://example.com/b?to=joe%40example.org&x=1"),
            ("joe@example.org", "\"joe\"@example.org"),
            ("\"joe doe\"@example.org", r#"{"recipient":"\"joe doe\"@example.org"}"#),
            ("joe+a@example.org", "b+fyf-reatroqprun2-joe+2ba=example.org@bounces.example.com"),
            ("jörg@example.org", "an jörg@example.org"),
        ] {
            let after = blanked(address, text).unwrap_or_else(|| panic!("{address} in {text}"));
            assert!(!after.to_lowercase().contains("joe") && !after.contains("jörg"), "{after}");
            assert_eq!(after.len(), text.len());
        }
    }

    #[test]
    fn a_longer_address_is_another_one() {
        for text in [
            "banjoe@example.org",
            "x.joe@example.org",
            "a+joe@example.org",
            "joe@example.org.au",
            "joe@example.orgs",
            "joe@example.org-x.example",
            "ännjoe@example.org",
            "b+fyf-tag-xjoe=example.org@bounces.example.com",
            "SRS0=ab=cd=example.org=joe.x@forwarder.example",
            "",
        ] {
            assert_eq!(blanked("joe@example.org", text), None, "{text}");
        }
    }

    #[test]
    fn blanked_json_is_json() {
        let line = r#"{"sender":"b+fyf-x-joe=example.org@b.example","recipient":"joe@example.org","to":["JOE@example.org"]}"#;
        let after = blanked("joe@example.org", line).unwrap();
        let value: serde_json::Value = serde_json::from_str(&after).unwrap();
        assert_eq!(value["recipient"], "xxx@xxxxxxxxxxx");
        assert_eq!(value["to"][0], "xxx@xxxxxxxxxxx");
        assert!(!after.contains("example.org"), "{after}");
    }
}
