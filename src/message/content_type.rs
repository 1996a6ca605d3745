//! What a header section says about its body (RFC 2045 section 5).
//!
//! Not here: finding the parts (`mime`). Invariant: what cannot be read counts as not said.

use super::headers::{self, HeaderSection};
use mail_parser::parsers::MessageStream;

/// The value is read up to this many bytes.
pub(crate) const MAX_CONTENT_TYPE: usize = 4 * 1024;

/// A Content-Type (RFC 2045 section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContentType {
    /// Type and subtype, lower case: `text/html`.
    pub(crate) kind: String,
    /// Names, lower case, and values.
    parameters: Vec<(String, String)>,
}

impl ContentType {
    /// The value of a parameter; its name is given in lower case.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn bare(kind: &str) -> ContentType {
        ContentType { kind: kind.to_owned(), parameters: Vec::new() }
    }

    /// What a header section says about the body, or else what is implied. A missing semicolon
    /// after the type is added.
    pub(crate) fn of(section: &HeaderSection<'_>, implied: &str) -> ContentType {
        let Some(field) = section.field("Content-Type") else {
            return ContentType::bare(implied);
        };
        let mut value = headers::line(field.value, MAX_CONTENT_TYPE) + "\n";
        if !value.contains(';') {
            value = value.replacen(' ', ";", 1);
        }
        let parsed = MessageStream::new(value.as_bytes()).parse_content_type();
        let Some(parsed) = parsed.as_content_type() else {
            return ContentType::bare(implied);
        };
        let Some(subtype) = parsed.subtype() else {
            return ContentType::bare(implied);
        };
        let parameters = parsed.attributes().unwrap_or_default().iter();
        ContentType {
            kind: format!("{}/{subtype}", parsed.ctype()).to_ascii_lowercase(),
            parameters: parameters.map(|each| (each.name.to_string(), each.value.to_string())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_read_however_it_is_written() {
        for (value, boundary) in [
            ("----=_Part_1.2:3?4", "----=_Part_1.2:3?4"),
            ("\"=_x y(z)\" ; charset=utf-8", "=_x y(z)"),
            ("x--", "x--"),
            ("Ab (comment); type=\"text/html\"", "Ab"),
        ] {
            let raw = format!("Content-Type: Multipart/Mixed;\r\n\tBOUNDARY={value}\r\n\r\n");
            let content_type = ContentType::of(&headers::split(raw.as_bytes()), "");
            assert_eq!(content_type.kind, "multipart/mixed");
            assert_eq!(content_type.parameter("boundary"), Some(boundary));
        }
    }

    #[test]
    fn a_semicolon_may_be_missing_after_the_type() {
        let section = headers::split(b"Content-Type: text/html\n charset=\"utf-8\"\n\n");
        let content_type = ContentType::of(&section, "");
        assert_eq!(
            (content_type.kind.as_str(), content_type.parameter("charset")),
            ("text/html", Some("utf-8"))
        );
    }
}
