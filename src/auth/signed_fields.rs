//! Which header fields a DKIM signature covers: its tag h= (RFC 6376 section 3.5).
//!
//! Not here: whether a signature is valid (`verify`). Invariant: a field counts as covered only if
//! every signature of the domain covers it, so that a broken one cannot claim more for a valid one.

use crate::message::Message;

/// Whether the signatures of `domain` cover every field of this name. A message without such a
/// field has none covered.
pub(crate) fn covers(message: &Message<'_>, domain: &str, field: &str) -> bool {
    let fields = message.headers(field).len();
    let signatures = message.headers("DKIM-Signature");
    let mut own = signatures.iter().filter(|text| tag(text, "d").eq_ignore_ascii_case(domain)).peekable();
    fields > 0 && own.peek().is_some() && own.all(|text| named(text, field) >= fields)
}

/// How often a signature names a field. Each time covers one more of them, from the bottom.
fn named(signature: &str, field: &str) -> usize {
    tag(signature, "h").split(':').filter(|name| name.eq_ignore_ascii_case(field)).count()
}

/// The value of a tag without white space; empty if there is none.
fn tag(signature: &str, name: &str) -> String {
    let tags = signature.split(';').filter_map(|tag| tag.split_once('='));
    let value = tags.filter(|(tag, _)| tag.trim() == name).map(|(_, value)| value).next();
    value.unwrap_or_default().split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(signatures: &[&str], fields: &str) -> bool {
        let signatures: String =
            signatures.iter().map(|text| format!("DKIM-Signature: {text}\r\n")).collect();
        let raw = format!("{signatures}From: a@x.example\r\n{fields}\r\n");
        covers(&Message::read(raw.as_bytes()), "x.example", "CFBL-Address")
    }

    #[test]
    fn every_field_of_the_name_must_be_covered_by_every_signature_of_the_domain() {
        let covering = "v=1; d=X.example; s=a; h=From:\r\n CFBL-Address : Date; b=x";
        let other = "v=1; d=x.example; s=a; h=From; b=x";
        let strange = "v=1; d=y.example; s=a; h=From; b=x";
        let field = "CFBL-Address: fbl@x.example\r\n";
        assert!(covered(&[covering, strange], field));
        assert!(!covered(&[covering], &field.repeat(2)), "a field was added");
        assert!(!covered(&[covering, other], field));
        assert!(!covered(&[strange], field));
        assert!(!covered(&[covering], ""));
        assert!(!covered(&[], field));
    }
}
