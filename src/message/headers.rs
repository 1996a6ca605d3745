//! The header section, split into fields without changing a byte, and the text of one field's
//! value.
//!
//! Not here: what a value means; addresses, trace fields and MIME have their own files. Invariant:
//! the fields, joined, are the header section without the blank line that ends it.

use super::Defect;
use mail_parser::parsers::MessageStream;
use memchr::memchr;

/// More fields than this are not listed.
pub(crate) const MAX_FIELDS: usize = 10_000;
/// The text of a value is read up to this many bytes.
pub(crate) const MAX_VALUE: usize = 64 * 1024;

/// Fields that a message may have only once (RFC 5322 section 3.6).
const ONCE: [&str; 8] = ["Date", "From", "Sender", "Reply-To", "To", "Cc", "Message-ID", "Subject"];

/// One header field (RFC 5322 section 2.2), as it is in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    /// The name, as it was written.
    pub(crate) name: &'a [u8],
    /// Everything after the colon, with folds, without the last line end.
    pub(crate) value: &'a [u8],
    /// The field byte for byte, with name and line end.
    pub(crate) whole: &'a [u8],
}

impl Field<'_> {
    /// Whether it has this name; case does not count.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value as one clean line: unfolded, trimmed, without control characters. Encoded words
    /// stay encoded.
    pub(crate) fn text(&self) -> String {
        line(self.value, MAX_VALUE)
    }

    /// Like [`Field::text`], with encoded words (RFC 2047) decoded.
    pub(crate) fn decoded(&self) -> String {
        let text = self.text();
        if !text.contains("=?") {
            return text;
        }
        let ended = text + "\n";
        match MessageStream::new(ended.as_bytes()).parse_unstructured().as_text() {
            Some(decoded) => clean(decoded),
            None => clean(&ended),
        }
    }
}

/// The first `limit` bytes of a value as one clean line.
pub(crate) fn line(value: &[u8], limit: usize) -> String {
    let value = &value[..value.len().min(limit)];
    match std::str::from_utf8(value) {
        Ok(text) => clean(text),
        Err(_) => clean(&String::from_utf8_lossy(value)),
    }
}

/// A value without the line ends of its folds; other control characters stay.
pub(crate) fn unfolded(value: &[u8]) -> String {
    String::from_utf8_lossy(value).replace("\r\n", "").replace('\n', "")
}

/// Removes control characters, line ends among them; a tab becomes a space.
fn clean(text: &str) -> String {
    // The space around it would be cut afterwards, which takes a copy.
    let text = text.trim();
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    // 0xc2 may begin a control character above ASCII.
    while let Some(at) = rest.bytes().position(|byte| byte < b' ' || byte == 0x7f || byte == 0xc2) {
        let (before, after) = rest.split_at(at);
        kept.push_str(before);
        let mut letters = after.chars();
        match letters.next() {
            Some('\t') => kept.push(' '),
            Some(letter) if !letter.is_control() => kept.push(letter),
            _ => {}
        }
        rest = letters.as_str();
    }
    kept.push_str(rest);
    match kept.trim() {
        trimmed if trimmed.len() == kept.len() => kept,
        trimmed => trimmed.to_owned(),
    }
}

/// A header section and what follows it.
#[derive(Debug)]
pub(crate) struct HeaderSection<'a> {
    /// The fields, in order.
    pub(crate) fields: Vec<Field<'a>>,
    /// The section with the blank line that ends it.
    pub(crate) block: &'a [u8],
    /// What follows.
    pub(crate) body: &'a [u8],
    /// What is wrong with the section.
    pub(crate) defects: Vec<Defect>,
}

impl<'a> HeaderSection<'a> {
    /// The first field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.is(name))
    }
}

/// Splits bytes that start with a header section. A line that is not a field ends the section too.
pub(crate) fn split(bytes: &[u8]) -> HeaderSection<'_> {
    let (mut fields, mut defects) = (Vec::new(), Vec::new());
    let (mut at, mut too_many, mut too_long) = (0, false, false);
    while at < bytes.len() {
        let end = line_end(bytes, at);
        let first = &bytes[at..end];
        if matches!(first, b"\n" | b"\r\n") {
            at = end;
            break;
        }
        let Some((name, colon)) = field_name(first) else {
            defects.push(if at == 0 { Defect::NoHeader } else { Defect::NoBlankLine });
            break;
        };
        let mut next = end;
        while matches!(bytes.get(next), Some(b' ' | b'\t')) {
            next = line_end(bytes, next);
        }
        let whole = &bytes[at..next];
        too_many |= fields.len() == MAX_FIELDS;
        too_long |= whole.len() > MAX_VALUE;
        if !too_many {
            fields.push(Field { name, value: without_line_end(&whole[colon + 1..]), whole });
        }
        at = next;
    }
    if too_many {
        defects.push(Defect::TooManyFields);
    }
    if too_long {
        defects.push(Defect::LongHeader);
    }
    HeaderSection { fields, block: &bytes[..at], body: &bytes[at..], defects }
}

/// The fields that are there too often.
pub(crate) fn repeated(fields: &[Field<'_>]) -> Vec<Defect> {
    let repeated = |name: &&str| fields.iter().filter(|field| field.is(name)).nth(1).is_some();
    ONCE.into_iter().filter(repeated).map(Defect::Repeated).collect()
}

/// Where the header section starts: after blank lines and an mbox `From ` line, if the message has
/// them. Web mail puts a line of spaces before the source that it shows.
pub(crate) fn start(raw: &[u8]) -> usize {
    let shown = raw.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(raw.len());
    let at = memchr::memrchr(b'\n', &raw[..shown]).map_or(0, |end| end + 1);
    let first = &raw[at..line_end(raw, at)];
    let mbox = first.starts_with(b"From ") || first.starts_with(b">From ");
    if mbox && field_name(first).is_none() { at + first.len() } else { at }
}

/// The index after the line that `at` is in.
pub(crate) fn line_end(bytes: &[u8], at: usize) -> usize {
    let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |found| at + found + 1);
    #[cfg(test)]
    super::work::add(end - at);
    end
}

/// The line without its CRLF or LF.
pub(crate) fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The name a field line starts with, and where its colon is. Space before the colon is allowed
/// (RFC 5322 section 4.5); a line that starts with two hyphens is a MIME delimiter, even with a
/// colon in it.
fn field_name(line: &[u8]) -> Option<(&[u8], usize)> {
    let length = line.iter().take_while(|&&byte| (33..=126).contains(&byte) && byte != b':').count();
    let spaces = line[length..].iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
    let colon = length + spaces;
    let named = length > 0 && line.get(colon) == Some(&b':') && !line.starts_with(b"--");
    named.then_some((&line[..length], colon))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(value: &str) -> String {
        Field { name: b"Subject", value: value.as_bytes(), whole: b"" }.decoded()
    }

    #[test]
    fn fields_join_to_the_bytes_they_came_from() {
        let raw = b"Received: from a\r\n\tby b\r\nsubject :x\nX:\r\n  \r\n\r\nbody";
        let section = split(raw);
        let joined: Vec<u8> = section.fields.iter().flat_map(|field| field.whole).copied().collect();
        assert_eq!(joined, raw[..raw.len() - 6]);
        assert_eq!(section.block.len(), raw.len() - 4);
        assert_eq!(section.body, b"body");
        assert_eq!(section.fields[0].value, b" from a\r\n\tby b");
        assert_eq!(section.fields[0].text(), "from a by b");
        assert_eq!((section.fields[1].name, section.fields[1].text().as_str()), (&b"subject"[..], "x"));
        assert!(section.fields[2].is("x") && section.defects.is_empty());
    }

    #[test]
    fn a_line_that_is_not_a_field_ends_the_section() {
        let section = split(b"A: 1\nno field\nB: 2\n");
        assert_eq!((section.fields.len(), section.body), (1, &b"no field\nB: 2\n"[..]));
        assert_eq!(section.defects, [Defect::NoBlankLine]);
        assert_eq!(split(b" folded: nothing\n").defects, [Defect::NoHeader]);
        assert_eq!(split(b"--a:b\n").fields, []);
    }

    #[test]
    fn an_mbox_line_and_leading_blank_lines_are_skipped() {
        let raw = b"\r\n\nFrom x@y Mon Sep 17 00:00:00 2001\nA: 1\n";
        assert_eq!(raw[start(raw)..], b"A: 1\n"[..]);
        assert_eq!(start(b"From : a@b\n"), 0);
        assert_eq!(start(b""), 0);
        assert_eq!(start(b"\n"), 1);
        assert_eq!(start(b"   \t \n\r\nA: 1\n"), 8);
        assert_eq!(start(b" folded: nothing\n"), 0);
    }

    #[test]
    fn encoded_words_are_decoded_and_cleaned() {
        assert_eq!(decoded(" =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?iso-8859-1?b?IPw=?= end"), "Grüße ü end");
        assert_eq!(decoded("a =?utf-8?q?=0D=0ABcc:_x?="), "a Bcc: x");
        assert_eq!(decoded("=?utf-8?q?unfinished"), "=?utf-8?q?unfinished");
    }

    #[test]
    fn b24_an_unknown_charset_in_an_encoded_word_is_read_as_far_as_it_goes() {
        assert_eq!(decoded("=?x-martian?q?hello=FF?="), "hello\u{fffd}");
    }

    #[test]
    fn a_huge_header_is_bounded() {
        let raw = "a:\n".repeat(400_000) + "\n" + &"b".repeat(1 << 20);
        let section = split(raw.as_bytes());
        assert_eq!((section.fields.len(), section.body.len()), (MAX_FIELDS, 1 << 20));
        assert_eq!(section.defects, [Defect::TooManyFields]);
        let long = format!("Subject: {}\n\n", "=?utf-8?q?x?= ".repeat(80_000));
        let section = split(long.as_bytes());
        assert_eq!(section.defects, [Defect::LongHeader]);
        assert!(section.fields[0].decoded().len() <= MAX_VALUE);
    }
}
