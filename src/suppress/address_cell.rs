//! An address in a cell or a JSON value: taken out of what surrounds it, and checked by the syntax
//! of a mailbox (RFC 5321 section 4.1.2, RFC 6531).
//!
//! Not here: which cell has it (`column_names`). Invariant: what is returned is one mailbox in
//! lower case, and nothing else.

use crate::envelope::split_address;
use std::net::{Ipv4Addr, Ipv6Addr};

const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 255;
const MAX_LABEL: usize = 63;
/// What other programs write in front of an address.
const PREFIXES: [&str; 3] = ["mailto:", "smtp:", "rfc822;"];
/// Characters without width that come with copied text.
const INVISIBLE: [char; 6] = ['\u{feff}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{a0}'];

/// The mailbox in a cell: bare, in angle brackets after a name, quoted, or as a `mailto` URL. The
/// error says what is wrong.
pub(crate) fn mailbox(cell: &str) -> Result<String, &'static str> {
    let cell = unquoted(trimmed(cell));
    let inside = match cell.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((_, inside)) => trimmed(inside),
        None => cell,
    };
    let address = without_prefix(inside).to_lowercase();
    check(&address).map(|()| address)
}

/// Whether this is a mailbox as it is.
pub(crate) fn check(address: &str) -> Result<(), &'static str> {
    if address.is_empty() {
        return Err("no address");
    }
    let (local, domain) = split_address(address).ok_or("no address: it needs local@domain")?;
    if local.len() > MAX_LOCAL {
        return Err("the part before the @ is longer than 64 octets");
    }
    if !(is_dot_string(local) || is_quoted_string(local)) {
        return Err("invalid address: the part before the @ has characters that it may not have");
    }
    if !is_domain(domain) {
        return Err("invalid address: what follows the @ is not a domain");
    }
    Ok(())
}

/// Whether this can be the domain of a mailbox.
pub(crate) fn is_domain(domain: &str) -> bool {
    if let Some(literal) = domain.strip_prefix('[') {
        let inside = literal.strip_suffix(']').unwrap_or_default();
        return match inside.split_at_checked("IPv6:".len()) {
            Some((tag, six)) if tag.eq_ignore_ascii_case("IPv6:") => six.parse::<Ipv6Addr>().is_ok(),
            _ => inside.parse::<Ipv4Addr>().is_ok(),
        };
    }
    let is_label = |label: &str| {
        let is_inside =
            |c: char| c == '-' || if c.is_ascii() { c.is_ascii_alphanumeric() } else { is_text(c) };
        (1..=MAX_LABEL).contains(&label.len())
            && label.chars().all(is_inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    domain.len() <= MAX_DOMAIN && domain.split('.').all(is_label) && !is_number
}

fn is_dot_string(local: &str) -> bool {
    const ATEXT: &str = "!#$%&'*+-/=?^_`{|}~";
    let is_atext = |c: char| c.is_ascii_alphanumeric() || ATEXT.contains(c) || is_text(c);
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

fn is_quoted_string(local: &str) -> bool {
    let Some(inside) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        let is_fine = match c {
            '\\' => chars.next().is_some_and(|next| (' '..='~').contains(&next)),
            '"' => false,
            _ => (' '..='~').contains(&c) || is_text(c),
        };
        if !is_fine {
            return false;
        }
    }
    !inside.is_empty()
}

/// A character outside ASCII that may be in a mailbox (RFC 6531), without blanks and controls.
fn is_text(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace() && !INVISIBLE.contains(&c) && c != '\u{fffd}'
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || INVISIBLE.contains(&c) || matches!(c, ',' | ';'))
}

/// Without quotation marks around the whole, or the apostrophe that keeps a spreadsheet from
/// computing what looks like a formula.
fn unquoted(text: &str) -> &str {
    let paired = ['"', '\''].into_iter().find_map(|mark| {
        let inside = text.strip_prefix(mark)?.strip_suffix(mark)?;
        (!inside.is_empty() && !inside.contains(mark)).then(|| trimmed(inside))
    });
    paired.unwrap_or_else(|| {
        text.strip_prefix('\'').filter(|rest| rest.starts_with(['+', '-', '=', '@'])).unwrap_or(text)
    })
}

/// Without `mailto:` and its like; a `mailto` URL loses its query and its percent signs.
fn without_prefix(text: &str) -> String {
    for prefix in PREFIXES {
        if let Some((start, rest)) = text.split_at_checked(prefix.len())
            && start.eq_ignore_ascii_case(prefix)
        {
            let rest = rest.trim();
            if prefix != "mailto:" {
                return rest.to_owned();
            }
            let address = rest.split('?').next().unwrap_or_default();
            return percent_decoded(address).unwrap_or_else(|| address.to_owned());
        }
    }
    text.to_owned()
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}
