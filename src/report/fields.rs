//! The parts of a report that programs read: lines of `Name: value`, as RFC 3464 and RFC 5965 have
//! them.
//!
//! Not here: what the fields mean. Invariant: what is written is ASCII, one field per line; what is
//! read is taken as it comes, and values are bounded.

use super::lines::NumberedLine;
use crate::message::draft::field_value;

/// A field, or a blank line between groups of fields.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FieldLine<'a> {
    Blank,
    Field {
        name: &'a str,
        /// Unfolded.
        value: String,
        /// The line of the message.
        line: u32,
    },
}

/// The fields in some lines; lines without a colon are skipped. A folded value is cut at `limit`
/// bytes.
pub(crate) fn read<'a>(lines: &[NumberedLine<'a>], limit: usize) -> impl Iterator<Item = FieldLine<'a>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(line) = lines.get(at) {
            at += 1;
            if line.is_blank() {
                return Some(FieldLine::Blank);
            }
            let Some((name, value)) = line.trimmed().split_once(':') else { continue };
            let mut value = trim(value).to_owned();
            while let Some(fold) = lines.get(at).filter(|next| next.text.starts_with([' ', '\t'])) {
                if value.len() + fold.text.len() < limit {
                    value.push(' ');
                    value.push_str(trim(fold.text));
                }
                at += 1;
            }
            let value = trim(&value).to_owned();
            return Some(FieldLine::Field { name: name.trim(), value, line: line.number });
        }
        None
    })
}

/// Without blanks. Those beyond ASCII may be part of an address (RFC 6531).
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Fields to be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct WrittenFields(String);

impl WrittenFields {
    /// Adds a field. What is beyond ASCII is escaped.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.0.push_str(&format!("{name}: {}\r\n", escaped(&field_value(value), |_| false)));
    }

    pub(crate) fn add_some(&mut self, name: &str, value: Option<&str>) {
        value.into_iter().for_each(|value| self.add(name, value));
    }

    /// Adds the name of a mail server, or nothing.
    pub(crate) fn add_mta(&mut self, name: &str, mta: Option<&str>) {
        mta.into_iter().for_each(|mta| self.add(name, &format!("dns; {mta}")));
    }

    /// Adds an address with its type: `rfc822`, or `utf-8` in the form for parts in ASCII (RFC 6533
    /// section 3), unless it comes with another type (`x400;…`).
    pub(crate) fn add_address(&mut self, name: &str, address: &str) {
        let address = field_value(address);
        let is_kind = |kind: &str| kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let typed = address.split_once(';').filter(|(kind, _)| !kind.is_empty() && is_kind(kind));
        if let Some((kind, rest)) = typed.filter(|_| address.is_ascii()) {
            self.add(name, &format!("{kind}; {}", rest.trim_start()));
        } else if address.is_ascii() {
            self.add(name, &format!("rfc822; {address}"));
        } else {
            let text = escaped(&address, |c| matches!(c, '\\' | '+' | '=' | ' '));
            self.add(name, &format!("utf-8; {text}"));
        }
    }

    /// Ends a group (RFC 3464: the fields of the message, then those of each recipient).
    pub(crate) fn end_group(&mut self) {
        self.0.push_str("\r\n");
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text in ASCII: other characters, and those that `also` names, as `\x{HEX}` (RFC 6533 section 3).
fn escaped(text: &str, also: impl Fn(char) -> bool) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() && !also(c) {
            written.push(c);
        } else {
            written += &format!("\\x{{{:X}}}", u32::from(c));
        }
    }
    written
}

/// Undoes `\x{20AC}`.
pub(crate) fn unescaped(text: &str) -> String {
    let mut pieces = text.split("\\x{");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code =
            piece.split_once('}').and_then(|(hex, rest)| Some((u32::from_str_radix(hex, 16).ok()?, rest)));
        match code.and_then(|(code, rest)| Some((char::from_u32(code)?, rest))) {
            Some((c, rest)) => {
                plain.push(c);
                plain.push_str(rest);
            }
            None => plain.push_str(piece),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    #[test]
    fn fields_are_unfolded_and_blank_lines_are_kept() {
        let text = PartText::plain("A: 1\n 2\nno field\n\nB : 3", 7);
        let field = |name, value: &str, line| FieldLine::Field { name, value: value.to_owned(), line };
        let read: Vec<FieldLine<'_>> = read(&text.lines(), 100).collect();
        assert_eq!(read, [field("A", "1 2", 7), FieldLine::Blank, field("B", "3", 11)]);
    }

    #[test]
    fn addresses_beyond_ascii_have_their_own_form() {
        let mut fields = WrittenFields::default();
        fields.add_address("Final-Recipient", "jürgen+x@grün.example");
        fields.add_address("Original-Recipient", "j+x@green.example");
        fields.add_address("Original-Recipient", "x400;/c=us/");
        let expected = "Final-Recipient: utf-8; j\\x{FC}rgen\\x{2B}x@gr\\x{FC}n.example\r\n\
            Original-Recipient: rfc822; j+x@green.example\r\nOriginal-Recipient: x400; /c=us/\r\n";
        assert_eq!(fields.as_str(), expected);
        assert_eq!(unescaped("j\\x{FC}rgen\\x{2B}x \\x{zz}"), "jürgen+x zz}");
    }
}
