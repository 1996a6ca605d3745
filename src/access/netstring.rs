//! Netstrings: `5:hello,`, as socketmap_table(5) sends and takes them.
//!
//! Invariant: a length is known before its bytes are waited for, and never larger than the limit.

/// What the bytes of a client begin with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Netstring<'a> {
    /// The content, and the length of the whole.
    Whole(&'a [u8], usize),
    Part,
    /// No netstring, or one that is too long.
    Malformed,
}

/// The first netstring, of at most `most` bytes.
pub(crate) fn first(bytes: &[u8], most: usize) -> Netstring<'_> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // A leading zero would be a second form of a number.
    if digits > 9 || digits > 1 && bytes[0] == b'0' {
        return Netstring::Malformed;
    }
    let length = bytes[..digits].iter().fold(0, |value, digit| value * 10 + usize::from(digit - b'0'));
    let rest = match bytes.get(digits) {
        _ if length > most => return Netstring::Malformed,
        None => return Netstring::Part,
        Some(b':') if digits > 0 => &bytes[digits + 1..],
        Some(_) => return Netstring::Malformed,
    };
    match rest.get(length) {
        None => Netstring::Part,
        Some(b',') => Netstring::Whole(&rest[..length], digits + 1 + length + 1),
        Some(_) => Netstring::Malformed,
    }
}

/// Adds the reply to each netstring at the beginning, until the replies are `together` bytes long.
/// Returns how many bytes were answered, and whether more can follow.
pub(crate) fn answer(
    bytes: &[u8],
    most: usize,
    together: usize,
    replies: &mut Vec<u8>,
    mut reply: impl FnMut(&[u8]) -> String,
) -> (usize, bool) {
    let mut used = 0;
    while replies.len() < together {
        match first(&bytes[used..], most) {
            Netstring::Whole(request, length) => {
                write(reply(request).as_bytes(), replies);
                used += length;
            }
            Netstring::Part => break,
            Netstring::Malformed => return (used, false),
        }
    }
    (used, true)
}

pub(crate) fn write(content: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(format!("{}:", content.len()).as_bytes());
    to.extend_from_slice(content);
    to.push(b',');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_netstring_is_whole_a_part_or_none() {
        assert_eq!(first(b"5:hello,3:", 10), Netstring::Whole(b"hello", 8));
        assert_eq!(first(b"0:,", 10), Netstring::Whole(b"", 3));
        for part in [&b""[..], b"5", b"5:", b"5:hello", b"10:"] {
            assert_eq!(first(part, 10), Netstring::Part, "{part:?}");
        }
        for odd in [&b"x"[..], b":", b"5x", b"5:hello.", b"11", b"05:hello,", b"9999999999", b"-1:"] {
            assert_eq!(first(odd, 10), Netstring::Malformed, "{odd:?}");
        }
        let mut written = Vec::new();
        write(b"OK x", &mut written);
        assert_eq!(written, b"4:OK x,");
        assert_eq!(first(&written, 10), Netstring::Whole(b"OK x", 7));
    }
}
