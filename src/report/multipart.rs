//! The frame of a report (multipart/report, RFC 6522): text for people, fields for programs, and
//! the message that it is about, byte for byte.
//!
//! Not here: what the parts say (`delivery_status`, `feedback`). Invariant: nobody can foresee the
//! boundary, so no text ends a part early.

use super::fields::WrittenFields;
use crate::message::Message;
use crate::message::draft::Draft;

/// What a report holds.
pub(crate) struct Multipart<'a, 'm> {
    /// `delivery-status` or `feedback-report`.
    pub(crate) kind: &'a str,
    pub(crate) text: &'a str,
    pub(crate) fields: &'a WrittenFields,
    pub(crate) original: &'a Message<'m>,
    /// A longer original is not enclosed; its header is.
    pub(crate) max_original: u64,
}

impl Multipart<'_, '_> {
    /// The whole mail: the header of `draft`, then the parts.
    pub(crate) fn written(&self, mut draft: Draft) -> Vec<u8> {
        let boundary = draft.boundary();
        let (original, kind) = self.enclosed();
        draft.line(&format!(
            "Content-Type: multipart/report; report-type={};\r\n\tboundary=\"{boundary}\"",
            self.kind
        ));
        // A multipart says what is in any of its parts (RFC 2045 section 6.4).
        draft.encoding(self.text.is_ascii() && original.is_ascii());
        draft.line("");
        draft.line("This is a message in MIME format.");
        draft.line("");
        draft.line(&format!("--{boundary}"));
        draft.line("Content-Type: text/plain; charset=utf-8");
        draft.encoding(self.text.is_ascii());
        draft.line("");
        draft.line(self.text);
        draft.line(&format!("--{boundary}"));
        draft.line(&format!("Content-Type: message/{}", self.kind));
        draft.line("");
        draft.line(self.fields.as_str());
        draft.line(&format!("--{boundary}"));
        draft.line(&format!("Content-Type: {kind}"));
        draft.encoding(original.is_ascii());
        draft.line("");
        draft.body(original);
        draft.line(&format!("--{boundary}--"));
        draft.into_bytes()
    }

    /// The original or its header, without the line that an mbox has before a message; and its
    /// type: that of a header beyond ASCII is of RFC 6532.
    fn enclosed(&self) -> (&[u8], &'static str) {
        let message = self.original;
        let whole = message.header_block().len() + message.body().len();
        let is_global = |header: &[u8]| !header.is_ascii() && std::str::from_utf8(header).is_ok();
        match (whole as u64 > self.max_original, is_global(message.header_block())) {
            (true, true) => (message.header_block(), "message/global-headers"),
            (true, false) => (message.header_block(), "text/rfc822-headers"),
            (false, true) => (&message.raw()[message.raw().len() - whole..], "message/global"),
            (false, false) => (&message.raw()[message.raw().len() - whole..], "message/rfc822"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::draft::Postmark;

    /// A report about `raw`: its header field of the encoding, and the kinds and bodies of its
    /// parts.
    fn report(raw: &[u8], max_original: u64) -> (String, Vec<(String, Vec<u8>)>) {
        let mut fields = WrittenFields::default();
        fields.add("Status", "5.1.1");
        let postmark = Postmark::new(&[b"1"], 0);
        let draft = Draft::answer("<a@a.example>", "b@b.example", "x", "here.example", &postmark);
        let mail = Multipart {
            kind: "delivery-status",
            text: "text\r\n--=_\r\n",
            fields: &fields,
            original: &Message::read(raw),
            max_original,
        }
        .written(draft);
        let read = Message::read(&mail);
        let parts = read.parts().iter().map(|part| (part.content_type.kind.clone(), part.body.to_vec()));
        (read.header("Content-Transfer-Encoding").unwrap_or_default(), parts.collect())
    }

    #[test]
    fn b5_b37_an_original_is_kept_byte_for_byte_and_the_frame_says_what_is_in_it() {
        let long = format!("X-MSFBL: {}\r\nSubject: x\r\n\r\n.caf\u{e9}\r\n--=_\r\n", "aB3+/=".repeat(400));
        for (raw, encoding) in [
            (long.as_bytes(), "8bit"),
            (b"Subject: x\r\n\r\n\xff\0\r\n", "8bit"),
            (b"A: b\r\n\r\nc\r\n", "7bit"),
        ] {
            let (said, parts) = report(raw, 1 << 20);
            let kinds: Vec<&str> = parts.iter().map(|(kind, _)| kind.as_str()).collect();
            assert_eq!(kinds, ["text/plain", "message/delivery-status", "message/rfc822"]);
            assert_eq!((said.as_str(), parts[2].1.as_slice()), (encoding, raw));
        }
        let (_, parts) = report(b"From someone at some time\nA: b\n\nc\n", 1 << 20);
        assert_eq!(parts[2].1, b"A: b\r\n\r\nc\r\n", "an mbox line is not part of a message");
    }

    #[test]
    fn an_original_that_is_too_long_is_its_header() {
        let (_, parts) = report(b"A: b\r\n\r\n0123456789012345\r\n", 20);
        assert_eq!(parts[2], ("text/rfc822-headers".into(), b"A: b\r\n\r\n".to_vec()));
    }

    #[test]
    fn an_original_with_a_header_in_utf_8_says_so() {
        let raw = "Subject: caf\u{e9}\r\n\r\n0123456789012345\r\n".as_bytes();
        for (raw, most, kind) in [
            (raw, 1 << 20, "message/global"),
            (raw, 20, "message/global-headers"),
            (b"Subject: caf\xe9\r\n\r\nx\r\n", 1 << 20, "message/rfc822"),
        ] {
            let (encoding, parts) = report(raw, most);
            assert_eq!((parts[2].0.as_str(), encoding.as_str()), (kind, "8bit"));
            assert!(raw.starts_with(&parts[2].1));
        }
    }
}
