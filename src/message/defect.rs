//! What can be wrong with a message, in words; and the defects that its bytes and fields show.
//!
//! Not here: defects of the structure, which its readers list. Invariant: a defect never keeps a
//! message from being read.

use std::fmt;

/// Something wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// The message does not start with a header field.
    NoHeader,
    /// The header section ends with a line that is not a field instead of a blank line.
    NoBlankLine,
    /// A header field is longer than 64 KiB; its text is cut.
    LongHeader,
    /// There are more than 10,000 header fields; the others are not listed.
    TooManyFields,
    /// A field that is allowed once is there more often; the first one counts.
    Repeated(&'static str),
    NulByte,
    /// A CR without LF.
    BareCr,
    /// A multipart does not name its boundary, or it never comes; the multipart is one part.
    NoBoundary,
    /// Multiparts are nested more than 32 deep; the inner ones are not opened.
    NestedTooDeep,
    /// There are more than 1,000 parts; the others are not read.
    TooManyParts,
    /// The HTML body is not encoded as it says; it was repaired.
    BadTransferEncoding,
    /// The HTML body is in an unknown charset; it was read as UTF-8.
    UnknownCharset(String),
    /// The HTML body is longer than 8 MiB; the rest was not read.
    LongHtml,
    /// There are more than 10,000 links or images; the others are not listed.
    TooManyLinks,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Defect::NoHeader => "no header section",
            Defect::NoBlankLine => "no blank line after the header section",
            Defect::LongHeader => "a header field over 64 KiB",
            Defect::TooManyFields => "more than 10000 header fields",
            Defect::Repeated(name) => return write!(f, "more than one {name} field"),
            Defect::NulByte => "a NUL byte",
            Defect::BareCr => "a CR without LF",
            Defect::NoBoundary => "a multipart without a boundary",
            Defect::NestedTooDeep => "multiparts nested more than 32 deep",
            Defect::TooManyParts => "more than 1000 MIME parts",
            Defect::BadTransferEncoding => "an HTML body with a broken transfer encoding",
            Defect::UnknownCharset(label) => {
                return write!(f, "an HTML body in the unknown charset {label:?}");
            }
            Defect::LongHtml => "an HTML body over 8 MiB",
            Defect::TooManyLinks => "more than 10000 links or images",
        })
    }
}

/// Bytes that a message may not have (RFC 5322 section 2.3).
pub(crate) fn in_bytes(raw: &[u8]) -> Vec<Defect> {
    let nul = raw.contains(&0).then_some(Defect::NulByte);
    let after_cr = raw.split(|&byte| byte == b'\r').skip(1);
    let bare_cr = after_cr.into_iter().any(|rest| !rest.starts_with(b"\n")).then_some(Defect::BareCr);
    nul.into_iter().chain(bare_cr).collect()
}
