//! Messages: reading their header, addresses, trace, parts and links; and the mail that carom
//! writes.
//!
//! Not here: what a message means to a policy, and whether it is authentic. Invariant: reading
//! never fails and never changes a byte; it lists defects. What is not asked for is not computed.

mod addresses;
pub(crate) mod answer_trace;
mod author;
mod content_type;
pub(crate) mod decode;
mod defect;
pub(crate) mod draft;
pub(crate) mod headers;
mod leave_words;
mod links;
pub(crate) mod mbox;
mod mime;
pub(crate) mod received;
#[cfg(test)]
pub(crate) mod work;

pub(crate) use content_type::ContentType;
pub(crate) use defect::Defect;
pub(crate) use headers::Field;
pub(crate) use leave_words::says_leave;
pub(crate) use links::{Link, LinkKind};
pub(crate) use mime::MimePart;
pub(crate) use received::{HopClient, Received};

use headers::HeaderSection;
use links::Links;
use mime::Tree;
use std::sync::OnceLock;

/// Addresses of one header field name, at most.
const MAX_ADDRESSES: usize = 10_000;
/// An address field is read up to this many bytes.
const MAX_ADDRESS_LIST: usize = 1024 * 1024;
/// The HTML body is read up to this many bytes, as they are in the message.
const MAX_HTML: usize = 8 * 1024 * 1024;

/// A message (RFC 5322), read as far as it was asked about.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    raw: &'a [u8],
    section: HeaderSection<'a>,
    tree: OnceLock<Tree<'a>>,
    html: OnceLock<Html>,
}

/// What was found in the HTML body.
#[derive(Debug)]
struct Html {
    links: Links,
    defects: Vec<Defect>,
}

impl<'a> Message<'a> {
    /// Reads the header fields; the rest is read when it is asked for.
    pub(crate) fn read(raw: &'a [u8]) -> Message<'a> {
        let section = headers::split(&raw[headers::start(raw)..]);
        Message { raw, section, tree: OnceLock::new(), html: OnceLock::new() }
    }

    /// The message, byte for byte.
    pub(crate) fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The header section with the blank line that ends it, without an mbox line before it.
    pub(crate) fn header_block(&self) -> &'a [u8] {
        self.section.block
    }

    /// What follows the header section.
    pub(crate) fn body(&self) -> &'a [u8] {
        self.section.body
    }

    /// The header fields in order, at most 10,000.
    pub(crate) fn raw_fields(&self) -> &[Field<'a>] {
        &self.section.fields
    }

    /// The first header field of this name, unfolded, decoded (RFC 2047), without control
    /// characters.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.section.field(name).map(Field::decoded)
    }

    /// Every header field of this name, topmost first, as [`Message::header`] gives it.
    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        self.fields(name).map(Field::decoded).collect()
    }

    /// The addr-specs (`local@domain`) in all header fields of this name, in order; groups are
    /// flattened, display names dropped. At most 10,000.
    pub(crate) fn addresses(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        for field in self.fields(name) {
            let room = MAX_ADDRESSES - found.len();
            if room == 0 {
                break;
            }
            let list = match field.value.get(..MAX_ADDRESS_LIST) {
                Some(start) => &start[..start.iter().rposition(|&byte| byte == b',').unwrap_or(0)],
                None => field.value,
            };
            found.extend(addresses::parse(&headers::line(list, list.len()), room));
        }
        found
    }

    /// The address of the author: the message has one From field, which is one mailbox, and cannot
    /// be read otherwise. Only this address can be proven to have written the message.
    pub(crate) fn author(&self) -> Option<String> {
        let mut fields = self.fields("From");
        let field = fields.next().filter(|field| field.value.len() <= headers::MAX_VALUE)?;
        let is_only = fields.next().is_none();
        is_only.then(|| author::only_mailbox(&headers::unfolded(field.value))).flatten()
    }

    /// The Message-ID (RFC 5322 section 3.6.4) without its angle brackets.
    pub(crate) fn message_id(&self) -> Option<String> {
        let text = self.section.field("Message-ID")?.text();
        let inner = text.split_once('<').map_or(text.as_str(), |(_, after)| after);
        let id = inner.split_once('>').map_or(inner, |(id, _)| id).trim();
        (!id.is_empty()).then(|| id.to_owned())
    }

    /// The Subject, decoded.
    pub(crate) fn subject(&self) -> Option<String> {
        self.header("Subject")
    }

    /// The Date as it was written, unfolded.
    pub(crate) fn date(&self) -> Option<String> {
        self.section.field("Date").map(Field::text)
    }

    /// What the message says it is; `text/plain` if it says nothing.
    pub(crate) fn content_type(&self) -> &ContentType {
        &self.tree().content_type
    }

    /// The parts that are not multiparts, in order; a message without MIME is one part. At most
    /// 1,000.
    pub(crate) fn parts(&self) -> &[MimePart<'a>] {
        &self.tree().parts
    }

    /// The first `limit` bytes of the text that a reader is shown first: of the first `text/plain`
    /// part that is not an attachment, else of the first `text/html` part.
    pub(crate) fn text(&self, limit: usize) -> Option<String> {
        let shown =
            |kind: &str| self.parts().iter().find(|part| !part.attachment && part.content_type.kind == kind);
        let part = shown("text/plain").or_else(|| shown("text/html"))?;
        Some(part.text(limit).0.into_owned())
    }

    /// Absolute http and https addresses of `<img src>` in the HTML body, in document order; at
    /// most 10,000.
    pub(crate) fn images(&self) -> &[String] {
        &self.html().links.images
    }

    /// Absolute http and https addresses of `<a href>` in the HTML body, in document order; at most
    /// 10,000.
    pub(crate) fn links(&self) -> &[Link] {
        &self.html().links.links
    }

    /// Everything found wrong with the message. Asking reads all of it.
    pub(crate) fn defects(&self) -> Vec<Defect> {
        let mut defects = defect::in_bytes(self.raw);
        defects.extend(self.section.defects.iter().cloned());
        defects.extend(headers::repeated(&self.section.fields));
        defects.extend(self.tree().defects.iter().cloned());
        defects.extend(self.html().defects.iter().cloned());
        defects
    }

    /// The defects in words.
    pub(crate) fn defect_texts(&self) -> Vec<String> {
        self.defects().iter().map(ToString::to_string).collect()
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
            let shown = |part: &&MimePart<'_>| part.content_type.kind == "text/html" && !part.attachment;
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
