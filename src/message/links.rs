//! What an HTML body makes a reader fetch: `<img src>`, and `<a href>` once it is followed.
//!
//! Not here: which words say that a link unsubscribes (`leave_words`), fetching, and which hosts
//! may be asked. Invariant: every address is absolute, http or https, and a link that would
//! unsubscribe the reader is marked.

use super::leave_words::says_leave;
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

/// Bytes of the text of one link that are read.
const MAX_LINK_TEXT: usize = 300;

/// List-Unsubscribe fields that are read, and pieces of each, at most.
const MAX_UNSUBSCRIBE: usize = 100;

/// What following a link does besides showing a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkKind {
    /// Nothing, as far as it shows.
    Ordinary,
    /// Its text or address says that it unsubscribes.
    Unsubscribes,
    /// List-Unsubscribe has it.
    ListUnsubscribe,
}

/// One `<a href>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) url: String,
    pub(crate) kind: LinkKind,
}

/// The addresses in an HTML body, in document order.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Of `<img src>`.
    pub(crate) images: Vec<String>,
    /// Of `<a href>`.
    pub(crate) links: Vec<Link>,
    /// Whether there were more than are listed.
    pub(crate) too_many: bool,
}

/// Finds the addresses in `html`; [`unsubscribe`] made `unsubscribe`. No image is listed that
/// List-Unsubscribe has.
pub(crate) fn find(html: &str, unsubscribe: &HashSet<String>) -> Links {
    let mut seen = Seen::default();
    let emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| seen.event(event));
    let mut tokenizer = Tokenizer::new_with_emitter(html, emitter);
    while let Some(Ok(state)) = tokenizer.next() {
        tokenizer.set_state(state);
    }
    drop(tokenizer);
    let base = seen.base.as_deref().and_then(|base| Url::parse(base).ok());
    let is_listed = |url: &Url| unsubscribe.contains(&without_fragment(url.clone()));
    let images = seen.images.iter().filter_map(|reference| absolute(reference, base.as_ref()));
    let images = images.filter(|url| !is_listed(url)).map(String::from).collect();
    let link = |(reference, text): &(String, String)| {
        let url = absolute(reference, base.as_ref())?;
        let kind = match () {
            () if is_listed(&url) => LinkKind::ListUnsubscribe,
            () if says_leave(text) || says_leave(url.path()) || url.query().is_some_and(says_leave) => {
                LinkKind::Unsubscribes
            }
            () => LinkKind::Ordinary,
        };
        Some(Link { url: url.into(), kind })
    };
    let links = seen.links.iter().filter_map(link).collect();
    Links { images, links, too_many: seen.too_many }
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
    /// Whether the attribute being read describes the image in a link.
    describes: bool,
    /// Whether the text that follows is the text of the last link.
    in_link: bool,
    /// The wanted attribute has been read: a second one does not count.
    taken: bool,
    base: Option<String>,
    images: Vec<String>,
    /// Addresses, each with its text.
    links: Vec<(String, String)>,
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
                (self.wanted, self.taken, self.describes) = (false, false, false);
                self.in_link &= name != b"a";
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
                self.describes = name == b"alt" || name == b"title" || name == b"aria-label";
                self.wanted = is_reference && !self.taken;
                self.taken |= is_reference;
            }
            CallbackEvent::AttributeValue { value } if self.wanted => self.keep(value),
            CallbackEvent::AttributeValue { value } if self.describes => self.describe(value),
            CallbackEvent::String { value } => self.describe(value),
            CallbackEvent::CloseStartTag { .. } => {
                (self.tag, self.wanted) = (Tag::Other, false);
                return content_state(&self.name);
            }
            CallbackEvent::EndTag { name } => {
                (self.tag, self.wanted) = (Tag::Other, false);
                self.in_link &= name != b"a";
            }
            _ => {}
        }
        None
    }

    /// Adds to the text of the link that is open.
    fn describe(&mut self, text: &[u8]) {
        if !self.in_link {
            return;
        }
        let Some((_, known)) = self.links.last_mut() else { return };
        let room = MAX_LINK_TEXT.saturating_sub(known.len());
        known.push_str(&String::from_utf8_lossy(&text[..text.len().min(room)]));
    }

    fn keep(&mut self, value: &[u8]) {
        self.wanted = false;
        let value = value.trim_ascii();
        if value.is_empty() || value.len() > MAX_URL {
            return;
        }
        let text = String::from_utf8_lossy(value).into_owned();
        match self.tag {
            Tag::Image if self.images.len() < MAX_LINKS => self.images.push(text),
            Tag::Link if self.links.len() < MAX_LINKS => {
                self.links.push((text, String::new()));
                self.in_link = true;
            }
            Tag::Image | Tag::Link => self.too_many = true,
            Tag::Base if self.base.is_none() && value.len() <= MAX_BASE => {
                self.base = Some(text);
            }
            Tag::Base | Tag::Other => {}
        }
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
        (links.images, links.links.into_iter().map(|link| link.url).collect())
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
    fn links_of_list_unsubscribe_are_marked() {
        let fields = [
            "<mailto:u@x>, <https://u.example/out?id=1,2\r\n 3>".to_owned(),
            "http://bare.example".to_owned(),
        ];
        let unsubscribe = unsubscribe(fields.into_iter());
        let html = "<a href='HTTPS://U.example/out?id=1,23#now'><a href=http://bare.example/>\
                    <a href=https://u.example/><img src=http://bare.example/>";
        let found = find(html, &unsubscribe);
        let kinds: Vec<LinkKind> = found.links.iter().map(|link| link.kind).collect();
        assert_eq!(
            kinds,
            [LinkKind::ListUnsubscribe, LinkKind::ListUnsubscribe, LinkKind::Ordinary],
            "{found:?}"
        );
        assert_eq!(found.images, [""; 0]);
    }

    #[test]
    fn a_link_that_says_so_unsubscribes() {
        let kind = |html: &str| find(html, &HashSet::new()).links[0].kind;
        for html in [
            "<a href=http://t.example/q1><b>Un&shy;subscribe</b> here</a>",
            "<a href=http://t.example/q1>\n UNSUBSCRIBE</a>",
            "<a href=http://t.example/q1><img src=http://i.example/ alt='Newsletter abbestellen'></a>",
            "<a href=http://t.example/q1 title='Se désabonner'>x</a>",
            "<a href='http://t.example/unsubscribe/77'>here</a>",
            "<a href='http://t.example/?do=opt-out&id=7'>here</a>",
        ] {
            assert_eq!(kind(html), LinkKind::Unsubscribes, "{html}");
        }
        for html in [
            "<a href=http://t.example/q1>Subscribe</a> or unsubscribe",
            "<a href=http://unsubscribe.example/shop>Shop</a>",
            "<a href=http://t.example/q1>Shop</a><a href=http://t.example/q2>unsubscribe</a>",
        ] {
            assert_eq!(kind(html), LinkKind::Ordinary, "{html}");
        }
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
