//! Messages that lost something on their way: their line ends, their first field (after a byte
//! order mark), or the header field that makes them a multipart.
//!
//! Not here: reading what was repaired. Invariants: a message that is sound stays as it is; the
//! repair gives back a structure and is no evidence of a report.

use super::writer::Writer;
use crate::message::{Message, headers};

/// What some editors write before a text: the byte order mark.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// A message without the mark before its first field; `None` if it has none.
pub(crate) fn without_mark(raw: &[u8]) -> Option<&[u8]> {
    raw.strip_prefix(MARK)
}

/// A message whose lines end with CR alone, with LF instead; `None` if they end with LF.
pub(crate) fn with_line_ends(raw: &[u8]) -> Option<Vec<u8>> {
    let start = &raw[..raw.len().min(64 * 1024)];
    let bare = !start.contains(&b'\n') && start.contains(&b'\r');
    bare.then(|| raw.iter().map(|&byte| if byte == b'\r' { b'\n' } else { byte }).collect())
}

/// A message with the field by which it is a multipart, if it lost that: its body begins with a
/// delimiter and a Content-Type after it. What follows a person's words is a source that is quoted.
pub(crate) fn with_header(message: &Message<'_>) -> Option<Vec<u8>> {
    const MAX_LINES: usize = 400;
    const ORIGINAL: [&[u8]; 3] = [b"received:", b"return-path:", b"dkim-signature:"];
    if message.parts().len() > 1 {
        return None;
    }
    let body = message.body();
    let (mut at, mut after_words) = (0, false);
    for _ in 0..MAX_LINES {
        if at >= body.len() {
            break;
        }
        let end = headers::line_end(body, at);
        let line = headers::without_line_end(&body[at..end]).trim_ascii_end();
        if ORIGINAL.iter().any(|name| starts_with(line, name)) {
            break;
        }
        let delimits = line.len() > 8 && line.len() < 78 && line.starts_with(b"--");
        if delimits && starts_with(&body[end..], b"content-") {
            return with_delimiter(message, &line[2..], after_words);
        }
        after_words |= !is_preamble(line);
        at = end;
    }
    None
}

/// The message as a multipart with this delimiter in its body, unless it is sound or quotes a
/// source.
fn with_delimiter(message: &Message<'_>, delimiter: &[u8], after_words: bool) -> Option<Vec<u8>> {
    let declared = message.content_type();
    let multipart = declared.kind.starts_with("multipart/");
    if after_words && !multipart && Writer::of(message) != Writer::Server {
        return None;
    }
    let boundary = String::from_utf8_lossy(delimiter).replace(['"', '\\'], "");
    let sound = multipart && declared.parameter("boundary") == Some(boundary.as_str());
    let kind = if multipart { declared.kind.as_str() } else { "multipart/mixed" };
    (!sound).then(|| with_boundary(message, kind, &boundary))
}

/// The message as a multipart with this boundary.
fn with_boundary(message: &Message<'_>, kind: &str, boundary: &str) -> Vec<u8> {
    let field = format!("Content-Type: {kind}; boundary=\"{boundary}\"\n");
    let others = message.raw_fields().iter().filter(|field| !field.is("Content-Type"));
    let kept: Vec<&[u8]> = others.map(|field| field.whole).collect();
    [&kept.concat(), field.as_bytes(), b"\n", message.body()].concat()
}

/// Whether a line is blank, or for programs that do not know multiparts.
fn is_preamble(line: &[u8]) -> bool {
    line.is_empty() || line.windows(4).any(|word| word.eq_ignore_ascii_case(b"mime"))
}

/// Whether bytes start with a name; case does not count.
fn starts_with(bytes: &[u8], name: &[u8]) -> bool {
    bytes.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_broken_is_repaired_and_what_is_sound_is_not() {
        assert_eq!(with_line_ends(b"A: 1\r\rtext\r").as_deref(), Some(&b"A: 1\n\ntext\n"[..]));
        assert_eq!(with_line_ends(b"A: 1\r\n\r\ntext\r\n"), None);
        assert_eq!(without_mark("\u{feff}A: 1".as_bytes()), Some(&b"A: 1"[..]));
        assert_eq!(without_mark(b"A: 1"), None);

        let broken =
            Message::read(b"A: 1\n\n--=_boundary\nContent-Type: text/plain\n\nx\n--=_boundary\n\ny\n");
        let repaired = with_header(&broken).unwrap();
        assert_eq!(Message::read(&repaired).content_type().parameter("boundary"), Some("=_boundary"));
        assert_eq!(with_header(&Message::read(&repaired)), None);
        assert_eq!(with_header(&Message::read(b"A: 1\n\ntext\n")), None);
        for sound in [
            "Content-Type: multipart/mixed; boundary=\"=_boundary\"\n\n--=_boundary\nContent-Type: text/plain\n\nx\n",
            "From: a@x.example\n\nWhy do I see this?\n\n--=_boundary\nContent-Type: text/plain\n\nx\n",
        ] {
            assert_eq!(with_header(&Message::read(sound.as_bytes())), None, "{sound}");
        }
    }
}
