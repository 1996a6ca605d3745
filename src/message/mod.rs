//! Reading a message: its header, its addresses, its trace, the links in its HTML body.
//!
//! Not here: what a message means to a policy, and whether it is authentic. Invariant: reading never fails and
//! never changes a byte; what is wrong with a message is listed, and what is not asked for is not computed.

mod addresses;
pub(crate) mod decode;
mod defect;
pub(crate) mod headers;
mod links;
pub(crate) mod mbox;
mod mime;
pub(crate) mod received;

pub(crate) use defect::Defect;
pub(crate) use headers::Field;
pub(crate) use mime::{ContentType, MimePart};
pub(crate) use received::Received;

use headers::HeaderSection;
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
pub(crate) struct Message<'a> {
    raw: &'a [u8],
    section: HeaderSection<'a>,
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
    pub(crate) fn read(raw: &'a [u8]) -> Message<'a> {
        let section = headers::split(&raw[headers::start(raw)..]);
        Message { raw, section, tree: OnceCell::new(), html: OnceCell::new() }
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

    /// The first header field of this name, unfolded, decoded (RFC 2047), without control characters.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.section.field(name).map(Field::decoded)
    }

    /// Every header field of this name, topmost first, as [`Message::header`] gives it.
    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        self.fields(name).map(Field::decoded).collect()
    }

    /// The addr-specs (`local@domain`) in all header fields of this name, in order; groups are flattened,
    /// display names dropped. At most 10,000.
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

    /// What the trace fields say, topmost (latest) first; at most 1,000.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.fields("Received").take(MAX_RECEIVED).map(|field| Received::parse(&field.text())).collect()
    }

    /// What the message says it is; `text/plain` if it says nothing.
    pub(crate) fn content_type(&self) -> ContentType {
        ContentType::of(&self.section, "text/plain")
    }

    /// The parts that are not multiparts, in order; a message without MIME is one part. At most 1,000.
    pub(crate) fn parts(&self) -> &[MimePart<'a>] {
        &self.tree().parts
    }

    /// The first `limit` bytes of the text that a reader is shown first: of the first `text/plain` part that is no attachment, else
    /// of the first `text/html` part.
    pub(crate) fn text(&self, limit: usize) -> Option<String> {
        let shown =
            |kind: &str| self.parts().iter().find(|part| !part.attachment && part.content_type.kind == kind);
        let part = shown("text/plain").or_else(|| shown("text/html"))?;
        Some(part.text(limit).0.into_owned())
    }

    /// Absolute http and https addresses of `<img src>` in the HTML body, in document order; at most 10,000.
    pub(crate) fn images(&self) -> &[String] {
        &self.html().links.images
    }

    /// Absolute http and https addresses of `<a href>` in the HTML body, in document order, without those in
    /// List-Unsubscribe; at most 10,000.
    pub(crate) fn links(&self) -> &[String] {
        &self.html().links.links
    }

    /// Everything found wrong with the message. Asking reads all of it.
    pub(crate) fn defects(&self) -> Vec<Defect> {
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
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn html(head: &str, body: &[u8]) -> Vec<u8> {
        let mut raw = format!("{head}Content-Type: text/html\r\n\r\n").into_bytes();
        raw.extend(body);
        raw
    }

    #[test]
    fn a_plain_message_tells_all_it_knows() {
        let raw = b"Received: from h (r [192.0.2.7]) by mx for <to@x.example>; d\r\n\
            From: =?utf-8?q?J=C3=BCrgen?= <j@a.example>\r\nTo: a@x.example\r\nto: B <b@x.example>\r\n\
            Date: Mon,\r\n 1 Jan 2024 00:00:00 +0000\r\nMessage-ID:\r\n <1.2@a.example>\r\n\
            Subject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n\r\nHello\r\n";
        let message = Message::read(raw);
        assert_eq!(message.header("FROM").as_deref(), Some("Jürgen <j@a.example>"));
        assert_eq!(message.headers("To"), ["a@x.example", "B <b@x.example>"]);
        assert_eq!(message.addresses("to"), ["a@x.example", "b@x.example"]);
        assert_eq!(message.date().as_deref(), Some("Mon, 1 Jan 2024 00:00:00 +0000"));
        assert_eq!(message.message_id().as_deref(), Some("1.2@a.example"));
        assert_eq!(message.subject().as_deref(), Some("Grüße"));
        assert_eq!(message.received()[0].for_recipient.as_deref(), Some("to@x.example"));
        assert_eq!((message.raw(), message.body()), (&raw[..], &b"Hello\r\n"[..]));
        assert!(message.header_block().ends_with(b"\r\n\r\n") && message.links().is_empty());
        assert_eq!(message.defects(), [Defect::Repeated("To")]);
    }

    #[test]
    fn the_html_body_is_the_first_that_is_shown() {
        let part = |head: &str, host: &str| {
            format!("--b\r\nContent-Type: text/html\r\n{head}\r\n<a href=http://{host}/>\r\n")
        };
        let raw = format!(
            "Content-Type: multipart/mixed; boundary=b\r\nList-Unsubscribe: <http://two.example/>\r\n\r\n\
             {}{}{}--b--\r\n",
            part("Content-Disposition: attachment; filename=x.html\r\n", "one.example"),
            part(
                "Content-Transfer-Encoding: quoted-printable\r\n",
                "two.example/>=\r\n<a href=3Dhttp://2b.example"
            ),
            part("", "three.example"),
        );
        assert_eq!(Message::read(raw.as_bytes()).links(), ["http://2b.example/"]);
    }

    #[test]
    fn b4_eight_bit_and_binary_bodies_are_read() {
        let latin1 = html("", b"\xfc\xff\x00<a href='http://x.example/\xe9'><img src=http://x.example/i>");
        let message = Message::read(&latin1);
        assert_eq!(message.links(), ["http://x.example/%EF%BF%BD"]);
        assert_eq!(message.images(), ["http://x.example/i"]);
        assert_eq!(message.defects(), [Defect::NulByte]);
    }

    #[test]
    fn b23_a_message_without_received_date_or_from_is_a_message() {
        let message = Message::read(b"Subject: x\r\n\r\n");
        assert_eq!((message.received(), message.date(), message.message_id()), (vec![], None, None));
        assert_eq!(message.addresses("From"), [""; 0]);
    }

    #[test]
    fn b24_an_html_body_in_an_unknown_charset_has_its_links() {
        let raw = b"Content-Type: text/html; charset=\"x-martian\"\r\n\r\n\xff<a href=http://x.example>";
        let message = Message::read(raw);
        assert_eq!(message.links(), ["http://x.example/"]);
        assert_eq!(message.defects()[0].to_string(), "an HTML body in the unknown charset \"x-martian\"");
    }

    #[test]
    fn b25_ten_thousand_recipients_are_read_in_no_time() {
        let mailbox = |n| format!("\"Last, First\" <user{n}@bounce.example.com>,\r\n ");
        let raw = format!("To: {}\r\n\r\n", (0..12_000).map(mailbox).collect::<String>());
        let started = Instant::now();
        assert_eq!(Message::read(raw.as_bytes()).addresses("To").len(), MAX_ADDRESSES);
        assert!(started.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn an_address_list_is_never_cut_inside_an_address() {
        let raw = format!(
            "To: {}\r\n\r\n",
            "u@very-long.example.com,".repeat(100).replace('u', &"u".repeat(500)).repeat(30)
        );
        let found = Message::read(raw.as_bytes()).addresses("To");
        assert!(found.len() > 1_000 && found.iter().all(|address| address.ends_with(".example.com")));
    }

    #[test]
    fn no_header_at_all_is_a_defect_not_an_error() {
        for raw in [&b""[..], b"\r\n", b"no header\n", b"\0", b": x\n"] {
            let message = Message::read(raw);
            assert_eq!(message.header("Subject"), None);
            assert_eq!(message.defects().is_empty(), raw.len() < 3 && raw != b"\0", "{raw:?}");
        }
        let message = Message::read(b"A: 1\rB: 2\nC: 3");
        assert_eq!((message.header("B"), message.header("A").as_deref()), (None, Some("1B: 2")));
        assert_eq!(message.defects(), [Defect::BareCr]);
    }

    #[test]
    fn fifty_megabytes_of_anything_are_read_in_bounded_time() {
        let big = |line: &str| line.repeat(50_000_000 / line.len());
        let started = Instant::now();
        for line in ["aGVsbG8gd29ybGQ\r\n", "--\n", "\r", "<a href='http://x/'>", "="] {
            let raw = html("Content-Transfer-Encoding: quoted-printable\r\n", big(line).as_bytes());
            let before = Instant::now();
            let message = Message::read(&raw);
            assert!(before.elapsed() < Duration::from_millis(100), "reading is cheap");
            message.defects();
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }

    #[test]
    fn mutated_messages_never_panic() {
        let seed: &[u8] =
            b"Received: from h (r [IPv6:::1]) by mx for <a@b>; d\r\nTo: \"a\" <a@b>, g: c@d;\r\n\
            Subject: =?utf-8?b?4pi6?= =?x?q?=3D?=\r\nList-Unsubscribe: <http://u/>\r\n\
            Content-Type: multipart/mixed; boundary*0=b; boundary*1*=utf-8''c\r\n\r\n\
            --bc\r\nContent-Type: text/html; charset=utf-16\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nPGEgaHJlZj0n\r\n--bc--\r\n";
        let mut random = fastrand::Rng::with_seed(1523);
        let end = Instant::now() + Duration::from_millis(700);
        while Instant::now() < end {
            let mut raw = seed.to_vec();
            for _ in 0..random.usize(1..20) {
                let at = random.usize(..raw.len());
                match random.u8(..4) {
                    0 => raw[at] = random.u8(..),
                    1 => raw[at] = random.choice(b"\r\n:;=?\"'<>()[]\\ \0-@,").copied().unwrap_or(0),
                    2 => raw.truncate(at.max(1)),
                    _ => raw.extend_from_within(at..),
                }
            }
            let message = Message::read(&raw);
            message.defects();
            message.received();
            message.addresses("To");
            for field in message.raw_fields() {
                field.decoded();
            }
            for part in message.parts() {
                part.text(usize::MAX);
            }
        }
    }
}
