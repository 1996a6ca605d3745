//! Where an address begins and ends in other text: what is beside it belongs to a longer address,
//! or it frames this one.
//!
//! Not here: the forms of an address (`named_address`). Invariant: what could belong to a longer
//! address belongs to one, unless it is known as a frame.

use memchr::memmem;

/// Bytes of a local part besides letters and digits (RFC 5322, `atext`, and the dot).
const OF_LOCAL_PART: &[u8] = b"!#$%&'*+-/=?^_`{|}~.";
/// No frame is longer.
const LONGEST: usize = 1024;

/// Whether a local part begins here. `is_encoded`: it is percent-encoded, as what is before it.
pub(super) fn local_part_begins(before: &[u8], after: &[u8], is_encoded: bool) -> bool {
    let before = &before[before.len().saturating_sub(LONGEST)..];
    if let (true, [earlier @ .., b'%', high, low]) = (is_encoded, before)
        && let Some(byte) = octet(*high, *low)
    {
        return !belongs(byte)
            || memmem::find(earlier, b"%3a%2f%2f").is_some() && is_in_url(&decoded(before));
    }
    let Some((last, earlier)) = before.split_last() else { return true };
    if before.ends_with(b"\\u003c") || is_escaped_space(*last, earlier) {
        return !is_soft_break(before);
    }
    match belongs(*last) {
        false => !is_soft_break(before),
        true => is_quoted(*last, earlier, after) || is_in_url(before) || is_batv(before),
    }
}

/// Whether a quoted local part begins here: a backslash would be of a longer one.
pub(super) fn quoted_part_begins(before: &[u8]) -> bool {
    before.last().is_none_or(|last| !belongs(*last) && *last != b'\\') || is_batv(before)
}

/// Whether a list manager's prefix of return paths ends here: `bounces+`, `news-bounces+`
/// (Mailman), `list-return-12-` (ezmlm). Nobody is called so.
pub(super) fn ends_in_list_prefix(before: &[u8]) -> bool {
    let Ok(prefix) = std::str::from_utf8(ending(before, belongs)) else { return false };
    if let Some(list) = prefix.strip_suffix('+') {
        return ["bounce", "bounces"].iter().any(|word| ends_in_word(list, word));
    }
    let number = prefix.strip_suffix('-').and_then(|prefix| prefix.rsplit_once('-'));
    number.is_some_and(|(list, number)| {
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number && ends_in_word(list, "return")
    })
}

fn ends_in_word(text: &str, word: &str) -> bool {
    text.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with(['-', '.', '_']))
}

/// Whether the tag of somebody's BATV follows, and its domain.
pub(super) fn tag_and_domain_follow(after: &[u8]) -> bool {
    let tag = &after[..after.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(after.len())];
    is_tag(tag) && after[tag.len()..].starts_with(b"@")
}

/// Whether `domain=local` begins here: after `SRS0=…=`, or as the beginning of a local part.
pub(super) fn rewritten_begins(before: &[u8]) -> bool {
    match before.last() {
        Some(b'=') => {
            let word = ending(before, belongs);
            word.starts_with(b"srs") || memmem::find(word, b"+srs").is_some()
        }
        last => last.is_none_or(|last| !belongs(*last)),
    }
}

/// Whether a word begins here, also after what JSON writes for a special character.
pub(super) fn word_begins(before: &[u8]) -> bool {
    let Some((last, earlier)) = before.split_last() else { return true };
    !is_of_word(*last) || before.ends_with(b"\\u003c") || is_escaped_space(*last, earlier)
}

/// Whether a domain ends here, and the address with it.
pub(super) fn domain_ends(after: &[u8]) -> bool {
    match after {
        [b'.', next, ..] => !is_of_word(*next),
        [b'=', b'\r', b'\n', next @ ..] | [b'=', b'\n', next @ ..] => domain_ends(next),
        [b'%', b'2', b'e' | b'd', ..] | [b'%', b'4', b'0', ..] => false,
        [b'"', b'@', ..] | [b'\\', b'"', b'@', ..] => false,
        [next, ..] => !is_of_word(*next) && !b"-_@".contains(next),
        [] => true,
    }
}

/// Whether a local part ends here.
pub(super) fn local_part_ends(after: &[u8]) -> bool {
    match after {
        [b'%', b'4', b'0', ..] => true,
        [b'.', next, ..] => !belongs(*next) && *next != b'@',
        [next, ..] => !belongs(*next),
        [] => true,
    }
}

/// Whether a byte is part of a word.
pub(crate) fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// Whether a byte may be part of a local part without quotes.
pub(super) fn belongs(byte: u8) -> bool {
    is_of_word(byte) || OF_LOCAL_PART.contains(&byte)
}

/// The last bytes that all pass.
fn ending(text: &[u8], passes: impl Fn(u8) -> bool) -> &[u8] {
    let start = text.iter().rposition(|byte| !passes(*byte)).map_or(0, |place| place + 1);
    &text[start..]
}

/// `\n`, `\r` or `\t`, as JSON writes it.
fn is_escaped_space(last: u8, earlier: &[u8]) -> bool {
    b"nrt".contains(&last) && ending(earlier, |byte| byte == b'\\').len() % 2 == 1
}

/// The end of a line that is continued, in quoted-printable.
fn is_soft_break(before: &[u8]) -> bool {
    [b"=\n".as_slice(), b"=\r\n", b"=\\n", b"=\\r\\n"].iter().any(|end| before.ends_with(end))
}

/// As in `'joe@example.org'`.
fn is_quoted(open: u8, earlier: &[u8], after: &[u8]) -> bool {
    let closing: &[u8] = match open {
        b'\'' | b'*' => &[open],
        b'`' => b"`'",
        b'{' => b"}",
        _ => return false,
    };
    after.first().is_some_and(|close| closing.contains(close))
        && earlier.last().is_none_or(|byte| !belongs(*byte))
}

/// As the last of a path, or as a value of a query.
fn is_in_url(before: &[u8]) -> bool {
    let word = ending(before, |byte| !byte.is_ascii() || byte.is_ascii_graphic() && !b"<>\"".contains(&byte));
    let of = |scheme: &[u8]| memmem::rfind(word, scheme).map(|start| &word[start + scheme.len()..]);
    let Some(rest) = of(b"://").or_else(|| of(b"mailto:")) else { return false };
    let has_query = rest.contains(&b'?');
    match rest {
        [_, .., b'/'] => !has_query,
        [key @ .., b'='] if has_query => {
            let key = ending(key, |byte| !b"?&".contains(&byte));
            !key.is_empty() && key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte))
        }
        _ => false,
    }
}

/// After a tag of somebody's BATV: `prvs=0686a1b2c3=`, `msprvs1=17789xqxwlwks=`,
/// `btv1==0686a1b2c3==`.
fn is_batv(before: &[u8]) -> bool {
    let Ok(word) = std::str::from_utf8(ending(before, belongs)) else { return false };
    let parts: Vec<&str> = word.split('=').collect();
    if let ["btv1", "", tag, "", ""] = parts[..] {
        return is_tag(tag.as_bytes());
    }
    let [kind, tag, ""] = parts[..] else { return false };
    let version = kind.strip_prefix("ms").unwrap_or(kind).strip_prefix("prvs");
    version.is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit())) && is_tag(tag.as_bytes())
}

fn is_tag(tag: &[u8]) -> bool {
    tag.len() >= 9
        && tag.iter().take(3).all(u8::is_ascii_hexdigit)
        && tag.iter().all(u8::is_ascii_alphanumeric)
}

/// What `%XX` stands for.
fn octet(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// Without percent-encoding: a URL in a URL.
fn decoded(mut text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    while let [first, rest @ ..] = text {
        let (byte, rest) = match text {
            [b'%', high, low, rest @ ..] => (octet(*high, *low).unwrap_or(b'%'), rest),
            _ => (*first, rest),
        };
        decoded.push(byte);
        text = rest;
    }
    decoded
}
