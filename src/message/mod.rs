//! Reading a message: its header, its addresses, its trace, the links in its HTML body.
//!
//! Not here: what a message means to a policy, and whether it is authentic. Invariant: reading never fails and never
//! changes a byte; what is wrong with a message is listed, and what is not asked for is not computed.

mod addresses;
mod decode;
mod defect;
mod headers;
mod links;
mod mime;
mod received;

pub use defect::Defect;
pub use headers::Field;
pub use mime::{ContentType, Part};
pub use received::Received;

use headers::Section;
use links::Links;
use mime::Tree;
use std::cell::OnceCell;

/// Addresses of one header field name, at most.
const MAX_ADDRESSES: usize = 10_000;
/// An address field is read up to this many bytes.
const MAX_ADDRESS_LIST: usize = 1024 * 1024;
/// Trace fields that are read, at most. RFC 5321 section 6.3 takes more than 100 for a loop.
const MAX_RECEIVED: usize = 1_000;
/// The HTML body is read up to this many bytes, as they stand in the message.
const MAX_HTML: usize = 8 * 1024 * 1024;

/// A message (RFC 5322), read as far as it was asked about.
#[derive(Debug)]
pub struct Message<'a> {
    raw: &'a [u8],
    section: Section<'a>,
    tree: OnceCell<Tree<'a>>,
    html: OnceCell<Html>,
}

/// What was found in the HTML body.
#[derive(Debug)]
struct Html {
    links: Links,
    defects: Vec<Defect>,
}

impl<'a> Message<'a> {
    /// Reads the header fields; the rest is read when it is asked for.
    pub fn read(raw: &'a [u8]) -> Message<'a> {
        let section = headers::split(&raw[headers::start(raw)..]);
        Message { raw, section, tree: OnceCell::new(), html: OnceCell::new() }
    }

    /// The message, byte for byte.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The header section with the blank line that ends it, without an mbox line before it.
    pub fn header_block(&self) -> &'a [u8] {
        self.section.block
    }

    /// What follows the header section.
    pub fn body(&self) -> &'a [u8] {
        self.section.body
    }

    /// The header fields in order, at most 10,000.
    pub fn raw_fields(&self) -> &[Field<'a>] {
        &self.section.fields
    }

    /// The first header field of this name, unfolded, decoded (RFC 2047), without control characters.
    pub fn header(&self, name: &str) -> Option<String> {
        self.section.field(name).map(Field::decoded)
    }

    /// Every header field of this name, topmost first, as [`Message::header`] gives it.
    pub fn headers(&self, name: &str) -> Vec<String> {
        self.fields(name).map(Field::decoded).collect()
    }

    /// The addr-specs (`local@domain`) in all header fields of this name, in order; groups are flattened, display
    /// names dropped. At most 10,000.
    pub fn addresses(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        for field in self.fields(name) {
            let room = MAX_ADDRESSES - found.len();
            if room == 0 {
                break;
            }
            found.extend(addresses::parse(&headers::line(field.value, MAX_ADDRESS_LIST), room));
        }
        found
    }

    /// The Message-ID (RFC 5322 section 3.6.4) without its angle brackets.
    pub fn message_id(&self) -> Option<String> {
        let text = self.section.field("Message-ID")?.text();
        let inner = text.split_once('<').map_or(text.as_str(), |(_, after)| after);
        let id = inner.split_once('>').map_or(inner, |(id, _)| id).trim();
        (!id.is_empty()).then(|| id.to_owned())
    }

    /// The Subject, decoded.
    pub fn subject(&self) -> Option<String> {
        self.header("Subject")
    }

    /// The Date as it was written, unfolded.
    pub fn date(&self) -> Option<String> {
        self.section.field("Date").map(Field::text)
    }

    /// What the trace fields say, topmost (latest) first; at most 1,000.
    pub fn received(&self) -> Vec<Received> {
        self.fields("Received").take(MAX_RECEIVED).map(|field| Received::parse(&field.text())).collect()
    }

    /// What the message says it is; `text/plain` if it says nothing.
    pub fn content_type(&self) -> ContentType {
        ContentType::of(&self.section, "text/plain")
    }

    /// The parts that are not multiparts, in order; a message without MIME is one part. At most 1,000.
    pub fn parts(&self) -> &[Part<'a>] {
        &self.tree().parts
    }

    /// Absolute http and https addresses of `<img src>` in the HTML body, in document order; at most 10,000.
    pub fn images(&self) -> &[String] {
        &self.html().links.images
    }

    /// Absolute http and https addresses of `<a href>` in the HTML body, in document order, without those in
    /// List-Unsubscribe; at most 10,000.
    pub fn links(&self) -> &[String] {
        &self.html().links.links
    }

    /// Everything found wrong with the message. Asking reads all of it.
    pub fn defects(&self) -> Vec<Defect> {
        let mut defects = defect::in_bytes(self.raw);
        defects.extend(self.section.defects.iter().cloned());
        defects.extend(defect::in_fields(&self.section.fields));
        defects.extend(self.tree().defects.iter().cloned());
        defects.extend(self.html().defects.iter().cloned());
        defects
    }

    fn fields(&self, name: &str) -> impl Iterator<Item = &Field<'a>> {
        self.section.fields.iter().filter(move |field| field.is(name))
    }

    fn tree(&self) -> &Tree<'a> {
        self.tree.get_or_init(|| mime::walk(&self.section))
    }

    /// The first HTML part that is meant to be shown.
    fn html(&self) -> &Html {
        self.html.get_or_init(|| {
            let shown = |part: &&Part<'_>| part.content_type.kind == "text/html" && !part.attachment;
            let Some(part) = self.parts().iter().find(shown) else {
                return Html { links: Links::default(), defects: Vec::new() };
            };
            let (text, mut defects) = part.text(MAX_HTML);
            let unsubscribe = links::unsubscribe(self.fields("List-Unsubscribe").map(Field::decoded));
            let links = links::find(&text, &unsubscribe);
            if part.body.len() > MAX_HTML {
                defects.push(Defect::LongHtml);
            }
            if links.too_many {
                defects.push(Defect::TooManyLinks);
            }
            Html { links, defects }
        })
    }
}

#[cfg(test)]
mod tests;
