//! The MIME structure (RFC 2046): the parts of a message that are not multiparts themselves, in
//! order.
//!
//! Not here: messages in messages; an enclosed message is a part, to be read as another message.
//! Invariant: one pass over the body, wherever the delimiters are; nothing is decoded before it is
//! asked for.

use super::Defect;
use super::content_type::{ContentType, MAX_CONTENT_TYPE};
use super::decode::{self, Encoding};
use super::headers::{self, HeaderSection};
use std::borrow::Cow;

/// Multiparts in multiparts deeper than this are not opened.
const MAX_DEPTH: usize = 32;
/// Parts and multiparts after this many are not read.
const MAX_PARTS: usize = 1_000;

/// A part of a message (RFC 2046 section 5.1).
#[derive(Debug)]
pub(crate) struct MimePart<'a> {
    /// What it says it is.
    pub(crate) content_type: ContentType,
    /// It says that it is a file, not something to show (RFC 2183).
    pub(crate) attachment: bool,
    /// Its body, byte for byte.
    pub(crate) body: &'a [u8],
    /// How the body is encoded for transfer.
    pub(crate) encoding: Encoding,
}

impl<'a> MimePart<'a> {
    /// The body without its transfer encoding, and what was wrong with that.
    pub(crate) fn content(&self) -> (Cow<'a, [u8]>, Option<Defect>) {
        decode::transfer(self.encoding, self.body)
    }

    /// The first `limit` bytes of the body as text, and what was wrong with it.
    pub(crate) fn text(&self, limit: usize) -> (Cow<'a, str>, Vec<Defect>) {
        let (bytes, bad_encoding) = decode::transfer(self.encoding, &self.body[..self.body.len().min(limit)]);
        let (text, bad_charset) = decode::charset(self.content_type.parameter("charset"), bytes);
        (text, bad_encoding.into_iter().chain(bad_charset).collect())
    }
}

/// The parts of a message.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    /// What the message says it is.
    pub(crate) content_type: ContentType,
    /// In order.
    pub(crate) parts: Vec<MimePart<'a>>,
    /// What is wrong with the structure.
    pub(crate) defects: Vec<Defect>,
}

/// A multipart whose end has not been seen.
struct Open {
    boundary: Vec<u8>,
    /// What its parts are when they do not say.
    implied: &'static str,
}

impl Open {
    /// A multipart, if it says what separates its parts.
    fn new(content_type: &ContentType) -> Option<Open> {
        let subtype = content_type.kind.strip_prefix("multipart/")?;
        let boundary = content_type.parameter("boundary")?.trim_end();
        let implied = if subtype == "digest" { "message/rfc822" } else { "text/plain" };
        (!boundary.is_empty()).then(|| Open { boundary: boundary.as_bytes().to_vec(), implied })
    }
}

/// Finds the parts of the message that `top` is the header of.
pub(crate) fn walk<'a>(top: &HeaderSection<'a>) -> Tree<'a> {
    let bytes = top.body;
    let content_type = ContentType::of(top, "text/plain");
    let mut tree = Tree { content_type, parts: Vec::new(), defects: Vec::new() };
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    for number in 0.. {
        if number == MAX_PARTS {
            tree.defects.push(Defect::TooManyParts);
            break;
        }
        let inner;
        let section = if number == 0 {
            top
        } else {
            inner = headers::split(&bytes[at..]);
            at = bytes.len() - inner.body.len();
            &inner
        };
        let content_type = match number {
            0 => tree.content_type.clone(),
            _ => ContentType::of(section, open.last().map_or("text/plain", |parent| parent.implied)),
        };
        let multipart = Open::new(&content_type);
        if multipart.is_none() && content_type.kind.starts_with("multipart/") {
            tree.note(Defect::NoBoundary);
        }
        let level = open.len();
        match multipart {
            Some(multipart) if level < MAX_DEPTH => open.push(multipart),
            Some(_) => tree.note(Defect::NestedTooDeep),
            None => {}
        }
        let found = Delimiter::after(bytes, at, &open);
        if found.as_ref().is_none_or(|delimiter| delimiter.level != level) {
            if open.len() > level {
                tree.note(Defect::NoBoundary);
            }
            let end = found.as_ref().map_or(bytes.len(), |delimiter| delimiter.start);
            tree.parts.push(part(section, content_type, &bytes[at..end]));
        }
        match next_part(bytes, found, &mut open) {
            Some(next) => at = next,
            None => break,
        }
    }
    tree
}

impl Tree<'_> {
    /// Lists a defect once.
    fn note(&mut self, defect: Defect) {
        if !self.defects.contains(&defect) {
            self.defects.push(defect);
        }
    }
}

fn part<'a>(section: &HeaderSection<'_>, content_type: ContentType, body: &'a [u8]) -> MimePart<'a> {
    let text = |name| section.field(name).map(|field| headers::line(field.value, MAX_CONTENT_TYPE));
    let disposition = text("Content-Disposition").unwrap_or_default().to_ascii_lowercase();
    let encoding =
        text("Content-Transfer-Encoding").map_or(Encoding::Identity, |name| Encoding::named(&name));
    MimePart { content_type, attachment: disposition.starts_with("attachment"), body, encoding }
}

/// Follows delimiters, closing multiparts, to the one that a part comes after; gives where that
/// part starts.
fn next_part(bytes: &[u8], mut found: Option<Delimiter>, open: &mut Vec<Open>) -> Option<usize> {
    while let Some(delimiter) = found {
        if !delimiter.closing {
            open.truncate(delimiter.level + 1);
            return Some(delimiter.end);
        }
        open.truncate(delimiter.level);
        found = Delimiter::after(bytes, delimiter.end, open);
    }
    None
}

/// A line that separates or ends parts.
struct Delimiter {
    /// Which of the open multiparts it belongs to.
    level: usize,
    /// Whether it ends the multipart.
    closing: bool,
    /// Where the body before it ends: the line end before the delimiter belongs to the delimiter.
    start: usize,
    /// Where the line after it starts.
    end: usize,
}

impl Delimiter {
    /// The first delimiter of any open multipart from `from` on, which is the start of a line.
    fn after(bytes: &[u8], from: usize, open: &[Open]) -> Option<Delimiter> {
        let mut at = if open.is_empty() { bytes.len() } else { from };
        while at < bytes.len() {
            let end = headers::line_end(bytes, at);
            if let Some(line) = bytes[at..end].strip_prefix(b"--") {
                let line = line.trim_ascii_end();
                for (level, multipart) in open.iter().enumerate().rev() {
                    let closing = match line.strip_prefix(multipart.boundary.as_slice()) {
                        Some(b"") => false,
                        Some(rest) if rest.starts_with(b"--") => true,
                        _ => continue,
                    };
                    let start = from + headers::without_line_end(&bytes[from..at]).len();
                    return Some(Delimiter { level, closing, start, end });
                }
            }
            at = end;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind and body of each part.
    fn parts(raw: &str) -> Vec<(String, String)> {
        let tree = walk(&headers::split(raw.as_bytes()));
        let shown =
            |part: &MimePart<'_>| (part.content_type.kind.clone(), part.text(usize::MAX).0.into_owned());
        tree.parts.iter().map(shown).collect()
    }

    #[test]
    fn nested_parts_are_found_in_order() {
        let found = parts(
            "Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\npreamble\r\n--a b\r\n\
             Content-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\n\r\nplain\r\n--inner  \r\n\
             CONTENT-TYPE: Text/HTML; charset=utf-8\r\ncontent-transfer-encoding: base64\r\n\r\naGk=\r\n\
             --inner--\r\nepilogue\r\n--a b\r\nContent-Type: message/rfc822\r\n\r\n\
             Subject: x\r\n\r\n--inner\r\n--a b--\r\nend",
        );
        let expected =
            [("text/plain", "plain"), ("text/html", "hi"), ("message/rfc822", "Subject: x\r\n\r\n--inner")];
        assert_eq!(found, expected.map(|(kind, text)| (kind.to_owned(), text.to_owned())));
    }

    #[test]
    fn a_missing_end_and_an_outer_delimiter_end_what_is_inside() {
        let found = parts(
            "Content-Type: multipart/mixed; boundary=o\n\n--o\n\
             Content-Type: multipart/digest; boundary=i\n\n--i\n\none\n--o\n\ntwo",
        );
        let expected = [("message/rfc822", "one"), ("text/plain", "two")];
        assert_eq!(found, expected.map(|(kind, text)| (kind.to_owned(), text.to_owned())));
    }

    #[test]
    fn deep_nesting_and_many_parts_are_bounded() {
        let deep: String =
            (0..2_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n")).collect();
        let tree = walk(&headers::split(deep.as_bytes()));
        assert_eq!((tree.parts.len(), tree.defects), (1, vec![Defect::NestedTooDeep]));

        let never = "Content-Type: multipart/mixed; boundary=never\n\nx\n--b\n";
        let wide = "Content-Type: multipart/mixed; boundary=b\n\n--b\n".to_owned() + &never.repeat(100_000);
        let tree = walk(&headers::split(wide.as_bytes()));
        assert_eq!((tree.parts.len(), tree.defects), (999, vec![Defect::NoBoundary, Defect::TooManyParts]));
    }

    #[test]
    fn a_multipart_without_a_boundary_is_one_part() {
        let tree = walk(&headers::split(b"Content-Type: multipart/mixed\n\n--\nx"));
        assert_eq!(
            (tree.parts.len(), tree.parts[0].body, tree.defects),
            (1, &b"--\nx"[..], vec![Defect::NoBoundary])
        );
    }
}
