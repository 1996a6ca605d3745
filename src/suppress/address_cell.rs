//! An address in a cell or a JSON value: taken out of what surrounds it, and checked by the syntax
//! of a mailbox (RFC 5321 section 4.1.2, RFC 6531).
//!
//! Not here: which cell has it (`column_names`). Invariant: what is returned is one mailbox in
//! lower case, and nothing else.

use crate::mailbox_syntax::{INVISIBLE, is_domain, is_local_part, split_address, undotted};

const MAX_LOCAL: usize = 64;
/// What other programs write in front of an address.
const PREFIXES: [&str; 3] = ["mailto:", "smtp:", "rfc822;"];

/// The mailbox in a cell: bare, in angle brackets after a name, quoted, or as a `mailto` URL. The
/// error says what is wrong.
pub(crate) fn mailbox(cell: &str) -> Result<String, &'static str> {
    let cell = unquoted(trimmed(cell));
    let inside = match cell.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((_, inside)) => trimmed(inside),
        None => cell,
    };
    let address = undotted(&without_prefix(inside)).to_lowercase();
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
    if !is_local_part(local) {
        return Err("invalid address: the part before the @ has characters that it may not have");
    }
    if !is_domain(domain) {
        return Err("invalid address: what follows the @ is not a domain");
    }
    Ok(())
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
