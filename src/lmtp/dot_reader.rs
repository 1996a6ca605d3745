//! The text after DATA, up to the line that has only a dot (RFC 5321 section 4.5.2).
//!
//! Not here: what becomes of the text. Invariant: only CR LF ends a line, so that nothing within a
//! message is taken for its end here and for text elsewhere, or the other way around (SMTP
//! smuggling). Other line ends are noted, and whoever asked for the text refuses it.

use memchr::memchr2;

#[derive(Debug, Default)]
pub(crate) struct DotReader {
    at: At,
    /// A CR or LF that is not part of a line end.
    stray: bool,
}

/// What was read last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    LineStart,
    /// A dot at the start of a line.
    Dot,
    /// The same, and a CR.
    DotCr,
    Text,
    Cr,
}

impl DotReader {
    /// Reads from `input`; gives the text to `write` in pieces. Returns how many bytes are used,
    /// and whether the text has ended.
    pub(crate) fn read(&mut self, input: &[u8], mut write: impl FnMut(&[u8])) -> (usize, bool) {
        let mut used = 0;
        while let Some(&byte) = input.get(used) {
            match (self.at, byte) {
                (At::LineStart, b'.') => {
                    self.at = At::Dot;
                    used += 1;
                }
                (At::Dot, b'\r') => {
                    self.at = At::DotCr;
                    used += 1;
                }
                (At::DotCr, b'\n') => {
                    *self = DotReader { at: At::LineStart, stray: self.stray };
                    return (used + 1, true);
                }
                (At::DotCr, _) => {
                    self.stray(b"\r", &mut write);
                    self.at = At::Text;
                }
                (At::Cr, b'\n') => {
                    write(b"\r\n");
                    self.at = At::LineStart;
                    used += 1;
                }
                (At::Cr, _) => {
                    self.stray(b"\r", &mut write);
                    self.at = At::Text;
                }
                (At::LineStart | At::Dot | At::Text, _) => used += self.text(&input[used..], &mut write),
            }
        }
        (used, false)
    }

    /// Whether the text had a CR or LF for itself.
    pub(crate) fn is_stray(&self) -> bool {
        self.stray
    }

    /// Text up to the next CR or LF, and beyond it if that is a line end.
    fn text(&mut self, input: &[u8], write: &mut impl FnMut(&[u8])) -> usize {
        self.at = At::Text;
        let Some(end) = memchr2(b'\r', b'\n', input) else {
            write(input);
            return input.len();
        };
        match input[end..] {
            [b'\r', b'\n', ..] => {
                write(&input[..end + 2]);
                self.at = At::LineStart;
                end + 2
            }
            [b'\r', ..] => {
                write(&input[..end]);
                self.at = At::Cr;
                end + 1
            }
            _ => {
                self.stray(&input[..=end], write);
                end + 1
            }
        }
    }

    fn stray(&mut self, text: &[u8], write: &mut impl FnMut(&[u8])) {
        write(text);
        self.stray = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text, whether it is stray, and what follows the end.
    type Ended = Option<(Vec<u8>, bool, Vec<u8>)>;

    /// What is read of this text, however it is cut.
    fn read(input: &[u8]) -> Ended {
        let mut found: Vec<Ended> = Vec::new();
        for piece in 1..=input.len() {
            let (mut reader, mut text, mut used) = (DotReader::default(), Vec::new(), 0);
            let end = input.chunks(piece).find_map(|chunk| {
                let (taken, ended) = reader.read(chunk, |text_of_it| text.extend_from_slice(text_of_it));
                used += taken;
                ended.then_some(used)
            });
            found.push(end.map(|end| (text, reader.is_stray(), input[end..].to_vec())));
        }
        assert!(found.windows(2).all(|two| two[0] == two[1]), "{:?}", String::from_utf8_lossy(input));
        found.pop().flatten()
    }

    #[test]
    fn the_text_ends_at_a_dot_alone_between_line_ends() {
        let whole = |text: &str, rest: &str| Some((text.into(), false, rest.into()));
        assert_eq!(read(b".\r\nQUIT\r\n"), whole("", "QUIT\r\n"));
        assert_eq!(read(b"a\r\nb\r\n.\r\n"), whole("a\r\nb\r\n", ""));
        assert_eq!(read(b"..\r\n...b\r\n.c\r\n.\r\n"), whole(".\r\n..b\r\nc\r\n", ""));
        assert_eq!(read(b"a.\r\n b\r\n\r\n.\r\n"), whole("a.\r\n b\r\n\r\n", ""));
        assert_eq!(read(b"a\r\n."), None);
    }

    #[test]
    fn other_line_ends_end_nothing_and_are_noted() {
        for smuggled in [
            "a\n.\nb",
            "a\n.\r\nb",
            "a\r\n.\nb",
            "a\r.\rb",
            "a\r\n.\rb",
            "a\r.\r\nb",
            "a\r\r\n.\n",
            "\n",
            "\r",
        ] {
            let text = format!("{smuggled}\r\n.\r\nrest");
            let Some((_, stray, rest)) = read(text.as_bytes()) else { panic!("{smuggled:?}") };
            assert!(stray && rest == b"rest", "{smuggled:?}");
        }
        assert_eq!(read(b"a\rb\nc\r\n.\r\n").unwrap().0, b"a\rb\nc\r\n");
    }
}
