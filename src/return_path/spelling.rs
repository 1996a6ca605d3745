//! How an address is written inside the local part of another: in letters that every mail server
//! keeps.
//!
//! Not here: what it is signed with (`verp`). Invariant: `unescape` returns what `escape` was
//! given, also when a server has changed the case of letters. Addresses that differ only in the
//! case of ASCII letters are one address, in lower case (RFC 5321 section 2.4 would let a host tell
//! them apart; none does).

/// Local part without quotes, and domain, both with ASCII letters in lower case.
pub(crate) fn parts(address: &str) -> Option<(String, String)> {
    let (local, domain) = address.rsplit_once('@')?;
    let local = match local.strip_prefix('"').and_then(|local| local.strip_suffix('"')) {
        Some(quoted) => unquote(quoted),
        None => local.to_owned(),
    };
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let bad = local.is_empty() || domain.is_empty() || address.chars().any(|c| c.is_ascii_control());
    (!bad).then(|| (local.to_ascii_lowercase(), domain.to_ascii_lowercase()))
}

/// The content of a quoted string (RFC 5321 section 4.1.2). A backslash quotes the next character.
fn unquote(quoted: &str) -> String {
    let mut content = String::with_capacity(quoted.len());
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        content.push(if c == '\\' { rest.next().unwrap_or(c) } else { c });
    }
    content
}

/// The address of a local part without quotes and a domain, quoted only where it must be.
pub(super) fn join((local, domain): &(String, String)) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii();
    if local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(plain)) {
        return format!("{local}@{domain}");
    }
    let quoted = local.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{quoted}\"@{domain}")
}

/// Lower-case letters, digits, `-`, `_` and single dots stay; any other octet becomes `+` and two
/// hexadecimal digits.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for (at, octet) in text.bytes().enumerate() {
        let plain = match octet {
            b'.' => !escaped.ends_with('.') && at + 1 < text.len(),
            _ => octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-' || octet == b'_',
        };
        if plain {
            escaped.push(char::from(octet));
        } else {
            escaped.push('+');
            escaped.extend(
                [octet >> 4, octet & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])),
            );
        }
    }
    escaped
}

pub(super) fn unescape(escaped: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'+' {
            octets.push(octet);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        octets.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(octets).ok()
}
