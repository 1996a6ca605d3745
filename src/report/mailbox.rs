//! Addresses in running text, and in the fields of a report.
//!
//! Not here: address lists of a header (`message::addresses`). Invariant: an address has a local
//! part of at most 128 and a domain of at most 253 bytes, no space outside quotes and no control
//! character.

use super::fields::{trim, unescaped};
use crate::mailbox_syntax::is_mailbox;

/// A longer local part is not one. RFC 5321 allows 64 octets; return paths with a key in them have
/// more.
const MAX_LOCAL: usize = 128;
/// A longer name of a user is not one (RFC 5321 section 4.5.3.1.1).
const MAX_NAME: usize = 64;
/// A longer domain is not one (RFC 1035).
const MAX_DOMAIN: usize = 253;

/// An address, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressInText<'a> {
    /// `local@domain`.
    pub(crate) address: &'a str,
    /// The index of its first byte.
    pub(crate) start: usize,
    /// The index after its last byte.
    pub(crate) end: usize,
}

/// The addresses of a text, in order.
pub(crate) fn all(text: &str) -> impl Iterator<Item = AddressInText<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(at) = text.get(from..)?.find('@').map(|found| from + found) {
            let floor = from;
            from = at + 1;
            if let Some(found) = around(text, at, floor) {
                from = found.end.max(from);
                return Some(found);
            }
        }
        None
    })
}

/// The first address of a text.
pub(crate) fn first(text: &str) -> Option<AddressInText<'_>> {
    all(text).next()
}

/// The addresses that a text goes on with, as in a list: `, <b@x.example> and c@x.example`; and
/// where each starts.
pub(crate) fn listed(text: &str) -> Vec<(usize, &str)> {
    const MAX: usize = 100;
    const AND: [&str; 8] = ["and ", "und ", "et ", "y ", "e ", "en ", "och ", "и "];
    let mut found = Vec::new();
    let mut at = 0;
    while found.len() < MAX {
        let rest = &text[at..];
        let mark = rest.trim_start_matches([' ', '\t', '>', '"', '\'', ')']);
        let gap = mark.trim_start_matches([',', ';', '&', ' ', '\t']);
        let word = AND.iter().find_map(|and| gap.strip_prefix(and));
        let apart = word.is_some() || mark.starts_with([',', ';', '&']);
        let gap = word.unwrap_or(gap).trim_start_matches([' ', '<', '"', '\'']);
        let Some(next) = first(gap).filter(|next| apart && next.start == 0) else { break };
        at = text.len() - gap.len();
        found.push((at, next.address));
        at += next.end;
    }
    found
}

/// Whether a text is one address and nothing else.
pub(crate) fn is_address(text: &str) -> bool {
    first(text).is_some_and(|found| found.end - found.start == text.len())
}

/// The address whose `@` is at `at` and that starts at `floor` or later.
fn around(text: &str, at: usize, floor: usize) -> Option<AddressInText<'_>> {
    let before = text.get(floor..at)?;
    #[cfg(test)]
    crate::message::work::add(before.len().min(MAX_LOCAL));
    let start = floor + if before.ends_with('"') { quoted_start(before)? } else { local_start(before) };
    let start = start + label(&text[start..at]);
    let domain = domain(&text[at + 1..])?;
    let end = at + 1 + domain.len();
    let local = at - start;
    ((1..=MAX_LOCAL).contains(&local) && domain.len() <= MAX_DOMAIN).then(|| AddressInText {
        address: &text[start..end],
        start,
        end,
    })
}

/// The length of a label that is written right before a local part: `SMTP=user`.
fn label(local: &str) -> usize {
    const LABELS: [&str; 12] = [
        "smtp=",
        "rfc822=",
        "mailto=",
        "to=",
        "rcpt=",
        "rcpt_to=",
        "email=",
        "recipient=",
        "orig_to=",
        "address=",
        "addr=",
        "user=",
    ];
    let starts = |label: &&str| {
        local.len() > label.len()
            && local.get(..label.len()).is_some_and(|start| start.eq_ignore_ascii_case(label))
    };
    let labels = if local.contains('=') { &LABELS[..] } else { &[] };
    labels.iter().find(|label| starts(label)).map_or(0, |label| label.len())
}

/// Where a quoted local part starts that ends with the text.
fn quoted_start(before: &str) -> Option<usize> {
    let inner = &before[..before.len() - 1];
    let from = inner.len() - inner.bytes().rev().take(MAX_LOCAL).take_while(|&byte| byte != b'"').count();
    let control = inner[floor_boundary(inner, from)..].contains(char::is_control);
    (from > 0 && inner.as_bytes()[from - 1] == b'"' && !control).then(|| from - 1)
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Where an unquoted local part starts that ends with the text. Quotes and stars around an address
/// are not part of it.
fn local_start(before: &str) -> usize {
    let mut start = before.len();
    for (at, c) in before.char_indices().rev().take(MAX_LOCAL + 1) {
        let special = matches!(c, '"' | '(' | ')' | ',' | ':' | ';' | '<' | '>' | '@' | '[' | '\\' | ']');
        let atext = c.is_ascii_graphic() && !special || is_letter(c);
        let glued = is_unspaced(c) && before[start..].starts_with(|next: char| next.is_ascii_alphanumeric());
        if !atext || glued {
            break;
        }
        start = at;
    }
    let local = &before[start..];
    start
        + (local.len() - local.trim_start_matches(['\'', '*', '`', '|', '/', '=']).len())
            * usize::from(!local.starts_with("=?"))
}

/// A letter of an internationalised address (RFC 6531); not the punctuation of those scripts.
fn is_letter(c: char) -> bool {
    !c.is_ascii() && c.is_alphanumeric()
}

/// A letter of a script that is written without spaces, or whose particles follow a Latin word
/// without one.
fn is_unspaced(c: char) -> bool {
    c >= '\u{e00}' && c.is_alphanumeric()
}

/// The domain that a text starts with.
fn domain(text: &str) -> Option<&str> {
    if let Some(literal) = text.strip_prefix('[') {
        let inside = |c: &char| c.is_ascii_hexdigit() || matches!(c, ':' | '.' | 'I' | 'P' | 'v' | '6');
        let length: usize = literal.chars().take(MAX_DOMAIN).take_while(inside).count();
        return literal[length..].starts_with(']').then(|| &text[..length + 2]);
    }
    let inside =
        |&(_, c): &(usize, char)| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || is_letter(c);
    let mut last = ' ';
    let glued = |&(_, c): &(usize, char)| {
        let last = std::mem::replace(&mut last, c);
        is_unspaced(c) && last.is_ascii_alphanumeric()
    };
    let taken = text.char_indices().take(MAX_DOMAIN + 1).take_while(inside);
    let mut glued = glued;
    let taken = taken.take_while(|next| !glued(next));
    let length = taken.last().map_or(0, |(at, c)| at + c.len_utf8());
    let whole = &text[..length];
    let dots = whole.as_bytes().windows(2).position(|two| two == b"..");
    let whole = dots.map_or(whole, |at| &whole[..at]).trim_end_matches(['.', '-', '_']);
    (!whole.is_empty() && !whole.starts_with(['.', '-'])).then_some(whole)
}

/// The mailbox that a field of a report is, `rfc822; user@example.com` (RFC 3464 section 2.1.2), as
/// it is written there: nothing around it, nothing taken off but angle brackets.
pub(crate) fn literal_in_field(value: &str) -> Option<&str> {
    let (kind, rest) = typed(value);
    let is_address = kind.is_none_or(|kind| ["rfc822", "utf-8"].iter().any(|k| kind.eq_ignore_ascii_case(k)));
    let inside = rest.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(rest);
    let is_short = |mailbox: &str| mailbox.rfind('@').is_some_and(|at| at <= MAX_LOCAL);
    // A gateway's name of the kind of address, which is not part of it.
    let is_labelled = inside.starts_with("SMTP=");
    Some(inside).filter(|inside| is_address && !is_labelled && is_mailbox(inside) && is_short(inside))
}

/// The address in a field of a report, unescaped (RFC 6533): the mailbox that the field is, or else
/// the first that is somewhere in it, as programs write that do not follow the grammar.
pub(crate) fn in_field(value: &str) -> Option<String> {
    if let Some(literal) = literal_in_field(value) {
        return Some(literal.to_owned());
    }
    let (kind, rest) = typed(value);
    let plain;
    let rest = if kind.is_none_or(|kind| kind.eq_ignore_ascii_case("utf-8")) && rest.contains("\\x{") {
        plain = unescaped(rest);
        if is_mailbox(&plain) {
            return Some(plain);
        }
        &plain
    } else {
        rest
    };
    first(rest).map(|found| found.address.to_owned())
}

/// The local part in a field of a report, where no domain is with it: `local; user`.
pub(crate) fn name_in_field(value: &str) -> Option<String> {
    let name = typed(value).1.trim_matches(['<', '>', '"', ' ']);
    let atext = |c: char| c.is_ascii_alphanumeric() || "._-+=%&".contains(c);
    let usable = (1..=MAX_NAME).contains(&name.len()) && name.chars().all(atext);
    usable.then(|| name.to_owned())
}

/// Splits `type; value`. A type has no spaces.
pub(crate) fn typed(value: &str) -> (Option<&str>, &str) {
    match value.split_once(';') {
        Some((kind, rest)) if is_type(trim(kind)) => (Some(trim(kind)), trim(rest)),
        _ => (None, trim(value)),
    }
}

fn is_type(kind: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'/' | b'_' | b'.');
    (1..=40).contains(&kind.len())
        && kind.bytes().all(allowed)
        && !kind.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether two addresses are the same; case does not count, as hardly any host distinguishes it.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || (!one.is_ascii() && one.to_lowercase() == other.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        all(text).map(|found| found.address).collect()
    }

    #[test]
    fn addresses_are_found_wherever_they_are() {
        assert_eq!(
            found("To a@x.example, <b.c+d@y.example>: 'e@z.example'."),
            ["a@x.example", "b.c+d@y.example", "e@z.example"]
        );
        assert_eq!(found("<\"a b\"@x.example> f@[192.0.2.1]"), ["\"a b\"@x.example", "f@[192.0.2.1]"]);
        assert_eq!(
            found("user%b.example@host mailto:a@x.example?subject"),
            ["user%b.example@host", "a@x.example"]
        );
        assert_eq!(found("jürgen@bücher.example"), ["jürgen@bücher.example"]);
        assert_eq!(found("SMTP=a@x.example to=b@x.example"), ["a@x.example", "b@x.example"]);
        assert_eq!(
            found("**a@x.example** (=?utf-8?B?eA==?=@x.example)"),
            ["a@x.example", "=?utf-8?B?eA==?=@x.example"]
        );
    }

    #[test]
    fn words_of_other_scripts_are_not_part_of_an_address() {
        assert_eq!(
            found("메일이 a@x.example에 宛先a@x.exampleに 用户@例子.中国"),
            ["a@x.example", "a@x.example", "用户@例子.中国"]
        );
    }

    #[test]
    fn a_list_goes_on_while_addresses_follow() {
        let next = |text| listed(text).into_iter().map(|(_, address)| address).collect::<Vec<_>>();
        assert_eq!(
            next(", b@x.example; <c@x.example> and d@x.example."),
            ["b@x.example", "c@x.example", "d@x.example"]
        );
        assert_eq!(next("> and \"b@x.example\" is gone, c@x.example"), ["b@x.example"]);
        assert_eq!(next(" (b@x.example)"), [""; 0]);
        assert_eq!(next(" b@x.example"), [""; 0]);
    }

    #[test]
    fn what_is_not_an_address_is_not_found() {
        assert_eq!(found("@x.example a@ @ a@-x a@.b \"@ \"@x"), [""; 0]);
        assert_eq!(found(&format!("{}@x.example", "a".repeat(200))), [""; 0]);
        assert!(is_address("a@x") && !is_address("<a@x>") && !is_address(""));
    }

    #[test]
    fn fields_have_types_routes_and_escapes() {
        for field in [
            "rfc822;a@x.example",
            "RFC822; <a@x.example>",
            "rfc/822;a@x.example",
            "a@x.example",
            "rfc822;@r:a@x.example",
        ] {
            assert_eq!(in_field(field).as_deref(), Some("a@x.example"), "{field}");
        }
        assert_eq!(in_field("utf-8; j\\x{FC}rgen@x.example").as_deref(), Some("jürgen@x.example"));
        for literal in ["smtp=a@x.example", "\"a@y.example\"@x.example", "'|a@x.example"] {
            let field = format!("rfc822; {literal}");
            assert_eq!(in_field(&field).as_deref(), Some(literal));
            assert_eq!(literal_in_field(&field), Some(literal));
        }
        for loose in [
            "rfc822; a@x.example (gone)",
            "rfc822; \u{3000}a@x.example",
            "x; a@x.example",
            "rfc822; SMTP=a@x.example",
            "utf-8; \\x{61}@x.example",
            "rfc822; a@x.example;b@y.example",
        ] {
            assert_eq!(literal_in_field(loose), None, "{loose}");
        }
        assert_eq!(in_field("x400; /S=a/OU=b/"), None);
        assert_eq!(typed("Reason 1 (a); Diagnostic 5"), (None, "Reason 1 (a); Diagnostic 5"));
    }

    #[test]
    fn anything_is_read_in_linear_time() {
        for hostile in ["@", "a@", "\"@", "\"", "é", "a.", "[", "@[", "a@b"] {
            all(&hostile.repeat(300_000)).count();
        }
    }
}
