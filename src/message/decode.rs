//! From the bytes of a MIME part to text: transfer encoding (RFC 2045 section 6), then charset.
//!
//! Not here: finding the part. Invariant: nothing is refused; a body that is not encoded as it says
//! is repaired or kept as it is, and a defect says so.

use super::Defect;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use std::borrow::Cow;

/// How a body is encoded for transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// 7bit, 8bit, binary, and unknown ones.
    Identity,
    /// RFC 2045 section 6.7.
    QuotedPrintable,
    /// RFC 2045 section 6.8.
    Base64,
}

impl Encoding {
    /// The encoding a Content-Transfer-Encoding field names.
    pub(crate) fn named(value: &str) -> Encoding {
        let name = value.split([' ', ';', '(']).next().unwrap_or_default();
        if name.eq_ignore_ascii_case("base64") {
            Encoding::Base64
        } else if name.eq_ignore_ascii_case("quoted-printable") {
            Encoding::QuotedPrintable
        } else {
            Encoding::Identity
        }
    }
}

/// Undoes the transfer encoding.
pub(crate) fn transfer(encoding: Encoding, body: &[u8]) -> (Cow<'_, [u8]>, Option<Defect>) {
    type Step = (fn(&[u8]) -> Option<Vec<u8>>, fn(&[u8]) -> Vec<u8>);
    let (decode, repair): Step = match encoding {
        Encoding::Identity => return (Cow::Borrowed(body), None),
        Encoding::QuotedPrintable => (quoted_printable_decode, repaired_quoted_printable),
        Encoding::Base64 => (base64_decode, repaired_base64),
    };
    match decode(body) {
        Some(decoded) => (Cow::Owned(decoded), None),
        None => {
            let decoded = decode(&repair(body)).map_or(Cow::Borrowed(body), Cow::Owned);
            (decoded, Some(Defect::BadTransferEncoding))
        }
    }
}

/// Reads bytes in a charset; UTF-8 if it is unknown or missing. What cannot be decoded becomes
/// U+FFFD.
pub(crate) fn charset<'a>(label: Option<&str>, bytes: Cow<'a, [u8]>) -> (Cow<'a, str>, Option<Defect>) {
    let Some(label) = label.map(str::trim).filter(|label| !is_utf8(label)) else {
        return (utf8(bytes), None);
    };
    match charset_decoder(label.as_bytes()) {
        Some(decode) => (Cow::Owned(decode(&bytes)), None),
        None => (utf8(bytes), Some(Defect::UnknownCharset(label.chars().take(40).collect()))),
    }
}

fn is_utf8(label: &str) -> bool {
    ["", "utf-8", "utf8"].iter().any(|name| label.eq_ignore_ascii_case(name))
}

fn utf8(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
        }
        Cow::Owned(bytes) => Cow::Owned(
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        ),
    }
}

/// Leaves out what is not in the base64 alphabet, as RFC 2045 section 6.8 asks of a reader.
fn repaired_base64(body: &[u8]) -> Vec<u8> {
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    body.iter().copied().filter(known).collect()
}

/// Encodes each `=` that starts neither an octet nor a soft line break.
fn repaired_quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut repaired = Vec::with_capacity(body.len());
    for (at, &byte) in body.iter().enumerate() {
        repaired.push(byte);
        if byte == b'=' && !starts_an_escape(&body[at + 1..]) {
            repaired.extend(b"3D");
        }
    }
    repaired
}

fn starts_an_escape(rest: &[u8]) -> bool {
    match rest {
        [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => true,
        _ => {
            let visible = rest.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
            visible.is_none_or(|&byte| byte == b'\n')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: &str, body: &[u8]) -> (String, Option<Defect>) {
        let (bytes, defect) = transfer(Encoding::named(encoding), body);
        (String::from_utf8_lossy(&bytes).into_owned(), defect)
    }

    #[test]
    fn transfer_encodings_are_undone() {
        assert_eq!(decoded("Quoted-Printable", b"a=3Db =\r\nc=C3=BC"), ("a=b cü".into(), None));
        assert_eq!(decoded("BASE64 (really)", b"aGVs\r\nbG8=\r\n"), ("hello".into(), None));
        assert_eq!(decoded("8bit", b"a=3D"), ("a=3D".into(), None));
    }

    #[test]
    fn bad_transfer_encodings_are_repaired() {
        let defect = Some(Defect::BadTransferEncoding);
        assert_eq!(
            decoded("quoted-printable", b"<a href=\"x=y\"> =3D=\nz="),
            ("<a href=\"x=y\"> =z".into(), defect.clone())
        );
        assert_eq!(decoded("base64", b"aG!Vs-bG8=*"), ("hello".into(), defect));
    }

    #[test]
    fn b24_an_unknown_charset_is_tolerated() {
        let read = |label, bytes| charset(label, Cow::Borrowed(bytes));
        assert_eq!(read(Some("ISO-8859-1"), b"\xfc"), ("ü".into(), None));
        assert_eq!(
            read(Some("x-martian"), b"a\xfc"),
            ("a\u{fffd}".into(), Some(Defect::UnknownCharset("x-martian".into())))
        );
        assert_eq!(read(None, "ü".as_bytes()), ("ü".into(), None));
        assert_eq!(read(Some(""), b""), ("".into(), None));
    }
}
