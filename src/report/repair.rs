//! Messages that lost something on their way: their line ends, or the header field that makes them
//! a multipart.
//!
//! Not here: reading what was repaired. Invariant: a message that is sound stays as it is.

use crate::message::{Message, headers};

/// A message whose lines end with CR alone, with LF instead; `None` if they end with LF.
pub(crate) fn with_line_ends(raw: &[u8]) -> Option<Vec<u8>> {
    let start = &raw[..raw.len().min(64 * 1024)];
    let bare = start.contains(&b'\r') && !start.contains(&b'\n');
    bare.then(|| raw.iter().map(|&byte| if byte == b'\r' { b'\n' } else { byte }).collect())
}

/// A message with the field by which it is a multipart, if it lost that: its body begins with a
/// delimiter and a Content-Type after it.
pub(crate) fn with_header(message: &Message<'_>) -> Option<Vec<u8>> {
    const MAX_LINES: usize = 400;
    const ORIGINAL: [&[u8]; 3] = [b"received:", b"return-path:", b"dkim-signature:"];
    if message.parts().len() > 1 {
        return None;
    }
    let body = message.body();
    let mut at = 0;
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
            return Some(with_boundary(message, &line[2..]));
        }
        at = end;
    }
    None
}

/// The message as a multipart with this boundary.
fn with_boundary(message: &Message<'_>, boundary: &[u8]) -> Vec<u8> {
    let boundary = String::from_utf8_lossy(boundary).replace(['"', '\\'], "");
    let field = format!("Content-Type: multipart/report; boundary=\"{boundary}\"\n");
    let others = message.raw_fields().iter().filter(|field| !field.is("Content-Type"));
    let kept: Vec<&[u8]> = others.map(|field| field.whole).collect();
    [&kept.concat(), field.as_bytes(), b"\n", message.body()].concat()
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

        let broken =
            Message::read(b"A: 1\n\n--=_boundary\nContent-Type: text/plain\n\nx\n--=_boundary\n\ny\n");
        let repaired = with_header(&broken).unwrap();
        assert_eq!(Message::read(&repaired).content_type().parameter("boundary"), Some("=_boundary"));
        assert_eq!(with_header(&Message::read(&repaired)), None);
        assert_eq!(with_header(&Message::read(b"A: 1\n\ntext\n")), None);
    }
}
