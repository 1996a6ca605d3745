//! What an HTML body makes a reader fetch: `<img src>`, and `<a href>` once it is followed.
//!
//! Not here: fetching, and which hosts may be asked. Invariant: every address is absolute, http or
//! https, and none is one that List-Unsubscribe has.

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, State, Tokenizer, naive_next_state};
use std::collections::HashSet;
use url::Url;

/// At most this many images, and as many links.
pub(crate) const MAX_LINKS: usize = 10_000;
/// A longer address is left out.
const MAX_URL: usize = 8 * 1024;
/// A longer `<base href>` is not used: it would be repeated in every address.
const MAX_BASE: usize = 1024;

/// List-Unsubscribe fields that are read, and pieces of each, at most.
const MAX_UNSUBSCRIBE: usize = 100;

/// The addresses in an HTML body, in document order.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Of `<img src>`.
    pub(crate) images: Vec<String>,
    /// Of `<a href>`.
    pub(crate) links: Vec<String>,
    /// Whether there were more than are listed.
    pub(crate) too_many: bool,
}

/// Finds the addresses in `html`, except those in `unsubscribe`, which [`unsubscribe`] made.
pub(crate) fn find(html: &str, unsubscribe: &HashSet<String>) -> Links {
    let mut seen = Seen::default();
    let emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| seen.event(event));
    let mut tokenizer = Tokenizer::new_with_emitter(html, emitter);
    while let Some(Ok(state)) = tokenizer.next() {
        tokenizer.set_state(state);
    }
    drop(tokenizer);
    let base = seen.base.as_deref().and_then(|base| Url::parse(base).ok());
    let resolve = |references: Vec<String>| -> Vec<String> {
        let urls = references.iter().filter_map(|reference| absolute(reference, base.as_ref()));
        urls.filter(|url| !unsubscribe.contains(&without_fragment(url.clone()))).map(String::from).collect()
    };
    Links { images: resolve(seen.images), links: resolve(seen.links), too_many: seen.too_many }
}

/// The addresses in the text of List-Unsubscribe fields (RFC 2369), in the form that [`find`]
/// compares.
pub(crate) fn unsubscribe(fields: impl Iterator<Item = String>) -> HashSet<String> {
    let mut urls = HashSet::new();
    for field in fields.take(MAX_UNSUBSCRIBE) {
        for piece in field.split(['<', '>']).take(MAX_UNSUBSCRIBE) {
            let reference: String = piece.split_whitespace().collect();
            urls.extend(absolute(&reference, None).map(without_fragment));
        }
    }
    urls
}

/// An address that can be fetched.
fn absolute(reference: &str, base: Option<&Url>) -> Option<Url> {
    if reference.len() > MAX_URL {
        return None;
    }
    let url = Url::options().base_url(base).parse(reference).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.as_str().len() <= MAX_URL).then_some(url)
}

fn without_fragment(mut url: Url) -> String {
    url.set_fragment(None);
    url.into()
}

/// The attributes that matter, as they are in the document.
#[derive(Default)]
struct Seen {
    tag: Tag,
    /// The name of the tag, while it is open.
    name: Vec<u8>,
    /// Whether the attribute being read is the wanted one.
    wanted: bool,
    /// The wanted attribute has been read: a second one does not count.
    taken: bool,
    base: Option<String>,
    images: Vec<String>,
    links: Vec<String>,
    too_many: bool,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Tag {
    #[default]
    Other,
    Image,
    Link,
    Base,
}

impl Seen {
    /// Follows the tokenizer; returns its next state after a tag whose content is not HTML.
    fn event(&mut self, event: CallbackEvent<'_>) -> Option<State> {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                (self.wanted, self.taken) = (false, false);
                self.name.clear();
                self.name.extend(name);
                self.tag = match name {
                    b"img" => Tag::Image,
                    b"a" => Tag::Link,
                    b"base" => Tag::Base,
                    _ => Tag::Other,
                };
            }
            CallbackEvent::AttributeName { name } => {
                let is_reference = match self.tag {
                    Tag::Image => name == b"src",
                    Tag::Link | Tag::Base => name == b"href",
                    Tag::Other => false,
                };
                self.wanted = is_reference && !self.taken;
                self.taken |= is_reference;
            }
            CallbackEvent::AttributeValue { value } if self.wanted => self.keep(value),
            CallbackEvent::CloseStartTag { .. } => {
                (self.tag, self.wanted) = (Tag::Other, false);
                return content_state(&self.name);
            }
            CallbackEvent::EndTag { .. } => (self.tag, self.wanted) = (Tag::Other, false),
            _ => {}
        }
        None
    }

    fn keep(&mut self, value: &[u8]) {
        self.wanted = false;
        let value = value.trim_ascii();
        if value.is_empty() || value.len() > MAX_URL {
            return;
        }
        let text = String::from_utf8_lossy(value).into_owned();
        let list = match self.tag {
            Tag::Image => &mut self.images,
            Tag::Link => &mut self.links,
            Tag::Base if self.base.is_none() && value.len() <= MAX_BASE => {
                self.base = Some(text);
                return;
            }
            Tag::Base | Tag::Other => return,
        };
        if list.len() < MAX_LINKS { list.push(text) } else { self.too_many = true }
    }
}

/// How the content of an element is read. A mail reader runs no scripts, so it shows what is in
/// `<noscript>`.
fn content_state(name: &[u8]) -> Option<State> {
    if name == b"noscript" { None } else { naive_next_state(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(html: &str) -> (Vec<String>, Vec<String>) {
        let links = find(html, &HashSet::new());
        (links.images, links.links)
    }

    fn links(html: &str) -> Vec<String> {
        found(html).1
    }

    #[test]
    fn images_and_links_come_in_document_order() {
        let (images, links) = found(
            "<A class=x HREF=' https://b.example/1?a=1&amp;b=2 '>t</a><img alt='' src=http://p.example/o.gif>\
             <a href=https://b.example/2><IMG SRC=\"http://p.example/o.gif\"/></a><area href=http://n.example>",
        );
        assert_eq!(links, ["https://b.example/1?a=1&b=2", "https://b.example/2"]);
        assert_eq!(images, ["http://p.example/o.gif", "http://p.example/o.gif"]);
    }

    #[test]
    fn only_absolute_http_addresses_are_listed() {
        let html = "<a href=/relative><a href=mailto:a@x><a href='javascript:x'><a href=''><a href><a name=x>\
                    <a href=http://><a href='ht&#9;tp://ok.example'><a href=ftp://x.example><a href=//x>";
        assert_eq!(links(html), ["http://ok.example/"]);
        assert_eq!(
            links("<a href=http://1.example href=http://2.example title=http://3.example>"),
            ["http://1.example/"]
        );
    }

    #[test]
    fn a_base_is_honoured_for_the_whole_document() {
        let html = "<a href=1><base href=https://b.example/dir/><base href=http://other.example>\
                    <a href=/2><a href=http://c.example/3>";
        assert_eq!(links(html), ["https://b.example/dir/1", "https://b.example/2", "http://c.example/3"]);
    }

    #[test]
    fn what_is_not_shown_has_no_links() {
        let link = "<a href=http://x.example>";
        for hidden in ["<!--", "<script>", "<style>", "<title>", "<textarea>", "<b title='"] {
            assert_eq!(links(&format!("{hidden}{link}")), [""; 0], "{hidden}");
        }
        assert_eq!(links(&format!("<script>'<'</script>{link}")), ["http://x.example/"]);
        assert_eq!(links(&format!("<noscript>{link}</noscript>")), ["http://x.example/"]);
    }

    #[test]
    fn unsubscribe_links_are_never_listed() {
        let fields = [
            "<mailto:u@x>, <https://u.example/out?id=1,2\r\n 3>".to_owned(),
            "http://bare.example".to_owned(),
        ];
        let unsubscribe = unsubscribe(fields.into_iter());
        let html = "<a href='HTTPS://U.example/out?id=1,23#now'><a href=http://bare.example/>\
                    <a href=https://u.example/>";
        assert_eq!(find(html, &unsubscribe).links, ["https://u.example/"]);
    }

    #[test]
    fn lists_and_addresses_are_bounded() {
        let many =
            find(&"<a href=http://x.example/><img src=http://x.example/>".repeat(10_001), &HashSet::new());
        assert_eq!((many.links.len(), many.images.len(), many.too_many), (MAX_LINKS, MAX_LINKS, true));
        let long = format!("<a href=http://x.example/{}>", "é".repeat(3_000));
        assert_eq!(links(&long), [""; 0]);
    }
}
