//! An address in the middle of other text, in the forms in which mail programs write it.
//!
//! Not here: whose text it is (`erase`). Invariant: an address is not found where it could be a
//! part of a longer one (`address_edges`), and blanked text is as long as it was, so that it is
//! still JSON and every later byte keeps its place.

mod address_edges;
mod own_path;

use crate::return_path;
use crate::webhook::encoded;
pub(crate) use address_edges::is_of_word;
use address_edges::{
    belongs, domain_ends, ends_in_list_prefix, local_part_begins, local_part_ends, quoted_part_begins,
    rewritten_begins, tag_and_domain_follow, word_begins,
};
use memchr::memmem::{Finder, find};
use own_path::OwnPath;
use std::ops::Range;
use url::quirks::{domain_to_ascii, domain_to_unicode};

/// What blanks a byte of an address.
const BLANK: u8 = b'x';

/// An address to look for.
pub(crate) struct NamedAddress {
    forms: Vec<Form>,
    /// Return paths of ours that may have been altered on their way.
    paths: Vec<OwnPath>,
}

struct Form {
    /// In lower case.
    text: Finder<'static>,
    kind: Kind,
}

/// Where a form is an address, and not a part of a longer one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As it is.
    Plain,
    /// `local=domain` as a whole local part.
    Joined,
    /// The same after the tag of a return path of ours.
    Signed,
    /// The same after what should be that tag, in a return path of ours.
    Altered,
    /// `domain=local`, as forwarders write it (SRS).
    Reversed,
    /// `prvs=local/`, before the tag of somebody's BATV.
    Tagged,
    /// Not an address: whole words.
    Words,
}

impl NamedAddress {
    /// The forms: as it is, quoted or not, as JSON and in a URL; and in return paths, as carom and
    /// others write them (VERP, `local=domain`) and as forwarders do (SRS, `domain=local`).
    pub(crate) fn of(address: &str) -> NamedAddress {
        let mut named = NamedAddress { forms: Vec::new(), paths: Vec::new() };
        // ASCII letters of texts are made lower case; other letters may be capitals.
        for written in [address.to_lowercase(), address.to_uppercase().to_ascii_lowercase()] {
            named.add_all(&written);
        }
        named
    }

    fn add_all(&mut self, address: &str) {
        self.add(address, Kind::Plain);
        self.add(&in_json(address), Kind::Plain);
        let Some((local, domain)) = return_path::parts(address) else { return };
        let ascii = domain_to_ascii(&domain);
        for domain in [domain_to_unicode(&ascii), ascii, domain.clone()] {
            self.add_written(&local, &domain);
            match is_plain(&local) {
                // Nobody has to quote it, and some do.
                true => {
                    let whole = format!("{}@{domain}", quoted(&local));
                    self.add(&whole, Kind::Plain);
                    self.add(&in_json(&whole), Kind::Plain);
                }
                false => self.add_written(&quoted(&local), &domain),
            }
            self.add(&format!("{}+40{domain}", in_xtext(&local)), Kind::Plain);
            self.add(&format!("{local}%{domain}"), Kind::Joined);
            self.add(&format!("prvs={local}/"), Kind::Tagged);
            self.add(&format!("{local}={domain}"), Kind::Joined);
            self.add(&format!("{local}={domain}"), Kind::Signed);
            self.add(&return_path::spelled(&local, &domain), Kind::Signed);
        }
    }

    /// The forms that have the local part as it is written in an address.
    fn add_written(&mut self, local: &str, domain: &str) {
        let whole = format!("{local}@{domain}");
        self.add(&encoded(&whole).to_ascii_lowercase(), Kind::Plain);
        self.add(&format!("{local}%40{domain}"), Kind::Plain);
        for (text, kind) in [(whole, Kind::Plain), (format!("{domain}={local}"), Kind::Reversed)] {
            self.add(&text, kind);
            self.add(&in_json(&text), kind);
            self.add(&in_json(&in_json(&text)), kind);
        }
    }

    /// The same; a text that is no address is looked for as whole words.
    pub(crate) fn or_text(key: &str) -> NamedAddress {
        let mut named = match key.starts_with('@') {
            true => NamedAddress { forms: Vec::new(), paths: Vec::new() },
            false => NamedAddress::of(key),
        };
        if named.forms.len() < 2 {
            named.forms.clear();
            named.add(&key.to_lowercase(), Kind::Words);
        }
        named
    }

    /// Also in return paths with these prefixes and domains whose day or tag was cut or altered.
    pub(crate) fn in_paths<'p>(mut self, paths: impl Iterator<Item = (&'p str, &'p str)>) -> NamedAddress {
        self.paths = paths.map(|(prefix, domain)| OwnPath::new(prefix, domain)).collect();
        for text in self.signed_texts() {
            self.add(&text, Kind::Altered);
        }
        self
    }

    /// The forms in return paths of ours.
    fn signed_texts(&self) -> Vec<String> {
        let signed = self.forms.iter().filter(|form| form.kind == Kind::Signed);
        signed.map(|form| String::from_utf8_lossy(form.text.needle()).into_owned()).collect()
    }

    fn add(&mut self, text: &str, kind: Kind) {
        let is_known = |form: &Form| form.kind == kind && form.text.needle() == text.as_bytes();
        if !text.is_empty() && !self.forms.iter().any(is_known) {
            self.forms.push(Form { text: Finder::new(text).into_owned(), kind });
        }
    }

    /// Its forms, in lower case: a text that names it has one of them, whose first and last words
    /// are words of the text too.
    pub(crate) fn forms(&self) -> impl Iterator<Item = &[u8]> {
        self.forms.iter().map(|form| form.text.needle())
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
            places.extend(found.filter(|place| form.is_whole(&lower, place, &self.paths)));
        }
        places.sort_unstable_by_key(|place| (place.start, place.end));
        places.dedup();
        places
    }

    /// Where return paths of ours end after its local part or within its domain: they were cut, and
    /// may have named it.
    pub(crate) fn cut_places(&self, text: &[u8]) -> Vec<Range<usize>> {
        let lower = if self.paths.is_empty() { Vec::new() } else { text.to_ascii_lowercase() };
        let mut places: Vec<Range<usize>> = Vec::new();
        for signed in self.signed_texts() {
            let Some((local, domain)) = signed.rsplit_once('=') else { continue };
            let begins = |start: usize| self.paths.iter().any(|path| path.recipient_begins(&lower[..start]));
            let found = memchr::memmem::find_iter(&lower, local).filter(|start| begins(*start));
            places.extend(found.filter_map(|start| {
                let end = start + local.len();
                Some(start..end + own_path::cut_domain(lower.get(end..)?, domain)?)
            }));
        }
        places.sort_unstable_by_key(|place| (place.start, place.end));
        places.dedup();
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

/// Whether a local part needs no quotes (RFC 5322, `dot-atom`).
fn is_plain(local: &str) -> bool {
    local.bytes().all(belongs)
}

/// A local part in quotes (RFC 5321, `Quoted-string`).
fn quoted(local: &str) -> String {
    format!("\"{}\"", local.replace('\\', "\\\\").replace('"', "\\\""))
}

/// As JSON writes it, without the quotes around it.
fn in_json(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json[1..json.len() - 1].to_owned()
}

/// A local part as ORCPT has it (RFC 3461, `xtext`), in lower case.
fn in_xtext(local: &str) -> String {
    local.replace('+', "+2b").replace('=', "+3d").replace(' ', "+20")
}

/// Overwrites an address with as many bytes.
pub(crate) fn blank(address: &mut [u8]) {
    address.iter_mut().filter(|byte| **byte != b'@').for_each(|byte| *byte = BLANK);
}

impl Form {
    /// Whether no word of it goes on before or after it.
    fn words_are_whole(&self, before: &[u8], after: &[u8]) -> bool {
        let form = self.text.needle();
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| is_of_word(*byte));
        (!edge(form.first()) || word_begins(before)) && (!edge(form.last()) || !edge(after.first()))
    }

    /// Whether no longer address goes on before or after the place.
    fn is_whole(&self, text: &[u8], place: &Range<usize>, paths: &[OwnPath]) -> bool {
        let (before, after) = (&text[..place.start], &text[place.end..]);
        let form = self.text.needle();
        match self.kind {
            Kind::Words => self.words_are_whole(before, after),
            Kind::Plain if is_quoted(form) => quoted_part_begins(before) && domain_ends(after),
            Kind::Plain => {
                let is_encoded = find(form, b"%40").is_some();
                local_part_begins(before, after, is_encoded) && domain_ends(after)
            }
            Kind::Joined => {
                let begins = local_part_begins(before, after, false) || ends_in_list_prefix(before);
                begins && local_part_ends(after)
            }
            Kind::Tagged => local_part_begins(before, after, false) && tag_and_domain_follow(after),
            Kind::Signed => return_path::ends_in_tag(before) && local_part_ends(after),
            Kind::Altered => paths.iter().any(|path| path.is_around(before, after)),
            Kind::Reversed => rewritten_begins(before) && local_part_ends(after),
        }
    }
}

/// Whether it begins with a quote, as it is or as JSON writes it.
fn is_quoted(form: &[u8]) -> bool {
    form.iter().find(|byte| **byte != b'\\') == Some(&b'"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_address_is_found_as_whole_words() {
        let sought = NamedAddress::or_text("4Xn0y8z");
        for text in ["4xn0y8z", "\"queue_id\":\"4Xn0y8z\"", "a\\n4Xn0y8z: removed", "(4Xn0y8z)"] {
            assert!(sought.is_in(text.as_bytes()), "{text}");
        }
        for text in ["4Xn0y8zA", "a4Xn0y8z", "4Xn0y8", "\u{e4}4Xn0y8z"] {
            assert!(!sought.is_in(text.as_bytes()), "{text}");
        }
        assert!(NamedAddress::or_text("@a.example").is_in(b"to joe@a.example."));
    }

    fn blanked(address: &str, text: &str) -> Option<String> {
        NamedAddress::of(address).blanked(text)
    }

    #[test]
    fn every_form_is_found_in_upper_and_lower_case() {
        for (address, text) in [
            ("joe@example.org", "to=<Joe@Example.ORG>,"),
            ("joe@example.org", "see joe@example.org."),
            ("joe@example.org", "b+fyf-reatroqprun2-joe=example.org@bounces.example.com"),
            ("joe@example.org", "from=<joe=example.org@lists.example>"),
            ("joe@example.org", "SRS0=ab=cd=example.org=joe@forwarder.example"),
            ("joe@example.org", "https://example.com/b?to=joe%40example.org&x=1"),
            ("joe@example.org", "\"joe\"@example.org"),
            ("\"joe doe\"@example.org", r#"{"recipient":"\"joe doe\"@example.org"}"#),
            ("joe+a@example.org", "b+fyf-reatroqprun2-joe+2ba=example.org@bounces.example.com"),
            ("joe@example.org", "<?xml?><a>'joe@example.org' is unknown"),
            ("joe@example.org", "mailto:list@example.com?cc=joe@example.org"),
            ("joe@example.org", "https://example.com/b/joe@example.org"),
            ("joe@example.org", "https://example.com/b?a=1&to=joe@example.org"),
            ("joe@example.org", "https://a.example/?u=https%3A%2F%2Fb.example%2F%3Fto%3Djoe%40example.org"),
            ("joe@example.org", "a=%3Cjoe%40example.org%3E"),
            ("joe@example.org", "prvs=0686aabbcc=joe@example.org"),
            ("joe@example.org", r#"{"text":"unknown:\njoe@example.org\n"}"#),
            ("joe@example.org", r#"{"text":"\u003cjoe@example.org\u003e"}"#),
            ("joe@example.org", "SRS0+ab=cd=example.org=joe@forwarder.example"),
            ("o'joe@example.org", "http://app.example/b/o%27joe%40example.org"),
            ("jörg@example.org", "an jörg@example.org"),
            ("jörg@example.org", "an JÖRG@EXAMPLE.ORG"),
            ("jörg@example.org", "http://app.example/b/j%C3%B6rg%40example.org"),
            ("joe@bücher.example", "to=<joe@xn--bcher-kva.example>"),
            ("joe@xn--bcher-kva.example", "to=<joe@bücher.example>"),
            ("\"joe doe\"@example.org", "http://app.example/b/%22joe%20doe%22%40example.org"),
            ("\"joe doe\"@example.org", r#"{"from":"prvs=1234abcdef=\"joe doe\"@example.org"}"#),
            ("\"joe doe\"@example.org", r#"{"from":"SRS0=ab=cd=example.org=\"joe doe\"@f.example"}"#),
            ("\"joe doe\"@example.org", r#"{"line":"{\"to\":\"\\\"joe doe\\\"@example.org\"}"}"#),
            ("\"joe\\\"doe\"@example.org", r#"to=<"joe\"doe"@example.org>"#),
            ("joe@example.org", "from=<bounces+joe=example.org@lists.example>"),
            ("joe@example.org", "from=<news-bounces+joe=example.org@lists.example>"),
            ("joe@example.org", "from=<list-return-12-joe=example.org@lists.example>"),
            ("joe@example.org", "from=<prvs=joe/1234abcdef@example.org>"),
            ("joe@example.org", "from=<btv1==1234abcdef==joe@example.org>"),
            ("joe@example.org", "ORCPT=rfc822;joe+40example.org"),
            ("joe+a@example.org", "ORCPT=rfc822;joe+2Ba+40example.org"),
            ("joe@example.org", "to=<joe%example.org@relay.example>"),
        ] {
            let after = blanked(address, text).unwrap_or_else(|| panic!("{address} in {text}"));
            assert!(
                !after.to_lowercase().contains("joe") && !after.to_lowercase().contains("rg@"),
                "{after}"
            );
            assert!(!after.contains("rg%40"), "{after}");
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
            "b+fyf-reatroqprun2-anne-joe=example.org@bounces.example.com",
            "anne-joe=example.org@lists.example",
            "b+anne+joe=example.org@lists.example",
            "SRS0=ab=cd=sub.example.org=joe@forwarder.example",
            "b+fyf-tag-xjoe=example.org@bounces.example.com",
            "SRS0=ab=cd=example.org=joe.x@forwarder.example",
            "SRS0=ab=cd=example.org=joe'x@forwarder.example",
            "b/example.org=joe@forwarder.example",
            "b+fyf-reatroqprun2-joe=example.org'x@bounces.example.com",
            "http://app.example/b/a%2Fjoe%40example.org",
            "http://app.example/b?to=a%26b%3Djoe%40example.org",
            "http://app.example/b?to=o'joe@example.org",
            "http://app.example/b?to=a=joe@example.org",
            "http://app.example/b?to=a/joe@example.org",
            "to=''joe@example.org'",
            "o=\njoe@example.org",
            "<joe@example.org@relay.example>",
            "joe@example.org%2eau",
            "\"a\\\"joe\"@example.org",
            "anne-joe+40example.org",
            "joe+40example.org@relay.example",
            "anne-joe%example.org@relay.example",
            "prvs=anne-joe/1234abcdef@example.org",
            "prvs=joe/anne@example.org",
            "anne-bounces-joe=example.org@lists.example",
            "anne-return-joe=example.org@lists.example",
            "btv1==1234abcdef==anne-joe@example.org",
            "",
        ] {
            assert_eq!(blanked("joe@example.org", text), None, "{text}");
        }
    }

    #[test]
    fn a_longer_local_part_is_another_one_whatever_character_it_has() {
        for mark in "!#$%&'*+-/=?^_`{|}~.".chars() {
            for text in [format!("<o{mark}joe@example.org>"), format!("<{mark}joe@example.org>")] {
                assert_eq!(blanked("joe@example.org", &text), None, "{text}");
                assert!(blanked(text.trim_matches(['<', '>']), &text).is_some(), "{text}");
                let url = format!("http://app.example/b/{}", encoded(text.trim_matches(['<', '>'])));
                assert_eq!(blanked("joe@example.org", &url), None, "{url}");
                assert!(blanked(text.trim_matches(['<', '>']), &url).is_some(), "{url}");
            }
        }
    }

    #[test]
    fn blanked_json_is_json() {
        let line = r#"{"sender":"b+fyf-reatroqprun2-joe=example.org@b.example","recipient":"joe@example.org","to":["JOE@example.org"]}"#;
        let after = blanked("joe@example.org", line).unwrap();
        let value: serde_json::Value = serde_json::from_str(&after).unwrap();
        assert_eq!(value["recipient"], "xxx@xxxxxxxxxxx");
        assert_eq!(value["to"][0], "xxx@xxxxxxxxxxx");
        assert!(!after.contains("example.org"), "{after}");
    }
}
